"""How far has a going through RT's changed tickets come?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from triage.channels.common.moments import moment


@dataclass(frozen=True, slots=True)
class Sweep:
    """Going through what changed ``since``: how far it came (the number ``after``), and when it ``began``."""

    since: datetime
    began: datetime
    after: int = 0

    @classmethod
    def at(cls, cursor: str | None, since: datetime) -> Sweep:
        """Where the cursor left off; a cursor of one moment begins a new sweep."""
        stood, _, rest = (cursor or "").partition(" ")
        began, _, after = rest.partition(" ")
        return cls(moment(stood) or since, moment(began) or datetime.now(UTC), int(after) if after.isdigit() else 0)

    def __str__(self) -> str:
        return f"{self.since.isoformat()} {self.began.isoformat()} {self.after}"

    @property
    def next(self) -> str:
        """The cursor once all are named."""
        return self.began.isoformat()
