"""Which questions would be answered otherwise by another snapshot?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from kb.answering import Bar
from kb.articles import PUBLIC, Abstention, Answer, FloatArray, Progress
from kb.knowledge import KnowledgeBase


class Change(StrEnum):
    """How the reply to a question differs."""

    GAINED = "gained"  # there is an answer now
    LOST = "lost"  # there is none any more
    CHANGED = "changed"  # other words, or words of another article
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Difference:
    """A question and both replies; ``before`` and ``after`` are the article answered from, or why there is none."""

    question: str
    change: Change
    before: str
    after: str


def compare(
    old: KnowledgeBase,
    new: KnowledgeBase,
    questions: Sequence[str],
    vectors: FloatArray,
    *,
    bar: Bar | None = None,
    audiences: Sequence[str] = (PUBLIC,),
    progress: Progress | None = None,
) -> list[Difference]:
    """Ask both snapshots every question; ``vectors`` (n, d) are those of the questions."""
    found = []
    for number, (question, vector) in enumerate(zip(questions, vectors, strict=True), 1):
        before, after = (one.answer(question, audiences=audiences, query_vector=vector, bar=bar) for one in (old, new))
        found.append(Difference(question, _change(before, after), _what(before), _what(after)))
        if progress:
            progress(number, len(questions))
    return found


def _change(before: Answer | Abstention, after: Answer | Abstention) -> Change:
    if isinstance(before, Abstention) or isinstance(after, Abstention):
        if isinstance(before, Answer):
            return Change.LOST
        return Change.GAINED if isinstance(after, Answer) else Change.SAME
    same = [(c.article_id, c.text) for c in before.citations] == [(c.article_id, c.text) for c in after.citations]
    return Change.SAME if same else Change.CHANGED


def _what(reply: Answer | Abstention) -> str:
    return reply.citations[0].article_id if isinstance(reply, Answer) else reply.reason.value
