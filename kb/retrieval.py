"""Which articles fit a query best?

Vectors and words each propose candidates; a dozen views of each are added with learned weights (``kb.fusion``).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from copy import copy
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
from kb.vectors import Distinction, Stacked, VectorIndex

# Codes that stand in more articles tell nothing and count for nothing.
MOST_ARTICLES_OF_A_CODE = 5
# Articles whose chances differ by less than this many logits are equally good: the one updated last comes first.
EQUALLY_GOOD = 0.01
# Each view proposes so many; the right article was among them for all but 1 % of the judged queries.
CANDIDATES = 100
# More words than vectors: an article that the vectors propose keeps the score of its words.
WORD_CANDIDATES = 200
# Of more passages it is not told in .1 ms which is nearest.
TOLD_QUICKLY = 20_000

Scores = npt.NDArray[np.float64]
Indexes = tuple[VectorIndex, VectorIndex]

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


class Codes:
    """Which of a set of articles have which codes; immutable."""

    def __init__(self, articles: Sequence[Article], *, first: int = 0) -> None:
        """The rows of the articles begin with ``first``."""
        self._ordinary = _ordinary(articles)
        self._rows: dict[str, list[int]] = {}
        for row, article in enumerate(articles, first):
            for code in _codes(f"{article.title}\n{article.text}"):
                self._rows.setdefault(code, []).append(row)

    def of(self, query: str) -> list[int]:
        """The articles that have a telling code of the query."""
        found = (self._rows.get(code, ()) for code in _tokens(query) if not self._ordinary[code])
        return sorted({row for rows in found if len(rows) <= MOST_ARTICLES_OF_A_CODE for row in rows})

    def changed(self, removed: Sequence[Article], rows: Sequence[int], added: Sequence[Article], first: int) -> Codes:
        """Without the ``removed`` articles of these ``rows`` and with others, whose rows begin with ``first``."""
        gone, more, other = set(rows), Codes(added, first=first), copy(self)
        other._ordinary = self._ordinary + more._ordinary - _ordinary(removed)
        touched = set(more._rows).union(*(_codes(f"{article.title}\n{article.text}") for article in removed))
        left = {code: [row for row in self._rows.get(code, ()) if row not in gone] for code in touched}
        other._rows = self._rows | {code: rows + more._rows.get(code, []) for code, rows in left.items()}
        return other


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
        indexes: Indexes | None = None,
    ) -> None:
        """``indexes`` are those of the articles' and the passages' vectors, where they have been built already."""
        self._reranker = reranker
        self.fusion = fusion or shipped_fusion()
        self.articles = articles
        self.passages = passages
        self._article_vectors = Stacked(article_vectors)
        self._passage_vectors = Stacked(passage_vectors)
        self._row_of = {article.id: row for row, article in enumerate(articles)}
        self._owner = np.array([self._row_of[passage.article_id] for passage in passages], dtype=np.int64)
        # Passages come in the order of their articles, so those of one article stand side by side.
        self._first = np.searchsorted(self._owner, np.arange(len(articles) + 1))
        self._article_index, self._passage_index = indexes or (
            VectorIndex(article_vectors),
            VectorIndex(passage_vectors),
        )
        self._distinction = Distinction(np.asarray(passage_vectors))
        self._lexical = LexicalIndex(articles)
        self._codes = Codes(articles)
        self._overlap = Overlap(articles, passages, self._owner)
        self._not_for: dict[frozenset[str], npt.NDArray[np.int64]] = {}
        self._updated = _days(articles)
        self._products = _folded(article.product for article in articles)
        self._languages = _folded(article.language for article in articles)

    @property
    def indexes(self) -> Indexes:
        """The indexes of the articles' and the passages' vectors."""
        return self._article_index, self._passage_index

    @property
    def ids(self) -> Set[str]:
        """The ids of the articles that can be found."""
        return self._row_of.keys()

    def changed(self, removed: Collection[str], added: Retriever) -> Retriever:
        """Without the ``removed`` articles and with those of another retriever; nothing is built anew, and both go on.

        It numbers its own articles as before, then those ``added``. What an index of vectors in cells, BM25 and the
        directions that all passages share are made of stays: they are made anew with the next whole retriever.
        """
        rows = [self._row_of[article_id] for article_id in removed]
        start, first = len(self.articles), len(self.passages)
        numbers = np.concatenate([_EMPTY_ROWS, *(np.arange(self._first[row], self._first[row + 1]) for row in rows)])
        other = copy(self)
        other._not_for = {}
        other.articles = [*self.articles, *added.articles]
        other.passages = [*self.passages, *added.passages]
        other._row_of = {one: row for one, row in self._row_of.items() if one not in removed}
        other._row_of |= {one: row + start for one, row in added._row_of.items()}
        other._owner = np.concatenate([self._owner, added._owner + start])
        other._first = np.concatenate([self._first, added._first[1:] + first])
        other._updated = np.concatenate([self._updated, added._updated])
        other._products = np.concatenate([self._products, added._products])
        other._languages = np.concatenate([self._languages, added._languages])
        other._article_vectors = self._article_vectors.above(added._article_vectors)
        other._passage_vectors = self._passage_vectors.above(added._passage_vectors)
        gone = np.array(rows, dtype=np.int64)
        other._article_index = self._article_index.changed(removed=gone, added=added._article_vectors.base)
        other._passage_index = self._passage_index.changed(removed=numbers, added=added._passage_vectors.base)
        other._lexical = self._lexical.changed(removed=rows, added=added.articles, first=start)
        other._codes = self._codes.changed([self.articles[row] for row in rows], rows, added.articles, start)
        other._overlap = self._overlap.changed(
            removed=rows, articles=added.articles, passages=added.passages, owner=added._owner
        )
        other._frequency = self._frequency.copy()
        other._frequency.update(added._frequency)
        fewer = _frequency([self.articles[row] for row in rows])
        other._frequency.subtract(fewer)
        for word in fewer:
            if not other._frequency[word]:
                del other._frequency[word]
        return other

    def fitting(self, *, product: str | None, language: str | None) -> npt.NDArray[np.int64] | None:
        """The rows of the articles on a product and in a language, whatever their case, as (r,) for ``rank``; None for
        all of them, where neither is given. An article that names none fits every one."""
        if product is None and language is None:
            return None
        fits = np.ones(len(self.articles), dtype=np.bool_)
        for names, wanted in ((self._products, product), (self._languages, language)):
            if wanted is not None:
                fits &= (names == "") | (names == wanted.strip().casefold())
        return np.flatnonzero(fits)

    def rank(
        self,
        query: str,
        vector: FloatArray,
        *,
        language: str | None = None,
        among: npt.NDArray[np.int64] | None = None,
    ) -> Ranked:
        """Candidates for a query and its (d,) vector, best first; of the rows ``among`` these only, where given."""
        seen = self.look(query, vector, language=language, among=among)
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

    def look(
        self,
        query: str,
        vector: FloatArray,
        *,
        language: str | None = None,
        among: npt.NDArray[np.int64] | None = None,
    ) -> Seen:
        """The candidates that ``rank`` orders, in no order, with all that it weighs."""
        words = self._overlap.informative(query)
        allowed = None if among is None else set(among.tolist())
        lexical = dict(self._lexical.search(words, WORD_CANDIDATES, allowed))
        coded = [row for row in self._codes.of(query) if allowed is None or row in allowed]
        rows = self._candidates(vector, [*list(lexical)[:CANDIDATES], *coded], among)
        if not len(rows):
            return Seen(_EMPTY_ROWS, _EMPTY_ROWS, _EMPTY_SCORES, _EMPTY_SCORES, _EMPTY_SCORES, {})
        each = rows.tolist()
        near = self._article_vectors.take(rows)
        article = (near @ vector).astype(np.float64)
        best, passage, distinct = self._best_passages(rows, vector)
        views = self._overlap.views(words, rows, best) | {
            "article": article,
            "passage": distinct,
            "company": (near @ near[article.argmax()]).astype(np.float64),
            "code": np.isin(rows, coded).astype(np.float64),
            "language": np.array([bool(language) and self.articles[row].language == language for row in each], float),
        }
        return Seen(rows, best, article, passage, np.array([lexical.get(row, 0.0) for row in each]), views)

    def passage_cosines(self, row: int, vector: FloatArray) -> Scores:
        """The cosine of every passage of an article, in order."""
        numbers = np.arange(self._first[row], self._first[row + 1])
        return (self._passage_vectors.take(numbers) @ vector).astype(np.float64)

    def nearest_not_for(self, audiences: Collection[str], vector: FloatArray, *, at_least: float) -> float:
        """The cosine of the nearest passage that is not for these audiences; ``at_least`` where there are too many to
        tell quickly, -1 where there is none."""
        wanted = frozenset(audiences)
        numbers = self._not_for.get(wanted)
        if numbers is None:
            rows = [row for row, article in enumerate(self.articles) if article.audience not in wanted]
            numbers = self._not_for[wanted] = np.flatnonzero(np.isin(self._owner, rows))
        if len(numbers) > TOLD_QUICKLY:
            return at_least
        best = self._passage_index.search(vector, 1, numbers)
        return float((self._passage_vectors.take(best) @ vector)[0]) if len(best) else -1.0

    def passages_of(self, row: int) -> Sequence[Passage]:
        """The passages of an article, in order."""
        return self.passages[self._first[row] : self._first[row + 1]]

    def rarity(self, word: str) -> float:
        """How much a word tells: the logarithm of the articles there are for each that has it."""
        return math.log((1 + len(self._row_of)) / (1 + self._frequency[word]))

    def is_rare(self, word: str) -> bool:
        """Whether a word stands in hardly any article, as names and error codes do."""
        return self._frequency[word] <= max(3, 0.005 * len(self._row_of))

    def knows(self, word: str) -> bool:
        """Whether a word stands in any article."""
        return word in self._frequency

    @cached_property
    def _frequency(self) -> Counter[str]:
        return _frequency(self.articles)

    def _candidates(
        self, vector: FloatArray, words: Sequence[int], among: npt.NDArray[np.int64] | None
    ) -> npt.NDArray[np.int64]:
        theirs = None if among is None else np.flatnonzero(np.isin(self._owner, among))
        articles = self._article_index.search(vector, CANDIDATES, among)
        passages = self._passage_index.search(vector, CANDIDATES, theirs)
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
        vectors = self._passage_vectors.take(numbers)
        cosines = (vectors @ vector).astype(np.float64)
        # Sorted by article, then from the best: the first of each article is its best, of equals the earlier.
        best = np.lexsort((-cosines, owner))[offsets]
        distinct = np.maximum.reduceat(self._distinction.cosines(vectors, vector), offsets)
        return numbers[best], cosines[best], distinct


def _codes(text: str) -> set[str]:
    return {found.casefold() for found in _CODE.findall(text)}


def _tokens(query: str) -> set[str]:
    return {found.casefold() for found in _TOKEN.findall(query)}


def _ordinary(articles: Sequence[Article]) -> Counter[str]:
    """In how many articles each word with a hyphen stands in small letters."""
    return Counter(word for article in articles for word in set(_ORDINARY.findall(f"{article.title}\n{article.text}")))


def _frequency(articles: Sequence[Article]) -> Counter[str]:
    return Counter(word for article in articles for word in words_of(f"{article.title} {article.text}"))


def _days(articles: Sequence[Article]) -> npt.NDArray[np.int64]:
    return np.array([article.updated.toordinal() if article.updated else 0 for article in articles], dtype=np.int64)


def _folded(names: Iterable[str | None]) -> npt.NDArray[np.str_]:
    """Names to compare by, empty where there is none."""
    return np.array([(name or "").strip().casefold() for name in names], dtype=np.str_)


_EMPTY_ROWS = np.empty(0, dtype=np.int64)
_EMPTY_SCORES = np.empty(0, dtype=np.float64)
_NOTHING = Ranked(_EMPTY_ROWS, _EMPTY_ROWS, _EMPTY_SCORES, _EMPTY_SCORES, _EMPTY_SCORES, _EMPTY_SCORES)
