"""Who asks the systems for what their webhooks have missed, and who holds the connections of mail and chat?

One worker of all attends to a channel at a time; it holds a lease in the database, and another takes over when that
has run out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from triage.channels.common.system import Channel
from triage.channels.common.values import DeliveryFailed, Look, Received
from triage.channels.inbox import POLL, take
from triage.channels.registry import Channels
from triage.channels.states import lease, release, state_of
from triage.intake import JobQueue

LEASE_S = 30.0
RENEW_S = 8.0
LONGEST_PAUSE_S = 60.0

log = structlog.get_logger(__name__)


class Attendant:
    """Threads that attend to the channels which need it, until it is closed."""

    def __init__(self, sessions: sessionmaker[Session], jobs: JobQueue, channels: Channels, worker: str) -> None:
        self._sessions = sessions
        self._jobs = jobs
        self._worker = worker
        self._stopping = threading.Event()
        self._held: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []
        for channel in channels.open.values():
            if channel.system is not None and channel.poll_every_s is not None:
                self._add(f"{channel.name}/poll", partial(self._poll_until, channel))
            if channel.listen is not None:
                self._add(f"{channel.name}/listen", channel.listen)

    def _add(self, name: str, attend: Callable[[threading.Event], None]) -> None:
        self._threads.append(threading.Thread(target=self._attend, args=(name, attend), name=name, daemon=True))

    def start(self) -> None:
        """Begin; returns at once."""
        if self._threads:
            self._threads.append(threading.Thread(target=self._keep, name="leases", daemon=True))
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Stop attending, and let other workers have the channels."""
        self._stopping.set()
        for stop in list(self._held.values()):
            stop.set()
        for thread in self._threads:
            thread.join(timeout=10)
        if self._threads:
            with self._sessions.begin() as session:
                release(session, self._worker)

    def _attend(self, name: str, attend: Callable[[threading.Event], None]) -> None:
        pause = 1.0
        while not self._stopping.is_set():
            if not self._take_lease(name):
                self._stopping.wait(RENEW_S)
                continue
            stop = self._held[name] = threading.Event()
            if self._stopping.is_set():
                return
            began = datetime.now(UTC)
            try:
                attend(stop)
            except Exception as error:  # whatever a connection breaks by, it is made again
                known = isinstance(error, DeliveryFailed | OSError)
                log.warning("channel interrupted", channel=name, reason=str(error), exc_info=None if known else error)
                self._note_trouble(name, f"{type(error).__name__}: {error}")
            finally:
                self._held.pop(name, None)
            # What held for a while was well: the next interruption is a new one.
            lasted = (datetime.now(UTC) - began).total_seconds()
            pause = 1.0 if lasted > LONGEST_PAUSE_S else min(pause * 2, LONGEST_PAUSE_S)
            self._stopping.wait(pause)

    def _take_lease(self, name: str) -> bool:
        try:
            with self._sessions.begin() as session:
                return lease(session, name, self._worker, LEASE_S, datetime.now(UTC))
        except SQLAlchemyError as error:
            log.warning("lease not taken", channel=name, error=type(error).__name__)
            return False

    def _keep(self) -> None:
        """Renew the leases; who lost one lets go of the channel."""
        while not self._stopping.wait(RENEW_S):
            for name, stop in list(self._held.items()):
                if self._take_lease(name):
                    self._note_trouble(name, "")  # it has held for a while, so it is well
                else:
                    stop.set()

    def _note_trouble(self, name: str, says: str) -> None:
        try:
            with self._sessions.begin() as session:
                state = state_of(session, name.partition("/")[0], datetime.now(UTC))
                # What keeps results from being sent is not over because the way in works.
                state.trouble = says[:1_000] if says or not state.failures else state.trouble
        except SQLAlchemyError as error:
            log.warning("trouble not noted", channel=name, error=type(error).__name__)

    def _poll_until(self, channel: Channel, stop: threading.Event) -> None:
        assert channel.poll_every_s is not None
        while not stop.is_set():
            poll(self._sessions, self._jobs, channel)
            stop.wait(channel.poll_every_s)


def poll(sessions: sessionmaker[Session], jobs: JobQueue, channel: Channel) -> int:
    """Ask once for what has changed since the last time; returns how many tickets that were.

    The cursor moves on when a page is stored, so a poll that is cut short is begun again there.
    """
    assert channel.system is not None
    with sessions.begin() as session:
        state = state_of(session, channel.name, datetime.now(UTC))
        cursor, since = state.cursor, state.began_at
    number = 0
    for page in channel.system.changed_since(cursor, since):
        for remote_id in page.remote_ids:
            take(sessions, jobs, channel.name, Received(f"{POLL}{uuid4()}", "poll", (Look(remote_id),)))
            number += 1
        with sessions.begin() as session:
            state_of(session, channel.name, datetime.now(UTC)).cursor = page.cursor
    with sessions.begin() as session:
        state_of(session, channel.name, datetime.now(UTC)).polled_at = datetime.now(UTC)
    return number
