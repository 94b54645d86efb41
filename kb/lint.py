"""What is wrong with the articles themselves: broken links, doubles, contradictions, age, articles nobody can find?"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from urllib.parse import unquote

import numpy as np

from kb.articles import ARTICLE, MACRO, Article, FloatArray, Passage, Progress
from kb.chunking import headings
from kb.knowledge import KnowledgeBase
from kb.sources.folder import ENDINGS
from kb.vectors import EXACT_UP_TO, VectorIndex

# Shorter passages, such as “See also”, repeat for good reasons.
SHORTEST_DUPLICATE = 80
# Passages at this cosine speak of the same thing; of their sentences those are compared that share so much of their
# words (intersection over union). Among 455 articles of Microsoft's, .75 named 1 pair and .6 names 7; two differently
# titled rules on when passwords expire are at .6 to .75.
NEAR = 0.6
SAME_WORDS = 0.75
FEWEST_WORDS = 4
STRETCH = 1_000
NEIGHBOURS = 10
MOST_NAMED = 5
BESIDE_MACROS = 5
# Text fragments, and the tabs of Microsoft's docs (https://learn.microsoft.com/contribute/content/tabbed-conceptual).
_NO_PLACES = (":~:", "tab/")


class Check(StrEnum):
    """What is looked for."""

    BROKEN_LINK = "broken_link"
    BROKEN_ANCHOR = "broken_anchor"
    DUPLICATE = "duplicate"
    CONTRADICTION = "contradiction"
    STALE = "stale"
    UNREACHABLE = "unreachable"


class Severity(StrEnum):
    """An error is wrong for sure; a warning wants a look."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with an article; ``others`` are articles that it concerns too."""

    check: Check
    article_id: str
    source: str
    sentence: str
    others: tuple[str, ...] = ()

    @property
    def severity(self) -> Severity:
        """A link to nothing is an error, all else a warning."""
        return Severity.ERROR if self.check == Check.BROKEN_LINK else Severity.WARNING


def lint_articles(knowledge: KnowledgeBase, *, today: date, progress: Progress | None = None) -> list[Finding]:
    """All findings, by article; every article is searched for once or more, which takes some 10 ms each."""
    articles = knowledge.articles()
    passages, vectors = knowledge.embedded_passages()
    total = len(passages) + len(articles)

    def report(done: int) -> None:
        if progress:
            progress(done, total)

    found = [*_broken_links(articles), *_stale(articles, today), *_duplicates(articles, passages)]
    by_id = {article.id: article for article in articles}
    for done, pairs in _near_pairs(by_id, passages, vectors):
        found += _contradictions(by_id, pairs)
        report(done)
    macros = {article.id for article in articles if article.kind == MACRO}
    for number, article in enumerate(articles, 1):
        if article.kind == ARTICLE and not _is_found(knowledge, article, macros):
            sentence = "Neither its title nor any of its headings finds it first. Name what it is about in its title."
            found.append(Finding(Check.UNREACHABLE, article.id, article.source, sentence))
        report(len(passages) + number)
    return sorted(dict.fromkeys(found), key=lambda finding: (finding.article_id, finding.check))


def _broken_links(articles: Sequence[Article]) -> Iterator[Finding]:
    by_source: dict[str, dict[str, Article]] = defaultdict(dict)
    for article in articles:
        by_source[article.source][article.id] = article
    for article in articles:
        if article.source.lower().endswith(ENDINGS):
            continue  # a document that was synced alone: its neighbours are not here
        for link in article.links:
            if check := _wrong_with(link, article, by_source[article.source]):
                what = "leads to no article" if check == Check.BROKEN_LINK else "names a place that the article has not"
                yield Finding(check, article.id, article.source, f"The link {link[:200]} {what}.")


def _wrong_with(link: str, article: Article, known: Mapping[str, Article]) -> Check | None:
    path, _, anchor = link.partition("#")
    path = unquote(path.partition("?")[0])
    target: Article | None = article
    if path:
        candidates = _candidates(path, article.id)
        target = next((known[each] for each in candidates if each in known), None)
        if candidates and not target:
            return Check.BROKEN_LINK
    if not target or not anchor or anchor == "top" or anchor.startswith(_NO_PLACES):
        return None
    return None if unquote(anchor).casefold() in _places(target) else Check.BROKEN_ANCHOR


