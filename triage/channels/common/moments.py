"""Which moment does a system mean?"""

from __future__ import annotations

from datetime import UTC, datetime


def moment(value: str) -> datetime | None:
    """An ISO 8601 moment with or without its zone (then UTC); None for what is none, and for RT's 1970."""
    try:
        found = datetime.fromisoformat(value.strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found if found.year > 1970 else None


def minutes_since(begin: datetime) -> int:
    """How many minutes ago that was, and up to two more: clocks differ, and some count whole minutes."""
    return int((datetime.now(UTC) - begin).total_seconds() // 60) + 2
