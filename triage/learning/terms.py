"""How do n texts become one sparse matrix, so that each fold of a training weighs its own terms?"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from triage.understand.vectorizer import known_values, pieces_in, words_in

Matrix = sparse.csr_matrix
Rows = npt.NDArray[np.int64]

# A term of one ticket cannot be told from chance; a metadata value of one ticket neither.
LEAST_TICKETS = 2
# The most frequent are kept, so that a model of a large history stays below 100 MB.
MOST_WORDS = 60_000
MOST_PIECES = 90_000


@dataclass(frozen=True, slots=True)
class Counts:
    """Term counts of n texts: words, pieces of words and metadata values, each (n, t) with its terms."""

    words: Matrix
    pieces: Matrix
    values: Matrix
    word_terms: tuple[str, ...]
    piece_terms: tuple[str, ...]
    value_terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The terms of a model; ``rarity`` has one weight per word and piece."""

    words: tuple[str, ...]
    pieces: tuple[str, ...]
    values: tuple[str, ...]
    rarity: npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Weighing:
    """Which columns count, and how rare each word and piece is, by the texts it was fitted on."""

    words: Rows
    pieces: Rows
    values: Rows
    word_rarity: npt.NDArray[np.float64]
    piece_rarity: npt.NDArray[np.float64]

    def apply(self, counts: Counts, rows: Rows) -> Matrix:
        """(n, t) counts → (rows, kept terms) weights: words, pieces, then metadata values."""
        weighed: Matrix = sparse.hstack(
            [
                _weighed(counts.words[rows][:, self.words], self.word_rarity),
                _weighed(counts.pieces[rows][:, self.pieces], self.piece_rarity),
                counts.values[rows][:, self.values],
            ],
            format="csr",
        )
        return weighed

    def vocabulary(self, counts: Counts) -> Vocabulary:
        """The kept terms by name."""
        return Vocabulary(
            words=tuple(counts.word_terms[row] for row in self.words),
            pieces=tuple(counts.piece_terms[row] for row in self.pieces),
            values=tuple(counts.value_terms[row] for row in self.values),
            rarity=np.concatenate([self.word_rarity, self.piece_rarity]),
        )


def count_terms(texts: Sequence[str], features: Sequence[Mapping[str, str]]) -> Counts:
    """Count every term of every text, once."""
    words, word_terms = _matrix(words_in(text) for text in texts)
    pieces, piece_terms = _matrix(pieces_in(text) for text in texts)
    values, value_terms = _matrix(Counter(sorted(known_values(known))) for known in features)
    return Counts(words, pieces, values, word_terms, piece_terms, value_terms)


def fit_weighing(counts: Counts, rows: Rows) -> Weighing:
    """Choose and weigh the terms by these rows only."""
    words, word_rarity = _fit(counts.words[rows], MOST_WORDS)
    pieces, piece_rarity = _fit(counts.pieces[rows], MOST_PIECES)
    values, _ = _fit(counts.values[rows], MOST_WORDS)
    return Weighing(words, pieces, values, word_rarity, piece_rarity)


def _matrix(counted: Iterable[Counter[str]]) -> tuple[Matrix, tuple[str, ...]]:
    numbers: dict[str, int] = {}
    # Plain arrays: as lists of numbers, the terms of 100,000 tickets would not fit into 4 GB.
    indices, values, ends = array("i"), array("f"), array("q", [0])
    for counter in counted:
        for term, count in counter.items():
            indices.append(numbers.setdefault(term, len(numbers)))
            values.append(count)
        ends.append(len(indices))
    shape = (len(ends) - 1, len(numbers))
    parts = np.asarray(values), np.asarray(indices), np.asarray(ends)
    return sparse.csr_matrix(parts, shape=shape), tuple(numbers)


def _fit(counts: Matrix, most: int) -> tuple[Rows, npt.NDArray[np.float64]]:
    frequency = np.bincount(counts.indices, minlength=counts.shape[1])
    kept = np.flatnonzero(frequency >= LEAST_TICKETS)
    if len(kept) > most:
        kept = np.sort(kept[np.argsort(-frequency[kept], kind="stable")[:most]])
    return kept, np.log((1 + counts.shape[0]) / (1 + frequency[kept])) + 1


def _weighed(counts: Matrix, rarity: npt.NDArray[np.float64]) -> Matrix:
    weights = counts.tocsr(copy=True)
    weights.data = (1 + np.log(weights.data)) * rarity.astype(np.float32)[weights.indices]
    lengths = np.sqrt(np.asarray(weights.multiply(weights).sum(axis=1)).ravel())
    scale = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    unit: Matrix = (sparse.diags(scale.astype(np.float32)) @ weights).tocsr()
    return unit
