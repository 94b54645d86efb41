"""Which labels and assignees of an issue are a field's value? Only those of its own set are ever added or removed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from triage.channels.common.tables import FieldTable

LABEL, ASSIGNEE = "label:", "assignee"


@dataclass(frozen=True, slots=True)
class Change:
    """What to remove from an issue and what to add to it: names of labels, or logins."""

    remove: tuple[str, ...]
    add: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IssueField:
    """One of our fields: labels with a prefix, labels of a list, or assignees. GitHub's names know no case."""

    table: FieldTable

    @property
    def prefix(self) -> str:
        """What the labels of the field begin with, or ``""``."""
        return self.table.to.removeprefix(LABEL) if self.table.to.startswith(LABEL) else ""

    @property
    def of_labels(self) -> bool:
        """Whether it stands in labels, else in assignees."""
        return self.table.to.startswith(LABEL)

    def name(self, value: str) -> str:
        """The label or login of our value."""
        return f"{self.prefix}{self.table.theirs(value)}"

    def names(self) -> tuple[str, ...]:
        """Those that the table lists."""
        return tuple(self.name(value) for value in self.table.values)

    def owns(self, name: str) -> bool:
        """Whether a label or login is of this field's set."""
        if self.prefix:
            return name.casefold().startswith(self.prefix.casefold())
        return not self.table.values or name.casefold() in {one.casefold() for one in self.names()}

    def value(self, standing: Sequence[str], last_set: Mapping[str, int]) -> str:
        """Our value, of several that stand there the one that was set last (by ``last_set``); ``""`` where none is."""
        owned = [name for name in standing if self.owns(name)]
        if not owned:
            return ""
        newest = max(owned, key=lambda name: last_set.get(name.casefold(), -1))
        theirs = newest[len(self.prefix) :]
        listed = (own for own, other in self.table.values.items() if other.casefold() == theirs.casefold())
        return next(listed, theirs)

    def change(self, standing: Sequence[str], value: str) -> Change:
        """What makes the value the only one of the field's set."""
        wanted = self.name(value)
        others = tuple(name for name in standing if self.owns(name) and name.casefold() != wanted.casefold())
        there = any(name.casefold() == wanted.casefold() for name in standing)
        return Change(others, () if there else (wanted,))


def label_names(issue_labels: Sequence[object]) -> tuple[str, ...]:
    """The names of an issue's labels, which GitHub gives as objects, or as plain names in old payloads."""
    names = (one.get("name") if isinstance(one, dict) else one for one in issue_labels)
    return tuple(name for name in names if isinstance(name, str))
