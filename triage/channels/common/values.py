"""Which values travel between the desk and the systems beyond it?

In: a ``Webhook`` (or a mail, or a poll) is parsed into ``Received`` with what happened; or a ``Look`` asks to read a
ticket, which gives a ``RemoteTicket``. Out: an ``Outgoing`` result becomes a ``Plan`` of what to do there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from kb import Citation
from triage.errors import TriageError
from triage.tickets.model import Decision, SimilarTicket, SuggestedMacro


class DeliveryFailed(TriageError):
    """The system beyond did not take what was sent.

    ``retryable``: the same may succeed later. ``faulty``: the system as such seems unwell, so its circuit breaker
    counts it. ``wait_s``: seconds that the system asked to be left alone, which costs no attempt.
    """

    code: ClassVar[str] = "delivery-failed"
    status: ClassVar[int] = 502

    def __init__(self, says: str, *, retryable: bool = True, faulty: bool = False, wait_s: float | None = None) -> None:
        super().__init__(says)
        self.retryable_later = retryable
        self.faulty = faulty
        self.wait_s = wait_s


class Gone(DeliveryFailed):
    """The ticket does not exist there (any more), or may not be seen."""

    code: ClassVar[str] = "ticket-gone"

    def __init__(self, says: str) -> None:
        super().__init__(says, retryable=False)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A request as it came. Header names are lower-case; ``path_secret`` is what stood behind the channel's name."""

    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    path_secret: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """Something that was said about a ticket, in the system that it lives in.

    ``by_agent`` is None where that cannot be known; ``is_ours`` where the bot wrote it, by its account there.
    """

    message_id: str
    author: str
    text: str
    public: bool
    by_agent: bool | None = None
    is_ours: bool = False
    at: datetime | None = None


class Status(StrEnum):
    """How far people beyond have come with a ticket."""

    OPEN = "open"
    SOLVED = "solved"  # or closed, or rejected: nobody works on it any more
    MERGED = "merged"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class RemoteTicket:
    """A ticket as it stands in its system. ``fields`` are under our names with our values, empty ones left out.

    ``version`` is what If-Match or an updated stamp takes; ``messages`` oldest first, without the opening one;
    ``touched_by`` names a person of the desk who has worked on it, as far as the system tells.
    """

    remote_id: str
    subject: str
    body: str
    requester: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, str] = field(default_factory=dict)
    status: Status = Status.OPEN
    messages: tuple[Message, ...] = ()
    touched_by: str | None = None
    opened_by_us: bool = False
    opened_at: datetime | None = None
    updated_at: datetime | None = None
    version: str | None = None
    url: str | None = None
    merged_into: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A new ticket, as far as the message tells.

    ``renews``: the same id may come again once the ticket is solved, and is another ticket then.
    """

    remote_id: str
    subject: str
    body: str
    requester: str = ""
    channel: str = ""
    features: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    url: str | None = None
    renews: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """A further message on a ticket; ``otherwise`` is opened where nobody here knows that ticket.

    ``after``: the key of what opens that ticket. Where that has come and still waits to be worked on, this waits too.
    """

    remote_id: str
    message: Message
    otherwise: Opened | None = None
    after: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """A ticket was solved, or what it reported is over."""

    remote_id: str
    by: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """Something happened to a ticket: read it where it lives, and take over what is new.

    ``otherwise`` is opened where it cannot be read and nobody here knows it.
    """

    remote_id: str
    otherwise: Opened | None = None


Happening = Opened | Said | Closed | Look


@dataclass(frozen=True, slots=True)
class Received:
    """What a message says. ``key`` tells it from all others of its channel; ``note`` why nothing follows from it."""

    key: str
    event: str
    happenings: tuple[Happening, ...] = ()
    note: str = ""


class Event(StrEnum):
    """What a delivery is about."""

    RESULT = "result"  # to the channel that the ticket came from
    FILED = "ticket.filed"  # to the system that the tickets of another channel are filed in
    RELAYED = "thread.relayed"  # to one of the two, what was said in the other
    DECISION_MADE = "decision.made"  # the others to those who subscribed
    ANSWER_GIVEN = "answer.given"
    DELIVERY_FAILED = "delivery.failed"


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """What the knowledge base said: an answer where ``reason`` is None, else an abstention.

    The citations of an abstention are for agents only. ``reworded`` are a language model's checked sentences;
    ``nearest`` the ids and titles of the articles that an abstention almost chose.
    """

    text: str
    citations: tuple[Citation, ...]
    probability: float | None
    explanation: str
    reason: str | None
    snapshot: str
    reworded: tuple[str, ...] = ()
    nearest: tuple[tuple[str, str], ...] = ()

    @property
    def given(self) -> bool:
        """Whether it may be shown to the requester."""
        return self.reason is None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A stored result on its way. ``remote_id`` is the ticket's id where it came from.

    ``done`` are the steps of this delivery that were finished in an earlier attempt, with what the system called
    them; ``is_repeat`` says that an earlier attempt may have done more than it could write down.
    ``marker`` is a short text unique to this delivery, by which a message of ours can be found again.
    """

    delivery_id: str
    event: Event
    ticket_id: str
    source: str
    remote_id: str
    subject: str
    requester: str
    language: str | None
    run: int
    decisions: tuple[Decision, ...]
    answer: GivenAnswer | None
    similar: tuple[SimilarTicket, ...]
    macros: tuple[SuggestedMacro, ...]
    duplicate_of: str | None
    created_at: datetime
    received_at: datetime
    features: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, object] = field(default_factory=dict)
    done: Mapping[str, str] = field(default_factory=dict)
    is_repeat: bool = False
    bot_actions: int = 0
    human_touched: bool = False
    body: str = ""
    text: str = ""
    is_open: bool = True

    @property
    def marker(self) -> str:
        """Unique to the delivery, short enough to stand in a footer."""
        return f"triage:{self.delivery_id[-12:]}"


@dataclass(frozen=True, slots=True)
class Draft:
    """A ticket that is to be made in a system; ``fields`` under our names with our values.

    ``requester`` is a mail address, or empty where none is known. The body ends with a marker of ours.
    """

    subject: str
    body: str
    requester: str
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class News:
    """What one place is told of the other: a message of ``author``, or else how the ticket stands there now.

    ``via`` is the name of the channel that it comes from, ``remote_id`` and ``message_id`` what it is called there;
    ``marker`` is unique to it.
    """

    via: str
    marker: str
    author: str = ""
    text: str = ""
    status: Status | None = None
    remote_id: str = ""
    message_id: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about a ticket there: set ``fields``, add an internal ``note``, a public ``reply``.

    ``why`` says in words what kept the rest from being done.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None
    reply: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a check: ``ok``, what was looked at, and what it says or what is missing."""

    ok: bool
    what: str
    says: str
