"""A REST API on a real database and the sample desk; tickets are looked at when a test says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session, sessionmaker

from kb import Encoder, KnowledgeBase
from triage.desk import Desk
from triage.history import History
from triage.jobs import Jobs
from triage.pipeline import process
from triage.settings import Settings
from triage.web import create_app


@pytest.fixture
def settings(home: Path, database_url: str) -> Settings:
    return Settings(home=home, database_url=database_url, max_body_bytes=200_000, request_timeout_s=1, max_wait_s=0.2)


@pytest.fixture
def desk(home: Path, encoder: Encoder, sessions: sessionmaker[Session]) -> Iterator[Desk]:
    history = History(sessions, encoder)
    yield Desk(
        encoder,
        KnowledgeBase.open(home / "kb", encoder),
        models=home / "models",
        policy_file=home / "policy.toml",
        datasets=home / "datasets",
        history=history,
    )
    history.close()


@pytest.fixture
def client(settings: Settings, engine: Engine, sessions: sessionmaker[Session], desk: Desk) -> TestClient:
    app = create_app(settings=settings, engine=engine, sessions=sessions, desk=desk, jobs=Jobs(engine))
    return TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)


@pytest.fixture
def work_off(engine: Engine, sessions: sessionmaker[Session], desk: Desk) -> Callable[[], int]:
    """Takes every queued ticket through its journey, as a worker would; says how many."""
    schema = "dbos." if engine.dialect.name == "postgresql" else ""

    def work() -> int:
        with sessions() as session:
            names = session.scalars(text(f"SELECT workflow_uuid FROM {schema}workflow_status")).all()
        jobs = [name.removeprefix("triage-").rsplit("-", 1) for name in names]
        return sum(process(sessions, desk, ticket_id, int(number)) for ticket_id, number in jobs)

    return work