def _candidates(path: str, origin: str) -> list[str]:
    """The ids of articles that a relative link may mean; none where it means a picture or leaves the folder."""
    stem, ending = posixpath.splitext(path)
    whole = posixpath.normpath(posixpath.join(posixpath.dirname(origin), stem if ending.lower() in ENDINGS else path))
    if whole.startswith("..") or (ending and ending.lower() not in ENDINGS):
        return []
    return [whole] if ending else [posixpath.join(whole, name) for name in ("", "index", "README")] + [whole]


def _places(article: Article) -> set[str]:
    """The anchors of an article: its own and those that renderers give its headings, as GitHub does."""
    seen: Counter[str] = Counter()
    places = {anchor.casefold() for anchor in article.anchors}
    for words in (article.title, *headings(article.text)):
        slug = re.sub(r"[^\w\- ]", "", words.casefold()).strip().replace(" ", "-")
        places.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return places


def _stale(articles: Sequence[Article], today: date) -> Iterator[Finding]:
    for article in articles:
        if article.review_by and article.review_by < today:
            sentence = f"It was to be reviewed by {article.review_by}. Check it and set a new review_by."
            yield Finding(Check.STALE, article.id, article.source, sentence)


def _duplicates(articles: Sequence[Article], passages: Sequence[Passage]) -> Iterator[Finding]:
    by_id = {article.id: article for article in articles}
    same: dict[bytes, list[Passage]] = defaultdict(list)
    for passage in passages:
        words = _words_only(_text(by_id, passage))
        if len(words) >= SHORTEST_DUPLICATE:
            same[_digest(words)].append(passage)
    for group in same.values():
        owners = tuple(dict.fromkeys(passage.article_id for passage in group))
        if len(group) > 1:
            first = _text(by_id, group[0])[:60].replace("\n", " ")
            where = f"in {len(owners)} articles" if len(owners) > 1 else f"{len(group)} times in it"
            sentence = f"“{first}…” stands {where}. Keep it in one place and include it or link to it."
            article = by_id[owners[0]]
            yield Finding(Check.DUPLICATE, article.id, article.source, sentence, owners[1 : MOST_NAMED + 1])


def _near_pairs(
    by_id: Mapping[str, Article], passages: Sequence[Passage], vectors: FloatArray
) -> Iterator[tuple[int, list[tuple[Passage, Passage]]]]:
    """(passages done, pairs of different articles that speak of the same thing); equal passages stand in once."""
    rows = _distinct(by_id, passages)
    distinct = np.asarray(vectors)[rows]
    index = VectorIndex(distinct) if len(rows) > EXACT_UP_TO else None
    for start in range(0, len(rows), STRETCH):
        part = distinct[start : start + STRETCH]
        if index is None:
            cosines = part @ distinct[start:].T
            near = [(i + start, j + start) for i, j in np.argwhere(cosines >= NEAR) if i < j]
        else:
            near = [
                (i, int(j))
                for i, vector in enumerate(part, start)
                for j in index.search(vector, NEIGHBOURS)
                if i < j and distinct[j] @ vector >= NEAR
            ]
        pairs = [(passages[rows[i]], passages[rows[j]]) for i, j in near]
        yield rows[min(start + STRETCH, len(rows)) - 1] + 1, [(a, b) for a, b in pairs if _may_contradict(by_id, a, b)]


def _distinct(by_id: Mapping[str, Article], passages: Sequence[Passage]) -> list[int]:
    first: dict[bytes, int] = {}
    for row, passage in enumerate(passages):
        if by_id[passage.article_id].kind == ARTICLE:
            first.setdefault(_digest(_words_only(_text(by_id, passage))), row)
    return list(first.values())


def _may_contradict(by_id: Mapping[str, Article], first: Passage, second: Passage) -> bool:
    """Articles on different products or in different languages may say what they like."""
    one, other = by_id[first.article_id], by_id[second.article_id]
    return one.id != other.id and one.product == other.product and one.language == other.language


