"""How does what a channel brings become tickets, corrections and messages, once and without loss?

take(): one row and one job in a transaction, then 2xx. work_on(): the job applies each happening, then drops the text.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, cast

import structlog
from pydantic import Discriminator, Tag, TypeAdapter
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from triage import telemetry
from triage.channels.common.system import Channel
from triage.channels.common.values import (
    Closed,
    DeliveryFailed,
    Gone,
    Happening,
    Look,
    Opened,
    Received,
    RemoteTicket,
    Said,
)
from triage.channels.retrying import pause_s
from triage.channels.takeover import close, open_ticket, say, take_over
from triage.db.engine import insert_unless_there
from triage.db.tables import ReceivedRow
from triage.errors import BadInput, NotFound, TicketRefused, TriageError
from triage.intake import JobQueue
from triage.tickets.ids import new_id

# Longer keys are hashed; the column is as wide.
LONGEST_KEY = 200
# Begins the keys of polls, of which nothing is kept once they are done: nobody sends them again.
POLL = "poll:"
# So long a system may be away until what it should tell us is given up.
MOST_ATTEMPTS = 200

log = structlog.get_logger(__name__)


class ReceivedState(StrEnum):
    """How far a received message has come."""

    PENDING = "pending"
    DONE = "done"
    IGNORED = "ignored"
    DEAD = "dead"


def _kind(value: object) -> str:
    return str(value.get("is")) if isinstance(value, dict) else type(value).__name__


_HAPPENING: TypeAdapter[Happening] = TypeAdapter(
    Annotated[
        Annotated[Opened, Tag("Opened")]
        | Annotated[Said, Tag("Said")]
        | Annotated[Closed, Tag("Closed")]
        | Annotated[Look, Tag("Look")],
        Discriminator(_kind),
    ]
)


def take(
    sessions: sessionmaker[Session], jobs: JobQueue, channel: str, received: Received, *, delay_s: float = 0
) -> bool:
    """Store what came in and queue the work on it; False where its key came before. Commits."""
    state = ReceivedState.PENDING if received.happenings else ReceivedState.IGNORED
    happenings = [_as_json(one) for one in received.happenings] or None
    return _store(sessions, jobs, channel, received, state, happenings=happenings, delay_s=delay_s)


def keep_unreadable(sessions: sessionmaker[Session], channel: str, body: bytes, says: str) -> bool:
    """Keep a verified message that our own code failed on, so that it can be looked at and tried again. Commits."""
    received = Received(hashlib.sha256(body).hexdigest(), "unreadable", note=says)
    return _store(sessions, None, channel, received, ReceivedState.DEAD, body=body)


def _store(
    sessions: sessionmaker[Session],
    jobs: JobQueue | None,
    channel: str,
    received: Received,
    state: ReceivedState,
    *,
    happenings: list[dict[str, object]] | None = None,
    body: bytes | None = None,
    delay_s: float = 0,
) -> bool:
    now = datetime.now(UTC)
    row = {
        "id": new_id(),
        "channel": channel,
        "key": short_key(received.key),
        "event": received.event[:LONGEST_KEY].replace("\0", ""),
        "happenings": happenings,
        "body": body,
        "state": state.value,
        "attempts": 0,
        "jobs": 1,
        "detail": received.note,
        "received_at": now,
        "finished_at": None if state is ReceivedState.PENDING else now,
    }
    with sessions.begin() as session:
        inserted = session.scalar(insert_unless_there(session, ReceivedRow, row).returning(ReceivedRow.id))
        if inserted and state is ReceivedState.PENDING and jobs:
            jobs.enqueue_received(session, inserted, 1, delay_s=delay_s)
    telemetry.RECEIVED.labels(channel, state.value if inserted else "repeated").inc()
    return inserted is not None


def work_on(
    sessions: sessionmaker[Session],
    jobs: JobQueue,
    channel: Channel,
    received_id: str,
    number: int,
    *,
    mask_stored: bool = False,
) -> None:
    """Apply what was received, in try ``number``. What failed for now is queued again, what failed for good kept."""
    with sessions() as session:
        row = session.get(ReceivedRow, received_id)
        if row is None or row.state != ReceivedState.PENDING.value or row.jobs != number:
            return
        happenings = [_HAPPENING.validate_python(one) for one in row.happenings or ()]
        attempts = row.attempts + 1
    try:
        says = [_apply(sessions, jobs, channel, one, mask_stored) for one in happenings]
    except Gone as error:
        _finish(sessions, received_id, ReceivedState.DONE, attempts, str(error))
    except DeliveryFailed as error:
        _try_again(sessions, jobs, channel, received_id, attempts, error)
    except TriageError as error:
        log.warning("not taken in", channel=channel.name, received=received_id, reason=str(error))
        _finish(sessions, received_id, ReceivedState.DEAD, attempts, str(error))
    except SQLAlchemyError:
        raise  # the database is away or busy: the job is tried again
    except Exception as error:  # the edge of the job: nothing may get lost in silence
        log.error("not taken in", channel=channel.name, received=received_id, exc_info=error)
        says_why = f"Unexpected {type(error).__name__}: see the worker's log."
        _finish(sessions, received_id, ReceivedState.DEAD, attempts, says_why)
    else:
        _finish(sessions, received_id, ReceivedState.DONE, attempts, " ".join(says))


def give_up(sessions: sessionmaker[Session], received_id: str, says: str) -> None:
    """Keep a message that nobody can work on as it is set up now."""
    _finish(sessions, received_id, ReceivedState.DEAD, 0, says)


def retry(session: Session, jobs: JobQueue, received_id: str) -> ReceivedRow:
    """Queue a message that was given up once more, in the caller's transaction; raises ``NotFound``, ``BadInput``."""
    row = find(session, received_id)
    if row.state != ReceivedState.DEAD.value or row.happenings is None:
        raise BadInput(f"What was received as {received_id} is {row.state}: only what was given up is tried again.")
    row.state, row.attempts, row.jobs, row.finished_at = ReceivedState.PENDING.value, 0, row.jobs + 1, None
    jobs.enqueue_received(session, row.id, row.jobs)
    return row


