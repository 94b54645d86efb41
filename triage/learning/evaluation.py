"""How good would a classifier be on a user's own history?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from sklearn.metrics import f1_score, roc_auc_score

from kb import Encoder, Progress
from triage.learning.calibration import calibration_error, log_loss
from triage.learning.clearing import clear_for
from triage.learning.dataset import LabelledTickets, read_tickets
from triage.learning.training import train_classifier
from triage.understand.certificate import Certificate
from triage.understand.classifier import Classifier
from triage.understand.clearance import (
    MOST_CHOICES,
    Aim,
    Checked,
    applied,
    check,
    conformal_quantile,
)

Result = dict[str, object]


class _Timed:
    """An encoder that notes the seconds it takes and embeds each text once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.seconds = self.cpu_seconds = 0.0

    @property
    def dimension(self) -> int:
        return self._encoder.dimension

    @property
    def fingerprint(self) -> str:
        return self._encoder.fingerprint

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> npt.NDArray[np.float32]:
        began, cpu = time.perf_counter(), time.process_time()
        vectors = self._encoder.encode(texts, progress=progress)
        self.seconds += time.perf_counter() - began
        self.cpu_seconds += time.process_time() - cpu
        return vectors


@dataclass(frozen=True, slots=True)
class Files:
    """The files of an evaluation and which of their columns hold what; see ``read_tickets``."""

    train: Path
    test: Path
    text: Sequence[str]
    labels: Sequence[str]
    features: Sequence[str] = ()
    time: str | None = None
    thread: str | None = None
    out_of_scope: Path | None = None


