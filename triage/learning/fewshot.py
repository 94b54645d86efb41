"""What can be learned from a few labels a value, with its name and description as one more example?

Multinomial logistic regression on the embedding alone: words that stand in one or two tickets tell nothing yet. With
one to eight labels a value it is right more often than the linear model on words and embedding, by .02 to .3 on
BANKING77, HWU64 and the sample desk; class means, discriminant analysis with a shrunk covariance, whitening and ridge
regression came out below it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from kb import FloatArray
from triage.learning.splits import SMALL_HISTORY

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
MAX_ITERATIONS = 1_000


@dataclass(frozen=True, slots=True)
class FewShot:
    """``regularisation`` is C, ``description`` how many tickets the name and description of a value count for."""

    regularisation: float
    description: float


# Tried out of fold beside the linear models on both views. Names alone want little weight and much freedom (BANKING77,
# HWU64), good descriptions the other (the sample desk), and names such as “GRP_12” none.
SETTINGS = (FewShot(10.0, 2.0), FewShot(3.0, 4.0), FewShot(10.0, 0.01))
# Of more tickets there are words enough; a fit of so many numbers takes a second.
MOST_NUMBERS = 400_000


def is_small(tickets: int, labels: int) -> bool:
    """Whether a history is worth trying these on: small, and fitted in about a second."""
    return tickets <= SMALL_HISTORY and tickets * labels <= MOST_NUMBERS


def fit_few(vectors: FloatArray, target: Ints, described: FloatArray, setting: FewShot) -> tuple[Floats, Floats]:
    """(n, d) vectors, (n,) columns of their labels, (c, d) described values → weights (d, c), bias (c,).

    Every value gets a column, also one without a ticket. Rows whose target is -1 are left out.
    """
    known = target >= 0
    classes = np.arange(len(described))
    examples = np.concatenate([vectors[known], described])
    weights = np.concatenate([np.ones(int(known.sum())), np.full(len(described), setting.description)])
    model = LogisticRegression(C=setting.regularisation, max_iter=MAX_ITERATIONS)
    # One thread: the matrices are small, several spend their time waiting, and their number would change the last bits.
    with threadpool_limits(1, "blas"):
        model.fit(examples, np.concatenate([target[known], classes]), sample_weight=weights)
    coefficients = np.asarray(model.coef_, dtype=np.float64)
    bias = np.asarray(model.intercept_, dtype=np.float64)
    if len(classes) == 2:  # one column, the log odds of the second
        coefficients, bias = np.vstack([-coefficients, coefficients]) / 2, np.concatenate([-bias, bias]) / 2
    return coefficients.T, bias


def judge_few(
    folds: list[tuple[Ints, Ints]],
    vectors: FloatArray,
    target: Ints,
    described: FloatArray,
    setting: FewShot,
    step: Callable[[], None] = lambda: None,
) -> Floats:
    """(n, c) margins for the rows that are judged in one of the folds of (learn, judge); -inf elsewhere."""
    margins = np.full((len(target), len(described)), -np.inf)
    for learn, judge in folds:
        weights, bias = fit_few(vectors[learn], target[learn], described, setting)
        margins[judge] = vectors[judge] @ weights + bias
        step()
    return margins
