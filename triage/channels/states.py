"""How is each channel: is it left alone for a while, and which worker attends to it? Nothing here commits."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from triage.channels.common.tables import SendingTable
from triage.db.engine import insert_unless_there
from triage.db.tables import ChannelStateRow

# So long the others wait for the one that tries whether a system is back.
PROBE_S = 5.0


def state_of(session: Session, channel: str, now: datetime) -> ChannelStateRow:
    """The channel's row, made where it is missing."""
    row = {"channel": channel, "began_at": now, "failures": 0, "trouble": ""}
    session.execute(insert_unless_there(session, ChannelStateRow, row))
    return session.get_one(ChannelStateRow, channel, populate_existing=True)


def states(session: Session) -> dict[str, ChannelStateRow]:
    """All rows, by channel."""
    return {row.channel: row for row in session.scalars(select(ChannelStateRow))}


def closed_for(session: Session, channel: str, sending: SendingTable, now: datetime) -> float:
    """Seconds for which the channel is to be left alone; 0 where it may be called.

    Of those that wait for the end of a pause one gets through to try, and the others wait until that is known.
    """
    row = state_of(session, channel, now)
    if row.closed_until is None:
        return 0.0
    left = (row.closed_until - now).total_seconds()
    if left > 0:
        return left
    renewed = session.execute(
        update(ChannelStateRow)
        .where(ChannelStateRow.channel == channel, ChannelStateRow.closed_until == row.closed_until)
        .values(closed_until=now + timedelta(seconds=min(PROBE_S, sending.timeout_s)))
        .returning(ChannelStateRow.channel)
    )
    return 0.0 if renewed.first() else min(PROBE_S, sending.timeout_s)


def note_success(session: Session, channel: str, now: datetime) -> None:
    """The channel works: nothing has to wait any more."""
    state_of(session, channel, now)
    session.execute(
        update(ChannelStateRow)
        .where(ChannelStateRow.channel == channel)
        .where(or_(ChannelStateRow.failures > 0, ChannelStateRow.closed_until.is_not(None)))
        .values(failures=0, closed_until=None, trouble="")
    )


def note_failure(session: Session, channel: str, sending: SendingTable, says: str, now: datetime) -> int:
    """The channel seems unwell; after so many failures in a row it is left alone. Returns how many there were."""
    row = state_of(session, channel, now)
    session.execute(
        update(ChannelStateRow)
        .where(ChannelStateRow.channel == channel)
        .values(failures=ChannelStateRow.failures + 1, trouble=says)
    )
    session.refresh(row)
    if row.failures >= sending.break_after:
        row.closed_until = now + timedelta(seconds=sending.break_s)
    return row.failures


def leave_alone(session: Session, channel: str, seconds: float, says: str, now: datetime) -> None:
    """The system asked to be left alone for so long."""
    row = state_of(session, channel, now)
    until = now + timedelta(seconds=seconds)
    if row.closed_until is None or row.closed_until < until:
        row.closed_until, row.trouble = until, says


def lease(session: Session, channel: str, worker: str, seconds: float, now: datetime) -> bool:
    """Take or keep the channel for this worker; False where another one attends to it."""
    state_of(session, channel, now)
    free = or_(
        ChannelStateRow.lease_by.is_(None), ChannelStateRow.lease_by == worker, ChannelStateRow.lease_until < now
    )
    taken = session.execute(
        update(ChannelStateRow)
        .where(ChannelStateRow.channel == channel, free)
        .values(lease_by=worker, lease_until=now + timedelta(seconds=seconds))
        .returning(ChannelStateRow.channel)
    )
    return taken.first() is not None


def release(session: Session, worker: str) -> None:
    """Let other workers have the channels that this one attended to."""
    session.execute(
        update(ChannelStateRow).where(ChannelStateRow.lease_by == worker).values(lease_by=None, lease_until=None)
    )
