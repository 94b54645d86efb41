"""What does a request have at hand, and may its sender do this?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import Request
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from triage.channels.registry import NO_CHANNELS, Channels
from triage.desk import Desk
from triage.errors import NotAllowed
from triage.intake import JobQueue
from triage.settings import Settings
from triage.tickets.keys import Scope, count_keys, digest_of, find_key
from triage.web.loopback import came_through_a_proxy, is_loopback_address, is_loopback_name

# A revoked key works on for so long at most; looking each call up would cost as much as the rest of it.
REMEMBERED_S = 2.0
OPEN = "open"
ALL_SCOPES = frozenset(scope.value for scope in Scope)


class NotAuthenticated(NotAllowed):
    """No key was sent, or one that does not exist."""

    code = "not-authenticated"
    status = 401


@dataclass(slots=True)
class Context:
    """What the handlers share; made once by ``create_app``."""

    settings: Settings
    engine: Engine
    sessions: sessionmaker[Session]
    desk: Desk
    jobs: JobQueue
    waiting: threading.BoundedSemaphore
    stopping: threading.Event
    channels: Channels = NO_CHANNELS
    # By the digest of the secret: what lies in memory may end in a log or a core dump.
    _remembered: dict[str, tuple[float, str, frozenset[str]]] = field(default_factory=dict, repr=False)
    _open_until: float = 0.0

    def runs_open(self) -> bool:
        """Whether no key was ever made and the server listens on loopback: everybody here may do everything."""
        if not is_loopback_address(self.settings.host):
            return False
        if time.monotonic() < self._open_until:
            return True
        with self.sessions() as session:
            is_open = count_keys(session) == 0
        self._open_until = time.monotonic() + REMEMBERED_S if is_open else 0.0
        return is_open

    def caller(self, request: Request, scope: Scope) -> Caller:
        """Who calls; raises where the call is not allowed."""
        secret = request.headers.get("authorization", "")
        if not secret and self.runs_open():
            _refuse_strangers(request)
            return Caller(self, OPEN, ALL_SCOPES)
        kind, _, secret = secret.partition(" ")
        if kind.lower() != "bearer" or not secret.strip():
            raise NotAuthenticated("Send a key: Authorization: Bearer trg_… (make one with `triage keys create NAME`).")
        key_id, scopes = self._known(secret.strip())
        if scope.value not in scopes:
            raise NotAllowed(f"This key may not do that: it lacks the scope {scope.value}.")
        return Caller(self, key_id, scopes)

    def _known(self, secret: str) -> tuple[str, frozenset[str]]:
        now = time.monotonic()
        digest = digest_of(secret)
        until, key_id, scopes = self._remembered.get(digest, (0.0, "", frozenset()))
        if now < until:
            return key_id, scopes
        with self.sessions() as session:
            row = find_key(session, secret)
        if row is None:
            self._remembered.pop(digest, None)
            raise NotAuthenticated("This key does not exist or was revoked; `triage keys list` shows those there are.")
        self._remembered[digest] = (now + REMEMBERED_S, row.id, frozenset(row.scopes))
        return row.id, frozenset(row.scopes)


def _refuse_strangers(request: Request) -> None:
    if not is_loopback_name(request.headers.get("host", "")):
        raise NotAllowed("While the API runs without keys it answers to 127.0.0.1 and localhost only.")
    if came_through_a_proxy(request.headers):
        raise NotAllowed(
            "While the API runs without keys it answers only to calls that come straight from this machine, and this "
            "one was passed on by a proxy. Make a key: triage keys create NAME"
        )


def context_of(request: Request) -> Context:
    """The context of the application that the request came to."""
    context: Context = request.app.state.context
    return context


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as the id of a key or ``open``, and what the answer is made with."""

    here: Context
    key_id: str
    scopes: frozenset[str]

    def may(self, scope: Scope) -> bool:
        """Whether the caller has that scope too."""
        return scope.value in self.scopes


def allowed(scope: Scope) -> Callable[[Request], Caller]:
    """A dependency that lets callers with the scope through.

    It gives the context along: each dependency is a change of threads, and a preview takes few milliseconds.
    """

    def check(request: Request) -> Caller:
        return context_of(request).caller(request, scope)

    return check
