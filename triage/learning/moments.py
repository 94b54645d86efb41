"""When was each ticket made, as its file writes it?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

from triage.errors import BadInput

# Seconds or milliseconds since 1970, in the years 2001 to 2286.
_EPOCH = re.compile(r"(\d{10})(\d{3})?(?:\.\d+)?")
_SLASHED = re.compile(r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}))?)?")


def read_moments(column: str, values: Sequence[str]) -> tuple[datetime | None, ...]:
    """(n,) moments in UTC: ISO 8601, seconds since 1970, or day and month in the order that the whole column shows.

    A cell that is empty is None; a moment without a zone is taken for UTC, as only the order counts. Raises
    ``BadInput`` with the first value that is no date, or where 3/4 might be March or April in every row.
    """
    day_first = _day_is_first(column, values)
    moments: list[datetime | None] = []
    for value in values:
        moment = _moment(value.strip(), day_first=day_first) if value.strip() else None
        if moment is None and value.strip():
            raise BadInput(
                f"“{value.strip()[:40]}” in the column {column} is not a date; write it as 2026-03-31T14:05."
            )
        moments.append(moment)
    return tuple(moments)


def _day_is_first(column: str, values: Sequence[str]) -> bool:
    slashed = [match for value in values if (match := _SLASHED.fullmatch(value.strip()))]
    first = any(int(match[1]) > 12 for match in slashed)
    second = any(int(match[3]) > 12 for match in slashed)
    if slashed and first == second:
        raise BadInput(
            f"The dates in the column {column} can be read day first and month first, for example "
            f"“{slashed[0].group()}”; write them as 2026-03-31."
        )
    return first


def _moment(value: str, *, day_first: bool) -> datetime | None:
    try:
        if match := _EPOCH.fullmatch(value):
            return datetime.fromtimestamp(int(match[1]), UTC)
        if match := _SLASHED.fullmatch(value):
            day, month = (match[1], match[3]) if day_first else (match[3], match[1])
            hour, minute, second = (int(part or 0) for part in match.group(5, 6, 7))
            return datetime(int(match[4]), int(month), int(day), hour, minute, second, tzinfo=UTC)
        moment = datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
