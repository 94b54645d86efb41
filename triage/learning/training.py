"""How is a classifier trained, so that what is said of it was measured on tickets it had not seen?"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed
from scipy.special import softmax
from scipy.stats import binomtest
from sklearn.metrics import f1_score
from sklearn.svm import LinearSVC

from kb import Encoder, FloatArray, Progress
from triage import __version__
from triage.learning.calibration import calibrate, calibration_error, log_loss, reliability
from triage.learning.dataset import LabelledTickets, refuse_untrainable
from triage.learning.fewshot import SETTINGS, FewShot, fit_few, is_small, judge_few
from triage.learning.saving import save
from triage.learning.splits import SMALL_HISTORY, folds_of, parts_of, split
from triage.learning.terms import Counts, Matrix, count_terms, fit_weighing, with_vectors
from triage.understand.card import FieldCard, ModelCard
from triage.understand.classifier import FieldModel
from triage.understand.clearance import Checked, check
from triage.understand.descriptions import describe
from triage.understand.sharpness import Calibration

# (weight of the embedding against the words, regularisation C), tried out of fold. Short questions want the
# embedding and little freedom (BANKING77: 2, .3), long tickets their words (real IT tickets: 1, 1).
CANDIDATES = ((1.0, 1.0), (1.0, 0.3), (2.0, 0.3), (3.0, 0.3))
# Vectors kept to tell strangers by their nearest neighbour; more add megabytes, not judgement.
MOST_SEEN = 20_000
MAX_ITERATIONS = 2_000

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Fold:
    """One division of the tickets: rows to learn from, rows to judge on, and both views of each."""

    learn: Ints
    judge: Ints
    learn_terms: Matrix
    judge_terms: Matrix


@dataclass(frozen=True, slots=True)
class _Judged:
    """Margins (n, c) of one candidate for tickets it had not seen; -inf where a fold did not know a label."""

    vector_weight: float
    regularisation: float
    margins: Floats
    few: FewShot | None = None


class _Linear(NamedTuple):
    """Weights of terms (t, c) and of the embedding (d, c), and bias (c,)."""

    terms: FloatArray
    vectors: FloatArray
    bias: FloatArray


class Training:
    """All that the fields of one training run share: counts, folds and vectors."""

    def __init__(
        self,
        tickets: LabelledTickets,
        vectors: FloatArray,
        *,
        described: Mapping[str, FloatArray] | None = None,
        seed: int = 0,
    ) -> None:
        """``described`` has (c, d) vectors of the labels of each field that few-shot learning is tried on."""
        refuse_untrainable(tickets)
        self.tickets = tickets
        self.vectors = vectors
        self.described = described or {}
        self.seed = seed
        self.counts = count_terms(tickets.texts, tickets.features)
        divided = split(tickets)
        self.part = parts_of(divided, len(tickets))
        self.folds = [_fold(self.counts, learn, judge) for learn, judge in divided]
        self.nearest = _nearest_unseen(vectors, self.folds)
        everything = np.arange(len(tickets), dtype=np.int64)
        self.weighing = fit_weighing(self.counts, everything)
        self.terms = self.weighing.apply(self.counts, everything)


def train_classifier(
    tickets: LabelledTickets,
    encoder: Encoder,
    folder: Path,
    *,
    descriptions: Mapping[str, Mapping[str, str]] | None = None,
    progress: Progress | None = None,
    seed: int = 0,
) -> ModelCard:
    """Train one model of all labelled fields and write it to ``folder/<model id>``.

    ``progress`` counts embedded tickets and fits as equal steps. Raises ``BadInput`` where there is too little
    to learn from. The same tickets, descriptions, encoder, seed and version give the same model. ``descriptions`` say
    by field what a label means, as far as anyone has said so.
    """
    refuse_untrainable(tickets)
    fits = sum(_fits(tickets, name) for name in tickets.labels)
    total = len(tickets) + fits
    report = progress or (lambda done, total: None)
    vectors = encoder.encode(tickets.texts, progress=lambda done, _: report(done, total))
    described = {
        name: describe({label: (descriptions or {}).get(name, {}).get(label, "") for label in labels}, encoder)
        for name in tickets.labels
        if is_small(len(tickets), len(labels := labels_of(tickets.labels[name])))
    }
    training = Training(tickets, vectors, described=described, seed=seed)
    done = len(tickets)

    def step() -> None:
        nonlocal done
        done += 1
        report(done, total)

    fitted = {name: fit_field(training, name, step) for name in tickets.labels}
    card = ModelCard(
        model_id="",
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        code_version=__version__,
        seed=seed,
        dataset=tickets.name,
        dataset_digest=tickets.digest,
        tickets=len(tickets),
        text_columns=tickets.text_columns,
        feature_columns=tickets.feature_columns,
        encoder_fingerprint=encoder.fingerprint,
        fields={name: field_card for name, (_, field_card) in fitted.items()},
    )
    models = {name: model for name, (model, _) in fitted.items()}
    return save(folder, card, training.counts, training.weighing, models, _sample(vectors, seed))


def fit_field(training: Training, name: str, step: Callable[[], None] = lambda: None) -> tuple[FieldModel, FieldCard]:
    """Choose the weight of the views out of fold, calibrate, measure, and fit on all labelled tickets."""
    values = training.tickets.labels[name]
    labels = labels_of(values)
    number = {label: row for row, label in enumerate(labels)}
    target = np.array([number.get(value, -1) if value else -1 for value in values], dtype=np.int64)
    judged = _judge_candidates(training, target, len(labels), step) + _judge_few(training, name, target, step)
    unseen = np.flatnonzero((target >= 0) & (training.part >= 0))
    best = max(judged, key=lambda one: _merit(one.margins[unseen], target[unseen]))
    margins = _finite(best.margins[unseen])
    calibration, p = calibrate(margins, target[unseen], training.part[unseen])
    rows = np.flatnonzero(target >= 0)
    linear = _fit_on(training, name, best, rows, target)
    step()
    top, near = margins.max(axis=1), training.nearest[unseen]
    model = _assemble(linear, labels, calibration, (top, near), check(p, target[unseen]))
    return model, _card(model, best, values, target[unseen], p, margins)


def labels_of(values: Sequence[str | None]) -> tuple[str, ...]:
    """The labels of a column in the order of a model's columns."""
    return tuple(sorted({value for value in values if value is not None}))


