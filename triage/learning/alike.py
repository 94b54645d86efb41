"""How alike are tickets, in their terms and in what they mean?

What tickets have in common is found once. The kernels of all settings, fields and folds are made of it: looking for
common terms takes most of the time of a training, and a kernel of them almost none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kb import FloatArray
from triage.learning.terms import Matrix
from triage.understand.likeness import likeness

CHUNK = 1_024
# A product of sparse rows takes a step for each pair of tickets with a term, so that the 1,000 most frequent of 150,000
# terms make 85 % of the work (long tickets). Multiplied densely they take a fifth of that.
FREQUENT = 1_000

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a kernel is made of.

    ``term_weight`` is the weight of common terms against likeness of meaning, ``steepness`` how fast likeness falls
    with the cosine, ``regularisation`` how much is held back.
    """

    term_weight: float
    steepness: float
    regularisation: float


@dataclass(frozen=True, slots=True)
class Views:
    """n tickets: (n, t) weighed terms, float32, and (n, d) unit embeddings."""

    terms: Matrix
    vectors: FloatArray

    def __len__(self) -> int:
        return len(self.vectors)

    def rows(self, chosen: Ints) -> Views:
        """Some of the tickets."""
        return Views(self.terms[chosen], self.vectors[chosen])


class Alike:
    """All n tickets beside each other: 8 n² bytes."""

    def __init__(self, views: Views) -> None:
        count = len(views)
        self._common = np.empty((count, count), dtype=np.float32)
        self._cosines = np.empty((count, count), dtype=np.float32)
        for start in range(0, count, CHUNK):
            some = slice(start, start + CHUNK)
            self._common[some] = (views.terms[some] @ views.terms.T).toarray()
            self._cosines[some] = views.vectors[some] @ views.vectors.T

    def __len__(self) -> int:
        return len(self._common)

    def kernel(self, some: Ints, others: Ints, setting: Setting) -> FloatArray:
        """(some, others); see ``kernel_of``."""
        kernel = np.empty((len(some), len(others)), dtype=np.float32, order="F")  # as LAPACK wants it, without a copy
        for start in range(0, len(some), CHUNK):
            part = np.ix_(some[start : start + CHUNK], others)
            kernel[start : start + CHUNK] = kernel_of(self._common[part], self._cosines[part], setting)
        return kernel


class Beside:
    """Any tickets beside m others, without keeping what they have in common."""

    def __init__(self, views: Views, others: Ints) -> None:
        self._views, self._vectors = views, views.vectors[others]
        terms = views.terms[others]
        frequency = np.bincount(terms.indices, minlength=terms.shape[1])
        self._frequent = np.sort(np.argsort(-frequency, kind="stable")[:FREQUENT])
        self._often: FloatArray = terms[:, self._frequent].toarray()
        terms.data[np.isin(terms.indices, self._frequent)] = 0
        terms.eliminate_zeros()
        self._rare = terms.T.tocsr()

    def kernel(self, some: Ints, setting: Setting) -> FloatArray:
        """(some, m); see ``kernel_of``."""
        terms = self._views.terms[some]
        common: FloatArray = (terms @ self._rare).toarray()
        common += terms[:, self._frequent].toarray() @ self._often.T
        return kernel_of(common, self._views.vectors[some] @ self._vectors.T, setting)


def kernel_of(common: FloatArray, cosines: FloatArray, setting: Setting) -> FloatArray:
    """Weight x common terms + likeness + 1, in the place of the common terms; the 1 makes the bias."""
    common *= np.float32(setting.term_weight)
    common += likeness(cosines, setting.steepness)
    common += np.float32(1)
    return common
