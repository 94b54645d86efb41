"""How far do the words of a query agree with those of its candidate articles?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import copy
from functools import lru_cache
from itertools import count, pairwise

import numpy as np
import numpy.typing as npt

from kb.articles import Article, Passage
from kb.lexical import MAX_QUERY_CHARACTERS, MAX_QUERY_WORDS, stemmer_language, stems

Scores = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]
WordIds = npt.NDArray[np.int32]

# Okapi BM25 (Robertson & Zaragoza 2009). Whole articles differ in length a hundredfold: full normalisation and a slow
# saturation put the right one first for .454 of the untitled queries of OfficeDocs, 1.2 and .75 for .371.
BODY_K1, BODY_B = 2.0, 1.0
PAIR_K1, PAIR_B = 1.2, 1.0
TITLE_K1, TITLE_B = 1.2, 0.75
# Texts whose words are remembered, so that a new snapshot reads only what has changed.
REMEMBERED = 100_000

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_numbers: dict[str, int] = {}
_next = count()


class Overlap:
    """The words of one immutable set of articles in order, stemmed by each one's language."""

    def __init__(self, articles: Sequence[Article], passages: Sequence[Passage], owner: Rows) -> None:
        """``owner`` (p,) numbers the article of each passage."""
        self._articles, self._passages, self._owner = articles, passages, owner
        headings = _headings(len(articles), passages, owner)
        spoken = [stemmer_language(article.language) for article in articles]
        self._spoken = spoken
        titles = [_numbered(article.title, language) for article, language in zip(articles, spoken, strict=True)]
        bodies = [_numbered(article.text, language) for article, language in zip(articles, spoken, strict=True)]
        self._titles = [np.unique(title) for title in titles]
        self._headings = [np.unique(_numbered(text, language)) for text, language in zip(headings, spoken, strict=True)]
        self._words = [np.concatenate(both) for both in zip(titles, bodies, strict=True)]
        self._frequency = _frequency(self._words)
        self._headings = [heading[heading < len(self._frequency)] for heading in self._headings]
        self._length, self._title_length = _lengths(self._words), _lengths(titles)
        self._count(np.arange(len(articles)))

    def changed(
        self, *, removed: Sequence[int], articles: Sequence[Article], passages: Sequence[Passage], owner: Rows
    ) -> Overlap:
        """Without the ``removed`` rows and with others after the last, whose passages have ``owner`` (p,)s among them;
        it says the same as one made anew of what is left."""
        more = Overlap(articles, passages, owner)
        gone = _frequency([self._words[row] for row in removed])
        other = copy(self)
        other._articles = [*self._articles, *articles]
        other._passages = [*self._passages, *passages]
        other._owner = np.concatenate([self._owner, owner + len(self._articles)])
        other._spoken = self._spoken + more._spoken
        other._titles = self._titles + more._titles
        other._headings = self._headings + more._headings
        other._words = self._words + more._words
        size = max(len(self._frequency), len(more._frequency))
        padded = [np.pad(each, (0, size - len(each))) for each in (self._frequency, more._frequency, gone)]
        other._frequency = padded[0] + padded[1] - padded[2]
        other._length = np.concatenate([self._length, more._length])
        other._title_length = np.concatenate([self._title_length, more._title_length])
        other._count(np.setdiff1d(np.arange(len(other._articles)), np.array(removed, dtype=np.int64)))
        return other

    def _count(self, kept: Rows) -> None:
        """Work out what depends on all articles, of which these rows are left."""
        self._kept = len(kept)
        self._languages = sorted({self._spoken[row] for row in kept.tolist()})
        self._read: dict[int, tuple[WordIds, float]] = {}
        self._rarity = _rarity(self._frequency, len(kept))
        self._mean_length = float(self._length[kept].mean()) if len(kept) else 0.0
        self._mean_title_length = float(self._title_length[kept].mean()) if len(kept) else 0.0
        self._title_weight = _weights(self._titles, self._rarity)
        self._heading_weight = _weights(self._headings, self._rarity)

    def views(self, query: str, rows: Rows, passages: Rows) -> dict[str, Scores]:
        """What the words say of the articles in ``rows`` (c,) and of the best ``passages`` (c,) of each, by the names
        of ``kb.fusion.FEATURES``; each (c,)."""
        table, rarity, pairs = self._asked(query)
        terms = len(rarity)
        if not rarity.any():
            return {name: np.zeros(len(rows)) for name in VIEWS}
        quoted = [self._read.get(number) or self._distinct(number) for number in passages.tolist()]
        numbers = rows.tolist()
        words, neighbours = _counted([self._words[row] for row in numbers], table, terms, pairs)
        short = [each[row] for each in (self._titles, self._headings) for row in numbers]
        counts, _ = _counted([*short, *(words for words, _ in quoted)], table, terms, {})
        titles, headings, named = counts.reshape(3, len(numbers), terms)
        length, asked = self._length[rows], rarity.sum()
        title_length = self._title_length[rows]
        rarer = np.array([max(rarity[one], rarity[other]) for one, other in pairs])
        return {
            "body": _bm25(words, length, self._mean_length, BODY_K1, BODY_B) @ rarity,
            "pairs": _bm25(neighbours, length, self._mean_length, PAIR_K1, PAIR_B) @ rarer,
            "title": _bm25(titles, title_length, self._mean_title_length, TITLE_K1, TITLE_B) @ rarity,
            "title_asked_for": titles @ rarity / np.maximum(self._title_weight[rows], 1e-9),
            "asked_in_title": titles @ rarity / asked,
            "asked_in_article": (words > 0) @ rarity**2 / (rarity @ rarity),
            "headings_asked_for": headings @ rarity / np.maximum(self._heading_weight[rows], 1e-9),
            "passage_asked_for": named @ rarity / np.maximum([weight for _, weight in quoted], 1e-9),
        }

    def _distinct(self, number: int) -> tuple[WordIds, float]:
        """The distinct words of a passage and the sum of their rarities; read once, when first wanted."""
        row, passage = int(self._owner[number]), self._passages[number]
        text = self._articles[row].text[passage.start : passage.end]
        words = np.unique(_numbered(" ".join([*passage.heading_path, text]), self._spoken[row]))
        words = words[words < len(self._rarity)]
        self._read[number] = words, float(self._rarity[words].sum())
        return self._read[number]

    def informative(self, query: str) -> str:
        """The query, or of a long one the sentences whose words are rarest on average, in their order."""
        query = query[:MAX_QUERY_CHARACTERS]
        if len(query.split()) <= MAX_QUERY_WORDS:
            return query
        sentences = [sentence for sentence in _SENTENCE_END.split(query) if sentence.strip()]
        told = [self._asked(sentence)[1] for sentence in sentences]
        best = sorted(range(len(sentences)), key=lambda one: -float(told[one].mean()) if len(told[one]) else 0.0)
        chosen, words = set[int](), 0
        for one in best:
            if chosen and words + len(sentences[one].split()) > MAX_QUERY_WORDS:
                break
            chosen.add(one)
            words += len(sentences[one].split())
        return " ".join(sentences[one] for one in sorted(chosen))

    def _asked(self, query: str) -> tuple[npt.NDArray[np.int32], Scores, dict[tuple[int, int], int]]:
        """Of a query's t terms: the table from word to term (1 and up, 0 for others), their rarities (t,), and the
        terms that stand side by side, numbered."""
        query = query[:MAX_QUERY_CHARACTERS]
        table = np.zeros(len(self._frequency), dtype=np.int32)
        terms: dict[str, int] = {}
        order: list[int] = []
        numbers: list[int] = []
        for place, language in enumerate(self._languages):
            for position, word in enumerate(stems(query, language)):
                if not place:
                    order.append(terms.setdefault(word, len(terms)))
                number = _numbers.get(word, len(table))
                if number < len(table) and not table[number] and position < len(order):
                    table[number] = order[position] + 1
                    numbers.append(number)
        known = np.array(numbers, dtype=np.int64)
        frequency = np.bincount(table[known] - 1, weights=self._frequency[known], minlength=len(terms))
        # A word that no article has tells nothing about any.
        rarity = _rarity(np.minimum(frequency, self._kept), self._kept) * (frequency > 0)
        return table, rarity, {pair: number for number, pair in enumerate(dict.fromkeys(pairwise(order)))}


