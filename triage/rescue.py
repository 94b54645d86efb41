"""Is there a job for all that still has to be done? What the database gave up while it was away gets one again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog
from dbos import DBOS
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from triage.channels.inbox import ReceivedState
from triage.db.tables import DeliveryRow, ReceivedRow
from triage.jobs import Jobs, delivery_job, received_job
from triage.tickets.model import DeliveryState

# Younger ones are surely on their way.
LEAST_AGE = timedelta(minutes=2)
MOST = 500
ALIVE = ("ENQUEUED", "PENDING", "DELAYED")

log = structlog.get_logger(__name__)


def rescue(sessions: sessionmaker[Session], jobs: Jobs) -> int:
    """Queue again what waits without a living job; returns how many that were."""
    return _received(sessions, jobs) + _deliveries(sessions, jobs)


def _received(sessions: sessionmaker[Session], jobs: Jobs) -> int:
    before = datetime.now(UTC) - LEAST_AGE
    query = (
        select(ReceivedRow.id, ReceivedRow.jobs)
        .where(ReceivedRow.state == ReceivedState.PENDING.value, ReceivedRow.received_at < before)
        .order_by(ReceivedRow.id)
        .limit(MOST)
    )
    with sessions() as session:
        waiting = {received_job(row_id, number): row_id for row_id, number in session.execute(query)}
    lost = _without_job(waiting)
    for row_id in lost:
        with sessions.begin() as session:
            row = session.get_one(ReceivedRow, row_id, with_for_update=True)
            row.jobs += 1
            jobs.enqueue_received(session, row.id, row.jobs)
    return _said("received", lost)


def _deliveries(sessions: sessionmaker[Session], jobs: Jobs) -> int:
    before = datetime.now(UTC) - LEAST_AGE
    query = (
        select(DeliveryRow.id, DeliveryRow.jobs)
        .where(DeliveryRow.state.in_((DeliveryState.PENDING.value, DeliveryState.SENDING.value)))
        .where(DeliveryRow.created_at < before)
        .order_by(DeliveryRow.id)
        .limit(MOST)
    )
    with sessions() as session:
        waiting = {delivery_job(row_id, number): row_id for row_id, number in session.execute(query)}
    lost = _without_job(waiting)
    for row_id in lost:
        with sessions.begin() as session:
            row = session.get_one(DeliveryRow, row_id, with_for_update=True)
            row.jobs += 1
            jobs.enqueue_delivery(session, row.channel, row.id, row.jobs)
    return _said("deliveries", lost)


def _without_job(waiting: dict[str, str]) -> list[str]:
    if not waiting:
        return []
    found = DBOS.list_workflows(workflow_ids=list(waiting), load_input=False, load_output=False)
    alive = {job.workflow_id for job in found if job.status in ALIVE}
    return [row_id for job, row_id in waiting.items() if job not in alive]


def _said(what: str, lost: list[str]) -> int:
    if lost:
        log.warning("queued again what had no job", what=what, number=len(lost))
    return len(lost)
