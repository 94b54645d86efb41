"""What may stand in a Slack channel's table?"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from triage.channels.common.tables import ChannelTable, Day, Name, Secret, Table, Url


def _slack_id(value: str) -> str:
    if not value.isalnum() or not value.isascii() or not 3 <= len(value) <= 30:
        raise ValueError(f"{value[:40]!r} is no id of Slack's, such as C0123ABC (channel), U0123ABC or S0123ABC")
    return value


SlackId = Annotated[str, AfterValidator(_slack_id)]
AnswerIn = Literal["thread", "ephemeral"]


class WatchTable(Table):
    """A channel in which every message is a ticket; ``answers`` says who sees what the bot replies there."""

    answers: AnswerIn = "thread"


class ModalFieldTable(Table):
    """A field that people choose in the form of a new ticket; it becomes a feature of that name."""

    label: Annotated[str, Field(min_length=1, max_length=75)]
    options: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=75)], ...], Field(min_length=1, max_length=100)
    ]


class SlackTable(ChannelTable):
    """``kind = "slack"``. With ``app_token`` by Socket Mode, with ``signing_secret`` over HTTP; one of both.

    ``desk`` are the people of the help desk, by a user group (S…) or by themselves (U…); ``admins`` may change
    settings; ``queues`` name the channel of each queue's agents, ``card_channel`` that of all others. A thread that is
    quiet for ``nudge_days`` is asked about once, and closed after ``close_days`` more (0: never); ``digest_day`` is the
    day on which the desk is told of its week; ``language`` is that of the agents' cards and of the digest. ``filed_in``
    names the channel of a ticketing system in which each ticket is filed too, its thread kept in step with what is said
    there.
    """

    kind: Literal["slack"]
    bot_token: Secret
    app_token: Secret | None = None
    signing_secret: Secret | None = None
    api_url: Url = "https://slack.com/api"
    desk: tuple[SlackId, ...] = ()
    admins: tuple[SlackId, ...] = ()
    watch: dict[SlackId, WatchTable] = Field(default={}, max_length=500)
    queues: dict[Name, SlackId] = Field(default={}, max_length=500)
    card_channel: SlackId | None = None
    emoji: Annotated[str, Field(pattern=r"^[a-z0-9_+'-]{1,100}$")] = "ticket"
    command: Annotated[str, Field(pattern=r"^/[a-z0-9_-]{1,31}$")] = "/triage"
    burst_s: Annotated[float, Field(ge=0, le=600)] = 120.0
    settle_s: Annotated[float, Field(ge=0, le=600)] = 15.0
    form: dict[Name, ModalFieldTable] = Field(default={}, max_length=10)
    nudge_days: Annotated[float, Field(ge=0, le=365)] = 3.0
    close_days: Annotated[float, Field(ge=0, le=365)] = 4.0
    digest_day: Day | None = None
    language: Literal["en", "de", "fr", "es"] = "en"
    filed_in: Name | None = None
    prompts: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=75)], ...], Field(max_length=4)] = ()

    @model_validator(mode="after")
    def _one_way(self) -> SlackTable:
        if (self.app_token is None) == (self.signing_secret is None):
            raise ValueError("give either app_token (Socket Mode) or signing_secret (HTTP)")
        return self
