"""How are tickets and their stories written and read? Nothing here commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, selectinload

from triage.db.tables import AnswerRow, CorrectionRow, RunRow, TicketRow
from triage.errors import Conflict, NotFound
from triage.tickets.ids import new_id
from triage.tickets.model import Correction, IncomingTicket, TicketState

STORY = (
    selectinload(TicketRow.runs).selectinload(RunRow.predictions),
    selectinload(TicketRow.runs).selectinload(RunRow.decisions),
    selectinload(TicketRow.runs).selectinload(RunRow.deliveries),
    selectinload(TicketRow.runs).selectinload(RunRow.answer).selectinload(AnswerRow.citations),
    selectinload(TicketRow.runs).selectinload(RunRow.answer).selectinload(AnswerRow.feedback),
    selectinload(TicketRow.corrections),
)


def find_ticket(session: Session, ticket_id: str) -> TicketRow:
    """The ticket with its whole story loaded; raises ``NotFound``."""
    row = session.scalars(select(TicketRow).where(TicketRow.id == ticket_id).options(*STORY)).one_or_none()
    if row is None:
        raise NotFound(f"There is no ticket {ticket_id}.")
    return row


def ticket_state(session: Session, ticket_id: str) -> TicketState | None:
    """How far the ticket has come, or None where there is none."""
    state = session.scalar(select(TicketRow.state).where(TicketRow.id == ticket_id))
    return None if state is None else TicketState(state)


def list_tickets(
    session: Session, *, before: str | None = None, limit: int = 50, state: TicketState | None = None
) -> Sequence[TicketRow]:
    """Tickets with their stories, newest first, older than the id ``before``."""
    query = select(TicketRow).options(*STORY).order_by(TicketRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(TicketRow.id < before)
    if state is not None:
        query = query.where(TicketRow.state == state.value)
    return session.scalars(query).all()


def count_tickets(session: Session) -> dict[TicketState, int]:
    """How many tickets there are in each state."""
    counts = session.execute(select(TicketRow.state, func.count()).group_by(TicketRow.state)).tuples()
    return {state: 0 for state in TicketState} | {TicketState(state): number for state, number in counts}


def newest_texts(session: Session, limit: int) -> list[str]:
    """The cleaned texts of the newest tickets, each once, newest first."""
    query = select(RunRow.text).where(RunRow.number == 1).order_by(RunRow.ticket_id.desc()).limit(limit)
    return [text for text in dict.fromkeys(session.scalars(query)) if text.strip()]


def as_incoming(row: TicketRow) -> IncomingTicket:
    """The stored ticket as the value that the journey works on."""
    return IncomingTicket(
        subject=row.subject,
        body=row.body,
        requester=row.requester,
        channel=row.channel,
        source=row.source,
        delivery_id=row.delivery_id,
        features=dict(row.features),
    )


def has_run(session: Session, ticket_id: str, number: int) -> bool:
    """Whether that pass over the ticket has been recorded."""
    query = select(RunRow.id).where(RunRow.ticket_id == ticket_id, RunRow.number == number)
    return session.scalar(query) is not None


def begin_attempt(session: Session, ticket_id: str) -> int:
    """Count a further attempt at the ticket and return the number of its pass."""
    row = session.get_one(TicketRow, ticket_id, with_for_update=True)
    row.attempts += 1
    row.state = TicketState.ACCEPTED.value
    row.failure = None
    return row.attempts


def mark(session: Session, ticket_id: str, state: TicketState, failure: str | None = None) -> None:
    """Set how far the ticket has come, and why it failed where it did."""
    session.execute(update(TicketRow).where(TicketRow.id == ticket_id).values(state=state.value, failure=failure))


def link(session: Session, ticket_id: str, original: str | None) -> None:
    """Say of which ticket this one is a duplicate, or that it is none."""
    session.execute(update(TicketRow).where(TicketRow.id == ticket_id).values(duplicate_of=original))


def add_correction(session: Session, ticket_id: str, correction: Correction) -> CorrectionRow:
    """Record an agent's correction; a repeat of its idempotency key returns the first one.

    Raises ``NotFound`` without such a ticket, ``Conflict`` where the key was used for another correction.
    """
    ticket = find_ticket(session, ticket_id)
    if correction.idempotency_key is not None:
        for known in ticket.corrections:
            if known.idempotency_key == correction.idempotency_key:
                return _same_correction(known, correction)
    row = CorrectionRow(
        **asdict(correction),
        id=new_id(),
        ticket_id=ticket_id,
        previous=current_value(ticket, correction.field),
        created_at=datetime.now(UTC),
    )
    session.add(row)
    session.flush()
    return row


def count_corrections(session: Session, *, since: datetime | None = None) -> dict[str, Counter[str]]:
    """By field and value, how many tickets people gave it; the last correction of a ticket's field counts."""
    query = select(CorrectionRow).order_by(CorrectionRow.id)
    if since is not None:
        query = query.where(CorrectionRow.created_at > since)
    final = {(row.ticket_id, row.field): row.value for row in session.scalars(query)}
    counts: dict[str, Counter[str]] = {}
    for (_, field), value in final.items():
        counts.setdefault(field, Counter())[value] += 1
    return counts


def current_value(ticket: TicketRow, field: str) -> str | None:
    """What stands in a field now: the last correction, else the last decision."""
    for correction in reversed(ticket.corrections):
        if correction.field == field:
            return correction.value
    if not ticket.runs:
        return None
    return next((d.value for d in ticket.runs[-1].decisions if d.field == field), None)


def settled(ticket: TicketRow) -> dict[str, str]:
    """The fields that people have set, with the value that each was given last."""
    return {correction.field: correction.value for correction in ticket.corrections}


def _same_correction(known: CorrectionRow, correction: Correction) -> CorrectionRow:
    if (known.field, known.value) != (correction.field, correction.value):
        raise Conflict(
            f"The idempotency key {correction.idempotency_key} was used before for another correction: use a new key."
        )
    return known