def _fits(tickets: LabelledTickets, name: str) -> int:
    folds = folds_of(len(tickets))
    few = len(SETTINGS) if is_small(len(tickets), len(labels_of(tickets.labels[name]))) else 0
    return (len(CANDIDATES) + few) * folds + 1


def _fold(counts: Counts, learn: Ints, judge: Ints) -> _Fold:
    weighing = fit_weighing(counts, learn)
    return _Fold(learn, judge, weighing.apply(counts, learn), weighing.apply(counts, judge))


def _nearest_unseen(vectors: FloatArray, folds: list[_Fold]) -> Floats:
    nearest = np.zeros(len(vectors))
    for fold in folds:
        known = vectors[fold.learn]
        for start in range(0, len(fold.judge), 1024):
            rows = fold.judge[start : start + 1024]
            nearest[rows] = (vectors[rows] @ known.T).max(axis=1)
    return nearest


def _judge_candidates(training: Training, target: Ints, classes: int, step: Callable[[], None]) -> list[_Judged]:
    judged = [_Judged(weight, c, np.full((len(target), classes), -np.inf)) for weight, c in CANDIDATES]
    jobs = [(one, fold) for fold in training.folds for one in judged]
    # Processes, not threads: liblinear draws from one random sequence for the whole process, so threads would make
    # every training come out a little different. A small history is fitted before a process has started.
    workers = 1 if len(target) <= SMALL_HISTORY else -1
    results = Parallel(workers, return_as="generator")(
        delayed(_judge)(
            fold.learn_terms,
            fold.judge_terms,
            training.vectors[fold.learn],
            training.vectors[fold.judge],
            target[fold.learn],
            (one.vector_weight, one.regularisation, training.seed),
        )
        for one, fold in jobs
    )
    for (one, fold), (columns, margins) in zip(jobs, results, strict=True):
        one.margins[np.ix_(fold.judge, columns)] = margins
        step()
    return judged


def _judge_few(training: Training, name: str, target: Ints, step: Callable[[], None]) -> list[_Judged]:
    described = training.described.get(name)
    if described is None:
        return []
    folds = [(fold.learn, fold.judge) for fold in training.folds]
    judged = []
    for few in SETTINGS:
        margins = judge_few(folds, training.vectors, target, described, few, step)
        judged.append(_Judged(1.0, few.regularisation, margins, few))
    return judged


def _judge(
    learn_terms: Matrix,
    judge_terms: Matrix,
    learn_vectors: FloatArray,
    judge_vectors: FloatArray,
    target: Ints,
    setting: tuple[float, float, int],
) -> tuple[Ints, Floats]:
    """The labels that a fold could learn, and their margins for its other rows."""
    weight, regularisation, seed = setting
    known = target >= 0
    if len(np.unique(target[known])) < 2:
        return np.empty(0, dtype=np.int64), np.empty((judge_terms.shape[0], 0))
    learn = with_vectors(learn_terms, learn_vectors, weight)[known]
    model = _fit(learn, target[known], regularisation, seed)
    return model.classes_, _margins(model, with_vectors(judge_terms, judge_vectors, weight))


