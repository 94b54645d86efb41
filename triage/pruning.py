"""What need not be kept for ever? Finished jobs, what channels brought and told, and the words of solved tickets.

Tickets, their decisions, answers and the delivery of their results stay: they are the desk's own past. Messages are
emptied, not dropped, so that a system that tells of them again is not believed to bring news.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import structlog
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session, sessionmaker

from triage.channels.common.values import Event, Status
from triage.channels.inbox import ReceivedState
from triage.db.tables import ChannelMemoryRow, DeliveryRow, ReceivedRow, RemoteMessageRow, RemoteTicketRow
from triage.jobs import Jobs
from triage.tickets.model import DeliveryState

# Who was not answered tells the same again for days; by its key it must still be known then.
LEAST_DAYS = 7
BATCH = 500
# What nobody asks for any more once the ticket, the day or the turn is over.
PASSING = ("over:", "sent:", "filing:", "filed-by:", "relaying:", "burst:", "shared:")

Row = TypeVar("Row", ReceivedRow, DeliveryRow, RemoteMessageRow, ChannelMemoryRow)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many of each kind."""

    jobs: int = 0
    received: int = 0
    deliveries: int = 0
    messages: int = 0
    memories: int = 0

    def __bool__(self) -> bool:
        return any(asdict(self).values())


def prune(
    sessions: sessionmaker[Session], jobs: Jobs, days: int, *, stop: Callable[[], bool] = lambda: False
) -> Pruned:
    """Drop what ended so many days ago, in short transactions; ``stop`` ends it early, the next call goes on."""
    before = _before(days)
    done = Pruned(
        jobs=_forget_jobs(jobs, before, stop),
        received=_in_batches(sessions, _received(before), _drop, stop),
        deliveries=_in_batches(sessions, _deliveries(before), _drop, stop),
        messages=_in_batches(sessions, _messages(before), _empty, stop),
        memories=_in_batches(sessions, _memories(before), _drop, stop),
    )
    if done:
        log.info("pruned", **asdict(done))
    return done


def count(sessions: sessionmaker[Session], jobs: Jobs, days: int) -> Pruned:
    """What ``prune`` would drop now; of more than 100,000 jobs so many are counted."""
    before = _before(days)

    def number(query: Select[Row]) -> int:
        return session.scalar(select(func.count()).select_from(query.subquery())) or 0

    with sessions() as session:
        return Pruned(
            jobs=len(jobs.finished(before, 100_000)),
            received=number(_received(before)),
            deliveries=number(_deliveries(before)),
            messages=number(_messages(before)),
            memories=number(_memories(before)),
        )


def _before(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=max(days, LEAST_DAYS))


def _forget_jobs(jobs: Jobs, before: datetime, stop: Callable[[], bool]) -> int:
    number = 0
    while not stop() and (ids := jobs.finished(before, BATCH)):
        jobs.forget(ids)
        number += len(ids)
    return number


def _in_batches(
    sessions: sessionmaker[Session],
    query: Select[Row],
    settle: Callable[[Session, Row], None],
    stop: Callable[[], bool],
) -> int:
    number, found = 0, BATCH
    while found == BATCH and not stop():
        with sessions.begin() as session:
            rows = session.scalars(query.limit(BATCH)).all()
            for row in rows:
                settle(session, row)
        found = len(rows)
        number += found
    return number


def _drop(session: Session, row: Row) -> None:
    session.delete(row)


def _empty(_session: Session, row: RemoteMessageRow) -> None:
    row.text = ""


def _received(before: datetime) -> Select[ReceivedRow]:
    over = (ReceivedState.DONE.value, ReceivedState.IGNORED.value)
    return select(ReceivedRow).where(ReceivedRow.state.in_(over), ReceivedRow.finished_at < before)


def _deliveries(before: datetime) -> Select[DeliveryRow]:
    """What others were told; the results that reached their own channel belong to the ticket's story."""
    return select(DeliveryRow).where(
        DeliveryRow.state == DeliveryState.DELIVERED.value,
        DeliveryRow.event.notin_((Event.RESULT.value, Event.FILED.value)),
        DeliveryRow.delivered_at < before,
    )


def _messages(before: datetime) -> Select[RemoteMessageRow]:
    of_ticket = (RemoteTicketRow.channel == RemoteMessageRow.channel) & (
        RemoteTicketRow.remote_id == RemoteMessageRow.remote_id
    )
    return (
        select(RemoteMessageRow)
        .join(RemoteTicketRow, of_ticket)
        .where(RemoteTicketRow.status != Status.OPEN.value, RemoteTicketRow.solved_at < before)
        .where(RemoteMessageRow.said_at < before, RemoteMessageRow.text != "")
    )


def _memories(before: datetime) -> Select[ChannelMemoryRow]:
    passing = or_(*(ChannelMemoryRow.key.startswith(one) for one in PASSING))
    return select(ChannelMemoryRow).where(passing, ChannelMemoryRow.updated_at < before)
