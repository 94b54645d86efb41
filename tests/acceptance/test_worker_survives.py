"""Is a ticket lost or handled twice when a worker dies at the worst moment?"""

import signal
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, sessionmaker

from tests.factories import incoming
from tests.processes import environment, running, until
from triage.db.tables import DeliveryRow, RunRow, TicketRow, WorkerRow
from triage.intake import accept
from triage.jobs import Jobs

pytestmark = pytest.mark.acceptance

TICKETS = 200


def count(sessions: sessionmaker[Session], state: str) -> int:
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(TicketRow).where(TicketRow.state == state)) or 0


def hand_in(sessions: sessionmaker[Session], jobs: Jobs, number: int) -> None:
    with sessions.begin() as session:
        for row in range(number):
            accept(session, jobs, incoming(f"The scanner in bay {row} shows error {row * 7}.", delivery_id=str(row)))


def test_killed_worker_loses_and_doubles_nothing_and_another_takes_over(
    engine: Engine, sessions: sessionmaker[Session], database_url: str, home: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    env = environment(home, encoder_folder, database_url=database_url, heartbeat_s="0.3", poll_interval_s="0.05")
    jobs = Jobs(engine)
    hand_in(sessions, jobs, TICKETS)
    jobs.close()
    log = tmp_path / "log"
    with running(env, "worker", log=log) as first:
        until(lambda: count(sessions, "triaged") > TICKETS // 10, what="the first tickets")
        first.send_signal(signal.SIGKILL)
        first.wait(10)
    done_by_the_dead = count(sessions, "triaged")
    assert done_by_the_dead < TICKETS, "the worker was too quick to be killed in the middle"
    with running(env, "worker", log=log) as second:
        until(lambda: count(sessions, "triaged") == TICKETS, timeout_s=120, what="all tickets")
        with sessions() as session:
            passes = session.execute(select(func.count(), func.count(RunRow.ticket_id.distinct())).select_from(RunRow))
            assert tuple(passes.one()) == (TICKETS, TICKETS)
            assert session.scalar(select(func.count()).select_from(DeliveryRow)) == TICKETS
        until(lambda: second.poll() is None and len(workers(sessions)) == 1, what="the dead worker forgotten")
    assert second.returncode == 0
    assert workers(sessions) == [], "a worker that stops in peace signs off"


def workers(sessions: sessionmaker[Session]) -> list[str]:
    with sessions() as session:
        return list(session.scalars(select(WorkerRow.executor_id)))
