"""Which durable jobs are there, and how is one queued?"""

from __future__ import annotations

from datetime import datetime

import structlog
from dbos import DBOS, DBOSClient, DBOSConfiguredInstance, DBOSPortableJSONSerializer, EnqueueOptions
from dbos import error as dbos_error
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from triage import telemetry
from triage.channels import inbox, outbox
from triage.channels.registry import Channels
from triage.desk import Desk
from triage.errors import TriageError
from triage.intake import JobQueue
from triage.pipeline import process
from triage.tickets import store
from triage.tickets.model import TicketState

QUEUE = "triage"
INBOX = "received"
APPLICATION = "triage"
INSTANCE = "journey"
# DBOS hands a job only to workers of the version that it was queued for. Raise this when the steps of
# `Journey.triage` change, so that half-finished jobs end on the code that began them.
JOURNEY_VERSION = "1"
ATTEMPTS = 3
OVER = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]

log = structlog.get_logger(__name__)


def queue_of(channel: str) -> str:
    """The queue of what is sent to a channel: each has a pace of its own, and one that hangs holds no other up."""
    return f"channel:{channel}"


def delivery_job(delivery_id: str, number: int) -> str:
    """The id of the job of that try to deliver."""
    return f"deliver-{delivery_id}-{number}"


def received_job(received_id: str, number: int) -> str:
    """The id of the job of that try to work on what came in."""
    return f"received-{received_id}-{number}"


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
        self._enqueue(session, QUEUE, Journey.triage.__qualname__, f"triage-{ticket_id}-{number}", ticket_id, number)

    def enqueue_delivery(
        self, session: Session, channel: str, delivery_id: str, number: int, *, delay_s: float = 0
    ) -> None:
        """Queue try ``number`` of the delivery, not before ``delay_s`` seconds; the same pair is queued once."""
        job = delivery_job(delivery_id, number)
        arguments = (channel, delivery_id, number)
        self._enqueue(session, queue_of(channel), Journey.deliver.__qualname__, job, *arguments, delay_s=delay_s)

    def enqueue_received(self, session: Session, received_id: str, number: int, *, delay_s: float = 0) -> None:
        """Queue try ``number`` to work on what came in; the same pair is queued once."""
        job = received_job(received_id, number)
        self._enqueue(session, INBOX, Journey.take_in.__qualname__, job, received_id, number, delay_s=delay_s)

    def _enqueue(
        self, session: Session, queue: str, workflow: str, job: str, *arguments: object, delay_s: float = 0
    ) -> None:
        options: EnqueueOptions = {
            "queue_name": queue,
            "workflow_name": workflow,
            "class_name": Journey.__qualname__,
            "instance_name": INSTANCE,
            "workflow_id": job,
            "app_version": JOURNEY_VERSION,
        }
        if delay_s > 0:
            options["delay_seconds"] = delay_s
        self._client.enqueue_in_transaction(session, options, *arguments)

    def finished(self, before: datetime, most: int) -> list[str]:
        """The ids of so many jobs that ended before that moment, well or not."""
        jobs = self._client.list_workflows(
            status=OVER, completed_before=before.isoformat(), limit=most, load_input=False, load_output=False
        )
        return [job.workflow_id for job in jobs]

    def forget(self, ids: list[str]) -> None:
        """Drop what the engine keeps of those jobs."""
        self._client.delete_workflows(ids)

    def close(self) -> None:
        """Let go of the client's threads; the engine stays open."""
        self._client.destroy()


@DBOS.dbos_class()
class Journey(DBOSConfiguredInstance):
    """The durable jobs: one for each ticket, each message of a channel, and each try to deliver."""

    def __init__(
        self, sessions: sessionmaker[Session], desk: Desk, channels: Channels, jobs: JobQueue, *, mask_stored: bool
    ) -> None:
        super().__init__(INSTANCE)
        self._sessions = sessions
        self._desk = desk
        self._channels = channels
        self._jobs = jobs
        self._outlets = channels.outlets(jobs)
        self._mask_stored = mask_stored

    @DBOS.workflow()
    def triage(self, ticket_id: str, number: int) -> None:
        """Take a ticket through its journey; one that fails for good says so and can be retried."""
        try:
            self._process(ticket_id, number)
        except Exception as error:  # noqa: BLE001  # the edge of the job: nothing may get lost in silence
            self._give_up(ticket_id, error)

    @DBOS.step(retries_allowed=True, max_attempts=ATTEMPTS, interval_seconds=0.5, backoff_rate=2)
    def _process(self, ticket_id: str, number: int) -> None:
        if process(self._sessions, self._desk, ticket_id, number, self._outlets):
            telemetry.TICKETS_TRIAGED.inc()

    @DBOS.workflow()
    def take_in(self, received_id: str, number: int) -> None:
        """Work on what a channel brought."""
        try:
            self._take_in(received_id, number)
        except Exception as error:  # the edge of the job; what is still pending is queued again after a while
            log.error("could not be taken in", received=received_id, exc_info=error)

    @DBOS.step(retries_allowed=True, max_attempts=ATTEMPTS, interval_seconds=0.5, backoff_rate=2)
    def _take_in(self, received_id: str, number: int) -> None:
        with self._sessions() as session:
            name = inbox.find(session, received_id).channel
        channel = self._channels.open.get(name)
        if channel is None:
            inbox.give_up(self._sessions, received_id, self._why_not(name))
            return
        inbox.work_on(self._sessions, self._jobs, channel, received_id, number, mask_stored=self._mask_stored)

    @DBOS.workflow()
    def deliver(self, name: str, delivery_id: str, number: int) -> None:
        """Make one try to deliver a result."""
        try:
            self._deliver(name, delivery_id, number)
        except Exception as error:  # as above
            log.error("could not be delivered", channel=name, delivery=delivery_id, exc_info=error)

    @DBOS.step(retries_allowed=True, max_attempts=ATTEMPTS, interval_seconds=0.5, backoff_rate=2)
    def _deliver(self, name: str, delivery_id: str, number: int) -> None:
        channel = self._channels.open.get(name)
        if channel is None:
            outbox.give_up(self._sessions, delivery_id, self._why_not(name))
            return
        outbox.send(self._sessions, self._jobs, channel, delivery_id, number, self._outlets, self._channels.open)

    def _why_not(self, name: str) -> str:
        return f"Channel {name} is not set up: {self._channels.broken.get(name, 'it is not in channels.toml')}"

    def _give_up(self, ticket_id: str, error: Exception) -> None:
        # DBOS wraps what a step raised, once for each attempt.
        cause = error.errors[-1] if isinstance(error, dbos_error.DBOSMaxStepRetriesExceeded) and error.errors else error
        known = isinstance(cause, TriageError)
        reason = str(cause) if known else f"Unexpected {type(cause).__name__}: see the worker's log."
        log.error("ticket failed", ticket=ticket_id, reason=reason, exc_info=None if known else cause)
        with self._sessions.begin() as session:
            store.mark(session, ticket_id, TicketState.FAILED, reason)
        telemetry.TICKETS_FAILED.inc()
