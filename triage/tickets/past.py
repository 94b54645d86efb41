"""What is stored of the tickets that went through this desk for those that come after? Nothing here commits."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from triage.db.tables import CorrectionRow, DecisionRow, RunRow, TicketRow, TicketVectorRow
from triage.tickets.ids import earliest_id
from triage.tickets.model import EarlierTicket, LabelOrigin, Outcome, PastLabel, TicketState

# SQLite takes 32,766 values in one statement (https://www.sqlite.org/limits.html).
AT_ONCE = 1_000
# Of the open tickets of one requester so many are compared, the newest: a monitor sends thousands a week.
MOST_EARLIER = 100


@dataclass(frozen=True, slots=True)
class StoredVector:
    """A triaged ticket's cleaned text and (d,) vector; ``number`` rises with every one that is stored."""

    number: int
    ticket_id: str
    text: str
    vector: npt.NDArray[np.float16]


def keep_vector(
    session: Session, ticket_id: str, run_id: str, fingerprint: str, vector: npt.NDArray[np.float32]
) -> None:
    """Keep the ticket's vector of its newest run, in half precision; the former one goes."""
    session.execute(delete(TicketVectorRow).where(TicketVectorRow.ticket_id == ticket_id))
    half = vector.astype("<f2").tobytes()
    session.add(TicketVectorRow(ticket_id=ticket_id, run_id=run_id, encoder_fingerprint=fingerprint, vector=half))


def vectors_after(
    session: Session, fingerprint: str, number: int, *, late: Collection[int] = (), limit: int = AT_ONCE
) -> list[StoredVector]:
    """Vectors of one encoder with a higher number, or one of the ``late`` numbers, in the order of their numbers."""
    query = (
        select(TicketVectorRow.number, TicketVectorRow.ticket_id, RunRow.text, TicketVectorRow.vector)
        .join(RunRow, RunRow.id == TicketVectorRow.run_id)
        .where(TicketVectorRow.encoder_fingerprint == fingerprint)
        .where(or_(TicketVectorRow.number > number, TicketVectorRow.number.in_(list(late))))
        .order_by(TicketVectorRow.number)
        .limit(limit)
    )
    rows = session.execute(query)
    return [StoredVector(n, ticket_id, text, np.frombuffer(vector, "<f2")) for n, ticket_id, text, vector in rows]


def corrected_since(session: Session, moment: datetime) -> set[str]:
    """The ids of the tickets that were corrected at that moment or later."""
    query = select(CorrectionRow.ticket_id).where(CorrectionRow.id >= earliest_id(moment)).distinct()
    return set(session.scalars(query))


def labels_of(session: Session, ticket_ids: Iterable[str]) -> dict[str, tuple[PastLabel, ...]]:
    """The present values of triaged tickets: each field's last correction, else the value that was applied."""
    wanted = list(ticket_ids)
    labels: dict[str, dict[str, PastLabel]] = {ticket_id: {} for ticket_id in wanted}
    for start in range(0, len(wanted), AT_ONCE):
        for label_of, label in _labels(session, wanted[start : start + AT_ONCE]):
            labels[label_of][label.field] = label
    return {ticket_id: tuple(by_field.values()) for ticket_id, by_field in labels.items()}


def open_tickets_before(session: Session, ticket: TicketRow, *, days: int) -> list[EarlierTicket]:
    """Older open tickets of the same requester, received at most so many days before it, the oldest first.

    A ticket that failed is nobody's to answer, so it is not open. Empty where no requester is named.
    """
    if not ticket.requester_key or not days:
        return []
    query = (
        select(TicketRow, RunRow.text)
        .outerjoin(TicketVectorRow, TicketVectorRow.ticket_id == TicketRow.id)
        .outerjoin(RunRow, RunRow.id == TicketVectorRow.run_id)
        .where(TicketRow.requester_key == ticket.requester_key, TicketRow.id < ticket.id)
        .where(TicketRow.received_at >= ticket.received_at - timedelta(days=days))
        .where(TicketRow.state.in_((TicketState.ACCEPTED.value, TicketState.TRIAGED.value)))
        .order_by(TicketRow.id.desc())
        .limit(MOST_EARLIER)
    )
    rows: Sequence[tuple[TicketRow, str | None]] = session.execute(query).all()
    return [EarlierTicket(row.duplicate_of or row.id, row.subject, row.body, text) for row, text in reversed(rows)]


def _labels(session: Session, ticket_ids: Sequence[str]) -> Iterable[tuple[str, PastLabel]]:
    decided = (
        select(TicketVectorRow.ticket_id, DecisionRow.field, DecisionRow.value)
        .join(DecisionRow, DecisionRow.run_id == TicketVectorRow.run_id)
        .where(TicketVectorRow.ticket_id.in_(ticket_ids), DecisionRow.outcome == Outcome.APPLY.value)
        .order_by(DecisionRow.ordinal)
    )
    for ticket_id, field, value in session.execute(decided):
        if value is not None:
            yield ticket_id, PastLabel(field, value, LabelOrigin.DECIDED)
    corrected = (
        select(CorrectionRow.ticket_id, CorrectionRow.field, CorrectionRow.value)
        .where(CorrectionRow.ticket_id.in_(ticket_ids))
        .order_by(CorrectionRow.id)
    )
    for ticket_id, field, said in session.execute(corrected):
        yield ticket_id, PastLabel(field, said, LabelOrigin.CORRECTED)
