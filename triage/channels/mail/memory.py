"""What does a mail channel keep between two mails? A mapping that lasts, and one for trying things out."""

from __future__ import annotations

from typing import Protocol

from sqlalchemy.orm import Session, sessionmaker

from triage.channels.common import memory


class Memory(Protocol):
    """Values that JSON can hold, by key."""

    def recall(self, key: str) -> object:
        """The value, or None."""

    def remember(self, key: str, value: object) -> None:
        """Keep a value in place of what was there."""

    def remember_once(self, key: str, value: object) -> bool:
        """Keep a value unless there is one; False where there is."""


class DurableMemory:
    """In the database; each call is a transaction."""

    def __init__(self, sessions: sessionmaker[Session], channel: str) -> None:
        self._sessions = sessions
        self._channel = channel

    def recall(self, key: str) -> object:
        """The value, or None."""
        with self._sessions() as session:
            return memory.recall(session, self._channel, key)

    def remember(self, key: str, value: object) -> None:
        """Keep a value in place of what was there."""
        with self._sessions.begin() as session:
            memory.remember(session, self._channel, key, value)

    def remember_once(self, key: str, value: object) -> bool:
        """Keep a value unless there is one; False where there is."""
        with self._sessions.begin() as session:
            return memory.remember_once(session, self._channel, key, value)


class PassingMemory:
    """Only as long as the process lives: for trying a mail out, and for tests."""

    def __init__(self) -> None:
        self._values: dict[str, object] = {}

    def recall(self, key: str) -> object:
        """The value, or None."""
        return self._values.get(key)

    def remember(self, key: str, value: object) -> None:
        """Keep a value in place of what was there."""
        self._values[key] = value

    def remember_once(self, key: str, value: object) -> bool:
        """Keep a value unless there is one; False where there is."""
        if key in self._values:
            return False
        self._values[key] = value
        return True
