"""What may stand in the tables of ``channels.toml`` that all channels share?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, time
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, RootModel, model_validator

from triage.deliver import CHANNEL
from triage.errors import Misconfigured

Environment = Mapping[str, str]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Mode = Literal["off", "dry-run", "suggest", "apply"]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Table(BaseModel):
    """A table of the file: unknown keys are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Secret(RootModel[str]):
    """Where a secret stands: ``env:NAME`` or ``file:/path``. The file of settings itself never holds one."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="after")
    def _named(self) -> Secret:
        if not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*|file:/.+", self.root):
            raise ValueError("must say where the secret stands, as env:NAME or file:/path, not the secret itself")
        return self

    def read(self, environment: Environment) -> str:
        """The secret; raises ``Misconfigured`` where there is none."""
        kind, _, place = self.root.partition(":")
        if kind == "env":
            value = environment.get(place, "")
        else:
            try:
                value = Path(place).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeError) as error:
                raise Misconfigured(f"The secret {self.root} cannot be read: {type(error).__name__}.") from error
        if not value:
            raise Misconfigured(f"The secret {self.root} is empty or not set.")
        return value


def _web_address(value: str) -> str:
    address = urlsplit(value)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise ValueError("must be an address such as https://host/path")
    if address.username or address.password:
        raise ValueError("must be without a password; give the secret its own key")
    return value.rstrip("/")


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{value!r} is no time zone such as Europe/Berlin") from error
    return value


Url = Annotated[str, AfterValidator(_web_address)]
Zone = Annotated[str, AfterValidator(_zone)]


class HoursTable(Table):
    """Business hours; ``outside`` is the mode at all other times."""

    days: tuple[Day, ...] = DAYS[:5]
    begins: time = time(8)
    ends: time = time(18)
    zone: Zone = "UTC"
    outside: Mode = "suggest"

    def open_at(self, moment: datetime) -> bool:
        """Whether people are at work; hours that end before they begin go over midnight."""
        here = moment.astimezone(ZoneInfo(self.zone))
        if self.begins <= self.ends:
            return DAYS[here.weekday()] in self.days and self.begins <= here.time() < self.ends
        yesterday = DAYS[here.weekday() - 1]
        late, early = here.time() >= self.begins, here.time() < self.ends
        return (late and DAYS[here.weekday()] in self.days) or (early and yesterday in self.days)


class PolicyTable(Table):
    """What the bot may do in a channel.

    ``off`` sends nothing; ``dry-run`` adds an internal note of what would have been done; ``suggest`` an internal
    note for the agent; ``apply`` sets the fields that were decided and sends the answers that passed their gate.
    """

    mode: Mode = "suggest"
    fields: tuple[Name, ...] | None = Field(default=None, description="The fields that may be set; None means all.")
    answers: bool = Field(default=True, description="Whether requesters get answers in the mode `apply`.")
    notes: bool = Field(default=True, description="Whether internal notes are written.")
    audiences: tuple[Name, ...] | None = Field(
        default=None, description="Whose articles may be quoted here; None means those of TRIAGE_AUDIENCES."
    )
    hours: HoursTable | None = None
    most_actions: Annotated[int, Field(ge=1, le=100)] = 10
    fresh_hours: Annotated[float, Field(gt=0, le=24 * 365)] = 24.0

    def mode_at(self, moment: datetime) -> Mode:
        """The mode at that time."""
        return self.mode if self.hours is None or self.hours.open_at(moment) else self.hours.outside


class SendingTable(Table):
    """How results are sent: how many at once and how fast (over all workers), and for how long it is tried again."""

    at_once: Annotated[int, Field(ge=1, le=64)] = 2
    per_minute: Annotated[int, Field(ge=1, le=100_000)] | None = None
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 15.0
    attempts: Annotated[int, Field(ge=1, le=100)] = 10
    first_wait_s: Annotated[float, Field(gt=0, le=3_600)] = 2.0
    longest_wait_s: Annotated[float, Field(gt=0, le=86_400)] = 900.0
    break_after: Annotated[int, Field(ge=1, le=1_000)] = 5
    break_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0


class FieldTable(Table):
    """Where one of our fields stands in the system, and which of its values are ours; others go by their own names."""

    to: Name
    values: dict[Name, Name] = Field(default={}, max_length=1_000)

    def theirs(self, value: str) -> str:
        """Our value as the system writes it."""
        return self.values.get(value, value)

    def ours(self, value: str) -> str:
        """The system's value as we write it."""
        return next((own for own, other in self.values.items() if other == value), value)


class PollTable(Table):
    """How often the system is asked for what webhooks have missed."""

    every_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0


class ChannelTable(Table):
    """What every channel's table may hold."""

    policy: PolicyTable = PolicyTable()
    sending: SendingTable = SendingTable()


class SystemTable(ChannelTable):
    """What the table of every ticketing system may hold beside."""

    kind: str
    poll: PollTable = PollTable()


def source_of(name: str) -> str:
    """Under which source the tickets of a channel are stored."""
    return f"{CHANNEL}{name}"


def home_of(source: str) -> str:
    """The name of the channel that brought the tickets of a source."""
    return source.removeprefix(CHANNEL)
