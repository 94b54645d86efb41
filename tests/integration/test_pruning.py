"""Does what is over go in time, and nothing that is still needed?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.orm import Session, sessionmaker

from tests.integration.channels.conftest import Office
from tests.integration.channels.test_filing import Chat, answers, asks
from triage import pruning
from triage.channels.common.memory import remember
from triage.channels.common.values import Look, Message, Said, Status
from triage.channels.inbox import ReceivedState
from triage.db.tables import ChannelMemoryRow, DeliveryRow, ReceivedRow, RemoteMessageRow, RemoteTicketRow
from triage.jobs import Jobs
from triage.pruning import Pruned, count, prune

pytest_plugins = ["tests.integration.channels.conftest"]


@pytest.fixture
def jobs(engine: Engine) -> Jobs:
    return Jobs(engine)


def age(sessions: sessionmaker[Session], days: int) -> None:
    """Let everything have happened so many days ago."""
    then = datetime.now(UTC) - timedelta(days=days)
    with sessions.begin() as session:
        session.execute(update(ReceivedRow).values(received_at=then, finished_at=then))
        session.execute(update(DeliveryRow).values(created_at=then, delivered_at=then))
        session.execute(update(RemoteMessageRow).values(said_at=then))
        session.execute(update(RemoteTicketRow).where(RemoteTicketRow.solved_at.is_not(None)).values(solved_at=then))
        session.execute(update(ChannelMemoryRow).values(updated_at=then))


def rows(sessions: sessionmaker[Session], table: type) -> int:
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def words(sessions: sessionmaker[Session]) -> set[str]:
    with sessions() as session:
        return set(session.scalars(select(RemoteMessageRow.text)))


@pytest.fixture
def past(office: Office) -> Office:
    """Two tickets, of which the first is solved, each with a word of the requester's."""
    for number in ("1", "2"):
        office.system.open(number, "VPN drops")
        office.take(Look(number), key=f"open{number}")
        message = Message("m1", "ana", f"Still so, {number}.", public=True)
        office.take(Said(number, message), key=f"said{number}")
        office.work()
    office.system.change("1", status=Status.SOLVED)
    office.take(Look("1"), key="solved")
    office.work()
    with office.sessions.begin() as session:
        for key in ("over:x", "sent:2026-01-01:x", "thread:t1", "setting:mode"):
            remember(session, "desk", key, True)
    return office


def test_what_is_over_for_long_goes_and_what_is_open_stays(past: Office, jobs: Jobs) -> None:
    age(past.sessions, 91)
    before = count(past.sessions, jobs, 90)
    assert (before.received, before.messages, before.memories) == (5, 2, 2), "the bot's note on the solved one too"
    assert prune(past.sessions, jobs, 90) == before
    assert "Still so, 2." in words(past.sessions) and "Still so, 1." not in words(past.sessions)
    assert rows(past.sessions, ReceivedRow) == 0 and rows(past.sessions, RemoteMessageRow) == 3
    assert rows(past.sessions, DeliveryRow) == 2, "results belong to the story of their tickets"
    with past.sessions() as session:
        assert set(session.scalars(select(ChannelMemoryRow.key))) == {"thread:t1", "setting:mode"}
    assert not prune(past.sessions, jobs, 90)


def test_what_is_younger_stays_and_a_week_stays_whatever_is_asked(past: Office, jobs: Jobs) -> None:
    age(past.sessions, 6)
    assert prune(past.sessions, jobs, 1) == Pruned()
    assert past.take(Look("1"), key="open1") is False, "a repeat is still known"


def test_dead_letters_and_what_waits_stay(past: Office, jobs: Jobs) -> None:
    with past.sessions.begin() as session:
        first, second, *_ = session.scalars(select(ReceivedRow))
        first.state, second.state = ReceivedState.DEAD.value, ReceivedState.PENDING.value
    age(past.sessions, 1_000)
    prune(past.sessions, jobs, 90)
    with past.sessions() as session:
        assert {row.state for row in session.scalars(select(ReceivedRow))} == {"dead", "pending"}


def test_emptied_messages_are_no_news_when_the_system_tells_of_them_again(office: Office, jobs: Jobs) -> None:
    chat = Chat()
    office.channel = replace(office.channel, create=office.system.create)
    office.others["chat"] = chat.channel(mode="apply")
    asks(office)
    answers(office, "Please restart the gateway.", status=Status.SOLVED)
    age(office.sessions, 100)
    assert prune(office.sessions, jobs, 90).messages > 0
    (remote_id,) = office.system.tickets
    office.take(Look(remote_id), key="again")
    office.work()
    assert [one.text for one in chat.heard if one.text] == ["Please restart the gateway."]
    assert words(office.sessions) == {""}


def test_many_go_in_batches_and_an_early_end_is_gone_on_with(
    past: Office, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pruning, "BATCH", 2)
    age(past.sessions, 91)
    asked: list[int] = []
    prune(past.sessions, jobs, 90, stop=lambda: len(asked) > 2 or bool(asked.append(1)))
    left = rows(past.sessions, ReceivedRow)
    assert 0 < left < 5
    prune(past.sessions, jobs, 90)
    assert rows(past.sessions, ReceivedRow) == 0


def test_finished_jobs_of_the_engine_go(engine: Engine, jobs: Jobs, sessions: sessionmaker[Session]) -> None:
    schema = "dbos." if engine.dialect.name == "postgresql" else ""
    with sessions.begin() as session:
        for number in range(3):
            jobs.enqueue_triage(session, f"t{number}", 1)
    then = int((datetime.now(UTC) - timedelta(days=100)).timestamp() * 1000)
    with engine.begin() as connection:
        connection.execute(
            text(
                f"UPDATE {schema}workflow_status SET status = 'SUCCESS', completed_at = :then, updated_at = :then "
                "WHERE workflow_uuid <> 'triage-t2-1'"
            ),
            {"then": then},
        )
    assert count(sessions, jobs, 90).jobs == prune(sessions, jobs, 90).jobs == 2
    with engine.connect() as connection:
        left = connection.scalars(text(f"SELECT workflow_uuid FROM {schema}workflow_status")).all()
    assert left == ["triage-t2-1"]
