"""How does a result reach a system that is slow, away, or wrong, once and not twice?

send(): claim, call, write down what came of it. What failed for now is queued again after a pause; what failed for
good is a dead letter that a person can look at and send again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, selectinload, sessionmaker

from triage import telemetry
from triage.channels.common.journey import Sent, send_to
from triage.channels.common.system import Channel
from triage.channels.common.tables import home_of
from triage.channels.common.values import DeliveryFailed, Event, Outgoing
from triage.channels.filing import file
from triage.channels.outgoing import read_outgoing
from triage.channels.relaying import relay
from triage.channels.retrying import pause_s
from triage.channels.states import closed_for, leave_alone, note_failure, note_success
from triage.channels.takeover import note_sent
from triage.db.tables import DeliveryRow
from triage.deliver import Outlets, enqueue, new_delivery
from triage.errors import BadInput, NotFound, TriageError
from triage.intake import JobQueue
from triage.tickets.model import DeliveryState

# A system may be away for a long weekend; after that nobody waits for the result any more.
GIVE_UP = timedelta(days=3)
NO_OTHERS: Mapping[str, Channel] = {}

log = structlog.get_logger(__name__)


def send(
    sessions: sessionmaker[Session],
    jobs: JobQueue,
    channel: Channel,
    delivery_id: str,
    number: int,
    outlets: Outlets | None = None,
    others: Mapping[str, Channel] = NO_OTHERS,
) -> None:
    """Make try ``number`` of a delivery. A repeat of a try that was cut short does only what was left undone.

    ``others`` are the open channels by name, from which the files of messages are fetched.
    """
    now = datetime.now(UTC)
    with sessions.begin() as session:
        waits = _waits(session, delivery_id, number)
        wait = closed_for(session, channel.name, channel.sending, now) if waits else 0.0
        if wait:
            _queue_again(session, jobs, delivery_id, wait, None)
            return
        outgoing = _claim(session, delivery_id, number)
    if outgoing is None:
        return
    try:
        sent = _call(sessions, jobs, channel, outgoing, now, others)
    except DeliveryFailed as error:
        _failed(sessions, jobs, channel, outgoing, error, outlets)
    except SQLAlchemyError:
        raise  # the database is away or busy: the job is tried again
    except Exception as error:  # the edge of the job: nothing may get lost in silence
        log.error("delivery failed", channel=channel.name, delivery=delivery_id, exc_info=error)
        says = str(error) if isinstance(error, TriageError) else f"Unexpected {type(error).__name__}: see the log."
        _bury(sessions, jobs, channel, outgoing, says, outlets)
    else:
        _delivered(sessions, channel, outgoing, sent)


def give_up(sessions: sessionmaker[Session], delivery_id: str, says: str) -> None:
    """Make a dead letter of what cannot be sent as it is set up now."""
    with sessions.begin() as session:
        row = find(session, delivery_id)
        if row.state in _UNSENT:
            row.state, row.detail = DeliveryState.DEAD.value, says


def waited_for(session: Session) -> list[str]:
    """The channels that something has still to be sent to."""
    return list(session.scalars(select(DeliveryRow.channel).where(DeliveryRow.state.in_(_UNSENT)).distinct()))


def retry(session: Session, jobs: JobQueue, delivery_id: str) -> DeliveryRow:
    """Queue a dead letter once more, in the caller's transaction; raises ``NotFound``, ``BadInput``."""
    row = find(session, delivery_id)
    if row.state != DeliveryState.DEAD.value:
        raise BadInput(f"Delivery {delivery_id} is {row.state}: only dead letters are sent again.")
    # It begins anew but for what is done; its age would else end it at once.
    row.state, row.attempts, row.created_at = DeliveryState.PENDING.value, 0, datetime.now(UTC)
    _queue_again(session, jobs, delivery_id, 0.0, None)
    return row


def find(session: Session, delivery_id: str) -> DeliveryRow:
    """The row; raises ``NotFound``."""
    row = session.get(DeliveryRow, delivery_id)
    if row is None:
        raise NotFound(f"There is no delivery {delivery_id}.")
    return row


def listed(
    session: Session, *, state: str | None = None, channel: str | None = None, limit: int = 50
) -> Sequence[DeliveryRow]:
    """Deliveries with their runs, newest first."""
    query = select(DeliveryRow).options(selectinload(DeliveryRow.run)).order_by(DeliveryRow.id.desc()).limit(limit)
    query = query.where(DeliveryRow.state == state) if state else query
    return session.scalars(query.where(DeliveryRow.channel == channel) if channel else query).all()


def _waits(session: Session, delivery_id: str, number: int) -> bool:
    row = session.get(DeliveryRow, delivery_id)
    return row is not None and row.jobs == number and row.state in _UNSENT


_TO_ITS_PLACES = (Event.RESULT.value, Event.FILED.value, Event.RELAYED.value)
_UNSENT = (DeliveryState.PENDING.value, DeliveryState.SENDING.value)


def _claim(session: Session, delivery_id: str, number: int) -> Outgoing | None:
    """Mark the delivery as being sent and read what is sent; None where that try is over or another one's turn."""
    row = session.get(DeliveryRow, delivery_id, with_for_update=True)
    if row is None or row.jobs != number or row.state not in _UNSENT:
        return None
    # Whoever was cut short while sending may have been heard.
    is_repeat = row.state == DeliveryState.SENDING.value or row.attempts > 0
    row.state, row.attempts, row.next_at = DeliveryState.SENDING.value, row.attempts + 1, None
    return read_outgoing(session, row, is_repeat=is_repeat)


