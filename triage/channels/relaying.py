"""How is what is said in one place of a ticket carried to the other: its thread, and the system that it is filed in?

Each place is told what it has not heard yet, oldest first, by one delivery at a time. What is told is written down by
message, and carries a marker, so that a repeat finds what an earlier attempt has said.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from triage.channels.common import wording
from triage.channels.common.files import File, fetched
from triage.channels.common.memory import forget, recall, recall_all, remember, remember_once
from triage.channels.common.places import place_in, places_of
from triage.channels.common.system import Channel
from triage.channels.common.tables import home_of
from triage.channels.common.values import DeliveryFailed, Event, News, Outgoing, RemoteTicket, Status
from triage.db.tables import RemoteMessageRow, RemoteTicketRow, RunRow, TicketRow
from triage.deliver import enqueue, new_delivery
from triage.intake import JobQueue
from triage.tickets import store
from triage.tickets.ids import new_id

# So long one delivery may be at it before another takes it for dead.
TURN = timedelta(minutes=5)
MOST_MESSAGES = 10_000


def pass_on(session: Session, jobs: JobQueue, ticket_id: str, *, by: str) -> None:
    """Queue the carrying of what is new at ``by`` to the ticket's other places, in the caller's transaction."""
    others = session.scalars(places_of(ticket_id).where(RemoteTicketRow.channel != by)).all()
    if not others:
        return
    run = session.scalars(select(RunRow.id).where(RunRow.ticket_id == ticket_id).order_by(RunRow.number.desc())).first()
    if run is None:
        return
    for other in others:
        about = new_id()
        enqueue(session, jobs, new_delivery(run, other.channel, Event.RELAYED.value, datetime.now(UTC), about=about))


def share(session: Session, row: RemoteTicketRow) -> bool:
    """Let the ticket's other places know who works on it, and its thread whether it is solved. The caller commits.

    False where it has no other place, so that there is nobody to pass anything on to.
    """
    others = session.scalars(places_of(row.ticket_id).where(RemoteTicketRow.channel != row.channel)).all()
    if not others:
        return False
    home = home_of(session.get_one(TicketRow, row.ticket_id).source)
    for other in others:
        other.touched_by = other.touched_by or row.touched_by
        if other.channel == home and other.status != row.status:
            other.status, other.solved_at, other.updated_at = row.status, row.solved_at, row.updated_at
            remember(session, row.channel, _stands(row.ticket_id), _open_or_over(row.status))  # no news there
    return True


def relay(sessions: sessionmaker[Session], channel: Channel, outgoing: Outgoing, others: Mapping[str, Channel]) -> str:
    """Tell the channel's place of the ticket what it has not heard; raises ``DeliveryFailed``.

    ``others`` are the channels by name that the files of messages are fetched from.
    """
    told = 0
    while True:
        with _turn(sessions, channel.name, outgoing) as is_ours:
            if not is_ours:
                return "Another delivery is at it."
            told += _tell(sessions, channel, outgoing, others)
        with sessions() as session:  # what came after the last look and before the turn was over
            if not _news(session, channel.name, outgoing.ticket_id):
                break
    return f"Told {told} news." if told else "There was nothing new."


@contextmanager
def _turn(sessions: sessionmaker[Session], channel: str, outgoing: Outgoing) -> Iterator[bool]:
    """Whether it is this delivery's turn; then nobody else's until the block is left."""
    key, now = f"relaying:{outgoing.ticket_id}", datetime.now(UTC)
    mine = {"by": outgoing.delivery_id, "until": (now + TURN).isoformat()}
    with sessions.begin() as session:
        is_ours = remember_once(session, channel, key, mine)
        if not is_ours:
            held = recall(session, channel, key)
            by, until = (held.get("by"), held.get("until")) if isinstance(held, dict) else (None, None)
            is_ours = by == outgoing.delivery_id or not until or datetime.fromisoformat(str(until)) < now
            if is_ours:
                remember(session, channel, key, mine)
    try:
        yield is_ours
    finally:
        if is_ours:
            with sessions.begin() as session:
                forget(session, channel, key)


def _tell(sessions: sessionmaker[Session], channel: Channel, outgoing: Outgoing, others: Mapping[str, Channel]) -> int:
    with sessions() as session:
        news = _news(session, channel.name, outgoing.ticket_id)
        remote = place_in(session, channel.name, outgoing.ticket_id)
    if remote is None:
        return 0
    ticket = channel.system.read(remote.remote_id) if channel.system else None
    for key, value, one in news:
        files_of = others[one.via].files if one.via in others and (channel.attach or channel.relay) else None
        files = fetched(files_of, one.text, one.remote_id, one.message_id, is_repeat=outgoing.is_repeat)
        if ticket is not None:
            heard = outgoing.is_repeat and any(one.marker in message.text for message in ticket.messages)
            if not heard:
                note(channel, ticket, wording.relayed(one), files)
        elif channel.relay is not None:
            channel.relay(outgoing, one, files)
        else:
            raise DeliveryFailed("The channel cannot say what is news: look at its table.", retryable=False)
        with sessions.begin() as session:
            remember(session, channel.name, key, value)
    if ticket is not None:
        _set_fields(sessions, channel, outgoing, remote, ticket if not news else None)
    return len(news)


def note(channel: Channel, ticket: RemoteTicket, text: str, files: Sequence[File]) -> None:
    """Write an internal note, with the files where the system takes any."""
    assert channel.system is not None
    if files and channel.attach:
        channel.attach(ticket, text, files)
    else:
        channel.system.post(ticket, text, public=False)


def _set_fields(
    sessions: sessionmaker[Session],
    channel: Channel,
    outgoing: Outgoing,
    seen: RemoteTicketRow,
    ticket: RemoteTicket | None,
) -> None:
    """Set what people have corrected elsewhere, but for what somebody changed there since we last looked."""
    assert channel.system is not None
    policy = channel.policy
    if policy.mode_at(datetime.now(UTC)) != "apply" or seen.fields is None:
        return
    with sessions() as session:
        settled = store.settled(store.find_ticket(session, outgoing.ticket_id))
    wanted = {
        name: value
        for name, value in settled.items()
        if seen.fields.get(name) != value and (policy.fields is None or name in policy.fields)
    }
    if not wanted:
        return
    ticket = ticket or channel.system.read(seen.remote_id)
    wanted = {name: value for name, value in wanted.items() if ticket.fields.get(name) == seen.fields.get(name)}
    if not wanted:
        return
    channel.system.set_fields(ticket, wanted)
    stands = channel.system.read(seen.remote_id).fields
    with sessions.begin() as session:
        row = session.get_one(RemoteTicketRow, (channel.name, seen.remote_id), with_for_update=True)
        row.fields = {**(row.fields or {}), **stands}
    refused = [f"{name} stands at {stands.get(name)}" for name, value in wanted.items() if stands.get(name) != value]
    if refused:
        raise DeliveryFailed(
            f"The system took a correction and did not make it: {'; '.join(refused)}.", retryable=False
        )


def _news(session: Session, channel: str, ticket_id: str) -> list[tuple[str, object, News]]:
    """What the place has not been told: the key to note it under, the value to note, and the news."""
    elsewhere = (
        select(RemoteMessageRow)
        .join(
            RemoteTicketRow,
            (RemoteTicketRow.channel == RemoteMessageRow.channel)
            & (RemoteTicketRow.remote_id == RemoteMessageRow.remote_id),
        )
        .where(RemoteTicketRow.ticket_id == ticket_id, RemoteMessageRow.channel != channel)
        .where(RemoteMessageRow.public, ~RemoteMessageRow.is_ours)
        .order_by(RemoteMessageRow.said_at, RemoteMessageRow.ordinal)
    )
    told = recall_all(session, channel, _told(ticket_id, ""), limit=MOST_MESSAGES)
    news: list[tuple[str, object, News]] = []
    for row in session.scalars(elsewhere):
        digest = hashlib.sha256(f"{row.channel} {row.remote_id} {row.message_id}".encode()).hexdigest()[:12]
        if _told(ticket_id, digest) not in told:
            one = News(
                row.channel,
                f"triage:{digest}",
                row.author,
                row.text,
                remote_id=row.remote_id,
                message_id=row.message_id,
            )
            news.append((_told(ticket_id, digest), True, one))
    return [*news, *_status_news(session, channel, ticket_id)]


def _status_news(session: Session, channel: str, ticket_id: str) -> Iterator[tuple[str, object, News]]:
    others = session.scalars(places_of(ticket_id).where(RemoteTicketRow.channel != channel)).all()
    known = recall(session, channel, _stands(ticket_id)) or Status.OPEN.value
    for other in others:
        stands = _open_or_over(other.status)
        if stands != known:
            marker = hashlib.sha256(f"{ticket_id} {stands} {other.updated_at}".encode()).hexdigest()[:12]
            yield _stands(ticket_id), stands, News(other.channel, f"triage:{marker}", status=Status(stands))


def _open_or_over(status: str) -> str:
    return Status.OPEN.value if status == Status.OPEN.value else Status.SOLVED.value


def _told(ticket_id: str, digest: str) -> str:
    return f"told:{ticket_id}:{digest}"


def _stands(ticket_id: str) -> str:
    return f"stands:{ticket_id}"