_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n+")
_LIST_MARK = re.compile(r"^\s*(?:[-*+]|\d+[.)])\s+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_WORD = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:['’][^\W\d_]+)?")
_NEGATION = re.compile(
    r"not|no|never|cannot|without|none|\w+n['’]t|nicht|nie|niemals|ohne|kein\w*|pas|jamais|sans|aucune?|nunca|jamás|sin",
    re.IGNORECASE,
)
_STOP_WORDS = {
    "a", "an", "the", "is", "are", "was", "be", "of", "to", "in", "on", "for", "and", "or", "it", "its", "this",
    "that", "your", "you", "we", "they", "with", "by", "as", "at", "der", "die", "das", "ein", "eine", "ist",
    "sind", "und", "oder", "zu", "im", "auf", "für", "von", "mit", "le", "la", "les", "un", "une", "est", "sont",
    "et", "ou", "de", "du", "des", "el", "los", "las", "una", "es", "son", "y", "o", "del",
}  # fmt: skip
# Paths and commands differ by version; what a picture is called is no claim.
_NO_CLAIM = re.compile(r"`[^`\n]*`|\(Image: [^()\n]*\)|HKEY_\S+|https?://\S+")


@dataclass(frozen=True, slots=True)
class _Claim:
    sentence: str
    stems: frozenset[str]
    numbers: tuple[str, ...]
    is_negated: bool


@lru_cache(maxsize=20_000)
def _claims(text: str) -> list[_Claim]:
    claims = []
    for line in _SENTENCE.split(text):
        sentence = _LIST_MARK.sub("", line).strip()
        words = _WORD.findall(_NO_CLAIM.sub("", sentence).casefold())
        # Five letters are a stem that is good enough in every language of the Latin script.
        stems = frozenset(
            word[:5]
            for word in words
            if word not in _STOP_WORDS and not _NEGATION.fullmatch(word) and not _NUMBER.fullmatch(word)
        )
        if len(stems) >= FEWEST_WORDS:
            negations = sum(bool(_NEGATION.fullmatch(word)) for word in words)
            claims.append(_Claim(sentence, stems, tuple(sorted(filter(_NUMBER.fullmatch, words))), negations % 2 == 1))
    return claims


def _contradictions(by_id: Mapping[str, Article], pairs: Sequence[tuple[Passage, Passage]]) -> Iterator[Finding]:
    """One finding for two articles, however many of their passages disagree."""
    told: set[tuple[str, str]] = set()
    for first, second in pairs:
        both = (first.article_id, second.article_id)
        if both not in told and (finding := _contradiction(by_id, first, second)):
            told.add(both)
            yield finding


def _contradiction(by_id: Mapping[str, Article], first: Passage, second: Passage) -> Finding | None:
    one, other = by_id[first.article_id], by_id[second.article_id]
    titles = set(_NUMBER.findall(f"{one.title} {other.title}"))
    claims = _claims(_text(by_id, second))
    for claim in _claims(_text(by_id, first)):
        for against in claims:
            if _contradict(claim, against, titles):
                sentence = f"“{_short(claim)}”, but {other.id} says “{_short(against)}”."
                return Finding(Check.CONTRADICTION, one.id, one.source, sentence, (other.id,))
    return None


def _contradict(one: _Claim, other: _Claim, titles: Collection[str]) -> bool:
    """The same words but for a number or a negation; a number that a title has is another version, no other claim."""
    if len(one.stems & other.stems) < SAME_WORDS * len(one.stems | other.stems):
        return False
    if one.is_negated != other.is_negated:
        return one.stems == other.stems or len(one.stems ^ other.stems) <= 1
    differing = [(a, b) for a, b in zip(one.numbers, other.numbers, strict=False) if a != b]
    if len(one.numbers) != len(other.numbers) or not differing:
        return False
    return not any(number in titles for pair in differing for number in pair)


def _is_found(knowledge: KnowledgeBase, article: Article, macros: Collection[str]) -> bool:
    own = [words for words in headings(article.text) if not re.fullmatch(r"Page \d+", words)]
    queries = [article.title, *dict.fromkeys(own), *(f"{article.title} {words}" for words in dict.fromkeys(own))]
    return any(_first(knowledge, query, macros) == article.id for query in queries)


def _first(knowledge: KnowledgeBase, query: str, macros: Collection[str]) -> str | None:
    """The id of the first article found; macros are suggested beside them."""
    hits = knowledge.search(query, limit=BESIDE_MACROS if macros else 1)
    return next((hit.article_id for hit in hits if hit.article_id not in macros), None)


def _text(by_id: Mapping[str, Article], passage: Passage) -> str:
    return by_id[passage.article_id].text[passage.start : passage.end]


def _words_only(text: str) -> str:
    return " ".join(text.casefold().split())


def _digest(words: str) -> bytes:
    return hashlib.sha256(words.encode("utf-8", "replace")).digest()


def _short(claim: _Claim) -> str:
    return claim.sentence if len(claim.sentence) <= 160 else claim.sentence[:160] + "…"
