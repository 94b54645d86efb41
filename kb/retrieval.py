"""Which articles fit a query best?

Vectors and words each propose candidates; a dozen views of each are added with learned weights (``kb.fusion``).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from kb.articles import Article, FloatArray, Passage
from kb.chunking import passage_text
from kb.fusion import Fusion, shipped_fusion
from kb.lexical import LexicalIndex, words_of
from kb.overlap import Overlap
from kb.reranking import DEPTH, Reranker
from kb.vectors import Distinction, VectorIndex

# Codes that stand in more articles tell nothing and count for nothing.
MOST_ARTICLES_OF_A_CODE = 5
# Articles whose chances differ by less than this many logits are equally good: the one updated last comes first.
EQUALLY_GOOD = 0.01
# Each view proposes so many; the right article was among them for all but 1 % of the judged queries.
CANDIDATES = 100
# More words than vectors: an article that the vectors propose keeps the score of its words.
WORD_CANDIDATES = 200

Scores = npt.NDArray[np.float64]

# 0x80070005 · KB5031455, KES-2041 · FV-Staff: in articles by their shape, in questions whatever their case.
_CODE = re.compile(r"\b(?:0[xX][0-9a-fA-F]{4,}|[A-Za-z]{2,10}-?\d{3,10}|[A-Z]{2,}-\w{2,})\b")
# What the articles also write like this is a word that one of them shouts, such as ADD-INS, and no name.
_ORDINARY = re.compile(r"\b[a-z]+-[a-z]+\b")
_TOKEN = re.compile(r"\w[\w-]*\w")


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidate articles of one query, best first, with what each view says of them; all arrays are (c,).

    ``rows`` number the articles, ``passages`` their best passages; ``fused`` is the chance of each to be the right
    one, if one of them is, and sums to 1.
    """

    rows: npt.NDArray[np.int64]
    passages: npt.NDArray[np.int64]
    fused: Scores
    article_cosine: Scores
    passage_cosine: Scores
    lexical: Scores

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a search sees before it weighs: as in ``Ranked``, in no order, and views by name; all (c,)."""

    rows: npt.NDArray[np.int64]
    passages: npt.NDArray[np.int64]
    article_cosine: Scores
    passage_cosine: Scores
    lexical: Scores
    views: Mapping[str, Scores]


class Retriever:
    """Searches one immutable set of articles; safe to use from several threads."""

    def __init__(
        self,
        articles: Sequence[Article],
        passages: Sequence[Passage],
        article_vectors: FloatArray,
        passage_vectors: FloatArray,
        *,
        fusion: Fusion | None = None,
        reranker: Reranker | None = None,
    ) -> None:
        self._reranker = reranker
        self.fusion = fusion or shipped_fusion()
        self.articles = articles
        self.passages = passages
        # Plain views: a memory-mapped array pays for its class at every step.
        self._article_vectors = np.asarray(article_vectors)
        self._passage_vectors = np.asarray(passage_vectors)
        row_of = {article.id: row for row, article in enumerate(articles)}
        self._owner = np.array([row_of[passage.article_id] for passage in passages], dtype=np.int64)
        # Passages come in the order of their articles, so those of one article stand side by side.
        self._first = np.searchsorted(self._owner, np.arange(len(articles) + 1))
        self._article_index = VectorIndex(article_vectors)
        self._passage_index = VectorIndex(passage_vectors)
        self._distinction = Distinction(self._passage_vectors)
        self._lexical = LexicalIndex(articles)
        self._with_code = _articles_by_code(articles)
        self._overlap = Overlap(articles, passages, self._owner)
        self._updated = np.array([article.updated.toordinal() if article.updated else 0 for article in articles])

    def rank(self, query: str, vector: FloatArray, *, language: str | None = None) -> Ranked:
        """Candidates for a query and its (d,) vector, best first."""
        seen = self.look(query, vector, language=language)
        if not len(seen.rows):
            return _NOTHING
        worth = self.fusion.worth(seen.views)
        order = np.lexsort((-worth, -self._updated[seen.rows], -np.round(worth / EQUALLY_GOOD)))
        chance = np.sort(np.exp(worth - worth.max()))[::-1]
        if self._reranker:
            order = self._read_again(self._reranker, query, seen.passages, order)
        return Ranked(
            seen.rows[order],
            seen.passages[order],
            chance / chance.sum(),
            seen.article_cosine[order],
            seen.passage_cosine[order],
            seen.lexical[order],
        )

    def look(self, query: str, vector: FloatArray, *, language: str | None = None) -> Seen:
        """The candidates that ``rank`` orders, in no order, with all that it weighs."""
        words = self._overlap.informative(query)
        lexical = dict(self._lexical.search(words, WORD_CANDIDATES))
        coded = self._with_code_of(query)
        rows = self._candidates(vector, [*list(lexical)[:CANDIDATES], *coded])
        if not len(rows):
            return Seen(_EMPTY_ROWS, _EMPTY_ROWS, _EMPTY_SCORES, _EMPTY_SCORES, _EMPTY_SCORES, {})
        near = self._article_vectors[rows]
        article = (near @ vector).astype(np.float64)
        best, passage, distinct = self._best_passages(rows, vector)
        views = self._overlap.views(words, rows, best) | {
            "article": article,
            "passage": distinct,
            "company": (near @ near[article.argmax()]).astype(np.float64),
            "code": np.isin(rows, coded).astype(np.float64),
            "language": np.array([bool(language) and self.articles[row].language == language for row in rows], float),
        }
        return Seen(rows, best, article, passage, np.array([lexical.get(int(row), 0.0) for row in rows]), views)

    def passage_cosines(self, row: int, vector: FloatArray) -> Scores:
        """The cosine of every passage of an article, in order."""
        start, end = self._first[row], self._first[row + 1]
        return (self._passage_vectors[start:end] @ vector).astype(np.float64)

    def passages_of(self, row: int) -> Sequence[Passage]:
        """The passages of an article, in order."""
        return self.passages[self._first[row] : self._first[row + 1]]

    def rarity(self, word: str) -> float:
        """How much a word tells: the logarithm of the articles there are for each that has it."""
        return math.log((1 + len(self.articles)) / (1 + self._frequency[word]))

    def is_rare(self, word: str) -> bool:
        """Whether a word stands in hardly any article, as names and error codes do."""
        return self._frequency[word] <= max(3, 0.005 * len(self.articles))

    def knows(self, word: str) -> bool:
        """Whether a word stands in any article."""
        return word in self._frequency

    @cached_property
    def _frequency(self) -> Counter[str]:
        return Counter(word for article in self.articles for word in words_of(f"{article.title} {article.text}"))

    def _with_code_of(self, query: str) -> list[int]:
        """The articles that have a telling code of the query."""
        return sorted({row for code in _tokens(query) for row in self._with_code.get(code, ())})

    def _candidates(self, vector: FloatArray, words: Sequence[int]) -> npt.NDArray[np.int64]:
        articles = self._article_index.search(vector, CANDIDATES)
        passages = self._passage_index.search(vector, CANDIDATES)
        rows = [articles, self._owner[passages], np.array(words, dtype=np.int64)]
        return np.unique(np.concatenate(rows))

    def _read_again(
        self, reranker: Reranker, query: str, passages: npt.NDArray[np.int64], order: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """The order with the first articles sorted by what the cross-encoder says of their best passages."""
        first = order[:DEPTH]
        texts = [passage_text(self.articles[self._owner[number]], self.passages[number]) for number in passages[first]]
        again = np.argsort(-reranker.score(query, texts), kind="stable")
        return np.concatenate([first[again], order[DEPTH:]])

    def _best_passages(
        self, rows: npt.NDArray[np.int64], vector: FloatArray
    ) -> tuple[npt.NDArray[np.int64], Scores, Scores]:
        """The best passage of each article, its cosine, and the best cosine by what tells the passages apart."""
        starts, counts = self._first[rows], self._first[rows + 1] - self._first[rows]
        offsets = np.cumsum(counts) - counts
        owner = np.repeat(np.arange(len(rows)), counts)
        numbers = np.arange(len(owner)) + (starts - offsets)[owner]
        vectors = self._passage_vectors[numbers]
        cosines = (vectors @ vector).astype(np.float64)
        # Sorted by article, then from the best: the first of each article is its best, of equals the earlier.
        best = np.lexsort((-cosines, owner))[offsets]
        distinct = np.maximum.reduceat(self._distinction.cosines(vectors, vector), offsets)
        return numbers[best], cosines[best], distinct


def _codes(text: str) -> set[str]:
    return {found.casefold() for found in _CODE.findall(text)}


def _tokens(query: str) -> set[str]:
    return {found.casefold() for found in _TOKEN.findall(query)}


def _articles_by_code(articles: Sequence[Article]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    ordinary: set[str] = set()
    for row, article in enumerate(articles):
        text = f"{article.title}\n{article.text}"
        ordinary.update(_ORDINARY.findall(text))
        for code in _codes(text):
            found.setdefault(code, []).append(row)
    telling = found.keys() - ordinary
    return {code: rows for code, rows in found.items() if code in telling and len(rows) <= MOST_ARTICLES_OF_A_CODE}


_EMPTY_ROWS = np.empty(0, dtype=np.int64)
_EMPTY_SCORES = np.empty(0, dtype=np.float64)
_NOTHING = Ranked(_EMPTY_ROWS, _EMPTY_ROWS, _EMPTY_SCORES, _EMPTY_SCORES, _EMPTY_SCORES, _EMPTY_SCORES)
