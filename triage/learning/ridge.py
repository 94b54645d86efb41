"""How do past tickets vote on a label?

Kernel ridge regression (Saunders et al. 1998), one column per label, +1 or -1. Two tickets count as alike by the terms
that they have in common (linear, so the votes of all tickets add up to one weight per term) and by what they mean
(Gaussian, so only near tickets vote). Up to ``MOST_EXACT`` tickets every ticket votes. Of a larger history a sample
votes, and all tickets decide how (subset of regressors: Rasmussen and Williams 2006, section 8.3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.blas import dsyrk

from kb import FloatArray
from triage.learning.alike import CHUNK, Alike, Beside, Setting, Views

# The kernel of 16,000 tickets takes 1 GB and is solved in half a minute.
MOST_EXACT = 16_000
VOTERS = 6_000
# A label's tickets weigh count ** -.5 each: real tickets, mean of four divisions, macro-F1 .42 instead of .37.
BALANCE = -0.5
# Keeps the kernel of equal tickets solvable.
JITTER = 1e-6

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Votes:
    """``voters`` (m,) are rows of the views, ``weights`` (m, c) what each says of each label."""

    voters: Ints
    weights: FloatArray


class Ridge(Protocol):
    """Fits parts of one history for one field; only rows with a label may be learned from."""

    def fit(self, learn: Ints) -> Votes:
        """The votes that fit these rows best."""

    def margins(self, votes: Votes, judge: Ints) -> FloatArray:
        """(rows, c) margins of these rows."""


def voters_of(count: int) -> Ints:
    """Rows that vote in a history of so many tickets."""
    if count <= MOST_EXACT:
        return np.arange(count, dtype=np.int64)
    return np.sort(np.random.default_rng(0).choice(count, VOTERS, replace=False)).astype(np.int64)


class Exact:
    """Every ticket votes."""

    def __init__(self, alike: Alike, target: Ints, classes: int, setting: Setting) -> None:
        self._alike, self._setting = alike, setting
        self._goal = _goal(target, classes)
        self._importance = _importance(target, classes)

    def fit(self, learn: Ints) -> Votes:
        """See ``Ridge``."""
        kernel = self._alike.kernel(learn, learn, self._setting)
        kernel[np.diag_indices_from(kernel)] += (self._setting.regularisation / self._importance[learn]).astype(
            np.float32
        )
        factor = cho_factor(kernel, lower=True, overwrite_a=True, check_finite=False)
        return Votes(learn, cho_solve(factor, self._goal[learn], check_finite=False).astype(np.float32))

    def margins(self, votes: Votes, judge: Ints) -> FloatArray:
        """See ``Ridge``."""
        return self._alike.kernel(judge, votes.voters, self._setting) @ votes.weights


class Sampled:
    """A sample votes, and all tickets decide how. Fits the rows that a fold learns from, or all.

    Sums over the tickets are kept for each set of tickets that the folds treat alike, so that each is made once.
    """

    def __init__(
        self,
        views: Views,
        target: Ints,
        classes: int,
        setting: Setting,
        folds: list[tuple[Ints, Ints]],
        voters: Ints,
    ) -> None:
        self._views, self._setting, self._voters = views, setting, voters
        beside = Beside(views, voters)
        goal, importance = _goal(target, classes), _importance(target, classes)
        self._sums: list[tuple[int, Floats, Floats]] = []
        for rows in _alike_in(folds, np.flatnonzero(target >= 0), len(views)):
            squares = np.zeros((len(self._voters),) * 2, order="F")
            right = np.zeros((len(self._voters), classes))
            for start in range(0, len(rows), CHUNK):
                part = rows[start : start + CHUNK]
                weight = np.sqrt(importance[part])[:, None]
                kernel = beside.kernel(part, setting).astype(np.float64)
                kernel *= weight
                squares = dsyrk(1.0, kernel.T, beta=1.0, c=squares, lower=1, overwrite_c=1)
                right += kernel.T @ (goal[part] * weight)
            self._sums.append((int(rows[0]), squares, right))
        self._among_voters = beside.kernel(voters, setting).astype(np.float64)

    def fit(self, learn: Ints) -> Votes:
        """See ``Ridge``."""
        learned = {*learn.tolist()}
        own = np.flatnonzero(np.isin(self._voters, learn))
        parts = [(squares, right) for first, squares, right in self._sums if first in learned]
        both = self._setting.regularisation * self._among_voters[np.ix_(own, own)]
        for squares, _ in parts:
            both += squares[np.ix_(own, own)]
        both[np.diag_indices_from(both)] += JITTER
        goal = np.sum([right for _, right in parts], axis=0)[own]
        factor = cho_factor(both, lower=True, overwrite_a=True, check_finite=False)
        return Votes(self._voters[own], cho_solve(factor, goal, check_finite=False).astype(np.float32))

    def margins(self, votes: Votes, judge: Ints) -> FloatArray:
        """See ``Ridge``."""
        beside = Beside(self._views, votes.voters)
        margins = [
            beside.kernel(judge[start : start + CHUNK], self._setting) @ votes.weights
            for start in range(0, len(judge), CHUNK)
        ]
        return np.concatenate(margins)


def _goal(target: Ints, classes: int) -> FloatArray:
    """(n, c): 1 for the label, -1 for the others."""
    goal = np.full((len(target), classes), -1, dtype=np.float32)
    known = np.flatnonzero(target >= 0)
    goal[known, target[known]] = 1
    return goal


def _importance(target: Ints, classes: int) -> Floats:
    """(n,) how much each ticket counts, 1 on average: less where its label has many."""
    known = target >= 0
    counts = np.maximum(np.bincount(target[known], minlength=classes), 1)
    weights: Floats = np.where(known, counts[np.maximum(target, 0)].astype(np.float64) ** BALANCE, 0.0)
    weights /= weights[known].mean()
    return weights


def _alike_in(folds: list[tuple[Ints, Ints]], rows: Ints, count: int) -> list[Ints]:
    """The rows by which folds learn from them."""
    learned = np.zeros(count, dtype=np.int64)
    for number, (learn, _) in enumerate(folds):
        learned[learn] += 1 << number
    return [rows[learned[rows] == mark] for mark in np.unique(learned[rows])]
