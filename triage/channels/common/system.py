"""What must a ticketing system's module be able to do? One implementation per system; the frame does the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sqlalchemy.orm import Session, sessionmaker

from triage.channels.common.files import File, FilesOf
from triage.channels.common.tables import PolicyTable, SendingTable, SystemTable
from triage.channels.common.values import Draft, Finding, News, Opened, Outgoing, Received, RemoteTicket, Webhook
from triage.channels.common.verify import Verifier
from triage.desk import Desk
from triage.intake import JobQueue


class System(Protocol):
    """A system with tickets of its own, called over its API. Every method may raise ``DeliveryFailed`` or ``Gone``.

    Fields and their values are ours on this side; the module translates by its table.
    """

    def read(self, remote_id: str) -> RemoteTicket:
        """The ticket as it stands now, with its messages."""

    def set_fields(self, ticket: RemoteTicket, values: Mapping[str, str]) -> None:
        """Set fields under optimistic locking; raises ``DeliveryFailed`` where it was changed since it was read.

        The frame reads the ticket again afterwards and compares, for some systems answer 200 to what they refuse.
        """

    def post(self, ticket: RemoteTicket, text: str, *, public: bool) -> str:
        """Add a message (an internal note, or a reply to the requester); returns the system's id of it, or ``""``."""

    def changed_since(self, cursor: str | None, since: datetime) -> Iterator[Page]:
        """Tickets changed after the cursor (or after ``since`` where there is none), oldest change first, in pages."""

    def check(self) -> Iterator[Finding]:
        """Credentials, permissions, field names and values, and a round trip, each in words."""

    def close(self) -> None:
        """Close the connections."""


@dataclass(frozen=True, slots=True)
class Page:
    """The ids of changed tickets, and where to go on from after them.

    The cursor is what the system understands; asking with it again may name tickets again, never skip one.
    """

    remote_ids: tuple[str, ...]
    cursor: str
    total: int | None = None


class Steps(Protocol):
    """Writes down that a step of a delivery is finished, at once, so that no repeat does it again."""

    def __call__(self, step: str, reference: str = "") -> None:
        """``reference`` is what the system calls what was made."""


Attach = Callable[[RemoteTicket, str, Sequence[File]], None]
Send = Callable[[Outgoing, Steps], str]
Listen = Callable[[threading.Event], None]


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What is answered to a webhook at once, where the sender wants more than 2xx."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class Take(Protocol):
    """Stores what came in and queues the work on it in one transaction; False where its key came before."""

    def __call__(self, channel: str, received: Received, *, delay_s: float = 0) -> bool:
        """``delay_s``: the work begins no sooner than after so many seconds."""


@dataclass(frozen=True, slots=True)
class Services:
    """What a channel may use of the desk.

    ``take`` stores what came in and queues the work on it in one transaction, then returns; False where the key of
    that channel came before. It is the only way in for tickets, so that nothing is lost or taken twice.
    """

    sessions: sessionmaker[Session]
    jobs: JobQueue
    desk: Desk
    take: Take
    mask_stored: bool = False


@dataclass(frozen=True, slots=True)
class Channel:
    """An open channel: its name in ``channels.toml``, its kind, and what it can do. What it cannot do is None.

    In: ``verifier`` and ``parse`` for webhooks (``parse`` raises ``BadInput`` for what is malformed), ``dispatch``
    for one that speaks its own protocol over HTTP and verifies by itself, ``listen`` for one that holds a connection
    until the event is set (one worker of all does so; it is called again, with growing pauses, after it raises).
    ``read`` serves the ``Look`` of one that has no system; ``complete`` adds to a ticket what takes a call to know.
    Out: ``system`` for one with tickets of its own, else ``send``, which returns what happened in words.
    ``articles`` gives its help centre in parts, each in the shape of that system's export.
    ``subscribed`` are the events that are sent of every ticket, whatever its source.
    ``filed_in`` names the system in which its tickets are filed too: that one must have ``create``, which returns the
    new ticket's id, and this one ``relay``, which says in the ticket's place what is news there, with its files.
    ``files`` gives those of a message, ``attach`` adds an internal note with some to a ticket of the system.
    """

    name: str
    kind: str
    policy: PolicyTable = field(default_factory=PolicyTable)
    sending: SendingTable = field(default_factory=SendingTable)
    verifier: Verifier | None = None
    parse: Callable[[Webhook], Received] | None = None
    dispatch: Callable[[Webhook], WebAnswer] | None = None
    listen: Listen | None = None
    system: System | None = None
    read: Callable[[str], RemoteTicket] | None = None
    complete: Callable[[Opened], Opened] | None = None
    poll_every_s: float | None = None
    send: Send | None = None
    check: Callable[[], Iterator[Finding]] | None = None
    articles: Callable[[], Iterator[Mapping[str, object]]] | None = None
    subscribed: frozenset[str] = frozenset()
    create: Callable[[Draft], str] | None = None
    filed_in: str | None = None
    relay: Callable[[Outgoing, News, Sequence[File]], None] | None = None
    files: FilesOf | None = None
    attach: Attach | None = None
    close: Callable[[], None] = lambda: None

    @property
    def sends(self) -> bool:
        """Whether results of its own tickets are sent to it."""
        return self.system is not None or (self.send is not None and not self.subscribed)


def system_channel(
    name: str,
    table: SystemTable,
    system: System,
    verifier: Verifier | None,
    parse: Callable[[Webhook], Received],
    *,
    create: Callable[[Draft], str] | None = None,
    articles: Callable[[], Iterator[Mapping[str, object]]] | None = None,
) -> Channel:
    """The channel of a ticketing system, which takes webhooks where they can be verified."""
    return Channel(
        name=name,
        kind=table.kind,
        policy=table.policy,
        sending=table.sending,
        verifier=verifier,
        parse=parse if verifier else None,
        system=system,
        poll_every_s=table.poll.every_s,
        create=create,
        articles=articles,
        close=system.close,
    )
