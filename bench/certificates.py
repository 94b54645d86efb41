"""Do certificates keep their promise, on real tickets and questions?

    python -m bench.certificates --data DIR [--splits 1000] [--retrain 0] [--json]

Every set is judged out of fold once, as in a training. Its checked tickets are then taken for all that there are, so
that what is true is known to the last ticket; from them `--splits` desks draw half as many, with return, and certify
the target. The share of desks that applied less precisely than the target must not be above 1 − confidence, save for
chance; beside it, the same for the threshold that just looks right on the drawn tickets. Questions likewise.

With `--retrain N` the whole way is gone N times for each set as well: a training on a random half (3,000 tickets at
most) and its certificates, held against all other tickets, none of which is like one of the training.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from rich.progress import track
from scipy.stats import binom

from kb import Encoder, FloatArray, load_encoder
from triage.learning.dataset import LabelledTickets, read_tickets
from triage.learning.training import Training, choose_settings, fit_field, train_classifier
from triage.understand.classifier import Classifier
from triage.understand.clearance import Aim, Checked, FieldClearance, applied, check, clear_field

MOST_RETRAINED = 3_000
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Set:
    """A set of labelled texts: its file and columns."""

    file: str
    text: tuple[str, ...]
    label: str
    features: tuple[str, ...] = ()


SETS = {
    "real tickets": Set("tickets/assignment_train.jsonl", ("subject", "body"), "group", ("caller",)),
    "banking77": Set("intents/banking77_train.jsonl", ("text",), "label"),
    "hwu64": Set("intents/hwu64_train.jsonl", ("text",), "label"),
    "clinc150": Set("intents/clinc150_train.jsonl", ("text",), "label"),
}


class Embedded:
    """An encoder for tickets that were embedded before."""

    def __init__(self, encoder: Encoder, texts: tuple[str, ...], vectors: FloatArray) -> None:
        self._known = dict(zip(texts, vectors, strict=True))
        self.dimension, self.fingerprint = encoder.dimension, encoder.fingerprint

    def encode(self, texts: tuple[str, ...], *, progress: Callable[[int, int], None] | None = None) -> FloatArray:
        """The vectors made before."""
        return np.array([self._known[text] for text in texts], dtype=np.float32)


def naive(checked: Checked, target: float) -> float:
    """The lowest threshold that is right on the given tickets, as most products set it."""
    order = np.argsort(-checked.probability, kind="stable")
    precise = np.cumsum(checked.correct[order]) / np.arange(1, len(order) + 1) >= target
    return float(checked.probability[order][np.flatnonzero(precise)[-1]]) if precise.any() else np.inf


def is_broken(cleared: FieldClearance, everything: Checked, labels: tuple[str, ...], target: float) -> bool:
    """Whether any certificate for applying promises more than is true."""
    covered = applied(cleared, everything, labels)
    own = np.array([labels.index(value) for value in cleared.values], dtype=np.int64)
    groups = [everything.guess == row for row in own] + [~np.isin(everything.guess, own)]
    return any((covered & group).any() and everything.correct[covered & group].mean() < target for group in groups)


def questions(cleared: FieldClearance, everything: Checked, labels: tuple[str, ...]) -> tuple[float, float | None]:
    """The share of all tickets that is asked about, and the share of these questions that offer the truth."""
    rest = everything.rows(~applied(cleared, everything, labels))
    choices = np.array([cleared.choices(mass) for mass in rest.mass], dtype=np.int64)
    asked = choices > 0
    held = float((rest.place[asked] < choices[asked]).mean()) if asked.any() else None
    return float(asked.sum() / len(everything)), held


def draw(everything: Checked, labels: tuple[str, ...], splits: int, aim: Aim, name: str) -> dict[str, float | int]:
    """Many desks that see half as many of the tickets."""
    random = np.random.default_rng(0)
    broken = overall = naive_broken = wrong_questions = 0
    coverage, naive_coverage, asked = [], [], []
    for _ in track(range(splits), description=name):
        seen = everything.rows(random.integers(0, len(everything), len(everything) // 2))
        cleared = clear_field("label", seen, labels, aim)
        covered = applied(cleared, everything, labels)
        coverage.append(covered.mean())
        overall += bool(covered.any()) and everything.correct[covered].mean() < aim.target
        broken += is_broken(cleared, everything, labels, aim.target)
        share, held = questions(cleared, everything, labels)
        asked.append(share)
        wrong_questions += held is not None and held < aim.ask_target
        beside = everything.probability >= naive(seen, aim.target)
        naive_coverage.append(beside.mean())
        naive_broken += bool(beside.any()) and everything.correct[beside].mean() < aim.target
    return {
        "tickets": len(everything),
        "accuracy": float(everything.correct.mean()),
        "violations": float(overall / splits),
        "violations_of_any_certificate": float(broken / splits),
        "violations_of_questions": float(wrong_questions / splits),
        "most_by_chance": float(binom.ppf(0.999, splits, 1 - aim.confidence) / splits),
        "coverage": float(np.mean(coverage)),
        "asked": float(np.mean(asked)),
        "naive_violations": float(naive_broken / splits),
        "naive_coverage": float(np.mean(naive_coverage)),
    }


def retrain(
    tickets: LabelledTickets, vectors: FloatArray, encoder: Encoder, times: int, aim: Aim, name: str
) -> dict[str, float | int | None]:
    """The whole way, again and again: train on some tickets, certify, look at all others."""
    groups, embedded = tickets.groups(), Embedded(encoder, tickets.texts, vectors)
    right: list[int] = []
    applied_to: list[int] = []
    below = 0
    for seed in track(range(times), description=f"{name}, trained anew"):
        order = np.random.default_rng(seed).permutation(np.unique(groups))
        learn = np.flatnonzero(np.isin(groups, order[: len(order) // 2]))[:MOST_RETRAINED]
        others = np.flatnonzero(~np.isin(groups, groups[learn]))
        judged, cleared, labels = certified_and_judged(tickets, vectors, embedded, (learn, others), aim)
        covered = applied(cleared, judged, labels)
        right.append(int(judged.correct[covered].sum()))
        applied_to.append(int(covered.sum()))
        # Fewer are right than the target by more than the chance of the finite rest: 5 % of the time at most.
        below += bool(covered.any()) and binom.cdf(right[-1], applied_to[-1], aim.target) < 0.05
    share = np.array(right) / np.maximum(applied_to, 1)
    some = np.array(applied_to) > 0
    return {
        "trainings": times,
        "certified": int(some.sum()),
        "precision": float(sum(right) / sum(applied_to)) if some.any() else None,
        "lowest_precision": float(share[some].min()) if some.any() else None,
        "clearly_below_the_target": below,
    }


def certified_and_judged(
    tickets: LabelledTickets, vectors: FloatArray, embedded: Embedded, rows: tuple[Rows, Rows], aim: Aim
) -> tuple[Checked, FieldClearance, tuple[str, ...]]:
    """A training on some of the tickets with what it certifies, and what its model makes of the others."""
    learn, others = rows
    (field,) = tickets.labels
    with TemporaryDirectory() as scratch:
        card = train_classifier(tickets.rows(learn.tolist()), embedded, Path(scratch))
        model = Classifier.load(Path(scratch) / card.model_id)
    rest = tickets.rows(others.tolist())
    labels = model.labels(field)
    number = {label: row for row, label in enumerate(labels)}
    truth = np.array([number.get(value or "", -1) for value in rest.labels[field]], dtype=np.int64)
    p, _ = model.probabilities(field, rest.texts, vectors[others], rest.features)
    return check(p, truth), clear_field(field, model.checked(field), labels, aim), labels


def main() -> None:
    """Measure all sets and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, default=Path(".triage/encoder"))
    parser.add_argument("--splits", type=int, default=1000)
    parser.add_argument("--retrain", type=int, default=0)
    parser.add_argument("--target", type=float, default=0.95)
    parser.add_argument("--confidence", type=float, default=0.95)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    encoder = load_encoder(given.encoder)
    aim = Aim(given.target, given.confidence)
    results: dict[str, object] = {}
    for name, one in SETS.items():
        tickets = read_tickets(given.data / one.file, text=one.text, labels=[one.label], features=one.features)
        vectors = encoder.encode(tickets.texts)
        training = Training(tickets, vectors)
        model, _, _ = fit_field(training, one.label, choose_settings(training)[one.label])
        found: dict[str, object] = dict(draw(model.checked, model.labels, given.splits, aim, name))
        if given.retrain:
            found["trained_anew"] = retrain(tickets, vectors, encoder, given.retrain, aim, name)
        results[name] = found
        if not given.json:
            print(name, json.dumps(found, indent=1))
    if given.json:
        print(json.dumps({"target": aim.target, "confidence": aim.confidence, "sets": results}))


if __name__ == "__main__":
    main()