VIEWS = (
    "body",
    "pairs",
    "title",
    "title_asked_for",
    "asked_in_title",
    "asked_in_article",
    "headings_asked_for",
    "passage_asked_for",
)


@lru_cache(REMEMBERED)
def _numbered(text: str, language: str) -> WordIds:
    return np.array([_number(word) for word in stems(text, language)], dtype=np.int32)


def _number(word: str) -> int:
    known = _numbers.get(word)
    # setdefault is one step for other threads too; a number that goes unused does no harm.
    return _numbers.setdefault(word, next(_next)) if known is None else known


def _headings(articles: int, passages: Sequence[Passage], owner: Rows) -> list[str]:
    """The headings of each article, each once."""
    found: list[dict[str, None]] = [{} for _ in range(articles)]
    for passage, row in zip(passages, owner.tolist(), strict=True):
        found[row].update(dict.fromkeys(passage.heading_path))
    return ["\n".join(headings) for headings in found]


def _joined(parts: Sequence[WordIds]) -> WordIds:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int32)


def _frequency(texts: Sequence[WordIds]) -> npt.NDArray[np.int64]:
    """In how many of the texts each word stands."""
    return np.bincount(_joined([np.unique(words) for words in texts]), minlength=1)


def _weights(texts: Sequence[WordIds], rarity: Scores) -> Scores:
    """The sum of the rarities of each text's words."""
    owner = np.repeat(np.arange(len(texts)), [len(words) for words in texts])
    sums = np.bincount(owner, weights=rarity[_joined(texts)], minlength=len(texts))
    return np.asarray(sums, dtype=np.float64)


