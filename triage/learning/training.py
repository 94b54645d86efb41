"""How is a classifier trained, so that what is said of it was measured on tickets it had not seen?"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import astuple, dataclass
from pathlib import Path

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
from triage.learning.judged import Judged, judged_of
from triage.learning.saving import save
from triage.learning.splits import SMALL_HISTORY, folds_of, parts_of, split
from triage.learning.terms import Counts, Matrix, count_terms, fit_weighing, with_vectors
from triage.understand.card import FieldCard, ModelCard
from triage.understand.classifier import FieldModel
from triage.understand.clearance import Checked, check
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


class Training:
    """All that the fields of one training run share: counts, folds and vectors."""

    def __init__(self, tickets: LabelledTickets, vectors: FloatArray, *, seed: int = 0) -> None:
        refuse_untrainable(tickets)
        self.tickets = tickets
        self.vectors = vectors
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
    progress: Progress | None = None,
    seed: int = 0,
    keep: Callable[[Training], str] = lambda _: "",
) -> ModelCard:
    """Train one model of all labelled fields and write it to ``folder/<model id>``.

    ``progress`` counts embedded tickets and fits as equal steps. ``keep`` is called once the tickets are embedded
    and divided, and returns the id of the dataset that it wrote. Raises ``BadInput`` where there is too little
    to learn from. The same tickets, encoder, seed and version give the same model.
    """
    refuse_untrainable(tickets)
    fits = len(tickets.labels) * (len(CANDIDATES) * folds_of(len(tickets)) + 1)
    total = len(tickets) + fits
    report = progress or (lambda done, total: None)
    vectors = encoder.encode(tickets.texts, progress=lambda done, _: report(done, total))
    training = Training(tickets, vectors, seed=seed)
    dataset_id = keep(training)
    done = len(tickets)

    def step() -> None:
        nonlocal done
        done += 1
        report(done, total)

    fitted = {name: fit_field(training, name, step) for name in tickets.labels}
    card = ModelCard(
        model_id="",
        created_at="",
        code_version=__version__,
        seed=seed,
        dataset=tickets.name,
        dataset_digest=tickets.digest,
        dataset_id=dataset_id,
        tickets=len(tickets),
        text_columns=tickets.text_columns,
        feature_columns=tickets.feature_columns,
        encoder_fingerprint=encoder.fingerprint,
        fields={name: field_card for name, (_, field_card, _) in fitted.items()},
    )
    models = {name: model for name, (model, _, _) in fitted.items()}
    judged = {name: guesses for name, (_, _, guesses) in fitted.items()}
    return save(folder, card, training.counts, training.weighing, models, judged, _sample(vectors, seed))


def fit_field(
    training: Training, name: str, step: Callable[[], None] = lambda: None
) -> tuple[FieldModel, FieldCard, Judged]:
    """Choose the weight of the views out of fold, calibrate, measure, and fit on all labelled tickets."""
    values = training.tickets.labels[name]
    labels = tuple(sorted({value for value in values if value is not None}))
    number = {label: row for row, label in enumerate(labels)}
    target = np.array([number.get(value, -1) if value else -1 for value in values], dtype=np.int64)
    judged = _judge_candidates(training, target, len(labels), step)
    unseen = np.flatnonzero((target >= 0) & (training.part >= 0))
    best = max(judged, key=lambda one: _merit(one.margins[unseen], target[unseen]))
    margins = _finite(best.margins[unseen])
    calibration, p = calibrate(margins, target[unseen], training.part[unseen])
    rows = np.flatnonzero(target >= 0)
    linear = _fit(
        with_vectors(training.terms[rows], training.vectors[rows], best.vector_weight),
        target[rows],
        best.regularisation,
        training.seed,
    )
    step()
    top, near = margins.max(axis=1), training.nearest[unseen]
    model = _assemble(training, linear, best, labels, calibration, (top, near), check(p, target[unseen]))
    masked = training.tickets.masked()
    guesses = judged_of([masked[row] for row in rows], target[rows], training.part[rows] >= 0, p)
    return model, _card(model, best, values, target[unseen], p, margins), guesses


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
    training: Training,
    model: LinearSVC,
    best: _Judged,
    labels: tuple[str, ...],
    calibration: Calibration,
    familiar: tuple[Floats, Floats],
    checked: Checked,
) -> FieldModel:
    coefficients, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(labels) == 2:
        coefficients, bias = np.vstack([-coefficients, coefficients]), np.concatenate([-bias, bias])
    terms = training.terms.shape[1]
    top, near = familiar
    certainty = float(top.mean()), float(top.std()) or 1.0
    nearness = float(near.mean()), float(near.std()) or 1.0
    return FieldModel(
        labels=labels,
        term_weights=coefficients[:, :terms].T.astype(np.float32),
        vector_weights=(best.vector_weight * coefficients[:, terms:]).T.astype(np.float32),
        bias=bias.astype(np.float32),
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
    )


def _sample(vectors: FloatArray, seed: int) -> FloatArray:
    if len(vectors) <= MOST_SEEN:
        return vectors
    rows = np.random.default_rng(seed).choice(len(vectors), MOST_SEEN, replace=False)
    return vectors[np.sort(rows)]
