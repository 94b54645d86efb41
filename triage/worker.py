"""Who takes the queued tickets through their journey, and who takes over when a worker dies?"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import structlog
from dbos import DBOS, DBOSPortableJSONSerializer
from sqlalchemy import Engine, delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from triage.channels import outbox
from triage.channels.attendant import Attendant
from triage.channels.common.tables import SendingTable
from triage.channels.registry import NO_CHANNELS, Channels
from triage.db.tables import WorkerRow
from triage.desk import Desk
from triage.jobs import APPLICATION, INBOX, JOURNEY_VERSION, QUEUE, Jobs, Journey, queue_of
from triage.pruning import prune
from triage.rescue import rescue

# A worker is taken for dead after this many missed signs of life. Taking over from one that was only slow
# does no harm: a pass over a ticket is recorded once.
MISSED_BEATS = 5
RESCUE_EVERY_S = 60.0
PRUNE_FIRST_S, PRUNE_EVERY_S = 120.0, 3_600.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """How many jobs at a time, how often it looks for more and gives a sign of life, and what is kept how long."""

    side_by_side: int
    poll_interval_s: float
    heartbeat_s: float
    keep_days: int


class Worker:
    """Runs queued jobs in this process until it is closed, and takes over those of workers that died."""

    def __init__(
        self,
        engine: Engine,
        sessions: sessionmaker[Session],
        desk: Desk,
        channels: Channels = NO_CHANNELS,
        *,
        mask_stored: bool = False,
        pace: Pace,
    ) -> None:
        self.executor_id = f"{socket.gethostname()}:{os.getpid()}:{token_hex(4)}"
        self._engine = engine
        self._sessions = sessions
        self._desk = desk
        self._channels = channels
        self._mask_stored = mask_stored
        self._jobs = Jobs(engine)
        self._attendant = Attendant(sessions, self._jobs, channels, self.executor_id)
        self._side_by_side = pace.side_by_side
        self._poll_interval_s = pace.poll_interval_s
        self._heartbeat_s = pace.heartbeat_s
        self._stopping = threading.Event()
        self._keep_days = pace.keep_days
        self._tidying = threading.Thread(target=self._prune_until_stopped, name="pruning", daemon=True)
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
        queued = self._queued_channels()
        Journey(self._sessions, self._desk, self._channels, self._jobs, mask_stored=self._mask_stored)
        DBOS.listen_queues([QUEUE, INBOX, *map(queue_of, queued)])
        DBOS.launch()
        self._register(QUEUE, worker_concurrency=self._side_by_side)
        self._register(INBOX, worker_concurrency=self._side_by_side)
        for name in queued:
            channel = self._channels.open.get(name)
            sending = channel.sending if channel else SendingTable()
            self._register(queue_of(name), concurrency=sending.at_once, per_minute=sending.per_minute)
        self._pulse.start()
        self._tidying.start()
        self._attendant.start()
        log.info("worker started", worker=self.executor_id, side_by_side=self._side_by_side)

    def _register(
        self,
        queue: str,
        *,
        worker_concurrency: int | None = None,
        concurrency: int | None = None,
        per_minute: int | None = None,
    ) -> None:
        DBOS.register_queue(
            queue,
            worker_concurrency=worker_concurrency,
            global_concurrency=concurrency,
            limiter=None if per_minute is None else {"limit": per_minute, "period": 60.0},
            polling_interval_sec=self._poll_interval_s,
            on_conflict="always_update",
        )

    def _queued_channels(self) -> list[str]:
        """The open channels, and those that are broken or were removed: what waits for these is given up in words."""
        with self._sessions() as session:
            waiting = outbox.waited_for(session)
        return sorted({*self._channels.open, *self._channels.broken, *waiting})

    def close(self, *, patience_s: int = 5) -> None:
        """Finish the jobs in hand, for at most ``patience_s`` seconds, and sign off."""
        self._stopping.set()
        self._attendant.close()
        self._pulse.join(timeout=self._heartbeat_s + 1)
        self._tidying.join(timeout=10)
        DBOS.destroy(workflow_completion_timeout_sec=patience_s)
        with self._sessions.begin() as session:
            session.execute(delete(WorkerRow).where(WorkerRow.executor_id == self.executor_id))
        self._jobs.close()
        log.info("worker stopped", worker=self.executor_id)

    def _beat_until_stopped(self) -> None:
        rescued_at = time.monotonic()
        while not self._stopping.wait(self._heartbeat_s):
            try:
                self._beat()
                self._take_over()
                if time.monotonic() - rescued_at > RESCUE_EVERY_S:
                    rescue(self._sessions, self._jobs)
                    rescued_at = time.monotonic()
            except SQLAlchemyError as error:
                # The database is away or busy; the next beat tries again, and until then others may take over.
                log.warning("heartbeat missed", worker=self.executor_id, error=str(error))

    def _prune_until_stopped(self) -> None:
        """Drop what is older than is wanted, soon after the start and then every hour."""
        if not self._keep_days:
            return
        wait_s = PRUNE_FIRST_S
        while not self._stopping.wait(wait_s):
            try:
                prune(self._sessions, self._jobs, self._keep_days, stop=self._stopping.is_set)
            except Exception as error:  # the edge of the thread; in an hour it is tried again
                log.warning("not pruned", worker=self.executor_id, exc_info=error)
            wait_s = PRUNE_EVERY_S

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
        for queue in {job.queue_name or QUEUE for job in jobs}:
            its_own = [job.workflow_id for job in jobs if (job.queue_name or QUEUE) == queue]
            DBOS.resume_workflows(its_own, queue_name=queue)
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
