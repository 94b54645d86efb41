"""How does a ticket that lives in a chat come to stand in the ticketing system as well, once and not twice?"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from triage.channels.common.journey import Sent, send_to
from triage.channels.common.memory import recall, remember_once
from triage.channels.common.system import Channel, Steps, System
from triage.channels.common.values import Draft, Gone, Outgoing, RemoteTicket, Status
from triage.channels.relaying import pass_on
from triage.db.engine import insert_unless_there
from triage.db.tables import RemoteTicketRow
from triage.deliver import CHANNEL
from triage.intake import JobQueue
from triage.tickets.model import Outcome

CREATED = "created"
MARKER = re.compile(r"triage:ticket-([0-9a-f-]{12})")
# A ticket of ours may be seen there a moment before we tried to make it: clocks differ.
EARLY = timedelta(minutes=10)
LONGEST_SUBJECT = 120


def file(
    sessions: sessionmaker[Session], jobs: JobQueue, channel: Channel, outgoing: Outgoing, done: Steps, now: datetime
) -> Sent | str:
    """Make the ticket there, unless it is there already, and write the note that agents get of every ticket.

    Raises ``DeliveryFailed``. The answer is not given once more: the requester has it where they asked.
    """
    assert channel.system is not None and channel.create is not None
    if outgoing.duplicate_of:
        return f"Nothing was filed: it says the same as ticket {outgoing.duplicate_of}, which is open."
    if channel.policy.mode_at(now) == "off":
        return "Nothing was filed: the channel's policy is off at this time."
    with sessions() as session:
        known = filed_as(session, channel.name, outgoing.ticket_id)
    if known is not None and CREATED not in outgoing.done:
        return f"It was filed before, as {known}."
    remote_id = known or outgoing.done.get(CREATED) or _create(sessions, channel, outgoing, now)
    if CREATED not in outgoing.done:
        done(CREATED, remote_id)
    with sessions.begin() as session:
        if link(session, channel.name, remote_id, outgoing.ticket_id):
            pass_on(session, jobs, outgoing.ticket_id, by=outgoing.source.removeprefix(CHANNEL))
    policy = channel.policy.model_copy(update={"answers": False})
    sent = send_to(channel.system, replace(outgoing, remote_id=remote_id), policy, done, now)
    return replace(sent, says=f"Filed as {remote_id}. {sent.says}")


def filed_as(session: Session, channel: str, ticket_id: str) -> str | None:
    """The ticket's id in that system, where it stands there."""
    query = select(RemoteTicketRow.remote_id).where(
        RemoteTicketRow.channel == channel, RemoteTicketRow.ticket_id == ticket_id
    )
    return session.scalars(query).first()


def ticket_named_in(session: Session, channel: str, body: str) -> str | None:
    """The ticket of ours that such a text was filed for, where that system has not told us of it before."""
    for found in MARKER.finditer(body):
        ticket_id = recall(session, channel, _filing(found[1]))
        if isinstance(ticket_id, str) and filed_as(session, channel, ticket_id) is None:
            return ticket_id
    return None


def link(session: Session, channel: str, remote_id: str, ticket_id: str) -> bool:
    """Note that a ticket of ours stands in that system too; False where that was known. The caller commits."""
    row = {
        "channel": channel,
        "remote_id": remote_id,
        "ticket_id": ticket_id,
        "fields": None,
        "status": Status.OPEN.value,
        "bot_actions": 0,
        "updated_at": datetime.now().astimezone(),
    }
    inserted = insert_unless_there(session, RemoteTicketRow, row).returning(RemoteTicketRow.remote_id)
    return session.scalar(inserted) is not None


def _create(sessions: sessionmaker[Session], channel: Channel, outgoing: Outgoing, now: datetime) -> str:
    assert channel.system is not None and channel.create is not None
    marker = outgoing.ticket_id[-12:]
    with sessions.begin() as session:  # before the system can tell us of it
        remember_once(session, channel.name, _filing(marker), outgoing.ticket_id)
        url = _url(session, outgoing)
    if outgoing.is_repeat:
        found = _found_again(channel.system, f"triage:ticket-{marker}", outgoing.created_at - EARLY)
        if found is not None:
            return found.remote_id
    return channel.create(_draft(channel, outgoing, url, f"triage:ticket-{marker}", now))


def _draft(channel: Channel, outgoing: Outgoing, url: str | None, marker: str, now: datetime) -> Draft:
    applied = {
        one.field: one.value
        for one in outgoing.decisions
        if one.outcome is Outcome.APPLY
        and one.value is not None
        and (channel.policy.fields is None or one.field in channel.policy.fields)
    }
    is_mail = "@" in outgoing.requester
    asked = "" if is_mail else f" by {outgoing.requester}"
    origin = f"Asked in {outgoing.source.removeprefix(CHANNEL)}{asked}{f': {url}' if url else '.'}"
    subject = outgoing.subject or next((line for line in outgoing.body.splitlines() if line.strip()), "No subject")
    return Draft(
        subject.strip()[:LONGEST_SUBJECT],
        f"{outgoing.body}\n\n-- \n{origin}\n[{marker}]",
        outgoing.requester if is_mail else "",
        applied if channel.policy.mode_at(now) == "apply" else {},
    )


def _found_again(system: System, marker: str, since: datetime) -> RemoteTicket | None:
    """The ticket that an earlier attempt made and never heard of."""
    for page in system.changed_since(None, since):
        for remote_id in page.remote_ids:
            try:
                ticket = system.read(remote_id)
            except Gone:
                continue
            if marker in ticket.body:
                return ticket
    return None


def _url(session: Session, outgoing: Outgoing) -> str | None:
    query = select(RemoteTicketRow.url).where(
        RemoteTicketRow.ticket_id == outgoing.ticket_id,
        RemoteTicketRow.channel == outgoing.source.removeprefix(CHANNEL),
    )
    return session.scalars(query).first()


def _filing(marker: str) -> str:
    return f"filing:{marker}"
