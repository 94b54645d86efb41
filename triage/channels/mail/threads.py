"""To which thread does a mail belong? By the Message-IDs that it answers, then by the token in its subject.

Of a thread is kept what a reply needs (its first mail's Message-ID, where replies go, why there may be none), and of
each mail which thread it is in.
"""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import asdict, dataclass, replace
from typing import cast

from triage.channels.mail.memory import Memory
from triage.channels.mail.reading import Mail

# The widest that a ticket's own id may be.
LONGEST_REMOTE_ID = 200

_TOKEN = re.compile(r"\[#([a-z2-7]{12})\]")
# What mail programs put before a subject, in the languages of common ones.
_PREFIXES = re.compile(
    r"^(?:\s*(?:re|aw|sv|vs|antw|antwort|rép|rép\.|res|ref|tr|wg|fw|fwd|rv)\s*(?:\[\d+\])?\s*:)+\s*", re.I
)
_OURS = re.compile(r"<triage\.([0-9A-Za-z-]{1,60})\.([a-z2-7]{12})\.([a-z]{1,10})@([^<>\s@]{1,255})>")


@dataclass(frozen=True, slots=True)
class Thread:
    """What is kept of a thread. ``silent`` says why it gets no reply; ``actions`` counts what we have sent in it.

    ``key`` is the fingerprint of the mail that began it, ``message_id`` that mail's, where it has one of its own.
    """

    remote_id: str
    key: str
    message_id: str
    references: tuple[str, ...]
    subject: str
    requester: str
    answer_to: str
    silent: str = ""
    actions: int = 0

    @property
    def token(self) -> str:
        """What stands in the subject."""
        return token_of(self.remote_id)


class Threads:
    """The threads of a channel. ``domain`` is that of our own Message-IDs."""

    def __init__(self, memory: Memory, domain: str) -> None:
        self._memory = memory
        self._domain = domain

    def find(self, mail: Mail) -> Thread | None:
        """The thread that it answers, the nearest of its references first."""
        for message_id in (*mail.in_reply_to, *reversed(mail.references), *([mail.about_id] if mail.about_id else ())):
            if thread := self.of_message(message_id):
                return thread
        tokens = (self.of_token(token) for token in _TOKEN.findall(mail.subject.lower()))
        return next((thread for thread in tokens if thread), None)

    def of_message(self, message_id: str) -> Thread | None:
        """The thread in which a mail with that Message-ID is, one of ours or one that came."""
        own = _OURS.fullmatch(message_id)
        if own and own[4].lower() == self._domain:
            return self.of_token(own[2])
        token = self._memory.recall(_message_key(message_id))
        return self.of_token(token) if isinstance(token, str) else None

    def of_token(self, token: str) -> Thread | None:
        """The thread by the token of its subject."""
        value = self._memory.recall(f"thread:{token}")
        if not isinstance(value, dict):
            return None
        known = cast(dict[str, object], value)
        return Thread(**{**known, "references": tuple(cast(list[str], known["references"]))})  # type: ignore[arg-type]

    def of_ticket(self, remote_id: str) -> Thread | None:
        """The thread of a ticket."""
        return self.of_token(token_of(remote_id))

    def begin(self, thread: Thread) -> None:
        """Keep a new thread; one that is known already stays as it is."""
        self._memory.remember_once(f"thread:{thread.token}", asdict(thread))

    def join(self, message_id: str, thread: Thread) -> None:
        """Keep that a mail belongs to a thread."""
        if message_id:
            self._memory.remember_once(_message_key(message_id), thread.token)

    def acted(self, thread: Thread) -> None:
        """Count one thing that we sent in it."""
        known = self.of_token(thread.token) or thread
        self._memory.remember(f"thread:{thread.token}", asdict(replace(known, actions=known.actions + 1)))

    def is_ours(self, message_id: str) -> bool:
        """Whether we wrote the mail ourselves."""
        own = _OURS.fullmatch(message_id)
        return own is not None and own[4].lower() == self._domain


def token_of(remote_id: str) -> str:
    """Twelve letters (60 bits) by which a ticket is known in a subject."""
    digest = hashlib.sha256(remote_id.encode("utf-8", "surrogatepass")).digest()
    return base64.b32encode(digest)[:12].decode().lower()


def own_message_id(delivery_id: str, token: str, what: str, domain: str) -> str:
    """The Message-ID of what we send: the same for each attempt, so that a repeat can be recognised."""
    return f"<triage.{delivery_id}.{token}.{what}@{domain}>"


def fingerprint(mail: Mail) -> str:
    """The same for copies of the same mail that came by different ways, another for every other mail."""
    date = mail.date.isoformat() if mail.date else ""
    # Without a Message-ID two alarms may say the same; the way that they went tells them apart.
    way = () if mail.message_id else mail.headers.get("received", ())
    hung = tuple(f"{one.name}:{one.size}" for one in mail.attachments)
    parts = (mail.message_id, mail.sender.key, date, mail.subject, mail.text, *hung, *way)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def bare_subject(subject: str) -> str:
    """Without “Re:” and the like, and without a token."""
    return _PREFIXES.sub("", " ".join(_TOKEN.sub(" ", subject).split())).strip()


def _message_key(message_id: str) -> str:
    return f"message:{hashlib.sha256(message_id.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"
