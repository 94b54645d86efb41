"""A real SMTP server that keeps what it gets and refuses as it is told."""

from __future__ import annotations

import base64
import email
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.processes import free_port


@dataclass
class Postbox:
    """The mails that came, oldest first; ``answers`` are given to RCPT one after the other, then 250."""

    port: int = 0
    envelopes: list[Envelope] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    loses_next_answer: bool = False
    token: str = ""

    @property
    def mails(self) -> list[EmailMessage]:
        return [email.message_from_bytes(bytes(one.content or b""), policy=default) for one in self.envelopes]  # type: ignore[arg-type, misc]

    async def handle_RCPT(  # aiosmtpd's name
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.answers:
            return self.answers.pop(0)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def auth_XOAUTH2(self, server: SMTP, args: list[str]) -> AuthResult:
        given = base64.b64decode(args[1]).decode()
        return AuthResult(success=given == f"user=help@desk.example\1auth=Bearer {self.token}\1\1", handled=False)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        if self.loses_next_answer:
            self.loses_next_answer = False
            assert server.transport
            server.transport.abort()
        return "250 OK"


@contextmanager
def post_office(**options: object) -> Iterator[Postbox]:
    """Start it; it is stopped when the block is left."""
    postbox = Postbox(free_port())
    controller = Controller(postbox, "127.0.0.1", postbox.port, **options)  # type: ignore[arg-type]
    controller.start()
    try:
        yield postbox
    finally:
        controller.stop()


def accepts(user: bytes, password: bytes) -> object:
    """An authenticator that knows one user."""

    def check(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object) -> AuthResult:
        login, secret = getattr(given, "login", None), getattr(given, "password", None)
        return AuthResult(success=(login, secret) == (user, password), handled=False)

    return check
