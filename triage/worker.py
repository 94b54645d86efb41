"""Who takes the queued tickets through their journey, and who takes over when a worker dies?"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import structlog
from dbos import DBOS, DBOSClient, DBOSConfiguredInstance, DBOSPortableJSONSerializer
from dbos import error as dbos_error
from sqlalchemy import Engine, delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from triage import telemetry
from triage.db.tables import WorkerRow
from triage.desk import Desk
from triage.errors import TriageError
from triage.pipeline import process
from triage.tickets import store
from triage.tickets.model import TicketState

QUEUE = "triage"
APPLICATION = "triage"
INSTANCE = "journey"
# DBOS hands a job only to workers of the version that it was queued for. Raise this when the steps of
# `Journey.triage` change, so that half-finished jobs end on the code that began them.
JOURNEY_VERSION = "1"
ATTEMPTS = 3
# A worker is taken for dead after this many missed signs of life. Taking over from one that was only slow
# does no harm: a pass over a ticket is recorded once.
MISSED_BEATS = 5

log = structlog.get_logger(__name__)


class Jobs:
    """Queues jobs in the transaction of the caller."""

    def __init__(self, engine: Engine) -> None:
        self._client = DBOSClient(
            system_database_engine=engine,
            serializer=DBOSPortableJSONSerializer(),
            application_name=APPLICATION,
        )

    def enqueue_triage(self, session: Session, ticket_id: str, number: int) -> None:
        """Queue pass ``number`` of the ticket; the same pair is queued once."""
        self._client.enqueue_in_transaction(
            session,
            {
                "queue_name": QUEUE,
                "workflow_name": Journey.triage.__qualname__,
                "class_name": Journey.__qualname__,
                "instance_name": INSTANCE,
                "workflow_id": f"triage-{ticket_id}-{number}",
                "app_version": JOURNEY_VERSION,
            },
            ticket_id,
            number,
        )

    def close(self) -> None:
        """Let go of the client's threads; the engine stays open."""
        self._client.destroy()


@DBOS.dbos_class()
class Journey(DBOSConfiguredInstance):
    """The durable job of one ticket."""

    def __init__(self, sessions: sessionmaker[Session], desk: Desk) -> None:
        super().__init__(INSTANCE)
        self._sessions = sessions
        self._desk = desk

    @DBOS.workflow()
    def triage(self, ticket_id: str, number: int) -> None:
        """Take a ticket through its journey; one that fails for good says so and can be retried."""
        try:
            self._process(ticket_id, number)
        except Exception as error:  # noqa: BLE001  # the edge of the job: nothing may get lost in silence
            self._give_up(ticket_id, error)

    @DBOS.step(retries_allowed=True, max_attempts=ATTEMPTS, interval_seconds=0.5, backoff_rate=2)
    def _process(self, ticket_id: str, number: int) -> None:
        if process(self._sessions, self._desk, ticket_id, number):
            telemetry.TICKETS_TRIAGED.inc()

    def _give_up(self, ticket_id: str, error: Exception) -> None:
        # DBOS wraps what a step raised, once for each attempt.
        cause = error.errors[-1] if isinstance(error, dbos_error.DBOSMaxStepRetriesExceeded) and error.errors else error
        known = isinstance(cause, TriageError)
        reason = str(cause) if known else f"Unexpected {type(cause).__name__}: see the worker's log."
        log.error("ticket failed", ticket=ticket_id, reason=reason, exc_info=None if known else cause)
        with self._sessions.begin() as session:
            store.mark(session, ticket_id, TicketState.FAILED, reason)
        telemetry.TICKETS_FAILED.inc()


class Worker:
    """Runs queued jobs in this process until it is closed, and takes over those of workers that died."""

    def __init__(
        self,
        engine: Engine,
        sessions: sessionmaker[Session],
        desk: Desk,
        *,
        side_by_side: int = 2,
        poll_interval_s: float = 0.1,
        heartbeat_s: float = 2.0,
    ) -> None:
        self.executor_id = f"{socket.gethostname()}:{os.getpid()}:{token_hex(4)}"
        self._engine = engine
        self._sessions = sessions
        self._desk = desk
        self._side_by_side = side_by_side
        self._poll_interval_s = poll_interval_s
        self._heartbeat_s = heartbeat_s
        self._stopping = threading.Event()
        self._pulse = threading.Thread(target=self._beat_until_stopped, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Announce this worker and begin to take jobs; returns at once."""
        self._beat()
        logging.getLogger("dbos").setLevel(logging.WARNING)
        DBOS(
            config={
                "name": APPLICATION,
                "system_database_engine": self._engine,
                "serializer": DBOSPortableJSONSerializer(),
                "executor_id": self.executor_id,
                "application_version": JOURNEY_VERSION,
                "run_migrations": False,
                "use_listen_notify": False,
                "enable_otlp": False,
                "log_level": "WARNING",
            }
        )
        Journey(self._sessions, self._desk)
        DBOS.listen_queues([QUEUE])
        DBOS.launch()
        DBOS.register_queue(
            QUEUE,
            worker_concurrency=self._side_by_side,
            polling_interval_sec=self._poll_interval_s,
            on_conflict="always_update",
        )
        self._pulse.start()
        log.info("worker started", worker=self.executor_id, side_by_side=self._side_by_side)

    def close(self, *, patience_s: int = 5) -> None:
        """Finish the jobs in hand, for at most ``patience_s`` seconds, and sign off."""
        self._stopping.set()
        self._pulse.join(timeout=self._heartbeat_s + 1)
        DBOS.destroy(workflow_completion_timeout_sec=patience_s)
        with self._sessions.begin() as session:
            session.execute(delete(WorkerRow).where(WorkerRow.executor_id == self.executor_id))
        log.info("worker stopped", worker=self.executor_id)

    def _beat_until_stopped(self) -> None:
        while not self._stopping.wait(self._heartbeat_s):
            try:
                self._beat()
                self._take_over()
            except SQLAlchemyError as error:
                # The database is away or busy; the next beat tries again, and until then others may take over.
                log.warning("heartbeat missed", worker=self.executor_id, error=str(error))

    def _beat(self) -> None:
        now = datetime.now(UTC)
        with self._sessions.begin() as session:
            row = session.get(WorkerRow, self.executor_id)
            if row is None:
                session.add(WorkerRow(executor_id=self.executor_id, started_at=now, beat_at=now))
            else:
                row.beat_at = now

    def _take_over(self) -> None:
        """Put the jobs that dead workers had in hand back into the queue, then forget those workers."""
        dead = self._dead_workers()
        if not dead:
            return
        jobs = DBOS.list_workflows(executor_id=list(dead), status="PENDING", load_input=False, load_output=False)
        if jobs:
            DBOS.resume_workflows([job.workflow_id for job in jobs], queue_name=QUEUE)
        # Forgotten last: a takeover that is itself cut short is begun again by the next worker.
        with self._sessions.begin() as session:
            session.execute(delete(WorkerRow).where(WorkerRow.executor_id.in_(dead)))
        log.warning("took over from dead workers", workers=dead, jobs=len(jobs))

    def _dead_workers(self) -> Sequence[str]:
        latest = datetime.now(UTC) - timedelta(seconds=MISSED_BEATS * self._heartbeat_s)
        query = select(WorkerRow.executor_id).where(
            WorkerRow.beat_at < latest, WorkerRow.executor_id != self.executor_id
        )
        with self._sessions() as session:
            return session.scalars(query).all()
