"""Which values does the knowledge base take and give?"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]

Progress = Callable[[int, int], None]
"""``report(done, total)``, called from the working thread."""

PUBLIC = "public"
INTERNAL = "internal"

# What an article was before it came here.
ARTICLE = "article"
SOLVED = "solved"
MACRO = "macro"
KINDS = (ARTICLE, SOLVED, MACRO)


@dataclass(frozen=True, slots=True)
class Article:
    """An article; ``text`` is readable Markdown, and every offset of the knowledge base counts its characters.

    ``audience`` is ``public``, ``internal`` or the name of a group; ``source`` is ``api`` or the folder or file it
    was synced from, and only a sync of that takes it away again. ``kind`` is ``article``, ``solved`` (a past ticket
    and its resolution) or ``macro`` (a reply template). ``links`` are the relative targets in it, as written, and
    ``anchors`` the places it names besides its headings; both are for ``lint``, since the text holds neither.
    """

    id: str
    title: str
    text: str
    url: str | None = None
    audience: str = PUBLIC
    language: str | None = None
    updated: date | None = None
    review_by: date | None = None
    tags: tuple[str, ...] = ()
    source: str = "api"
    kind: str = ARTICLE
    product: str | None = None
    links: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of what a citation depends on: title and text."""
        return hashlib.sha256(f"{self.title}\n{self.text}".encode("utf-8", "replace")).hexdigest()


@dataclass(frozen=True, slots=True)
class Passage:
    """A stretch of an article under one heading: ``text[start:end]`` of it, without the heading itself."""

    article_id: str
    start: int
    end: int
    heading_path: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Citation:
    """Verbatim words and where they stand: ``text == article.text[start:end]`` while the digest is the same."""

    article_id: str
    title: str
    url: str | None
    heading_path: tuple[str, ...]
    start: int
    end: int
    text: str
    article_digest: str


@dataclass(frozen=True, slots=True)
class Hit:
    """An article that was found, with its best passage; ``score`` (0..1) compares hits of one search only."""

    article_id: str
    title: str
    score: float
    citation: Citation


@dataclass(frozen=True, slots=True)
class Answer:
    """Words of an article that answer a question, and the probability that they do.

    ``basis`` says in words what lets this probability suffice.
    """

    citations: tuple[Citation, ...]
    probability: float
    snapshot: str
    basis: str = ""

    @property
    def text(self) -> str:
        """All the spans, verbatim, a blank line between them."""
        return "\n\n".join(citation.text for citation in self.citations)


class AbstentionReason(StrEnum):
    """Why there is no answer."""

    NOTHING_FOUND = "nothing_found"
    NOT_SURE = "not_sure"
    SEVERAL = "several"  # two or three articles that may be right: whoever asked can choose
    OUT_OF_DATE = "out_of_date"  # an article would answer, but was to be reviewed before today
    ONLY_INTERNAL = "only_internal"
    EMPTY_QUESTION = "empty_question"
    EMPTY_KNOWLEDGE_BASE = "empty_knowledge_base"


@dataclass(frozen=True, slots=True)
class Abstention:
    """No answer: the reason, a sentence for people, and the articles that came nearest.

    ``suggestion`` is what an agent may make of it: the words that would have been the answer, if they are likely
    enough to be worth a look. They are not for the requester.
    """

    reason: AbstentionReason
    explanation: str
    probability: float | None
    nearest: tuple[Hit, ...]
    snapshot: str
    suggestion: tuple[Citation, ...] = ()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a source that could not be read as it was meant."""

    path: str
    sentence: str


@dataclass(frozen=True, slots=True)
class SyncReport:
    """What a sync changed; counts are articles but for ``embedded_passages``."""

    added: int
    updated: int
    removed: int
    unchanged: int
    embedded_passages: int
    problems: tuple[Problem, ...]
    snapshot: str
