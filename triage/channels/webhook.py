"""Signed webhooks to anyone who wants to know what was decided, answered or not delivered. Out only.

They are Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Annotated, Literal

from pydantic import Field

from triage.channels.common.calling import Caller
from triage.channels.common.system import Channel, Services, Steps
from triage.channels.common.tables import Environment, SendingTable, Table, Url
from triage.channels.common.values import Event, Outgoing
from triage.channels.common.verify import Secrets, signature, standard_content, standard_key

Subscription = Literal["decision.made", "answer.given", "delivery.failed"]
ALL: tuple[Subscription, ...] = ("decision.made", "answer.given", "delivery.failed")


class WebhookTable(Table):
    """``kind = "webhook"``."""

    kind: Literal["webhook"]
    url: Url
    secrets: Secrets
    events: Annotated[tuple[Subscription, ...], Field(min_length=1)] = ALL
    sending: SendingTable = SendingTable()

    def build(self, name: str, environment: Environment, _services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``."""
        keys = tuple(standard_key(secret.read(environment)) for secret in self.secrets)
        caller = Caller("", timeout_s=self.sending.timeout_s)

        def send(outgoing: Outgoing, _done: Steps) -> str:
            body = json.dumps(payload(outgoing), default=str).encode()
            name = f"{outgoing.delivery_id}"
            reply = caller.call("POST", self.url, content=body, headers=signed(name, body, keys))
            return f"It answered {reply.status}."

        return Channel(
            name=name,
            kind=self.kind,
            send=send,
            close=caller.close,
            sending=self.sending,
            subscribed=frozenset(self.events),
        )


def signed(name: str, body: bytes, keys: tuple[bytes, ...]) -> dict[str, str]:
    """The headers of an attempt: the id stays the same, so that a receiver knows a repeat, the time does not.

    Signed with every key, so that a receiver may change to the new secret when it likes.
    """
    stamp = str(int(time.time()))
    content = standard_content(name, stamp, body)
    return {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{signature(key, content, 'sha256', 'base64')}" for key in keys),
    }


def payload(outgoing: Outgoing) -> dict[str, object]:
    """The body: what happened to which ticket; not what its requester wrote, for which there is the REST API."""
    ticket = {"id": outgoing.ticket_id, "source": outgoing.source, "remote_id": outgoing.remote_id}
    data: dict[str, object] = {"ticket": ticket, "run": outgoing.run, "duplicate_of": outgoing.duplicate_of}
    match outgoing.event:
        case Event.DECISION_MADE:
            data["decisions"] = [asdict(decision) for decision in outgoing.decisions]
        case Event.ANSWER_GIVEN:
            data["answer"] = asdict(outgoing.answer) if outgoing.answer else None
        case _:
            data["delivery"] = dict(outgoing.about)
    return {"type": outgoing.event.value, "timestamp": outgoing.created_at.isoformat(), "data": data}
