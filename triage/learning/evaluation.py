"""How good would a classifier be on a user's own history?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
from sklearn.metrics import f1_score, roc_auc_score

from kb import Encoder, Progress
from triage.learning.calibration import calibration_error, log_loss
from triage.learning.dataset import LabelledTickets, read_tickets
from triage.learning.training import train_classifier
from triage.understand.classifier import Classifier

Result = dict[str, object]


class _Timed:
    """An encoder that notes the seconds it takes and embeds each text once."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.seconds = 0.0

    @property
    def dimension(self) -> int:
        return self._encoder.dimension

    @property
    def fingerprint(self) -> str:
        return self._encoder.fingerprint

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> npt.NDArray[np.float32]:
        began = time.perf_counter()
        vectors = self._encoder.encode(texts, progress=progress)
        self.seconds += time.perf_counter() - began
        return vectors


def evaluate(
    train: Path,
    test: Path,
    encoder: Encoder,
    *,
    text: Sequence[str],
    labels: Sequence[str],
    features: Sequence[str] = (),
    out_of_scope: Path | None = None,
    progress: Progress | None = None,
) -> Result:
    """Train on one file, measure on another; ready for JSON. Nothing is kept.

    A label of the test file that training never saw counts as an error. With ``out_of_scope`` tickets that no
    label fits, ``oos_auroc`` says how well familiarity tells them from the test tickets.
    """
    known = read_tickets(train, text=text, labels=labels, features=features)
    unseen = read_tickets(test, text=text, labels=labels, features=features)
    strangers = read_tickets(out_of_scope, text=text, labels=(), features=()) if out_of_scope else None
    timed = _Timed(encoder)
    with TemporaryDirectory() as scratch:
        began = time.perf_counter()
        card = train_classifier(known, timed, Path(scratch), progress=progress)
        train_seconds = time.perf_counter() - began - timed.seconds
        classifier = Classifier.load(Path(scratch) / card.model_id)
    vectors = timed.encode(unseen.texts)
    strange = timed.encode(strangers.texts) if strangers else None
    began = time.perf_counter()
    measured = {name: _measure(classifier, name, unseen, vectors) for name in labels}
    predict_seconds = time.perf_counter() - began
    if strangers is not None and strange is not None:
        for name in labels:
            measured[name]["oos_auroc"] = _auroc(classifier, name, unseen, vectors, strangers, strange)
    return {
        "train": len(known),
        "test": len(unseen),
        "seconds": {
            "embed": round(timed.seconds, 3),
            "train": round(train_seconds, 3),
            "predict": round(predict_seconds, 3),
        },
        "labels": measured,
    }


def _measure(
    classifier: Classifier, name: str, tickets: LabelledTickets, vectors: npt.NDArray[np.float32]
) -> dict[str, float]:
    p, _ = classifier.probabilities(name, tickets.texts, vectors, tickets.features)
    number = {label: row for row, label in enumerate(classifier.labels(name))}
    labelled = np.array([value is not None for value in tickets.labels[name]])
    truth = [value for value in tickets.labels[name] if value is not None]
    p = p[labelled]
    right = np.array([number.get(value, -1) for value in truth], dtype=np.int64)
    order = np.argsort(-p, axis=1, kind="stable")
    guess = [classifier.labels(name)[row] for row in order[:, 0]]
    correct = order[:, 0] == right
    return {
        "accuracy": float(correct.mean()),
        "macro_f1": float(f1_score(truth, guess, average="macro", zero_division=0.0)),
        "top3_accuracy": float((order[:, :3] == right[:, None]).any(axis=1).mean()),
        "log_loss": log_loss(p, right),
        "ece": calibration_error(p.max(axis=1), correct),
    }


def _auroc(
    classifier: Classifier,
    name: str,
    inside: LabelledTickets,
    vectors: npt.NDArray[np.float32],
    outside: LabelledTickets,
    strange: npt.NDArray[np.float32],
) -> float:
    _, familiar = classifier.probabilities(name, inside.texts, vectors, inside.features)
    _, unfamiliar = classifier.probabilities(name, outside.texts, strange, outside.features)
    truth = np.concatenate([np.ones(len(familiar)), np.zeros(len(unfamiliar))])
    return float(roc_auc_score(truth, np.concatenate([familiar, unfamiliar])))
