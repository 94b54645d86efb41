"""How does a mail of ours look: its header by RFC 5322 and 3834, its text, and the same as simple HTML?

Written with the policy ``compat32``, for the newer one wraps long Message-IDs as encoded words, which nobody can read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.charset import QP, Charset
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import format_datetime, formataddr
from html import escape

from triage.channels.mail.addresses import ascii_address
from triage.channels.mail.threads import bare_subject

LONGEST_SUBJECT = 150
# A line of a header has at most 998 characters (RFC 5322, section 2.1.1), and some servers count less.
LONGEST_REFERENCES = 900
LONGEST_ID = 250

_LINK = re.compile(r"<(https?://[^\s<>\"]+)>")
_CITATION = re.compile(r"- (.+?) <(https?://[^\s<>\"]+)>")


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be sent. ``submitted`` is the value of Auto-Submitted; ``references`` end with what it answers."""

    message_id: str
    sender: str
    sender_name: str
    to: str
    subject: str
    text: str
    references: tuple[str, ...] = ()
    reply_to: str | None = None
    submitted: str = "auto-replied"


def compose(letter: Letter, now: datetime | None = None) -> bytes:
    """The whole mail, ASCII only, with lines ended as SMTP wants them."""
    message = MIMEMultipart("alternative")
    message["From"] = formataddr((_line(letter.sender_name), ascii_address(letter.sender) or letter.sender))
    message["To"] = ascii_address(letter.to) or letter.to
    if letter.reply_to:
        message["Reply-To"] = ascii_address(letter.reply_to) or letter.reply_to
    subject = Header(_line(letter.subject), "us-ascii" if letter.subject.isascii() else "utf-8")
    message["Subject"] = subject  # type: ignore[assignment]  # this policy takes a Header as well
    message["Date"] = format_datetime(now or datetime.now(UTC))
    message["Message-ID"] = letter.message_id
    references = shortened(letter.references)
    if references:
        message["In-Reply-To"] = references[-1]
        message["References"] = " ".join(references)
    message["Auto-Submitted"] = letter.submitted
    # Exchange answers with absence notes unless it is told not to.
    message["X-Auto-Response-Suppress"] = "All"
    charset = Charset("utf-8")
    charset.body_encoding = QP
    message.attach(MIMEText(letter.text, "plain", charset))  # type: ignore[arg-type]  # takes a Charset as well
    message.attach(MIMEText(as_html(letter.text), "html", charset))  # type: ignore[arg-type]
    return message.as_bytes(policy=compat32.clone(linesep="\r\n"))


def reply_subject(subject: str, token: str, otherwise: str) -> str:
    """“Re: …” with the token, whatever stood before the subject; cut where it is very long."""
    bare = bare_subject(_line(subject)) or otherwise
    cut = bare if len(bare) <= LONGEST_SUBJECT else f"{bare[: LONGEST_SUBJECT - 1].rstrip()}…"
    return f"Re: {cut} [#{token}]"


def shortened(references: Sequence[str]) -> tuple[str, ...]:
    """The first and as many of the last as fit, for a thread is held together by its ends."""
    usable = list(dict.fromkeys(one for one in references if len(one) <= LONGEST_ID and one.isascii()))
    while len(usable) > 2 and len(" ".join(usable)) > LONGEST_REFERENCES:
        del usable[1]
    return tuple(usable)


def as_html(text: str) -> str:
    """Paragraphs, lists and links; nothing in the text becomes markup by itself."""
    blocks = (_block(block.split("\n")) for block in re.split(r"\n{2,}", text.strip()))
    body = "\n".join(block for block in blocks if block)
    return f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"></head>\n<body>\n{body}\n</body></html>\n'


def _block(lines: list[str]) -> str:
    citations = [_CITATION.fullmatch(line) for line in lines]
    head = [_linked(line) for line, found in zip(lines, citations, strict=True) if not found]
    items = [f'<li><a href="{escape(one[2])}">{escape(one[1])}</a></li>' for one in citations if one]
    paragraph = f"<p>{'<br>'.join(head)}</p>" if any(head) else ""
    return paragraph + (f"<ul>{''.join(items)}</ul>" if items else "")


def _linked(line: str) -> str:
    parts: list[str] = []
    end = 0
    for found in _LINK.finditer(line):
        parts += [escape(line[end : found.start()]), f'<a href="{escape(found[1])}">{escape(found[1])}</a>']
        end = found.end()
    return "".join((*parts, escape(line[end:])))


def _line(text: str) -> str:
    """On one line: a line break would begin a header of its own."""
    return " ".join("".join(" " if ord(c) < 32 or 127 <= ord(c) < 160 else c for c in text).split())
