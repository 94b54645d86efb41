"""Do the citations of past answers still stand in the articles, byte for byte?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kb import Article, KnowledgeBase, Progress
from triage.db.tables import CitationRow, RunRow

AT_ONCE = 1_000


class CitationState(StrEnum):
    """What has become of a citation."""

    VERBATIM = "verbatim"  # the article is as it was, and the words stand where the citation says
    MOVED = "moved"  # the article has changed; the words stand in it elsewhere or in the same place
    CHANGED = "changed"  # the article has changed, and the words are no longer in it
    GONE = "gone"  # there is no such article any more
    BROKEN = "broken"  # the article is as it was, and the words do not stand there: this must never be


@dataclass(frozen=True, slots=True)
class CitationCheck:
    """One stored citation and what has become of it; ``start`` is where its words stand now, if anywhere."""

    ticket_id: str
    run_id: str
    ordinal: int
    article_id: str
    state: CitationState
    start: int | None


def verify_citations(
    session: Session, knowledge: KnowledgeBase, *, progress: Progress | None = None
) -> Iterator[CitationCheck]:
    """Resolve every stored citation against the articles as they are now, oldest first."""
    articles = {article.id: article for article in knowledge.articles()}
    total = session.scalar(select(func.count()).select_from(CitationRow)) or 0
    query = (
        select(CitationRow, RunRow.ticket_id)
        .join(RunRow, RunRow.id == CitationRow.run_id)
        .order_by(CitationRow.run_id, CitationRow.ordinal)
        .execution_options(yield_per=AT_ONCE)
    )
    for done, (row, ticket_id) in enumerate(session.execute(query), 1):
        state, start = resolve(row, articles.get(row.article_id))
        yield CitationCheck(ticket_id, row.run_id, row.ordinal, row.article_id, state, start)
        if progress:
            progress(done, total)


def resolve(row: CitationRow, article: Article | None) -> tuple[CitationState, int | None]:
    """What has become of a citation, and where its words stand now."""
    if article is None:
        return CitationState.GONE, None
    stands = article.text[row.start : row.end] == row.text
    if article.digest == row.article_digest:
        return (CitationState.VERBATIM, row.start) if stands else (CitationState.BROKEN, None)
    start = row.start if stands else article.text.find(row.text)
    return (CitationState.CHANGED, None) if start < 0 else (CitationState.MOVED, start)
