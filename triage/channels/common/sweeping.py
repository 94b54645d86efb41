"""How are all changed tickets named by a system that lists them by the moment of their last change?

A ticket that changes moves to the end of such a list, and pages by number would skip one that slips onto a page
already read. So the list is begun anew where the last page ended. Only where more tickets than fit on a page changed at
about the same moment are further pages asked for, and then again until two readings are alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from triage.channels.common.moments import moment
from triage.channels.common.paths import parse_json, text_at, value_at
from triage.channels.common.system import Page
from triage.channels.common.values import DeliveryFailed

# A list may lag behind what was written, and a moment has no parts of a second everywhere.
OVERLAP, SECOND = timedelta(seconds=60), timedelta(seconds=1)
# A desk where so much changes while hundreds of tickets of one moment are read is asked again later.
MOST_READINGS, MOST_PAGES = 5, 1_000
TAIL = 5
REMEMBERED = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Listed:
    """A ticket in such a list: ``changed`` is the moment as the system writes it; not all that is listed is wanted."""

    remote_id: str
    changed: str
    wanted: bool = True


# What changed at that moment or later, the longest unchanged first, and whether more follows; pages are numbered
# from 1. More may be listed at the beginning: what changed somewhat earlier.
Lister = Callable[[datetime, int], tuple[Sequence[Listed], bool]]


def listed(items: Sequence[object], remote_id: str, changed: str, size: int) -> tuple[list[Listed], bool]:
    """A page whose items hold id and moment at these paths; more follows where it is full, with ``size`` items."""
    return [Listed(text_at(one, remote_id), text_at(one, changed)) for one in items], len(items) == size


def sweep(cursor: str | None, since: datetime, ask: Lister) -> Iterator[Page]:
    """Pages of what has changed since the cursor, or the moment where there is none.

    The cursor holds the moment of the last change, and which tickets of the time before it were named already.
    Raises ``DeliveryFailed`` where the list never holds still.
    """
    at, named = _read(cursor, since)
    begin = at - OVERLAP
    while True:
        found, goes_on = _stretch(begin, ask)
        if not found:
            return
        new = [one.remote_id for one in found if one.wanted and named.get(one.remote_id) != one.changed]
        at = max(at, _reached(found) if goes_on else _latest(found))
        named = _recent(found, named, at)
        yield Page(tuple(new), _write(at, named))
        if not goes_on:
            return
        begin = _anew(found)


def _stretch(begin: datetime, ask: Lister) -> tuple[Sequence[Listed], bool]:
    """What stands from there on, as far as one reading sees it truly, and whether more follows."""
    found, goes_on = ask(begin, 1)
    if not goes_on or _anew(found) > begin:
        return found, goes_on
    before = None
    for _ in range(MOST_READINGS):
        found, goes_on = _all_of_the_moment(begin, ask)
        if found == before:
            return found, goes_on
        before = found
    raise DeliveryFailed("Tickets change faster than they can be listed; the next poll tries again.")


def _all_of_the_moment(begin: datetime, ask: Lister) -> tuple[list[Listed], bool]:
    found: list[Listed] = []
    for number in range(1, MOST_PAGES + 1):
        page, goes_on = ask(begin, number)
        found += page
        if not goes_on or _anew(found) > begin:
            return found, goes_on
    raise DeliveryFailed(f"More than {MOST_PAGES} pages of tickets changed at {begin:%Y-%m-%d %H:%M:%S}.")


def _anew(found: Sequence[Listed]) -> datetime:
    return _reached(found).replace(microsecond=0) - SECOND


def _reached(found: Sequence[Listed]) -> datetime:
    """How far the list was read. A search index may list a ticket by an earlier change than the one it shows."""
    if not found:
        raise DeliveryFailed("A list of tickets goes on behind an empty page.")
    return min(map(_moment, found[-TAIL:]))


def _latest(found: Sequence[Listed]) -> datetime:
    return max(map(_moment, found))


def _moment(one: Listed) -> datetime:
    found = moment(one.changed)
    if found is None:
        raise DeliveryFailed(f"Ticket {one.remote_id[:50]} is listed without the moment of its last change.")
    return found


def _recent(found: Sequence[Listed], named: Mapping[str, str], at: datetime) -> dict[str, str]:
    """What need not be named again. What has just changed may change again within its second, so it is."""
    settled = datetime.now(UTC) - OVERLAP
    known = {**named, **{one.remote_id: one.changed for one in found}}
    return {
        remote_id: changed
        for remote_id, changed in known.items()
        if (when := moment(changed)) and at - REMEMBERED <= when < settled
    }


def _read(cursor: str | None, since: datetime) -> tuple[datetime, Mapping[str, str]]:
    if not cursor:
        return since, {}
    if not cursor.startswith("{"):  # of a version that kept the moment alone
        return moment(cursor) or since, {}
    state = parse_json(cursor.encode())
    named = value_at(state, "named")
    known = {key: str(value) for key, value in named.items()} if isinstance(named, dict) else {}
    return moment(text_at(state, "at")) or since, known


def _write(at: datetime, named: Mapping[str, str]) -> str:
    return json.dumps({"at": at.isoformat(), "named": dict(named)})