def _call(
    sessions: sessionmaker[Session],
    jobs: JobQueue,
    channel: Channel,
    outgoing: Outgoing,
    now: datetime,
    others: Mapping[str, Channel],
) -> Sent | str:
    def done(step: str, reference: str = "") -> None:
        with sessions.begin() as session:
            row = session.get_one(DeliveryRow, outgoing.delivery_id, with_for_update=True)
            row.done = {**row.done, step: reference}

    if outgoing.event is Event.RELAYED:
        return relay(sessions, channel, outgoing, others)
    if outgoing.event is Event.FILED:
        if channel.create is None:
            raise DeliveryFailed("The channel makes no tickets any more: look at its table.", retryable=False)
        home = others.get(home_of(outgoing.source))
        return file(sessions, jobs, channel, outgoing, done, now, home.files if home else None)
    if channel.system is not None and outgoing.event is Event.RESULT:
        return send_to(channel.system, outgoing, channel.policy, done, now)
    if channel.send is None:
        raise DeliveryFailed("The channel cannot send any more: look at its table.", retryable=False)
    return channel.send(outgoing, done)


def _delivered(sessions: sessionmaker[Session], channel: Channel, outgoing: Outgoing, sent: Sent | str) -> None:
    now = datetime.now(UTC)
    with sessions.begin() as session:
        row = session.get_one(DeliveryRow, outgoing.delivery_id, with_for_update=True)
        row.state, row.delivered_at = DeliveryState.DELIVERED.value, now
        row.detail = sent.says if isinstance(sent, Sent) else sent
        if isinstance(sent, Sent):
            note_sent(session, channel.name, sent.ticket, sent.actions)
        note_success(session, channel.name, now)
    telemetry.DELIVERIES.labels(channel.name, "delivered").inc()
    log.info("delivered", channel=channel.name, delivery=outgoing.delivery_id, ticket=outgoing.ticket_id)


def _failed(
    sessions: sessionmaker[Session],
    jobs: JobQueue,
    channel: Channel,
    outgoing: Outgoing,
    error: DeliveryFailed,
    outlets: Outlets | None,
) -> None:
    now, says, sending = datetime.now(UTC), str(error), channel.sending
    if not error.retryable_later:
        _bury(sessions, jobs, channel, outgoing, says, outlets)
        return
    with sessions.begin() as session:
        row = session.get_one(DeliveryRow, outgoing.delivery_id, with_for_update=True)
        # What the system as such keeps from being sent says nothing about this delivery, so only its age ends it.
        counts = not error.faulty and error.wait_s is None
        attempts = row.attempts
        too_often = counts and attempts >= sending.attempts
        too_old = now - row.created_at > GIVE_UP
        if not (too_often or too_old):
            pause = pause_s(sending, attempts)
            if error.wait_s is not None:
                leave_alone(session, channel.name, error.wait_s, says, now)
                pause = error.wait_s
            elif error.faulty and note_failure(session, channel.name, sending, says, now) >= sending.break_after:
                pause = max(pause, sending.break_s)
            row.detail = says
            _queue_again(session, jobs, row.id, pause, DeliveryState.PENDING)
            telemetry.DELIVERIES.labels(channel.name, "postponed").inc()
            log.warning("delivery postponed", channel=channel.name, delivery=row.id, reason=says, seconds=round(pause))
            return
    tried = f"{says} It was tried {attempts} times."
    _bury(sessions, jobs, channel, outgoing, tried, outlets)


def _bury(
    sessions: sessionmaker[Session],
    jobs: JobQueue,
    channel: Channel,
    outgoing: Outgoing,
    says: str,
    outlets: Outlets | None,
) -> None:
    """Give a delivery up, and tell those who want to know of that."""
    now = datetime.now(UTC)
    with sessions.begin() as session:
        row = session.get_one(DeliveryRow, outgoing.delivery_id, with_for_update=True)
        row.state, row.detail = DeliveryState.DEAD.value, says
        subscribers: Mapping[str, frozenset[str]] = outlets.subscribers if outlets else {}
        for name, events in subscribers.items():
            # Of a subscriber that cannot be told, no one is told.
            if Event.DELIVERY_FAILED.value in events and row.event in _TO_ITS_PLACES:
                told = new_delivery(row.run_id, name, Event.DELIVERY_FAILED.value, now, about=row.id)
                enqueue(session, jobs, told)
    telemetry.DELIVERIES.labels(channel.name, "dead").inc()
    log.error("delivery given up", channel=channel.name, delivery=outgoing.delivery_id, reason=says)


def _queue_again(
    session: Session, jobs: JobQueue, delivery_id: str, wait_s: float, state: DeliveryState | None
) -> None:
    row = session.get_one(DeliveryRow, delivery_id, with_for_update=True)
    row.state = state.value if state else row.state
    row.jobs += 1
    row.next_at = datetime.now(UTC) + timedelta(seconds=wait_s)
    jobs.enqueue_delivery(session, row.channel, row.id, row.jobs, delay_s=wait_s)
