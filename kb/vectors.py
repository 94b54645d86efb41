"""Which stored vectors are nearest to a query's?"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from copy import copy
from pathlib import Path

import faiss
import numpy as np
import numpy.typing as npt

from kb.articles import FloatArray

IdArray = npt.NDArray[np.int64]

# Below this many vectors an exact search is quicker than the network: 50,000 x 384 take 5 ms on one core.
EXACT_UP_TO = 50_000
# A million vectors around 20,000 topics: 32 of 4,000 cells hold .856 of the true ten (.39 ms) and 192 of them .925
# (1.9 ms), 32 of 8,000 hold .972 (.46 ms). The 8,000 take six minutes to learn instead of one and a half.
PROBES = 32
LARGEST_CELL = 125
# Cells are learned anew when there are so many times too few or too many.
MISFIT = 2
EXACT = "Flat"
# FAISS fills up with the least number where the cells hold fewer than were asked for; what was removed is below it.
LEAST = float(np.finfo(np.float32).min)
# What is added to bit by bit is searched without cells up to here: .3 ms. Of 100,000 in √n = 316 cells, 16 probes
# find .998 of the true ten in .2 ms instead of 2.5; the cells take .9 s to build, and with four times as many 2.5 s.
GROWS_EXACT_UP_TO = 20_000
GROWN_PROBES = 16
# Cells are built anew when there are so many times the vectors that they were made for.
OUTGROWN = 4
# Each cell is placed by so many vectors; FAISS asks for 39 at least.
LEARNED_FROM = 48
STRETCH = 10_000
# On four settings of judged queries 2 directions and 5 were alike, and better than none, by up to a point of nDCG.
DIRECTIONS = 2
# Fewer vectors have no directions in common that could be told from their topics.
DISTINCTION_FROM = 100
DISTINCTION_SAMPLE = 10_000


class VectorIndex:
    """Finds nearest neighbours by cosine among the rows of (n, d) unit vectors, numbered from 0.

    Immutable: a change makes another one, and both share what they have in common. Small it is exact; above, it holds
    8 bits a number in cells (``kind`` says which), and what was added since is searched exactly.
    """

    kind: str

    def __init__(self, vectors: FloatArray, *, like: VectorIndex | None = None) -> None:
        """``like`` lends its cells, if they are not too few or too many for these vectors: learning them is slow."""
        count, dimension = vectors.shape
        borrowed = like if like is not None and like._suits(count) else None
        self.kind = borrowed.kind if borrowed else kind_for(count)
        self._index = _with_cells_of(borrowed) if borrowed else _trained(vectors, self.kind)
        for start in range(0, count, STRETCH):
            self._index.add(np.ascontiguousarray(vectors[start : start + STRETCH]))
        self._added = np.empty((0, dimension), dtype=np.float32)
        self._removed = np.empty(0, dtype=np.int64)

    @classmethod
    def read(cls, path: Path) -> VectorIndex:
        """An index that ``write`` has written. Cells stay on disk and are read as they are searched.

        Raises ``ValueError`` where the file is no index.
        """
        opened = cls.__new__(cls)
        try:
            opened._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP)
        except RuntimeError as error:
            raise ValueError(f"{path} is no index of vectors") from error
        cells = faiss.try_extract_index_ivf(opened._index)
        opened.kind = _cells(cells.nlist) if cells is not None else EXACT
        if cells is not None:
            # FAISS starts 32 threads for each search to read ahead: 1.4 ms where the search itself takes .1.
            faiss.downcast_InvertedLists(cells.invlists).prefetch_nthread = 0  # type: ignore[attr-defined, arg-type]  # the stubs know the base class only
        opened._added = np.empty((0, opened._index.d), dtype=np.float32)
        opened._removed = np.empty(0, dtype=np.int64)
        return opened

    def write(self, path: Path) -> None:
        """Write it to a file; not what was changed since it was made."""
        faiss.write_index(self._index, str(path))

    def __len__(self) -> int:
        """How many rows are numbered, those that were removed among them."""
        return int(self._index.ntotal) + len(self._added)

    @property
    def is_exact(self) -> bool:
        """Whether it compares with every vector."""
        return self.kind == EXACT

    def changed(self, *, removed: IdArray, added: FloatArray) -> VectorIndex:
        """Without the ``removed`` rows and with (m, d) vectors ``added`` after the last; nothing is built anew."""
        other = copy(self)
        other._removed = np.union1d(self._removed, removed)
        other._added = np.concatenate([self._added, added])
        return other

    def search(self, query: FloatArray, k: int, among: IdArray | None = None) -> IdArray:
        """(d,) → the nearest row numbers, best first, at most ``k``; of the rows ``among`` these only, where given."""
        # Of this thread alone: a second thread of one search costs more than it saves, and others want the cores.
        faiss.omp_set_num_threads(1)
        if among is not None and len(self._removed):
            among = np.setdiff1d(among, self._removed)
        k = min(k, len(self) - len(self._removed) if among is None else len(among))
        if k <= 0:
            return np.empty(0, dtype=np.int64)
        cosines, rows = np.empty((1, 0), np.float32), np.empty((1, 0), np.int64)
        if self._index.ntotal:
            cosines, rows = self._index.search(query.reshape(1, -1), k, params=self._parameters(among))
        if self._index.ntotal == len(self):  # nothing was added since, so they are sorted already
            near: IdArray = rows[0][cosines[0] > LEAST]
            return near
        # The cells' cosines are off by a few thousandths, as their vectors are: good enough to sort candidates.
        own = self._added @ query
        gone = self._removed[self._removed >= self._index.ntotal] - self._index.ntotal
        own[gone] = -np.inf
        if among is not None:
            own[~np.isin(np.arange(self._index.ntotal, len(self)), among)] = -np.inf
        every = np.concatenate([cosines[0], own])
        numbers = np.concatenate([rows[0], np.arange(self._index.ntotal, len(self))])
        order = np.argsort(-every, kind="stable")[:k]
        found: IdArray = numbers[order[every[order] > LEAST]]
        return found

    def _parameters(self, among: IdArray | None) -> faiss.SearchParameters | None:
        if among is None and not len(self._removed):
            return None
        selector = (
            faiss.IDSelectorNot(faiss.IDSelectorBatch(self._removed)) if among is None else faiss.IDSelectorBatch(among)
        )
        if self.is_exact:
            return faiss.SearchParameters(sel=selector)  # type: ignore[call-arg]  # the stubs lack the keywords
        # The fewer rows count, the more cells it takes to find as many of them.
        probes = PROBES if among is None else math.ceil(PROBES * len(self) / max(1, len(among)))
        return faiss.SearchParametersIVF(sel=selector, nprobe=probes)  # type: ignore[call-arg]  # as above

    def _suits(self, count: int) -> bool:
        if self.is_exact or count <= EXACT_UP_TO:
            return False
        there = faiss.extract_index_ivf(self._index).nlist
        return cells_for(count) / MISFIT <= there <= cells_for(count) * MISFIT


class Stacked:
    """Rows of one matrix and below them those of another; neither is copied, and either may lie on disk."""

    def __init__(self, base: FloatArray, below: FloatArray | None = None) -> None:
        # Plain views: a memory-mapped array pays for its class at every step.
        self.base = np.asarray(base)
        self._below = self.base[:0] if below is None else np.asarray(below)

    def above(self, other: Stacked) -> Stacked:
        """This matrix with the rows of another, which has one part, below it."""
        return Stacked(self.base, np.concatenate([self._below, other.base]))

    def take(self, rows: IdArray) -> FloatArray:
        """(r,) row numbers → (r, d)."""
        if not len(self._below):
            return self.base[rows]
        taken = np.empty((len(rows), self.base.shape[1]), dtype=np.float32)
        is_base = rows < len(self.base)
        taken[is_base] = self.base[rows[is_base]]
        taken[~is_base] = self._below[rows[~is_base] - len(self.base)]
        return taken


class Distinction:
    """Cosines without what all vectors of a set have in common: their mean and their main directions are taken out
    (Mu & Viswanath 2018, "All-but-the-Top")."""

    def __init__(self, vectors: FloatArray) -> None:
        sample = np.asarray(vectors[:: max(1, len(vectors) // DISTINCTION_SAMPLE)], dtype=np.float64)
        directions = DIRECTIONS if len(sample) >= DISTINCTION_FROM else 0
        self._mean = sample.mean(axis=0) if directions else np.zeros(vectors.shape[1])
        _, found = (
            np.linalg.eigh(np.cov(sample, rowvar=False)) if directions else (None, np.zeros((len(self._mean), 0)))
        )
        self._main = found[:, ::-1][:, :directions]
        self._mean_square = float(self._mean @ self._mean)
        self._mean_main = self._mean @ self._main
        self._common = np.column_stack([self._mean, self._main]).astype(np.float32)

    def cosines(self, vectors: FloatArray, query: FloatArray) -> npt.NDArray[np.float64]:
        """(n, d) unit vectors, (d,) unit vector → (n,)."""
        away = query - self._mean
        own = away - self._main @ (self._main.T @ away)
        common = (vectors @ self._common).astype(np.float64)
        squared = 1 - 2 * common[:, 0] + self._mean_square
        squared -= ((common[:, 1:] - self._mean_main) ** 2).sum(axis=1)
        size = np.sqrt(np.maximum(squared, 1e-12)) * max(float(np.linalg.norm(own)), 1e-9)
        along = (vectors @ own.astype(np.float32)).astype(np.float64)
        return np.asarray((along - self._mean @ own) / size)


class GrowingIndex:
    """Finds nearest neighbours by cosine among unit vectors that are added over time, numbered in that order from 0.

    Holds 16 bits a number, which alters a cosine by less than .001. Safe to use from several threads.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._index = faiss.index_factory(dimension, "SQfp16", faiss.METRIC_INNER_PRODUCT)
        self._made_for = GROWS_EXACT_UP_TO // OUTGROWN
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, vectors: FloatArray) -> None:
        """Add (n, d) unit vectors."""
        with self._lock:
            self._index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def nearest(self, query: FloatArray, k: int) -> tuple[IdArray, FloatArray, FloatArray]:
        """(d,) → at most ``k`` numbers, best first, with their cosines (k,) and vectors (k, d)."""
        # Of this thread alone: a second thread of one search costs more than it saves, and others want the cores.
        faiss.omp_set_num_threads(1)
        with self._lock:
            k = min(k, len(self))
            if not k:
                return np.empty(0, np.int64), np.empty(0, np.float32), np.empty((0, self.dimension), np.float32)
            cosines, rows, vectors = self._index.search_and_reconstruct(query.reshape(1, -1), k)
        found = rows[0] >= 0
        return rows[0][found], cosines[0][found], vectors[0][found]

    def settle(self) -> None:
        """Divide the vectors into cells once there are many; takes a second for 100,000, while searches go on.

        One thread at a time may call this.
        """
        count = len(self)
        if count <= OUTGROWN * self._made_for:
            return
        cells = math.isqrt(count)
        index = faiss.index_factory(self.dimension, f"IVF{cells},SQfp16", faiss.METRIC_INNER_PRODUCT)
        faiss.extract_index_ivf(index).nprobe = GROWN_PROBES
        every = max(1, count // (LEARNED_FROM * cells))
        index.train(np.concatenate([part[::every] for part in self._stretches(count)]))
        faiss.extract_index_ivf(index).make_direct_map()  # so that the vectors can be read back the next time
        for part in self._stretches(count):
            index.add(part)
        with self._lock:
            if more := len(self) - count:
                index.add(self._index.reconstruct_n(count, more))
            self._index, self._made_for = index, count

    def _stretches(self, count: int) -> Iterator[FloatArray]:
        for start in range(0, count, STRETCH):
            with self._lock:
                part: FloatArray = self._index.reconstruct_n(start, min(STRETCH, count - start))
            yield part


def kind_for(count: int) -> str:
    """FAISS's description of the index for so many vectors: exact while small, cells of 8-bit vectors above."""
    return EXACT if count <= EXACT_UP_TO else _cells(cells_for(count))


def cells_for(count: int) -> int:
    """How many cells so many vectors are divided into: four times their root while that is many."""
    return max(4 * math.isqrt(count), count // LARGEST_CELL)


def _cells(count: int) -> str:
    return f"IVF{count},SQ8"


def _trained(vectors: FloatArray, kind: str) -> faiss.Index:
    """An empty index whose cells, if it has any, are placed by a sample of the vectors."""
    count, dimension = vectors.shape
    index = faiss.index_factory(dimension, kind, faiss.METRIC_INNER_PRODUCT)
    if not index.is_trained:
        cells = faiss.extract_index_ivf(index)
        cells.nprobe = PROBES
        every = max(1, count // (LEARNED_FROM * cells.nlist))
        index.train(np.ascontiguousarray(vectors[::every]))
    return index


def _with_cells_of(other: VectorIndex) -> faiss.Index:
    """An empty index with the cells of another and the ranges of its 8 bits."""
    old = faiss.downcast_index(other._index)
    assert isinstance(old, faiss.IndexIVFScalarQuantizer)  # only such cells are lent
    cells = faiss.clone_index(old.quantizer)
    index = faiss.IndexIVFScalarQuantizer(cells, old.d, old.nlist, old.sq.qtype, old.metric_type)
    index.sq, index.by_residual, index.is_trained, index.nprobe = old.sq, old.by_residual, True, PROBES
    return index
