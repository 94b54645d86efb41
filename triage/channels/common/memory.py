"""What does a channel keep for itself: checkpoints, threads, what people chose? A durable mapping for each channel."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from triage.db.engine import insert_unless_there
from triage.db.tables import ChannelMemoryRow
from triage.errors import BadInput

LONGEST_KEY = 200


def recall(session: Session, channel: str, key: str) -> object:
    """The value (anything that JSON can hold), or None."""
    row = session.get(ChannelMemoryRow, (channel, key))
    return row.value if row else None


def remember(session: Session, channel: str, key: str, value: object) -> None:
    """Keep a value in the caller's transaction, in place of what was there."""
    if not remember_once(session, channel, key, value):
        row = session.get_one(ChannelMemoryRow, (channel, key), with_for_update=True, populate_existing=True)
        row.value, row.updated_at = value, datetime.now(UTC)


def remember_once(session: Session, channel: str, key: str, value: object) -> bool:
    """Keep a value unless there is one; False where there is. Of two at the same time one gets True."""
    if len(key) > LONGEST_KEY:
        raise BadInput(f"A channel's key has {len(key)} characters, {LONGEST_KEY} are the most.")
    row = {"channel": channel, "key": key, "value": value, "updated_at": datetime.now(UTC)}
    statement = insert_unless_there(session, ChannelMemoryRow, row).returning(ChannelMemoryRow.key)
    return session.scalar(statement) is not None


def forget(session: Session, channel: str, key: str) -> bool:
    """Drop a value; False where there was none, so that of two at the same time one gets True."""
    where = (ChannelMemoryRow.channel == channel, ChannelMemoryRow.key == key)
    return session.scalar(delete(ChannelMemoryRow).where(*where).returning(ChannelMemoryRow.key)) is not None


def recall_all(session: Session, channel: str, prefix: str, *, limit: int = 1_000) -> Mapping[str, object]:
    """The values whose keys begin so, in the order of their keys."""
    query = (
        select(ChannelMemoryRow.key, ChannelMemoryRow.value)
        .where(ChannelMemoryRow.channel == channel, ChannelMemoryRow.key.startswith(prefix, autoescape=True))
        .order_by(ChannelMemoryRow.key)
        .limit(limit)
    )
    return {key: value for key, value in session.execute(query)}
