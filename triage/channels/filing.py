"""How does a ticket that lives in a chat come to stand in the ticketing system as well, once and not twice?"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy.orm import Session, sessionmaker

from triage.channels.common.files import FilesOf, fetched
from triage.channels.common.journey import Sent, decided_by, send_to
from triage.channels.common.memory import recall, remember, remember_once
from triage.channels.common.places import link, place_in
from triage.channels.common.system import Channel, Steps, System
from triage.channels.common.tables import home_of
from triage.channels.common.values import DeliveryFailed, Draft, Gone, Outgoing, RemoteTicket
from triage.channels.relaying import pass_on
from triage.db.tables import DeliveryRow
from triage.intake import JobQueue
from triage.tickets.model import DeliveryState

CREATED, ATTACHED = "created", "attached"
MARKER = re.compile(r"triage:ticket-([0-9a-f-]{12})")
# A ticket of ours may be seen there a moment before we tried to make it: clocks differ.
EARLY = timedelta(minutes=10)
LONGEST_SUBJECT = 120


def file(
    sessions: sessionmaker[Session],
    jobs: JobQueue,
    channel: Channel,
    outgoing: Outgoing,
    done: Steps,
    now: datetime,
    files_of: FilesOf | None = None,
) -> Sent | str:
    """Make the ticket there, unless it is there already, with its files (by ``files_of``), and write the note that
    agents get of every ticket.

    Raises ``DeliveryFailed``. The answer is not given once more: the requester has it where they asked.
    """
    assert channel.system is not None and channel.create is not None
    if outgoing.duplicate_of:
        return f"Nothing was filed: it says the same as ticket {outgoing.duplicate_of}, which is open."
    if channel.policy.mode_at(now) == "off":
        return "Nothing was filed: the channel's policy is off at this time."
    with sessions.begin() as session:
        place = place_in(session, channel.name, outgoing.ticket_id)
        known = place.remote_id if place else None
        is_ours = _takes(session, channel.name, outgoing, is_made=known is not None)
    if known and not is_ours:
        return f"It was filed before, as {known}."
    # Where the system was faster to tell of it than we to write it down, it is known and still ours to finish.
    remote_id = known or outgoing.done.get(CREATED) or _create(sessions, channel, outgoing, now)
    if CREATED not in outgoing.done:
        done(CREATED, remote_id)
    with sessions.begin() as session:
        link(session, channel.name, remote_id, outgoing.ticket_id)
        pass_on(session, jobs, outgoing.ticket_id, by=home_of(outgoing.source))
    _attach(channel, remote_id, outgoing, files_of, done)
    policy = channel.policy.model_copy(update={"answers": False})
    sent = send_to(channel.system, replace(outgoing, remote_id=remote_id), policy, done, now)
    return replace(sent, says=f"Filed as {remote_id}. {sent.says}")


def _takes(session: Session, channel: str, outgoing: Outgoing, *, is_made: bool) -> bool:
    """Whether this delivery is the one that files the ticket; raises ``DeliveryFailed`` while another one is at it."""
    key = f"filed-by:{outgoing.ticket_id}"
    if CREATED in outgoing.done or (not is_made and remember_once(session, channel, key, outgoing.delivery_id)):
        return True
    by = recall(session, channel, key)
    if by == outgoing.delivery_id or is_made:
        return by == outgoing.delivery_id
    other = session.get(DeliveryRow, str(by))
    if other is not None and other.state != DeliveryState.DEAD.value:
        raise DeliveryFailed("Another delivery of the ticket is filing it.")
    remember(session, channel, key, outgoing.delivery_id)
    return True


def ticket_named_in(session: Session, channel: str, body: str) -> str | None:
    """The ticket of ours that such a text was filed for, where that system has not told us of it before."""
    for found in MARKER.finditer(body):
        ticket_id = recall(session, channel, _filing(found[1]))
        if isinstance(ticket_id, str) and place_in(session, channel, ticket_id) is None:
            return ticket_id
    return None


def _create(sessions: sessionmaker[Session], channel: Channel, outgoing: Outgoing, now: datetime) -> str:
    assert channel.system is not None and channel.create is not None
    marker = outgoing.ticket_id[-12:]
    with sessions.begin() as session:  # before the system can tell us of it
        remember_once(session, channel.name, _filing(marker), outgoing.ticket_id)
        home = place_in(session, home_of(outgoing.source), outgoing.ticket_id)
        url = home.url if home else None
    if outgoing.is_repeat:
        found = _found_again(channel.system, f"triage:ticket-{marker}", outgoing.created_at - EARLY)
        if found is not None:
            return found.remote_id
    return channel.create(_draft(channel, outgoing, url, f"triage:ticket-{marker}", now))


def _draft(channel: Channel, outgoing: Outgoing, url: str | None, marker: str, now: datetime) -> Draft:
    is_mail = "@" in outgoing.requester
    asked = "" if is_mail else f" by {outgoing.requester}"
    origin = f"Asked in {home_of(outgoing.source)}{asked}{f': {url}' if url else '.'}"
    subject = outgoing.subject or next((line for line in outgoing.body.splitlines() if line.strip()), "No subject")
    return Draft(
        subject.strip()[:LONGEST_SUBJECT],
        f"{outgoing.body}\n\n-- \n{origin}\n[{marker}]",
        outgoing.requester if is_mail else "",
        decided_by(outgoing, channel.policy) if channel.policy.mode_at(now) == "apply" else {},
    )


def _attach(channel: Channel, remote_id: str, outgoing: Outgoing, files_of: FilesOf | None, done: Steps) -> None:
    """Add the files that the requester's first message came with."""
    if ATTACHED in outgoing.done or channel.attach is None:
        return
    assert channel.system is not None
    files = fetched(files_of, outgoing.body, outgoing.remote_id, "", is_repeat=outgoing.is_repeat)
    if files:
        ticket, marker = channel.system.read(remote_id), f"triage:files-{outgoing.ticket_id[-12:]}"
        if not any(marker in one.text for one in ticket.messages):
            channel.attach(ticket, f"What the requester attached.\n\n[{marker}]", files)
    done(ATTACHED)


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


def _filing(marker: str) -> str:
    return f"filing:{marker}"