def _fit_on(training: Training, name: str, best: _Judged, rows: Ints, target: Ints) -> _Linear:
    """The chosen candidate, fitted on the rows that have a label."""
    if best.few:
        weights, bias = fit_few(training.vectors[rows], target[rows], training.described[name], best.few)
        no_terms = np.zeros((training.terms.shape[1], len(bias)), dtype=np.float32)
        return _Linear(no_terms, weights.astype(np.float32), bias.astype(np.float32))
    both = with_vectors(training.terms[rows], training.vectors[rows], best.vector_weight)
    model = _fit(both, target[rows], best.regularisation, training.seed)
    coefficients, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(model.classes_) == 2:
        coefficients, bias = np.vstack([-coefficients, coefficients]), np.concatenate([-bias, bias])
    terms = training.terms.shape[1]
    return _Linear(
        coefficients[:, :terms].T.astype(np.float32),
        (best.vector_weight * coefficients[:, terms:]).T.astype(np.float32),
        bias.astype(np.float32),
    )


def _fit(matrix: Matrix, target: Ints, regularisation: float, seed: int) -> LinearSVC:
    with warnings.catch_warnings():
        # That most labels have one ticket may be so at the beginning, and does not make this a regression.
        warnings.filterwarnings("ignore", "The number of unique classes is greater", UserWarning)
        return LinearSVC(C=regularisation, random_state=seed, max_iter=MAX_ITERATIONS).fit(matrix, target)


def _margins(model: LinearSVC, matrix: Matrix) -> Floats:
    """(n, c) margins; a model of two classes gives one column, the other is its negative."""
    margins = np.asarray(model.decision_function(matrix), dtype=np.float64)
    return np.stack([-margins, margins], axis=1) if margins.ndim == 1 else margins


def _merit(margins: Floats, target: Ints) -> float:
    """Half accuracy, half macro-F1: the large queues count, and the small ones too."""
    guess = margins.argmax(axis=1)
    return float((guess == target).mean() + f1_score(target, guess, average="macro", zero_division=0.0))


def _finite(margins: Floats) -> Floats:
    """Margins with a low one in place of those that no fold could give: a label of a single ticket."""
    lowest = margins[np.isfinite(margins)].min() if np.isfinite(margins).any() else 0.0
    return np.where(np.isfinite(margins), margins, lowest)


def _assemble(  # all that a field's model holds
    linear: _Linear,
    labels: tuple[str, ...],
    calibration: Calibration,
    familiar: tuple[Floats, Floats],
    checked: Checked,
) -> FieldModel:
    top, near = familiar
    certainty = float(top.mean()), float(top.std()) or 1.0
    nearness = float(near.mean()), float(near.std()) or 1.0
    return FieldModel(
        labels=labels,
        term_weights=linear.terms,
        vector_weights=linear.vectors,
        bias=linear.bias,
        calibration=calibration,
        certainty=certainty,
        nearness=nearness,
        familiar=np.sort((top - certainty[0]) / certainty[1] + (near - nearness[0]) / nearness[1]),
        checked=checked,
    )


def _card(  # all that is said of a field's model
    model: FieldModel, best: _Judged, values: tuple[str | None, ...], target: Ints, p: Floats, margins: Floats
) -> FieldCard:
    correct, raw = model.checked.correct, softmax(margins, axis=1)
    interval = binomtest(int(correct.sum()), len(correct)).proportion_ci(method="wilson")
    counts = Counter(value for value in values if value is not None)
    return FieldCard(
        labels=model.labels,
        tickets=sum(counts.values()),
        checked=len(target),
        single_labels=tuple(label for label in model.labels if counts[label] == 1),
        vector_weight=best.vector_weight,
        regularisation=best.regularisation,
        sharpness=astuple(model.calibration.sharpness),
        accuracy=float(correct.mean()),
        accuracy_interval=(float(interval.low), float(interval.high)),
        macro_f1=float(f1_score(target, p.argmax(axis=1), average="macro", zero_division=0.0)),
        log_loss=log_loss(p, target),
        ece_before=calibration_error(raw.max(axis=1), correct),
        ece=calibration_error(model.checked.probability, correct),
        reliability=reliability(model.checked.probability, correct),
        curve=model.calibration.curve,
        description_weight=best.few.description if best.few else None,
        labelled=tuple(counts[label] for label in model.labels),
    )


def _sample(vectors: FloatArray, seed: int) -> FloatArray:
    if len(vectors) <= MOST_SEEN:
        return vectors
    rows = np.random.default_rng(seed).choice(len(vectors), MOST_SEEN, replace=False)
    return vectors[np.sort(rows)]
