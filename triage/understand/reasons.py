"""Why did a model choose a label, and what would have changed it?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol

import numpy as np
import numpy.typing as npt

from kb import FloatArray
from triage.understand.vectorizer import MAX_CHARACTERS, Vectorizer, pieces_in

SHOWN = 5
# More words than these are no reason that a person could check.
MOST_REMOVED = 5
# Of so many words that speak most for the label, the pieces are counted too.
WEIGHED_WORDS = 12

# Rows of the terms of one ticket, their weights, and the words among them in the same order.
Terms = tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], list[str]]


class Linear(Protocol):
    """A model of one field, linear in its terms."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels, in the order of the columns."""

    @property
    def term_weights(self) -> FloatArray:
        """(t, c) weights."""

    def margins(self, terms: Terms, voted: FloatArray) -> npt.NDArray[np.float64]:
        """(1, c) margins of one ticket, given what past tickets voted (c,)."""


def words_for(model: Linear, terms: Terms, label: int) -> tuple[str, ...]:
    """The words and pairs of words that weighed most for the label, the weightiest first."""
    rows, weights, words = terms
    share = weights[: len(words)] * model.term_weights[rows[: len(words)], label]
    best = np.argsort(-share, kind="stable")[:SHOWN]
    return tuple(words[row] for row in best if share[row] > 0)


def what_would_change(
    model: Linear, vectorizer: Vectorizer, text: str, features: Mapping[str, str], terms: Terms, voted: FloatArray
) -> str:
    """The fewest words without which the model would have preferred another label, or that few words do not decide.

    Words are taken in the order of their weight, and it is tried: what is said is true of the words. What past
    tickets voted is left as it is, so without the words it might have changed sooner. ``terms`` are those of the text.
    """
    margins = model.margins(terms, voted)[0]
    first, second = np.argsort(-margins, kind="stable")[:2]
    towards = model.term_weights[:, first] - model.term_weights[:, second]
    gap = float(margins[first] - margins[second])
    removed: list[str] = []
    for word, weight in _weighed_words(vectorizer, terms, towards)[:MOST_REMOVED]:
        if weight <= 0:
            break
        removed.append(word)
        gap -= weight
        if gap > 0:
            continue
        left = _without(text, removed)
        instead = int(model.margins(vectorizer.terms(left, features), voted)[0].argmax())
        if instead != first:
            return f"Without {_quoted(removed)} it would be {model.labels[instead]}."
    next_best = f"next comes {model.labels[second]}"
    if not removed:
        return f"Its words do not speak for it; {next_best}."
    return f"Not even without {_quoted(removed)} would it be another; {next_best}."


def _quoted(words: list[str]) -> str:
    return ", ".join(f"“{word}”" for word in words)


def _weighed_words(vectorizer: Vectorizer, terms: Terms, towards: npt.NDArray[np.floating]) -> list[tuple[str, float]]:
    """Single words with what they, their pairs and their pieces add to the gap, the weightiest first."""
    rows, weights, words = terms
    share = weights * towards[rows]
    adds: dict[str, float] = {}
    for term, value in zip(words, share[: len(words)].tolist(), strict=True):
        for word in term.split(" "):
            adds[word] = adds.get(word, 0.0) + value
    place = dict(zip(rows.tolist(), share.tolist(), strict=True))
    best = sorted(adds, key=lambda word: -adds[word])[:WEIGHED_WORDS]
    for word in best:
        known = (vectorizer.pieces.get(piece) for piece in pieces_in(word))
        adds[word] += sum(place.get(row, 0.0) for row in known if row is not None)
    return sorted(((word, adds[word]) for word in best), key=lambda item: -item[1])


def _without(text: str, words: list[str]) -> str:
    pattern = "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words)
    return re.sub(pattern, " ", text[:MAX_CHARACTERS], flags=re.IGNORECASE)
