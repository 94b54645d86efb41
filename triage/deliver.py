"""How does a result reach the channel that its ticket came from?"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from triage.db.tables import DeliveryRow
from triage.tickets.ids import new_id
from triage.tickets.model import DeliveryState


def deliver(session: Session, run_id: str, channel: str, now: datetime) -> DeliveryRow:
    """Put the result of a run at its channel's disposal, in the caller's transaction.

    The channels there are so far (REST and the CLI) fetch their results themselves, so a result has arrived as
    soon as it can be read; a channel that must be called gets its delivery as ``PENDING`` and a job of its own.
    """
    row = DeliveryRow(
        id=new_id(),
        run_id=run_id,
        channel=channel,
        state=DeliveryState.DELIVERED.value,
        attempts=1,
        detail="The sender reads the result from GET /v1/tickets/{id}.",
        created_at=now,
        delivered_at=now,
    )
    session.add(row)
    return row
