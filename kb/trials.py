"""What would the answers to judged queries have been worth, had some of the articles not been there?

A gate must know both: questions that the knowledge base answers, and questions that it cannot answer. The second kind
is made by taking the right articles of some of the queries away, for good: what is left is indexed as if they had
never been there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress

import numpy as np

from kb.answering import NEAREST, answer_span
from kb.articles import Citation, FloatArray
from kb.embedding import Encoder
from kb.evaluation import Embedded
from kb.gating import OWN, Checked, Features, Flags, Gate, features, fit_gate
from kb.retrieval import Retriever
from kb.sources.judged import JudgedQuery

# Each part is judged by a gate that was fitted on the others.
FOLDS = 5


@dataclass(frozen=True, slots=True)
class Trial:
    """One asking of a judged query: what the search saw, and the words that an answer would be.

    ``right`` tells whether the first article is a right one, ``among`` whether one of the first three is,
    ``is_answerable`` whether a right one was there. ``query`` numbers the query: two askings of it belong together.
    """

    query: int
    features: Features
    right: bool
    among: bool
    is_answerable: bool
    citation: Citation


def ask_all(
    base: Embedded, queries: Sequence[JudgedQuery], encoder: Encoder, *, hold_out: float, seed: int = 0
) -> list[Trial]:
    """Ask every query once, after the right articles of a random share ``hold_out`` of them were taken away."""
    gone = _articles_of_some(queries, hold_out, seed)
    vectors = encoder.encode([query.text for query in queries])
    return _ask(base.without(gone), queries, vectors)


def _articles_of_some(queries: Sequence[JudgedQuery], share: float, seed: int) -> set[str]:
    """Articles without which this share of the queries has no right one left: queries may have articles in common."""
    gone: set[str] = set()
    for number in np.random.default_rng(seed).permutation(len(queries)):
        if sum(gone.issuperset(query.relevant) for query in queries) >= share * len(queries):
            break
        gone.update(queries[number].relevant)
    return gone


def ask_both_ways(
    base: Embedded, queries: Sequence[JudgedQuery], encoder: Encoder, *, parts: int = FOLDS, seed: int = 0
) -> list[Trial]:
    """Ask every query twice: with its articles there, and after they were taken away with those of its part."""
    vectors = encoder.encode([query.text for query in queries])
    trials = _ask(base.without(()), queries, vectors)
    order = np.random.default_rng(seed).permutation(len(queries))
    judged = np.array([number for number in order if queries[number].relevant], dtype=np.int64)
    for part in np.array_split(judged, parts):
        gone = {article_id for number in part for article_id in queries[number].relevant}
        rest = base.without(gone)
        if rest.articles:
            asked = _ask(rest, [queries[number] for number in part], vectors[part])
            trials += [replace(trial, query=int(part[trial.query])) for trial in asked]
    return trials


def fit_on(
    trials: Sequence[Trial], *, names: Sequence[str] = OWN, threshold: float = 1.0, usual: Gate | None = None
) -> Gate:
    """A gate, and within it the one for a choice of three, fitted on these trials and checked on them out of fold.

    Where the ``usual`` gate says more about them (log loss), it is taken and checked on them: few questions teach less
    than it knows. It must not have been fitted on them.
    """
    right, among = outcomes(trials)
    own, three = _fitted(trials, right, names, threshold), _fitted(trials, among, names, threshold)
    if usual is not None:
        own = _better(trials, own, usual, right)
        three = _better(trials, three, usual.among or three, among)
    return replace(own, among=three)


def _fitted(trials: Sequence[Trial], right: Flags, names: Sequence[str], threshold: float) -> Gate:
    gate = fit_gate([trial.features for trial in trials], right, names=names, threshold=threshold)
    return replace(gate, checked=_checked(trials, right, names))


def _better(trials: Sequence[Trial], own: Gate, usual: Gate, right: Flags) -> Gate:
    said = Checked(usual.probabilities([trial.features for trial in trials]), right)
    if _log_loss(said) < _log_loss(own.checked):
        return replace(usual, checked=said, among=None)
    return own


def _log_loss(checked: Checked) -> float:
    said = np.clip(np.where(checked.right, checked.probability, 1 - checked.probability), 1e-12, 1)
    return float(-np.log(said).mean())


def outcomes(trials: Sequence[Trial]) -> tuple[Flags, Flags]:
    """(n,) whether the first article is right, and whether one of the first three is."""
    return np.array([trial.right for trial in trials], np.bool_), np.array([trial.among for trial in trials], np.bool_)


def _checked(trials: Sequence[Trial], right: Flags, names: Sequence[str]) -> Checked:
    seen = [trial.features for trial in trials]
    fold = np.array([trial.query for trial in trials]) % FOLDS
    said = np.zeros(len(trials))
    for number in set(fold.tolist()):
        theirs = fold == number
        if not theirs.all():
            gate = fit_gate(list(compress(seen, ~theirs)), right[~theirs], names=names)
            said[theirs] = gate.probabilities(list(compress(seen, theirs)))
    return Checked(said, right)


def _ask(retriever: Retriever, queries: Sequence[JudgedQuery], vectors: FloatArray) -> list[Trial]:
    there = retriever.ids
    trials = []
    for number, (query, vector) in enumerate(zip(queries, vectors, strict=True)):
        ranked = retriever.rank(query.text, vector)
        if not len(ranked):
            continue
        first = [retriever.articles[row].id in query.relevant for row in ranked.rows[:NEAREST]]
        trials.append(
            Trial(
                number,
                features(retriever, query.text, ranked),
                first[0],
                any(first),
                not there.isdisjoint(query.relevant),
                answer_span(retriever, int(ranked.rows[0]), vector),
            )
        )
    return trials