def _lengths(texts: Sequence[WordIds]) -> Scores:
    return np.array([len(text) for text in texts], dtype=np.float64)


def _rarity(frequency: npt.NDArray[np.generic], articles: int) -> Scores:
    """The idf of BM25 for words that stand in so many articles."""
    often = frequency.astype(np.float64)
    return np.asarray(np.log(1 + (articles - often + 0.5) / (often + 0.5)))


def _counted(
    texts: Sequence[WordIds], table: npt.NDArray[np.int32], terms: int, pairs: dict[tuple[int, int], int]
) -> tuple[Scores, Scores]:
    """How often each of c texts has each term (c, t), and each pair of terms side by side (c, p)."""
    found = table[_joined(texts)]
    places = np.flatnonzero(found != 0)  # five times as quick as of the numbers themselves
    term = found[places] - 1
    text = np.searchsorted(np.cumsum([len(one) for one in texts]), places, side="right")
    counts = np.bincount(text * terms + term, minlength=len(texts) * terms).reshape(len(texts), terms)
    if not pairs:
        return counts.astype(np.float64), np.zeros((len(texts), 0))
    number = np.full(terms * terms, -1)
    number[[one * terms + other for one, other in pairs]] = list(pairs.values())
    beside = np.flatnonzero((np.diff(places) == 1) & (text[1:] == text[:-1])) if len(places) > 1 else places[:0]
    pair = number[term[beside] * terms + term[beside + 1]]
    beside, pair = beside[pair >= 0], pair[pair >= 0]
    shape = len(texts), len(pairs)
    neighbours = np.bincount(text[beside] * len(pairs) + pair, minlength=shape[0] * shape[1]).reshape(shape)
    return counts.astype(np.float64), neighbours.astype(np.float64)


def _bm25(counts: Scores, length: Scores, mean: float, k1: float, b: float) -> Scores:
    """The weight of each count (c, t) in texts of these lengths (c,), before rarity."""
    norm = k1 * (1 - b + b * length / max(mean, 1e-9))
    return np.asarray(counts * (k1 + 1) / (counts + np.maximum(norm, 1e-9)[:, None]))
