"""What do RT's answers say?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from triage.channels.common.paths import text_at, value_at
from triage.channels.common.values import Status

CUSTOM = re.compile(r"CF\.\{(.+)\}")
PLAIN_FIELDS = ("Queue", "Priority", "Owner")
# By RT's default lifecycle: https://docs.bestpractical.com/rt/5.0.3/customizing/lifecycles.html
OVER = ("resolved", "rejected", "deleted")


@dataclass(frozen=True, slots=True)
class Change:
    """A transaction of a ticket's history."""

    number: str
    kind: str
    creator: str
    at: datetime | None


def ids_in(body: object) -> tuple[str, ...]:
    """The ids of a listing's items."""
    items = value_at(body, "items")
    return tuple(text_at(item, "id") for item in items) if isinstance(items, list) else ()


def people_in(value: object) -> Sequence[str]:
    """The addresses or names of a role's people."""
    return [text_at(person, "id") for person in value] if isinstance(value, list) else []


def custom_value(value: object, name: str) -> str:
    """The first value of the custom field of that name."""
    fields = value if isinstance(value, list) else []
    return next((text_at(field, "values[0]") for field in fields if text_at(field, "name") == name), "")


def status_of(name: str, *, merged: bool) -> Status:
    """What a status of RT's means."""
    if merged:
        return Status.MERGED
    return Status.SOLVED if name in OVER else Status.OPEN
