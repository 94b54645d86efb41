"""How does what happened in another system change our ticket? Nothing here commits.

A field that changed there since it was last seen, to a value that is not ours, was changed by a person: that is a
correction. So echoes of our own writing are known by what stands there, whoever a system says has written it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from triage import telemetry
from triage.channels.common.memory import recall, remember, remember_once
from triage.channels.common.places import link
from triage.channels.common.system import Channel
from triage.channels.common.tables import source_of
from triage.channels.common.values import Closed, Message, Opened, RemoteTicket, Said, Status
from triage.channels.filing import ticket_named_in
from triage.channels.relaying import pass_on, share
from triage.channels.states import state_of
from triage.db.engine import insert_unless_there
from triage.db.tables import RemoteMessageRow, RemoteTicketRow, TicketRow
from triage.errors import Conflict
from triage.intake import MAX_FEATURES, MAX_NAME_CHARACTERS, JobQueue, accept
from triage.privacy import mask, names_of
from triage.tickets import store
from triage.tickets.model import Correction, IncomingTicket, Outcome

# A ticket opened so long before the channel was first used still counts as new: clocks differ.
EARLY = timedelta(minutes=10)


def open_ticket(
    session: Session, jobs: JobQueue, channel: Channel, opened: Opened, mask_stored: bool, *, seen: bool = False
) -> str:
    """A ticket for what was opened, unless there is one; raises ``TicketRefused`` where it has no text.

    ``seen``: its fields are those that stand there, not just those that a message told.
    """
    known = find_remote(session, channel.name, opened.remote_id)
    if known and opened.renews and known.status != Status.OPEN.value:
        opened = _renewed(session, channel.name, opened)
    elif known:
        return f"Ticket {known.ticket_id} was here before."
    elif recall(session, channel.name, _over(opened.remote_id)) is not None:
        return "It was over before it was told of."
    features = dict(list(opened.features.items())[:MAX_FEATURES])
    incoming = IncomingTicket(
        subject=opened.subject,
        body=opened.body,
        requester=opened.requester,
        channel=(opened.channel or channel.kind)[:MAX_NAME_CHARACTERS],
        source=source_of(channel.name),
        delivery_id=opened.remote_id,
        features=features,
    )
    try:
        acceptance = accept(session, jobs, incoming, mask_stored=mask_stored)
    except Conflict:  # another worker opened it from another message on it, a moment ago
        return "The ticket was opened by another message at the same time."
    fields = opened.fields if seen or opened.fields else None
    link(session, channel.name, opened.remote_id, acceptance.ticket_id, url=opened.url, fields=fields)
    if acceptance.is_new:
        telemetry.TICKETS_ACCEPTED.labels(channel.kind).inc()
    return f"Ticket {acceptance.ticket_id} was opened."


def say(session: Session, jobs: JobQueue, channel: Channel, said: Said, mask_stored: bool) -> str:
    """Note a message; where nobody knows its ticket, open the one that it comes with."""
    row = find_remote(session, channel.name, said.remote_id)
    if row is not None and row.status != Status.OPEN.value and said.otherwise and said.otherwise.renews:
        row = None
    if row is None:
        if said.otherwise is None:
            return f"Nobody here knows the ticket {said.remote_id}."
        return open_ticket(session, jobs, channel, said.otherwise, mask_stored)
    if _note_messages(session, row, (said.message,), mask_stored) and share(session, row):
        pass_on(session, jobs, row.ticket_id, by=row.channel)
    return f"A message on ticket {row.ticket_id} was noted."


def close(session: Session, jobs: JobQueue, channel: Channel, closed: Closed, mask_stored: bool) -> str:
    """Note that a ticket is solved, by whom and with which words."""
    row = find_remote(session, channel.name, closed.remote_id)
    if row is None:
        remember_once(session, channel.name, _over(closed.remote_id), True)  # its beginning may still be on the way
        return f"Nobody here knows the ticket {closed.remote_id}."
    if closed.text.strip():
        last = Message(f"closed:{closed.remote_id}", closed.by, closed.text, public=True, by_agent=None)
        _note_messages(session, row, (last,), mask_stored)
    _set_status(row, Status.SOLVED)
    if share(session, row):
        pass_on(session, jobs, row.ticket_id, by=row.channel)
    return f"Ticket {row.ticket_id} is solved."


def take_over(session: Session, jobs: JobQueue, channel: Channel, remote: RemoteTicket, mask_stored: bool) -> str:
    """Bring our ticket up to how it stands there; an unknown one that is new becomes a ticket."""
    row = find_remote(session, channel.name, remote.remote_id)
    if row is None and (filed := ticket_named_in(session, channel.name, remote.body)):
        # It was made by us a moment ago, and this tells of it before its maker has written that down.
        link(session, channel.name, remote.remote_id, filed)
        row = find_remote(session, channel.name, remote.remote_id)
    if row is None:
        if why := _why_not_new(session, channel, remote):
            return why
        open_ticket(session, jobs, channel, _as_opened(remote), mask_stored, seen=True)
        row = find_remote(session, channel.name, remote.remote_id)
        assert row is not None
    corrected = _correct(session, row, remote)
    is_news = _note_messages(session, row, remote.messages, mask_stored)
    row.touched_by = row.touched_by or remote.touched_by
    row.url = remote.url or row.url
    if row.status != remote.status.value:
        _set_status(row, remote.status)
        is_news = True
    if share(session, row) and is_news:
        pass_on(session, jobs, row.ticket_id, by=row.channel)
    if remote.merged_into:
        _merge(session, row, channel.name, remote.merged_into)
    says = f"Ticket {row.ticket_id} is up to date."
    return f"{says} People set {', '.join(corrected)}." if corrected else says


def note_sent(session: Session, channel: str, remote: RemoteTicket, actions: int) -> None:
    """Remember how the ticket stands after we wrote to it, so that our own changes are no news."""
    row = find_remote(session, channel, remote.remote_id)
    if row is None:
        return
    row.bot_actions += actions
    row.fields = {**(row.fields or {}), **remote.fields}
    row.updated_at = datetime.now(UTC)


def find_remote(session: Session, channel: str, remote_id: str) -> RemoteTicketRow | None:
    """The ticket as it was last seen there, the newest of that id, locked until the caller commits."""
    number = recall(session, channel, _renewals(remote_id))
    newest = f"{remote_id}#{number}" if number else remote_id
    return session.get(RemoteTicketRow, (channel, newest), with_for_update=True, populate_existing=True)


def _renewed(session: Session, channel: str, opened: Opened) -> Opened:
    """The same under an id of its own, as the one before is solved."""
    known = recall(session, channel, _renewals(opened.remote_id))
    number = (known if isinstance(known, int) else 1) + 1
    remember(session, channel, _renewals(opened.remote_id), number)
    return replace(opened, remote_id=f"{opened.remote_id}#{number}")


def _renewals(remote_id: str) -> str:
    return f"again:{hashlib.sha256(remote_id.encode()).hexdigest()}"


def _over(remote_id: str) -> str:
    return f"over:{hashlib.sha256(remote_id.encode()).hexdigest()}"


def _why_not_new(session: Session, channel: Channel, remote: RemoteTicket) -> str:
    if remote.opened_by_us:
        return f"Ticket {remote.remote_id} was opened by the bot itself."
    if remote.status is not Status.OPEN:
        return f"Ticket {remote.remote_id} is {remote.status.value} and was never here."
    began = state_of(session, channel.name, datetime.now(UTC)).began_at
    if remote.opened_at and remote.opened_at < began - EARLY:
        return f"Ticket {remote.remote_id} is older than the use of this channel; `triage import` reads such."
    return ""


def _as_opened(remote: RemoteTicket) -> Opened:
    return Opened(
        remote.remote_id,
        remote.subject,
        remote.body,
        remote.requester,
        features=remote.features,
        fields=remote.fields,
        url=remote.url,
    )


def _correct(session: Session, row: RemoteTicketRow, remote: RemoteTicket) -> list[str]:
    """The fields that people have changed since they were last seen, each written down as a correction."""
    if row.fields is None:  # the first look: nobody can tell what was there before
        row.fields = dict(remote.fields)
        return []
    changed = {name: value for name, value in remote.fields.items() if value and row.fields.get(name) != value}
    corrected = []
    ticket = store.find_ticket(session, row.ticket_id) if changed else None
    for name, value in changed.items():
        if ticket is None or _is_ours(ticket, name, value):
            continue
        # The moment of the change tells one from another to the same value later.
        stamp = (remote.updated_at or datetime.now(UTC)).isoformat()
        key = f"{row.channel}:{name}:{stamp}"[:200]
        author = remote.touched_by or f"an agent in {row.channel}"
        store.add_correction(session, row.ticket_id, Correction(name, value, author, idempotency_key=key))
        corrected.append(f"{name} to {value}")
        row.touched_by = row.touched_by or author
    if changed or set(row.fields) - set(remote.fields):
        row.fields = dict(remote.fields)
    return corrected


def _is_ours(ticket: TicketRow, field: str, value: str) -> bool:
    """Whether that value is the last word on the field already: a correction's, or what the bot applied."""
    corrections: Mapping[str, str] = store.settled(ticket)
    if field in corrections:
        return corrections[field] == value
    decisions = ticket.runs[-1].decisions if ticket.runs else []
    return any(d.field == field and d.value == value and d.outcome == Outcome.APPLY.value for d in decisions)


