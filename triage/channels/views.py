"""How do deliveries and received messages look as JSON?"""

from __future__ import annotations

from triage.db.tables import DeliveryRow, ReceivedRow
from triage.tickets.views import Json


def delivery_view(row: DeliveryRow) -> Json:
    """A delivery, ready for JSON."""
    names = ("id", "channel", "event", "state", "attempts", "detail", "done", "created_at", "next_at", "delivered_at")
    return {name: getattr(row, name) for name in names} | {"ticket": row.run.ticket_id, "run": row.run.number}


def received_view(row: ReceivedRow) -> Json:
    """What was received, ready for JSON, without what people wrote."""
    names = ("id", "channel", "key", "event", "state", "attempts", "detail", "received_at", "finished_at")
    return {name: getattr(row, name) for name in names}
