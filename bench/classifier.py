"""How good is the classifier beside the usual ones?

    python bench/classifier.py --data DIR [--json]

BANKING77, CLINC150 and HWU64: the public splits; on CLINC150 also how well out-of-scope questions are told apart. Real
IT tickets: a quarter held out, near-copies (alike but for their digits) on one side, mean of four divisions. Beside it
in the same run: TF-IDF (words 1-2, characters 3-5) + LinearSVC, the same with the requester, sentence embedding +
logistic regression, and the average of the first and the third.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_union
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC

from kb import Encoder, load_encoder
from triage.learning.evaluation import Files, evaluate

DIVISIONS = 4

Labels = npt.NDArray[np.str_]
Scores = npt.NDArray[np.float64]


def rows_of(path: Path) -> list[dict[str, str]]:
    """The records of a JSON Lines file."""
    return [json.loads(line) for line in path.open(encoding="utf-8")]


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write records as JSON Lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def usual(encoder: Encoder, train: list[dict[str, str]], test: list[dict[str, str]]) -> dict[str, dict[str, float]]:
    """Accuracy, macro-F1 and top 3 of what people build first, on subject and body as they are."""
    texts = [[f"{row['subject'] or ''}\n{row['body'] or ''}" for row in part] for part in (train, test)]
    callers = [[[row["caller"]] for row in part] for part in (train, test)]
    y, truth = np.array([row["group"] for row in train]), np.array([row["group"] for row in test])
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    terms = make_union(words, pieces)
    requester = OneHotEncoder(handle_unknown="ignore")
    learn, judge = terms.fit_transform(texts[0]), terms.transform(texts[1])
    linear = LinearSVC().fit(learn, y)
    with_caller = LinearSVC().fit(sparse.hstack([learn, requester.fit_transform(callers[0])]), y)
    regression = LogisticRegression(C=10, max_iter=300).fit(encoder.encode(texts[0]), y)
    margins = linear.decision_function(judge)
    probability = regression.predict_proba(encoder.encode(texts[1]))
    scores = {
        "TF-IDF + LinearSVC": margins,
        "TF-IDF + requester + LinearSVC": with_caller.decision_function(
            sparse.hstack([judge, requester.transform(callers[1])])
        ),
        "embedding + LR": probability,
        "their average": softmax(2 * margins, axis=1) + probability,
    }
    return {name: _figures(linear.classes_, score, truth) for name, score in scores.items()}


def _figures(labels: Labels, score: Scores, truth: Labels) -> dict[str, float]:
    order = labels[np.argsort(-score, axis=1, kind="stable")[:, :3]]
    return {
        "accuracy": float((order[:, 0] == truth).mean()),
        "macro_f1": float(f1_score(truth, order[:, 0], average="macro", zero_division=0.0)),
        "top3_accuracy": float((order == truth[:, None]).any(axis=1).mean()),
    }


def intents(folder: Path, name: str, outside: Path | None, encoder: Encoder) -> dict[str, object]:
    """One public set: figures on its test part, and the CPU seconds of training."""
    files = Files(
        train=folder / f"{name}_train.jsonl",
        test=folder / f"{name}_test.jsonl",
        text=["text"],
        labels=["label"],
        out_of_scope=outside,
    )
    measured = evaluate(files, encoder)
    return {"triage": _numbers(measured["labels"]["label"]), "seconds": measured["seconds"]}


def tickets(rows: list[dict[str, str]], encoder: Encoder, seed: int) -> dict[str, dict[str, float]]:
    """One division of the real tickets."""
    masked = [re.sub(r"\d", "0", " ".join(f"{r['subject']} {r['body']}".lower().split())) for r in rows]
    learn, judge = next(GroupShuffleSplit(1, test_size=0.25, random_state=seed).split(rows, groups=masked))
    train, test = [rows[row] for row in learn], [rows[row] for row in judge]
    with TemporaryDirectory() as scratch:
        parts = write(Path(scratch, "train.jsonl"), train), write(Path(scratch, "test.jsonl"), test)
        alone = evaluate(Files(*parts, text=["subject", "body"], labels=["group"]), encoder)
        caller = evaluate(Files(*parts, text=["subject", "body"], labels=["group"], features=["caller"]), encoder)
    return {
        **usual(encoder, train, test),
        "triage": _numbers(alone["labels"]["group"]),
        "triage + caller": _numbers(caller["labels"]["group"]),
    }


def _numbers(measured: dict[str, object]) -> dict[str, float]:
    return {name: value for name, value in measured.items() if isinstance(value, float)}


def main() -> None:
    """Run all four and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, default=Path(".triage/encoder"))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    encoder = load_encoder(given.encoder)
    folder = given.data / "intents"
    found: dict[str, dict[str, object]] = {}
    for name in ("banking77", "clinc150", "hwu64"):
        outside = folder / "clinc150_oos_test.jsonl" if name == "clinc150" else None
        found[name] = intents(folder, name, outside, encoder)
        print(name, found[name], file=sys.stderr, flush=True)
    rows = rows_of(given.data / "tickets" / "assignment_train.jsonl")
    divisions = [tickets(rows, encoder, seed) for seed in range(DIVISIONS)]
    found["real tickets"] = {
        name: {what: float(np.mean([one[name][what] for one in divisions])) for what in first}
        for name, first in divisions[0].items()
    }
    print(json.dumps(found, indent=2) if given.json else found["real tickets"])


if __name__ == "__main__":
    main()
