"""Which tickets have gone through this desk so far? Held in memory beside the database, a second behind it."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from kb import Encoder
from triage.tickets.model import PastSource
from triage.tickets.past import StoredVector, corrected_since, labels_of, vectors_after
from triage.understand.similar import PastTicket, PastTickets

LOOK_EVERY_S = 1.0
# A row is numbered when it is written and seen when it is committed, so a lower number may appear after a higher one.
# Missing numbers are looked for so long; no transaction of ours takes a tenth of it.
LATE_S = 60
MOST_LATE = 1_000

log = structlog.get_logger(__name__)


class History:
    """The tickets that were triaged with the present encoder, by this process or another.

    ``follow`` never makes its caller wait: a thread of its own looks into the database. Safe to use from several
    threads.
    """

    def __init__(self, sessions: sessionmaker[Session], encoder: Encoder) -> None:
        self.tickets = PastTickets(PastSource.DESK, encoder.dimension)
        self._sessions = sessions
        self._fingerprint = encoder.fingerprint
        self._looking = threading.Lock()
        self._next_look = 0.0
        self._closed = threading.Event()
        self._number = 0
        self._late: dict[int, float] = {}
        self._corrected_until = datetime.now(UTC)
        self.trouble: str | None = None

    def follow(self) -> None:
        """Begin to take in what is new, unless that was done within the last second."""
        now = time.monotonic()
        if now < self._next_look or self._closed.is_set() or not self._looking.acquire(blocking=False):
            return
        self._next_look = now + LOOK_EVERY_S
        threading.Thread(target=self._look_and_release, name="history", daemon=True).start()

    def catch_up(self) -> None:
        """Take in all that is new before this returns; raises what SQLAlchemy does."""
        with self._looking:
            self._look()

    def close(self, *, patience_s: float = 5) -> None:
        """Take nothing in any more, and wait for a look that is under way."""
        self._closed.set()
        if self._looking.acquire(timeout=patience_s):
            self._looking.release()

    def _look_and_release(self) -> None:
        try:
            self._look()
            self.trouble = None
        except SQLAlchemyError as error:
            if self.trouble is None:
                log.warning("history is behind: the database cannot be read", error=type(error).__name__)
            self.trouble = "the database cannot be read"
        finally:
            self._looking.release()

    def _look(self) -> None:
        while not self._closed.is_set() and self._take_in():
            pass
        self._take_in_corrections()
        self.tickets.settle()

    def _take_in(self) -> bool:
        """Take in the next rows; False where there are no more."""
        with self._sessions() as session:
            rows = vectors_after(session, self._fingerprint, self._number, late=self._late)
            labels = labels_of(session, [row.ticket_id for row in rows])
        if rows:
            past = [PastTicket.of(row.text, labels[row.ticket_id], row.ticket_id) for row in rows]
            self.tickets.add(past, np.stack([row.vector for row in rows]).astype(np.float32))
        return self._note_missing(rows)

    def _note_missing(self, rows: list[StoredVector]) -> bool:
        now, seen = time.monotonic(), {row.number for row in rows}
        last, newest = self._number, max(seen, default=0)
        self._late = {n: until for n, until in self._late.items() if n not in seen and until > now}
        if newest <= last:
            return False
        missing = set(range(max(last + 1, newest - MOST_LATE), newest)) - seen
        self._late |= dict.fromkeys(missing, now + LATE_S)
        self._number = newest
        return True

    def _take_in_corrections(self) -> None:
        # Looked for a while back, as a correction too is seen later than its id says.
        since, self._corrected_until = self._corrected_until - timedelta(seconds=LATE_S), datetime.now(UTC)
        with self._sessions() as session:
            labels = labels_of(session, corrected_since(session, since))
        for ticket_id, known in labels.items():
            self.tickets.relabel(ticket_id, known)
