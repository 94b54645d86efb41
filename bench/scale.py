"""How long does training on a large history take, and how much memory?

    python -m bench.scale --data DIR [--tickets 100000] [--cache FILE] [--json]

Synthetic tickets with three fields, recombined from real texts with a seed: subject and body of a real IT ticket (its
group is the first field, 74 labels), a sentence of another ticket of that group, a question of CLINC150 (its intent,
150 labels) and the title of a GitHub issue (its kind, 3 labels). The parts are embedded once and kept in --cache; a
ticket's vector is their mean with some noise. What is measured is `triage train` without embedding: seconds by step,
and the most memory that the process held (a training has no other processes).
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from kb import Encoder, FloatArray, Progress, load_encoder
from triage.learning import training
from triage.learning.dataset import LabelledTickets
from triage.understand.cleaning import clean

NOISE = 0.3
# `fit_field` is the sum over the three fields; `_judge` is a part of it and of `choose_settings`, `calibrate` of it.
STEPS = (
    *("count_terms", "fit_weighing", "split", "_nearest_unseen", "choose_settings"),
    *("fit_field", "_judge", "calibrate", "save"),
)


class Ready:
    """An encoder whose vectors are there already, in the order of the tickets."""

    fingerprint = "synthetic"

    def __init__(self, vectors: FloatArray) -> None:
        self.vectors = vectors
        self.dimension = vectors.shape[1]

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> FloatArray:
        """(n, d), where n is the number of the tickets; anything else was not foreseen."""
        assert len(texts) == len(self.vectors)
        return self.vectors


def rows_of(path: Path) -> list[dict[str, str]]:
    """The records of a JSON Lines file."""
    return [json.loads(line) for line in path.open(encoding="utf-8")]


def parts(data: Path) -> dict[str, list[tuple[str, str]]]:
    """(text, label) of every part that tickets are made of, by field."""
    tickets = rows_of(data / "tickets" / "assignment_train.jsonl")
    issues = rows_of(data / "tickets" / "nlbse24_train.jsonl")
    questions = rows_of(data / "intents" / "clinc150_train.jsonl")
    return {
        "group": [(clean(row["subject"] or "", row["body"] or ""), row["group"]) for row in tickets],
        "intent": [(row["text"], row["label"]) for row in questions],
        "kind": [(row["title"], row["label"]) for row in issues],
    }


def embedded(found: dict[str, list[tuple[str, str]]], encoder: Encoder, cache: Path | None) -> dict[str, FloatArray]:
    """The vectors of all parts by field, from the cache where there is one."""
    if cache and cache.exists():
        with np.load(cache, allow_pickle=False) as kept:
            return {name: kept[name] for name in found}
    vectors = {name: encoder.encode([text for text, _ in pairs]) for name, pairs in found.items()}
    if cache:
        np.savez(cache, allow_pickle=False, **vectors)
    return vectors


def synthetic(
    found: dict[str, list[tuple[str, str]]], vectors: dict[str, FloatArray], count: int, seed: int = 0
) -> tuple[LabelledTickets, FloatArray]:
    """So many tickets and their (n, d) vectors of unit length."""
    random = np.random.default_rng(seed)
    chosen = {name: random.integers(len(pairs), size=count) for name, pairs in found.items()}
    groups: dict[str, list[int]] = {}
    for row, (_, group) in enumerate(found["group"]):
        groups.setdefault(group, []).append(row)
    second = np.array([random.choice(groups[found["group"][row][1]]) for row in chosen["group"]])
    texts = []
    for number in range(count):
        ticket, intent, kind = (found[name][chosen[name][number]][0] for name in ("group", "intent", "kind"))
        sentences = found["group"][second[number]][0].split(". ")
        more = sentences[int(random.integers(len(sentences)))]
        texts.append(f"{ticket}\n{more}\n{intent}. {kind}")
    total = sum(vectors[name][chosen[name]] for name in found) + vectors["group"][second]
    dimension = total.shape[1]
    mixed = total / 4 + random.normal(scale=NOISE / dimension**0.5, size=total.shape)
    unit = (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)
    tickets = LabelledTickets(
        name="synthetic",
        texts=tuple(texts),
        labels={name: tuple(found[name][row][1] for row in rows) for name, rows in chosen.items()},
        features=tuple({} for _ in texts),
        text_columns=("text",),
        feature_columns=(),
    )
    return tickets, unit


@contextmanager
def timed() -> Iterator[dict[str, float]]:
    """Wall seconds by step of the training while this lasts."""
    seconds: dict[str, float] = {}
    kept: dict[str, Callable[..., object]] = {name: getattr(training, name) for name in STEPS}

    def watched(name: str) -> Callable[..., object]:
        def run(*args: object, **options: object) -> object:
            began = time.perf_counter()
            try:
                return kept[name](*args, **options)
            finally:
                seconds[name] = seconds.get(name, 0.0) + time.perf_counter() - began

        return run

    for name in STEPS:
        setattr(training, name, watched(name))
    try:
        yield seconds
    finally:
        for name, step in kept.items():
            setattr(training, name, step)


def most_memory_gb() -> float:
    """The most memory that this process ever held."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e9 if sys.platform == "darwin" else most * 1024 / 1e9


def main() -> None:
    """Make the tickets, train once, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, default=Path(".triage/encoder"))
    parser.add_argument("--tickets", type=int, default=100_000)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = parts(given.data)
    vectors = embedded(found, load_encoder(given.encoder), given.cache)
    tickets, mixed = synthetic(found, vectors, given.tickets)
    del vectors
    with TemporaryDirectory() as scratch, timed() as seconds:
        wall, cpu = time.perf_counter(), time.process_time()
        card = training.train_classifier(tickets, Ready(mixed), Path(scratch))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        size = sum(file.stat().st_size for file in Path(scratch).rglob("*") if file.is_file())
    result = {
        "tickets": len(tickets),
        "wall_s": round(wall, 1),
        "cpu_s": round(cpu, 1),
        "peak_gb": round(most_memory_gb(), 2),
        "model_mb": round(size / 1e6, 1),
        "steps_wall_s": {name: round(spent, 1) for name, spent in sorted(seconds.items(), key=lambda s: -s[1])},
        "accuracy": {name: round(field.accuracy, 4) for name, field in card.fields.items()},
    }
    if given.json:
        print(json.dumps(result, indent=2))
        return
    print(f"{result['tickets']:,} tickets x 3 fields: {wall:.0f} s, {cpu:.0f} CPU-s, {result['peak_gb']} GB at most")
    for name, spent in result["steps_wall_s"].items():
        print(f"  {name:<18} {spent:8.1f} s")
    print(f"  accuracy {result['accuracy']}, model {result['model_mb']} MB")


if __name__ == "__main__":
    main()
