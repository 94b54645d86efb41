"""Which words and pieces of words does a text have, and how much does each tell?

Words (one and two in a row) and characters (three to five in a row, within words), each weighed by
(1 + log count) x rarity and brought to unit length, as scikit-learn's ``TfidfVectorizer`` does with
``sublinear_tf``: https://scikit-learn.org/stable/modules/feature_extraction.html#tfidf-term-weighting
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

# Beyond this, texts repeat themselves or quote logs; the pieces of 5,000 characters take 3 ms.
MAX_CHARACTERS = 5_000
SHORTEST, LONGEST = 3, 5

_WORD = re.compile(r"\w\w+")
_CHUNK = re.compile(r"\S+")

Rows = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


def words_in(text: str) -> Counter[str]:
    """Words of two characters and more, and pairs of them, lower case, with their counts."""
    words = _WORD.findall(text[:MAX_CHARACTERS].lower())
    counts = Counter(words)
    counts.update(f"{first} {second}" for first, second in pairwise(words))
    return counts


def pieces_in(text: str) -> Counter[str]:
    """Three to five characters in a row within words padded with a space, lower case, with their counts."""
    counts: Counter[str] = Counter()
    for chunk in _CHUNK.findall(text[:MAX_CHARACTERS].lower()):
        padded = f" {chunk} "
        for size in range(SHORTEST, LONGEST + 1):
            if len(padded) <= size:
                counts[padded] += 1
                break
            counts.update(padded[start : start + size] for start in range(len(padded) - size + 1))
    return counts


def known_values(features: Mapping[str, str]) -> set[str]:
    """Metadata as one term per name and value."""
    return {f"{name}={value.strip().lower()}" for name, value in features.items() if value.strip()}


@dataclass(frozen=True)
class Vectorizer:
    """Numbers the terms that a model was trained on: words first, then pieces, then metadata values.

    ``rarity`` (t,) has one weight per word and piece.
    """

    words: Mapping[str, int]
    pieces: Mapping[str, int]
    values: Mapping[str, int]
    rarity: Values

    def terms(self, text: str, features: Mapping[str, str]) -> tuple[Rows, Values, list[str]]:
        """(rows, weights, the words among them in the same order) of one text; unknown terms do not count."""
        words = {term: count for term, count in words_in(text).items() if term in self.words}
        pieces = {term: count for term, count in pieces_in(text).items() if term in self.pieces}
        values = sorted(self.values[value] for value in known_values(features) if value in self.values)
        word_rows = np.array([self.words[term] for term in words], dtype=np.int64)
        piece_rows = np.array([self.pieces[term] for term in pieces], dtype=np.int64)
        weights = [
            self._weights(word_rows, list(words.values())),
            self._weights(piece_rows, list(pieces.values())),
            np.ones(len(values)),
        ]
        rows = np.concatenate([word_rows, piece_rows, np.array(values, dtype=np.int64)])
        return rows, np.concatenate(weights), list(words)

    def _weights(self, rows: Rows, counts: list[int]) -> Values:
        weights = (1 + np.log(np.array(counts, dtype=np.float64))) * self.rarity[rows] if counts else np.empty(0)
        length = np.linalg.norm(weights)
        return weights / length if length else weights
