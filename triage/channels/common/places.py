"""Where does a ticket of ours stand in the systems beyond?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from triage.channels.common.values import Status
from triage.db.engine import insert_unless_there
from triage.db.tables import RemoteTicketRow


def places_of(ticket_id: str) -> Select[RemoteTicketRow]:
    """A query for every place of the ticket."""
    return select(RemoteTicketRow).where(RemoteTicketRow.ticket_id == ticket_id)


def place_in(session: Session, channel: str, ticket_id: str) -> RemoteTicketRow | None:
    """The ticket's place in that channel, where it has one there."""
    return session.scalars(places_of(ticket_id).where(RemoteTicketRow.channel == channel)).first()


def link(
    session: Session,
    channel: str,
    remote_id: str,
    ticket_id: str,
    *,
    url: str | None = None,
    fields: Mapping[str, str] | None = None,
) -> bool:
    """Note that a ticket stands in that channel, open; False where that was known. The caller commits.

    ``fields`` are those that stand there, None where they have still to be read.
    """
    row = {
        "channel": channel,
        "remote_id": remote_id,
        "ticket_id": ticket_id,
        "url": url,
        "fields": None if fields is None else dict(fields),
        "status": Status.OPEN.value,
        "bot_actions": 0,
        "updated_at": datetime.now(UTC),
    }
    inserted = insert_unless_there(session, RemoteTicketRow, row).returning(RemoteTicketRow.remote_id)
    return session.scalar(inserted) is not None
