"""What do people say of answers, and what can be learned from it? Nothing here commits."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from kb import JudgedQuery
from triage.db.tables import AnswerFeedbackRow, AnswerRow, CitationRow, RunRow
from triage.errors import Conflict, NotFound
from triage.tickets import store
from triage.tickets.ids import new_id
from triage.tickets.model import AnswerFeedback, Verdict


def add_feedback(session: Session, ticket_id: str, given: AnswerFeedback) -> AnswerFeedbackRow:
    """Record what somebody says of the ticket's newest answer; a repeat of its key returns the first one.

    Raises ``NotFound`` without such a ticket or without a pass over it, ``Conflict`` where the key was used for other
    words.
    """
    ticket = store.find_ticket(session, ticket_id)
    if not ticket.runs or ticket.runs[-1].answer is None:
        raise NotFound(f"Ticket {ticket_id} has not been looked at yet, so there is no answer to judge.")
    answer = ticket.runs[-1].answer
    for known in answer.feedback:
        if given.idempotency_key is not None and known.idempotency_key == given.idempotency_key:
            return _same(known, given)
    row = AnswerFeedbackRow(
        **asdict(given) | {"verdict": given.verdict.value},
        id=new_id(),
        run_id=answer.run_id,
        created_at=datetime.now(UTC),
    )
    session.add(row)
    session.flush()
    return row


def judged_by_people(session: Session) -> list[JudgedQuery]:
    """A judged query for each ticket whose answer somebody judged; the last word on a ticket counts.

    Where an answer was wrong or did not help and nobody named a better article, no article is right for it.
    """
    query = (
        select(RunRow, AnswerFeedbackRow, CitationRow.article_id)
        .join(AnswerFeedbackRow, AnswerFeedbackRow.run_id == RunRow.id)
        .outerjoin(CitationRow, (CitationRow.run_id == RunRow.id) & (CitationRow.ordinal == 0))
        .order_by(AnswerFeedbackRow.id)
    )
    judged: dict[str, JudgedQuery] = {}
    for run, said, cited in session.execute(query):
        right = said.article_id or (cited if said.verdict == Verdict.SOLVED else None)
        judged[run.ticket_id] = JudgedQuery(run.ticket_id, run.text, {right: 1} if right else {})
    return list(judged.values())


def count_answers(session: Session, *, since: datetime | None = None) -> tuple[dict[str, int], dict[str, int]]:
    """How many passes ended with an answer or with each reason for none, and how many verdicts of each kind."""
    reasons = select(AnswerRow.reason, func.count()).join(RunRow, RunRow.id == AnswerRow.run_id)
    verdicts = select(AnswerFeedbackRow.verdict, func.count())
    if since is not None:
        reasons = reasons.where(RunRow.finished_at >= since)
        verdicts = verdicts.where(AnswerFeedbackRow.created_at >= since)
    said = Counter({reason or "answered": n for reason, n in session.execute(reasons.group_by(AnswerRow.reason))})
    judged = session.execute(verdicts.group_by(AnswerFeedbackRow.verdict))
    return dict(said.most_common()), {str(verdict): 0 for verdict in Verdict} | {
        str(verdict): number for verdict, number in judged
    }


def _same(known: AnswerFeedbackRow, given: AnswerFeedback) -> AnswerFeedbackRow:
    if (known.verdict, known.article_id) != (given.verdict.value, given.article_id):
        raise Conflict(
            f"The idempotency key {given.idempotency_key} was used before for another verdict: use a new key."
        )
    return known
