"""What may stand in a channel's table of the kind ``rt``, and what do the scrips send?"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field, model_validator

from triage.channels.common.paths import parse_json, text_at
from triage.channels.common.system import Channel, Services, system_channel
from triage.channels.common.tables import Environment, FieldTable, Name, Secret, SystemTable, Url
from triage.channels.common.values import Look, Received, Webhook
from triage.channels.common.verify import HmacTable, Secrets, open_verifier
from triage.channels.rt.bodies import CUSTOM, PLAIN_FIELDS
from triage.channels.rt.tickets import RequestTracker, Site
from triage.errors import BadInput


class RtTable(SystemTable):
    """``kind = "rt"``. ``user`` is the bot's account, by which its own doings are known; a token or its password.

    ``new_in`` is the queue of tickets that are filed here from a chat, where no queue was decided.
    """

    kind: Literal["rt"]
    url: Url
    user: Name
    token: Secret | None = None
    password: Secret | None = None
    hook_secrets: Secrets | None = None
    new_in: Name = "General"
    fields: dict[Name, FieldTable] = Field(default={"queue": FieldTable(to="Queue")}, min_length=1)

    @model_validator(mode="after")
    def _one_way_in(self) -> RtTable:
        if (self.token is None) == (self.password is None):
            raise ValueError("give either token or password")
        for name, field in self.fields.items():
            if field.to not in PLAIN_FIELDS and not CUSTOM.fullmatch(field.to):
                raise ValueError(f"fields.{name}.to must be Queue, Priority, Owner or CF.{{Name}}")
        return self

    def build(self, name: str, environment: Environment, _services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``."""
        auth, headers = None, {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"token {self.token.read(environment)}"
        elif self.password:
            auth = (self.user, self.password.read(environment))
        has_hook = self.hook_secrets is not None
        site = Site(self.url, self.user, self.new_in, self.fields, has_hook, self.sending.timeout_s)
        system = RequestTracker(site, auth, headers)
        verifier = None
        if self.hook_secrets:
            scheme = HmacTable(
                scheme="hmac",
                secrets=self.hook_secrets,
                header="X-RT-Signature",
                prefix="sha256=",
                timestamp_header="X-RT-Timestamp",
                signs="{timestamp}.{body}",
            )
            verifier = open_verifier(scheme, environment)
        channel = system_channel(name, self, system, verifier, parse, create=system.create)
        return replace(channel, files=system.files, attach=system.attach)


def parse(webhook: Webhook) -> Received:
    """What examples/rt/triage_initialdata.pl sends: which transaction happened to which ticket."""
    body = parse_json(webhook.body)
    transaction, ticket, event = (text_at(body, key) for key in ("transaction_id", "ticket_id", "event"))
    if not transaction.isdigit() or not ticket.isdigit():
        raise BadInput("The body names no transaction_id and ticket_id; load examples/rt/triage_initialdata.pl.")
    return Received(transaction, event, (Look(ticket),))
