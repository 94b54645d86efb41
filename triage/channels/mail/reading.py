"""What does a mail say? Raw bytes of RFC 5322, however broken, become a ``Mail``.

Read with the policy ``compat32``: the newer one of the standard library parses each header as it is asked for, and
raises many kinds of errors on what is malformed. Nothing here raises, whatever the bytes are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from email.policy import compat32
from email.utils import parsedate_to_datetime

from triage.channels.mail.addresses import NOBODY, Person, people
from triage.channels.mail.charsets import decode_header
from triage.channels.mail.parts import Attachment, Body, body_of

# A parser's work grows with the depth and the number of parts; mails of people have a few of both.
MOST_BOUNDARIES, MOST_PARTS = 60, 5_000
MOST_HEADERS = 2_000
MOST_IDS = 200
LONGEST_HEADER = 20_000
LONGEST_SUBJECT = 1_000

_ID = re.compile(r"<[^<>\s]{1,996}>")


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as its reader sees it. ``headers`` are by small letters, each with all its values, decoded.

    ``raw_size`` in bytes; ``is_cut`` says that not all of it was read. ``about_id`` is the Message-ID of the mail
    that a bounce or another report is about.
    """

    message_id: str
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    subject: str
    sender: Person
    reply_to: tuple[Person, ...]
    to: tuple[Person, ...]
    date: datetime | None
    text: str
    attachments: tuple[Attachment, ...] = ()
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    content_type: str = "text/plain"
    report_type: str = ""
    about_id: str = ""
    raw_size: int = 0
    is_cut: bool = False

    def first(self, name: str) -> str:
        """The first header of that name, or nothing."""
        return next(iter(self.headers.get(name, ())), "")


def read_mail(raw: bytes, *, size: int | None = None) -> Mail:
    """The mail; ``size`` is how long it is on its server, where that is more than what was fetched of it."""
    message, body = _parse(raw)
    headers = _headers(message)
    whole = size or len(raw)

    def ids(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(_ID.findall(" ".join(headers.get(name, ())))))[-MOST_IDS:]

    return Mail(
        message_id=next(iter(ids("message-id")), ""),
        in_reply_to=ids("in-reply-to"),
        references=ids("references"),
        subject=next(iter(headers.get("subject", ())), "")[:LONGEST_SUBJECT],
        sender=next(iter(_people(message, "from", "sender")), NOBODY),
        reply_to=_people(message, "reply-to"),
        to=_people(message, "to", "cc", "delivered-to", "x-original-to"),
        date=_date(next(iter(headers.get("date", ())), "")),
        text=body.text,
        attachments=body.attachments,
        headers=headers,
        content_type=message.get_content_type(),
        report_type=_parameter(message, "report-type"),
        about_id=next(iter(_ID.findall(body.about_id)), ""),
        raw_size=whole,
        is_cut=whole > len(raw),
    )


def _parse(raw: bytes) -> tuple[Message, Body]:
    small = raw.lower()
    if small.count(b"boundary=") <= MOST_BOUNDARIES and raw.count(b"\n--") <= MOST_PARTS:
        try:
            message = BytesParser(policy=compat32).parsebytes(raw)
            return message, body_of(message)
        except (RecursionError, ValueError, LookupError, AssertionError, TypeError, AttributeError):
            pass  # the parser's own mistakes on malformed parts: its header is still worth reading
    message = BytesHeaderParser(policy=compat32).parsebytes(raw)
    note = "(The parts of this mail could not be told apart. This is how it begins.)\n\n"
    _, _, rest = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    return message, Body(note + rest[:LONGEST_HEADER].decode("utf-8", "replace"))


def _headers(message: Message) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for name, value in list(message.raw_items())[:MOST_HEADERS]:
        found.setdefault(str(name).lower(), []).append(decode_header(str(value)[:LONGEST_HEADER]))
    return {name: tuple(values) for name, values in found.items()}


def _people(message: Message, *names: str) -> tuple[Person, ...]:
    raw = [(str(name).lower(), str(value)) for name, value in message.raw_items()]
    # A fold is no part of the address; surrogates are bytes that no address may have.
    values = [re.sub(r"[\r\n\t]+", " ", value) for wanted in names for name, value in raw if name == wanted]
    return people(_readable(value) for value in values)


def _readable(value: str) -> str:
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _parameter(message: Message, name: str) -> str:
    value = message.get_param(name)
    return value.lower() if isinstance(value, str) else ""


def names_of_attachments(attachments: Sequence[Attachment]) -> str:
    """The names on one line, for people."""
    shown = ", ".join(f"{one.name} ({_size(one.size)})" for one in attachments[:20])
    more = len(attachments) - 20
    return f"{shown} and {more} more" if more > 0 else shown


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 1_000_000 else f"{max(size / 1e3, 1):.0f} kB"
