"""What may stand in a channel's table of the kind ``helpdesk``?"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import Field, model_validator

from triage.channels.common.calling import Caller
from triage.channels.common.system import Channel, Services, system_channel
from triage.channels.common.tables import Environment, FieldTable, Name, Secret, SystemTable, Url
from triage.channels.common.verify import PathTable, Secrets, open_verifier
from triage.channels.helpdesk.bodies import is_number, parse
from triage.channels.helpdesk.tickets import CUSTOM, MOST_BYTES, NUMBERED, Helpdesk, Site

Number = Annotated[int, Field(ge=1)]


class HelpdeskTable(SystemTable):
    """``kind = "helpdesk"``. ``bot`` is the number of the bot's user, by which its own follow-ups are known.

    ``url`` is where its pages begin, ``/api/`` stands below it; ``open_statuses`` are those of tickets to work on;
    ``new_in`` is the number of the queue of tickets that are filed here from a chat, where no queue was decided.
    """

    kind: Literal["helpdesk"]
    url: Url
    bot: Number
    user: Name | None = None
    password: Secret | None = None
    token: Secret | None = None
    hook_secrets: Secrets | None = None
    fields: Annotated[dict[Name, FieldTable], Field(min_length=1)]
    new_in: Number | None = None
    open_statuses: Annotated[tuple[Number, ...], Field(min_length=1)] = (1, 2)

    @model_validator(mode="after")
    def _can_be_used(self) -> HelpdeskTable:
        if (self.token is None) == (self.password is None) or (self.password is None) != (self.user is None):
            raise ValueError("give either user and password or token")
        for name, field in self.fields.items():
            if field.to not in NUMBERED and not CUSTOM.fullmatch(field.to):
                raise ValueError(f"fields.{name}.to must be queue, priority, assigned_to or custom_NAME")
            if field.to in NUMBERED and not (field.values and all(map(is_number, field.values.values()))):
                raise ValueError(f'fields.{name}.values must say which number each value has there, as network = "2"')
        return self

    def build(self, name: str, environment: Environment, _services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``."""
        auth, headers = None, {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Token {self.token.read(environment)}"
        elif self.user and self.password:
            auth = (self.user, self.password.read(environment))
        caller = Caller(
            f"{self.url}/api",
            timeout_s=self.sending.timeout_s,
            auth=auth,
            headers=headers,
            most_bytes=MOST_BYTES,
        )
        has_hook = self.hook_secrets is not None
        system = Helpdesk(Site(self.url, self.bot, self.fields, self.open_statuses, has_hook, self.new_in), caller)
        verifier = None
        if self.hook_secrets:
            verifier = open_verifier(PathTable(scheme="path", secrets=self.hook_secrets), environment)
        channel = system_channel(name, self, system, verifier, parse, create=system.create)
        return replace(channel, attach=system.attach)
