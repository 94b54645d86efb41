"""How well do judged queries find their articles?"""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np

from kb.articles import Article, FloatArray, Passage, Progress
from kb.chunking import article_text, passage_text, split
from kb.embedding import Encoder
from kb.fusion import Fusion
from kb.reranking import Reranker
from kb.retrieval import Indexes, Retriever
from kb.sources.judged import JudgedQuery, read_articles, read_queries

DEPTH = 10
Metrics = dict[str, object]


@dataclass(frozen=True, slots=True)
class Embedded:
    """Articles with their p passages and the vectors of both: (a, d) and (p, d); without ``fusion`` the one that ships
    ranks them."""

    articles: Sequence[Article]
    passages: Sequence[Passage]
    article_vectors: FloatArray
    passage_vectors: FloatArray
    fusion: Fusion | None = None
    reranker: Reranker | None = None

    def part_without(self, article_ids: Collection[str]) -> Embedded:
        """All but these articles."""
        if not article_ids:
            return self
        kept = np.array([article.id not in article_ids for article in self.articles], dtype=np.bool_)
        theirs = np.array([passage.article_id not in article_ids for passage in self.passages], dtype=np.bool_)
        return Embedded(
            tuple(compress(self.articles, kept)),
            tuple(compress(self.passages, theirs)),
            self.article_vectors[kept],
            self.passage_vectors[theirs],
            self.fusion,
            self.reranker,
        )

    def without(self, article_ids: Collection[str]) -> Retriever:
        """A retriever over all articles but these, as if they had never been there."""
        return self.part_without(article_ids).retriever()

    def retriever(self, indexes: Indexes | None = None) -> Retriever:
        """A retriever over the articles, with indexes of their vectors where they have been built."""
        vectors = self.article_vectors, self.passage_vectors
        ranking = self.fusion, self.reranker
        return Retriever(
            self.articles, self.passages, *vectors, fusion=ranking[0], reranker=ranking[1], indexes=indexes
        )


@dataclass(frozen=True, slots=True)
class JudgedBase:
    """Articles that are kept nowhere, queries that were judged on them, and the seconds that indexing took."""

    base: Embedded
    queries: Sequence[JudgedQuery]
    seconds: float


def read_judged_base(
    articles: Path,
    queries: Path,
    encoder: Encoder,
    *,
    qrels: Path | None = None,
    titles: bool = True,
    progress: Progress | None = None,
) -> JudgedBase:
    """Read articles and judged queries, and embed the articles; raises ``SourceUnreadable`` where a file is not as it
    should be."""
    corpus = read_articles(articles, titles=titles)
    judged = read_queries(queries, qrels)
    began = time.perf_counter()
    base = embed_articles(corpus, encoder, progress=progress)
    return JudgedBase(base, judged, time.perf_counter() - began)


def evaluate_retrieval(judged: JudgedBase, encoder: Encoder) -> Metrics:
    """Search every judged query; ready for JSON.

    recall@1: share of the queries whose first article is right. hit@10: share with a right one among ten.
    mrr@10: mean of 1/rank of the first right one. ndcg@10: Järvelin & Kekäläinen 2002, with the grades as gains.
    """
    began = time.perf_counter()
    retriever = judged.base.retriever()
    indexed = time.perf_counter()
    vectors = encoder.encode([query.text for query in judged.queries])
    found = [
        [retriever.articles[row].id for row in retriever.rank(query.text, vector).rows[:DEPTH]]
        for query, vector in zip(judged.queries, vectors, strict=True)
    ]
    searched = time.perf_counter()
    return {
        "articles": len(judged.base.articles),
        "queries": len(judged.queries),
        "seconds": {"index": round(judged.seconds + indexed - began, 3), "search": round(searched - indexed, 3)},
        **score([query.relevant for query in judged.queries], found),
    }


def embed_articles(articles: Sequence[Article], encoder: Encoder, *, progress: Progress | None = None) -> Embedded:
    """Articles that are kept nowhere; everything is embedded in one batch."""
    passages = [passage for article in articles for passage in split(article)]
    by_id = {article.id: article for article in articles}
    texts = [article_text(article) for article in articles]
    texts += [passage_text(by_id[passage.article_id], passage) for passage in passages]
    vectors = encoder.encode(texts, progress=progress)
    return Embedded(articles, passages, vectors[: len(articles)], vectors[len(articles) :])


def index_articles(articles: Sequence[Article], encoder: Encoder, *, progress: Progress | None = None) -> Retriever:
    """A retriever over articles that are kept nowhere."""
    return embed_articles(articles, encoder, progress=progress).retriever()


def score(relevant: Sequence[Mapping[str, int]], found: Sequence[Sequence[str]]) -> dict[str, float]:
    """Means over the queries of what ``evaluate_retrieval`` reports; ``found`` is best first."""
    ranks = [_first_right(right, ids) for right, ids in zip(relevant, found, strict=True)]
    gains = [_ndcg(right, ids) for right, ids in zip(relevant, found, strict=True)]
    return {
        "recall@1": float(np.mean([rank == 1 for rank in ranks])),
        "hit@10": float(np.mean([rank is not None for rank in ranks])),
        "mrr@10": float(np.mean([1 / rank if rank else 0.0 for rank in ranks])),
        "ndcg@10": float(np.mean(gains)),
    }


def _first_right(relevant: Mapping[str, int], ids: Sequence[str]) -> int | None:
    return next((rank for rank, article_id in enumerate(ids[:DEPTH], 1) if article_id in relevant), None)


def _ndcg(relevant: Mapping[str, int], ids: Sequence[str]) -> float:
    def discounted(grades: Sequence[int]) -> float:
        return sum(grade / math.log2(rank + 1) for rank, grade in enumerate(grades[:DEPTH], 1))

    return discounted([relevant.get(article_id, 0) for article_id in ids]) / discounted(
        sorted(relevant.values(), reverse=True)
    )