def evaluate(
    files: Files,
    encoder: Encoder,
    *,
    aim: Aim = Aim(),  # noqa: B008  # immutable
    group_by_text: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Train on one file, measure on another; ready for JSON. Nothing is kept.

    What is certified is certified from the training file alone, as it would be in use, and then held against the test
    file. A label of the test file that training never saw counts as an error. With ``group_by_text`` tickets of the
    training file that are alike, but for their digits, to one of the test file are not learned from. With
    ``out_of_scope`` tickets that no label fits, it is measured how well familiarity tells them from the test tickets.
    """
    known, unseen, strangers = _read(files)
    copies = 0
    if group_by_text:
        known, copies = without_copies(known, unseen)
    timed = _Timed(encoder)
    with TemporaryDirectory() as scratch:
        began, cpu = time.perf_counter(), time.process_time()
        card = train_classifier(known, timed, Path(scratch), progress=progress)
        train_seconds = time.perf_counter() - began - timed.seconds
        train_cpu_seconds = time.process_time() - cpu - timed.cpu_seconds
        classifier = Classifier.load(Path(scratch) / card.model_id)
    vectors = timed.encode(unseen.texts)
    strange = timed.encode(strangers.texts) if strangers else None
    began = time.perf_counter()
    measured = {name: _measure(classifier, name, unseen, vectors, aim) for name in files.labels}
    predict_seconds = time.perf_counter() - began
    if strangers is not None and strange is not None:
        for name in files.labels:
            measured[name] |= _out_of_scope(classifier, name, (unseen, vectors), (strangers, strange))
    return {
        "train": len(known),
        "test": len(unseen),
        "left_out_copies": copies,
        "seconds": {
            "embed": round(timed.seconds, 3),
            "train": round(train_seconds, 3),
            "train_cpu": round(train_cpu_seconds, 3),
            "predict": round(predict_seconds, 3),
        },
        "labels": measured,
    }


def without_copies(known: LabelledTickets, unseen: LabelledTickets) -> tuple[LabelledTickets, int]:
    """The tickets to learn from without those that are alike to one of the others, and how many those were."""
    judged = {*unseen.masked()}
    kept = [row for row, text in enumerate(known.masked()) if text not in judged]
    return known.rows(kept), len(known) - len(kept)


def _read(files: Files) -> tuple[LabelledTickets, LabelledTickets, LabelledTickets | None]:
    known, unseen = (
        read_tickets(
            path, text=files.text, labels=files.labels, features=files.features, time=files.time, thread=files.thread
        )
        for path in (files.train, files.test)
    )
    strangers = read_tickets(files.out_of_scope, text=files.text, labels=()) if files.out_of_scope else None
    return known, unseen, strangers


def _measure(
    classifier: Classifier, name: str, tickets: LabelledTickets, vectors: npt.NDArray[np.float32], aim: Aim
) -> Result:
    p, _ = classifier.probabilities(name, tickets.texts, vectors, tickets.features)
    labels = classifier.labels(name)
    number = {label: row for row, label in enumerate(labels)}
    labelled = np.array([value is not None for value in tickets.labels[name]])
    truth = [value for value in tickets.labels[name] if value is not None]
    p = p[labelled]
    right = np.array([number.get(value, -1) for value in truth], dtype=np.int64)
    judged = check(p, right)
    guess = [labels[row] for row in judged.guess]
    return {
        "accuracy": float(judged.correct.mean()),
        "macro_f1": float(f1_score(truth, guess, average="macro", zero_division=0.0)),
        "top3_accuracy": float((judged.place < MOST_CHOICES).mean()),
        "log_loss": log_loss(p, right),
        "ece": calibration_error(judged.probability, judged.correct),
        "certified": _certified(classifier, name, judged, aim),
        "prediction_sets": _prediction_sets(classifier.checked(name), p, right, aim.target),
    }


def _certified(classifier: Classifier, name: str, judged: Checked, aim: Aim) -> Result:
    """What the training tickets certify, and what became of it on the test tickets."""
    cleared = clear_for(classifier, name, aim)
    covered = applied(cleared, judged, classifier.labels(name))
    asked = judged.rows(~covered)
    choices = np.array([cleared.choices(mass) for mass in asked.mass], dtype=np.int64)
    questions = choices > 0
    return {
        "target": aim.target,
        "confidence": aim.confidence,
        "coverage": float(covered.mean()),
        "precision": _share(judged.correct[covered]),
        "certificates": [asdict(one) for one in cleared.certificates],
        "shortfalls": [asdict(one) for one in cleared.shortfalls],
        "asked": {
            "target": aim.ask_target,
            "coverage": float(questions.sum() / len(judged)),
            "holds_the_truth": _share(asked.place[questions] < choices[questions]),
            "certificate": asdict(cleared.ask) if isinstance(cleared.ask, Certificate) else None,
        },
    }


def _share(right: npt.NDArray[np.bool_]) -> float | None:
    return float(right.mean()) if len(right) else None


def _prediction_sets(
    checked: Checked, p: npt.NDArray[np.float64], right: npt.NDArray[np.int64], target: float
) -> Result:
    """Sets of any size by split conformal prediction, which hold the truth for ``target`` of all tickets."""
    sets = p >= 1 - conformal_quantile(checked.truth, target)
    held = np.where(right >= 0, sets[np.arange(len(right)), np.maximum(right, 0)], False)
    return {"target": target, "coverage": float(held.mean()), "mean_size": float(sets.sum(axis=1).mean())}


def _out_of_scope(
    classifier: Classifier,
    name: str,
    inside: tuple[LabelledTickets, npt.NDArray[np.float32]],
    outside: tuple[LabelledTickets, npt.NDArray[np.float32]],
) -> Result:
    familiar, unfamiliar = (
        classifier.probabilities(name, tickets.texts, vectors, tickets.features)[1]
        for tickets, vectors in (inside, outside)
    )
    truth = np.concatenate([np.ones(len(familiar)), np.zeros(len(unfamiliar))])
    return {
        "oos_auroc": float(roc_auc_score(truth, np.concatenate([familiar, unfamiliar]))),
        "oos_recall_at_95": float((unfamiliar < np.quantile(familiar, 0.05)).mean()),
    }