def _note_messages(session: Session, row: RemoteTicketRow, messages: tuple[Message, ...], mask_stored: bool) -> bool:
    """Store the messages that are new; whether there is one that somebody else should hear of."""
    ticket = session.get_one(TicketRow, row.ticket_id) if mask_stored else None
    names = names_of(ticket.requester, ticket.features) if ticket else ()
    count = select(func.count()).where(
        RemoteMessageRow.channel == row.channel, RemoteMessageRow.remote_id == row.remote_id
    )
    ordinal, is_news = session.scalar(count) or 0, False
    for message in messages:
        text = message.text.replace("\0", "\N{REPLACEMENT CHARACTER}")
        values = {
            "channel": row.channel,
            "remote_id": row.remote_id,
            "message_id": message.message_id[:200],
            "ordinal": ordinal,
            "author": message.author.replace("\0", ""),
            "text": mask(text, names=names) if mask_stored else text,
            "public": message.public,
            "by_agent": message.by_agent,
            "is_ours": message.is_ours,
            "said_at": message.at or datetime.now(UTC),
        }
        inserted = insert_unless_there(session, RemoteMessageRow, values).returning(RemoteMessageRow.message_id)
        if session.scalar(inserted) is not None:
            ordinal += 1
            is_news = is_news or (message.public and not message.is_ours)
        if message.by_agent and not message.is_ours:
            row.touched_by = row.touched_by or message.author or "an agent"
    row.updated_at = datetime.now(UTC)
    return is_news


def _set_status(row: RemoteTicketRow, status: Status) -> None:
    row.status = status.value
    row.solved_at = None if status is Status.OPEN else row.solved_at or datetime.now(UTC)
    row.updated_at = datetime.now(UTC)


def _merge(session: Session, row: RemoteTicketRow, channel: str, into: str) -> None:
    """Link a merged ticket to the one that it was merged into, as far as that is known here."""
    target = session.get(RemoteTicketRow, (channel, into))
    if target and target.ticket_id != row.ticket_id:
        store.link(session, row.ticket_id, target.ticket_id)
