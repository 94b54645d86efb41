"""How does a result reach the channel that its ticket came from, and those who want to know?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.orm import Session

from kb import PUBLIC
from triage.db.tables import DeliveryRow
from triage.intake import JobQueue
from triage.tickets.ids import new_id
from triage.tickets.model import DeliveryState, IncomingTicket

RESULT, DECISION_MADE, ANSWER_GIVEN, FILED = "result", "decision.made", "answer.given", "ticket.filed"
CHANNEL = "channel:"  # begins the source of tickets that a channel brought
# A feature of tickets whose requester is only a guest: what is not for everybody is not for them.
GUEST = "requester_is_guest"


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where results are sent, and by which queue.

    ``pushed`` are the channels whose own tickets' results are sent to them; ``subscribers`` the events that others
    are told of every ticket; ``audiences`` by source whose articles may be quoted, where that is not the usual;
    ``filed`` by source the system that its tickets are filed in.
    """

    jobs: JobQueue | None = None
    pushed: frozenset[str] = frozenset()
    subscribers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    audiences: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    filed: Mapping[str, str] = field(default_factory=dict)

    def audiences_of(self, ticket: IncomingTicket, usual: tuple[str, ...]) -> tuple[str, ...]:
        """Whose articles may be quoted to the requester."""
        return narrowed(self.audiences.get(ticket.source, usual), is_guest=GUEST in ticket.features)


NO_OUTLETS = Outlets()


def narrowed(audiences: tuple[str, ...], *, is_guest: bool) -> tuple[str, ...]:
    """The audiences, as far as they are for guests too."""
    return tuple(one for one in audiences if one == PUBLIC) if is_guest else audiences


def deliver(
    session: Session, run_id: str, ticket: IncomingTicket, answered: bool, now: datetime, outlets: Outlets
) -> None:
    """Put the result of a run on its way, in the caller's transaction.

    Callers of REST and the CLI fetch their results themselves, so for them a result has arrived as soon as it can be
    read; a channel that must be called gets a pending delivery and a job of its own.
    """
    name = ticket.source.removeprefix(CHANNEL) if ticket.source.startswith(CHANNEL) else None
    if name in outlets.pushed and name is not None:
        _send(session, outlets, run_id, name, RESULT, now)
    else:
        says = "The sender reads the result from GET /v1/tickets/{id}."
        if name is not None:
            says = "The channel only brings tickets in; the result is read from GET /v1/tickets/{id}."
        row = new_delivery(run_id, name or ticket.channel, RESULT, now)
        row.state, row.detail, row.attempts, row.delivered_at = DeliveryState.DELIVERED.value, says, 1, now
        session.add(row)
    if filed_in := outlets.filed.get(ticket.source):
        _send(session, outlets, run_id, filed_in, FILED, now)
    happened = {DECISION_MADE, ANSWER_GIVEN} if answered else {DECISION_MADE}
    for subscriber, events in outlets.subscribers.items():
        for event in sorted(events & happened):
            _send(session, outlets, run_id, subscriber, event, now)


def _send(session: Session, outlets: Outlets, run_id: str, channel: str, event: str, now: datetime) -> None:
    enqueue(session, outlets.jobs, new_delivery(run_id, channel, event, now))


def enqueue(session: Session, jobs: JobQueue | None, row: DeliveryRow) -> None:
    """Store a pending delivery and queue its first try, in the caller's transaction."""
    assert jobs is not None, "a delivery that is sent needs a queue"
    session.add(row)
    session.flush()
    jobs.enqueue_delivery(session, row.channel, row.id, row.jobs)


def new_delivery(run_id: str, channel: str, event: str, now: datetime, *, about: str = "") -> DeliveryRow:
    """A delivery that waits to be sent."""
    return DeliveryRow(
        id=new_id(),
        run_id=run_id,
        channel=channel,
        event=event,
        about=about,
        state=DeliveryState.PENDING.value,
        attempts=0,
        jobs=1,
        detail="",
        done={},
        created_at=now,
    )