def find(session: Session, received_id: str) -> ReceivedRow:
    """The row; raises ``NotFound``."""
    row = session.get(ReceivedRow, received_id)
    if row is None:
        raise NotFound(f"Nothing was received as {received_id}.")
    return row


def listed(
    session: Session, *, state: str | None = None, channel: str | None = None, limit: int = 50
) -> Sequence[ReceivedRow]:
    """What was received, newest first."""
    query = select(ReceivedRow).order_by(ReceivedRow.id.desc()).limit(limit)
    query = query.where(ReceivedRow.state == state) if state else query
    return session.scalars(query.where(ReceivedRow.channel == channel) if channel else query).all()


def state_of_received(session: Session, channel: str, key: str) -> ReceivedState | None:
    """What became of what came with that key; None where nothing did."""
    state = session.scalar(
        select(ReceivedRow.state).where(ReceivedRow.channel == channel, ReceivedRow.key == short_key(key))
    )
    return ReceivedState(state) if state else None


def short_key(key: str) -> str:
    """The key as it is stored: a long one by its hash."""
    clean = key.replace("\0", "")
    return clean if len(clean) <= LONGEST_KEY else hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _apply(
    sessions: sessionmaker[Session], jobs: JobQueue, channel: Channel, happening: Happening, mask_stored: bool
) -> str:
    """One happening in one transaction; a repeat of it changes nothing."""
    if isinstance(happening, Said) and happening.after:
        with sessions() as session:
            if state_of_received(session, channel.name, happening.after) is ReceivedState.PENDING:
                raise DeliveryFailed("What opens its ticket has still to be worked on.")
    found = _looked_up(channel, happening)
    with sessions.begin() as session:
        match found:
            case Opened():
                return open_ticket(session, jobs, channel, found, mask_stored)
            case Said():
                return say(session, jobs, channel, found, mask_stored)
            case Closed():
                return close(session, jobs, channel, found, mask_stored)
            case RemoteTicket():
                return take_over(session, jobs, channel, found, mask_stored)
    raise TicketRefused("This kind of happening is not known.")


def _looked_up(channel: Channel, happening: Happening) -> Opened | Said | Closed | RemoteTicket:
    """The happening with what takes a call to know, before anything is locked."""
    if isinstance(happening, Look):
        try:
            return _read(channel, happening)
        except Gone:
            if happening.otherwise is None:
                raise
            happening = happening.otherwise
    complete = channel.complete or (lambda opened: opened)
    if isinstance(happening, Said) and happening.otherwise:
        return replace(happening, otherwise=complete(happening.otherwise))
    return complete(happening) if isinstance(happening, Opened) else happening


def _read(channel: Channel, look: Look) -> RemoteTicket:
    read = channel.read or (channel.system.read if channel.system else None)
    if read is None:
        raise BadInput("The channel cannot read tickets: give it the address of the system.")
    return read(look.remote_id)


def _try_again(
    sessions: sessionmaker[Session],
    jobs: JobQueue,
    channel: Channel,
    received_id: str,
    attempts: int,
    error: DeliveryFailed,
) -> None:
    if not error.retryable_later or attempts >= MOST_ATTEMPTS:
        _finish(sessions, received_id, ReceivedState.DEAD, attempts, str(error))
        return
    wait = error.wait_s if error.wait_s is not None else pause_s(channel.sending, attempts)
    with sessions.begin() as session:
        row = session.get_one(ReceivedRow, received_id, with_for_update=True)
        row.attempts, row.jobs, row.detail = attempts, row.jobs + 1, str(error)
        jobs.enqueue_received(session, row.id, row.jobs, delay_s=wait)


def _finish(
    sessions: sessionmaker[Session], received_id: str, state: ReceivedState, attempts: int, detail: str
) -> None:
    with sessions.begin() as session:
        row = session.get_one(ReceivedRow, received_id, with_for_update=True)
        if state is ReceivedState.DONE and row.key.startswith(POLL):
            session.delete(row)
            return
        row.state, row.attempts, row.detail, row.finished_at = state.value, attempts, detail, datetime.now(UTC)
        if state is ReceivedState.DONE:
            row.happenings = None  # it stands in the ticket now; a second copy would only have to be kept safe


def _as_json(happening: Happening) -> dict[str, object]:
    value = _storable(_HAPPENING.dump_python(happening, mode="json", warnings=False))
    return {**cast(dict[str, object], value), "is": type(happening).__name__}


def _storable(value: object) -> object:
    """Without NUL and halves of surrogate pairs, which no database stores."""
    if isinstance(value, str):
        return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_storable(key): _storable(item) for key, item in value.items()}
    return [_storable(item) for item in value] if isinstance(value, list) else value
