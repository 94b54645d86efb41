"""Which weights rank the right articles first?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kb.articles import FloatArray, Progress
from kb.embedding import Encoder
from kb.errors import SourceUnreadable
from kb.evaluation import DEPTH, score
from kb.fusion import FEATURES, Fusion, columns, shipped_fusion
from kb.retrieval import Retriever, Scores
from kb.sources.judged import JudgedQuery

# Judged queries tell too little about unseen ones below this.
FEWEST_QUERIES = 30
FOLDS = 5
# How hard the weights are held near those they start from.
REGULARISATION = 0.01
# Judged queries seldom hold codes or second languages; what is right there is known beforehand. An article that has
# the very code of a query outweighs all that merely sound alike: the other weights add up to less.
GIVEN = {"code": 8.0, "language": 1.0}


@dataclass(frozen=True, slots=True)
class Example:
    """A judged query: the ids (c,) and features (c, f) of its candidates, and the grades of the right articles."""

    ids: tuple[str, ...]
    features: Scores
    relevant: Mapping[str, int]

    @property
    def shares(self) -> Scores:
        """How the right candidates share the credit, (c,), summing to 1 or, where none was found, to 0."""
        grades = np.array([self.relevant.get(article_id, 0) for article_id in self.ids], dtype=np.float64)
        return np.asarray(grades / max(float(grades.sum()), 1.0))


@dataclass(frozen=True, slots=True)
class Tuning:
    """New weights, and what they (judged out of fold) and the shipped ones make of the queries."""

    fusion: Fusion
    queries: int
    unknown: int
    shipped: Mapping[str, float]
    tuned: Mapping[str, float]

    @property
    def is_kept(self) -> bool:
        """Whether the new weights are no worse than the shipped ones."""
        return self.tuned["ndcg@10"] >= self.shipped["ndcg@10"]

    def figures(self) -> dict[str, object]:
        """What was measured; ready for JSON."""
        return {
            "queries": self.queries,
            "unknown": self.unknown,
            "kept": self.is_kept,
            "shipped": dict(self.shipped),
            "tuned_out_of_fold": dict(self.tuned),
        }


def tune(
    retriever: Retriever, queries: Sequence[JudgedQuery], encoder: Encoder, *, progress: Progress | None = None
) -> Tuning:
    """Fit weights to judged queries, starting from the shipped ones, and judge them out of fold; the same for the
    same queries. Raises ``SourceUnreadable`` where there are too few."""
    known = retriever.ids
    asked = [query for query in queries if query.relevant.keys() & known]
    if len(asked) < FEWEST_QUERIES:
        raise SourceUnreadable(
            f"{len(asked)} of the {len(queries)} queries name an article of this knowledge base; "
            f"{FEWEST_QUERIES} are needed at least."
        )
    vectors = encoder.encode([query.text for query in asked], progress=progress)
    seen = examples(retriever, asked, vectors)
    start = shipped_fusion()
    return Tuning(
        fusion=fit([seen], start),
        queries=len(asked),
        unknown=len(queries) - len(asked),
        shipped=judged(seen, [start] * len(seen)),
        tuned=judged(seen, out_of_fold(seen, start)),
    )


def examples(retriever: Retriever, queries: Sequence[JudgedQuery], vectors: FloatArray) -> list[Example]:
    """What the search sees of each query's candidates; ``vectors`` (q, d) are those of the queries."""
    found = []
    for query, vector in zip(queries, vectors, strict=True):
        seen = retriever.look(query.text, vector)
        ids = tuple(retriever.articles[row].id for row in seen.rows)
        found.append(Example(ids, columns(seen.views), query.relevant))
    return found


def fit(
    sets: Sequence[Sequence[Example]], start: Fusion | None = None, regularisation: float = REGULARISATION
) -> Fusion:
    """Weights by the likelihood of the right articles among the candidates (ListNet, Cao et al. 2007), none below 0,
    held near ``start`` (else near 0); each set counts the same, and in it each query."""
    from scipy.optimize import minimize  # not on the way of what only searches

    near = np.array(start.weights if start else [GIVEN.get(name, 0.0) for name in FEATURES])
    known = [[example for example in examples if example.shares.any()] for examples in sets]
    features = np.concatenate([example.features for examples in known for example in examples])
    shares = np.concatenate([example.shares for examples in known for example in examples])
    counts = np.array([len(example.ids) for examples in known for example in examples])
    counted = np.concatenate([np.full(len(examples), 1 / len(examples) / len(known)) for examples in known])
    if not start:
        features[:, [FEATURES.index(name) for name in GIVEN]] = 0  # what is given must not bend the others
    first, owner = np.cumsum(counts) - counts, np.repeat(np.arange(len(counts)), counts)

    def loss(weights: Scores) -> tuple[float, Scores]:
        worth = features @ weights
        highest = np.maximum.reduceat(worth, first)
        chance = np.exp(worth - highest[owner])
        total = np.add.reduceat(chance, first)
        likelihood = np.add.reduceat(shares * worth, first) - highest - np.log(total)
        slope = features.T @ ((shares - chance / total[owner]) * counted[owner])
        away = weights - near
        return float(-counted @ likelihood + regularisation * away @ away / 2), regularisation * away - slope

    bounds = [(GIVEN[name], GIVEN[name]) if name in GIVEN and not start else (0, None) for name in FEATURES]
    found = minimize(loss, near, jac=True, method="L-BFGS-B", bounds=bounds)
    return Fusion(tuple(round(max(float(weight), 0.0), 3) for weight in found.x))


def out_of_fold(seen: Sequence[Example], start: Fusion | None = None) -> list[Fusion]:
    """For each query weights that were fitted without it and without others about the same articles."""
    fold = folds(seen)
    fitted = [fit([[one for one, at in zip(seen, fold, strict=True) if at != out]], start) for out in range(FOLDS)]
    return [fitted[at] for at in fold]


def folds(seen: Sequence[Example]) -> npt.NDArray[np.int64]:
    """A fold for each query; those that share their first right article share the fold."""
    topics = [min(example.relevant) for example in seen]
    order = np.random.default_rng(0).permutation(len(set(topics)))
    number = dict(zip(sorted(set(topics)), order, strict=True))
    return np.array([number[topic] % FOLDS for topic in topics])


def judged(seen: Sequence[Example], fusions: Sequence[Fusion]) -> dict[str, float]:
    """The measures of ``evaluate_retrieval`` where each query is ranked by weights of its own."""
    ranked = []
    for example, fusion in zip(seen, fusions, strict=True):
        order = np.argsort(-(example.features @ np.array(fusion.weights)), kind="stable")[:DEPTH]
        ranked.append([example.ids[row] for row in order])
    measures = score([example.relevant for example in seen], ranked)
    assert all(math.isfinite(value) for value in measures.values())
    return measures
