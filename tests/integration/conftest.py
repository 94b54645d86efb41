"""A desk without model and articles on a real database: tickets are read and kept, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from kb import KnowledgeBase
from tests.doubles import NoJobs
from tests.factories import incoming
from tests.unit.kb.doubles import WordEncoder
from triage.desk import Desk
from triage.history import History
from triage.pipeline import accept, process


@dataclass
class BareDesk:
    """A desk, its database, and tickets that are accepted and processed on a word."""

    sessions: sessionmaker[Session]
    desk: Desk

    @property
    def history(self) -> History:
        assert self.desk.history
        return self.desk.history

    def take_in(self, body: str, *, requester: str = "ana@example.com") -> str:
        with self.sessions.begin() as session:
            return accept(session, NoJobs(), incoming(body, subject="", requester=requester)).ticket_id

    def triage(self, body: str, *, requester: str = "ana@example.com") -> str:
        ticket_id = self.take_in(body, requester=requester)
        assert process(self.sessions, self.desk, ticket_id, 1)
        return ticket_id


@pytest.fixture
def open_bare_desk(sessions: sessionmaker[Session], tmp_path: Path) -> Iterator[Callable[..., BareDesk]]:
    """Opens such desks on the test's database, as several processes would."""
    opened: list[History] = []

    def open_one(*, encoder: WordEncoder | None = None, duplicate_days: int = 7) -> BareDesk:
        encoder = encoder or WordEncoder()
        opened.append(History(sessions, encoder))
        desk = Desk(
            encoder,
            KnowledgeBase.open(tmp_path / f"kb-{encoder.fingerprint}", encoder),
            models=tmp_path / "models",
            policy_file=tmp_path / "policy.toml",
            history=opened[-1],
            duplicate_days=duplicate_days,
        )
        return BareDesk(sessions, desk)

    yield open_one
    for history in opened:
        history.close()


@pytest.fixture
def bare(open_bare_desk: Callable[..., BareDesk]) -> BareDesk:
    """One such desk."""
    return open_bare_desk()
