"""Tickets of any system that posts JSON: a map says where in the body each of our fields stands. In only."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import Field, model_validator

from triage.channels.common.paths import JsonPath, parse_json, text_at
from triage.channels.common.system import Channel, Services
from triage.channels.common.tables import ChannelTable, Environment, Name, Table
from triage.channels.common.values import Opened, Received, Webhook
from triage.channels.common.verify import HeaderName, StandardTable, VerifyTable, open_verifier
from triage.errors import BadInput


class MapTable(Table):
    """Where each of our fields stands in the body."""

    subject: JsonPath | None = None
    body: JsonPath | None = None
    requester: JsonPath | None = None
    channel: JsonPath | None = None
    remote_id: JsonPath | None = None
    url: JsonPath | None = None
    features: dict[Name, JsonPath] = Field(default={}, max_length=50)

    @model_validator(mode="after")
    def _has_text(self) -> MapTable:
        if not (self.subject or self.body):
            raise ValueError("a ticket needs a text: give the path of the subject or the body")
        return self


class EventsTable(Table):
    """Where the kind of event stands, and which kinds are new tickets; the others are accepted and ignored."""

    header: HeaderName | None = None
    path: JsonPath | None = None
    new: Annotated[tuple[Name, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_place(self) -> EventsTable:
        if (self.header is None) == (self.path is None):
            raise ValueError("give the header or the path of the event")
        return self


class KeyTable(Table):
    """What tells one delivery from another: the sender's id in a header or at a path, or a hash of some values."""

    header: HeaderName | None = None
    path: JsonPath | None = None
    derived: Annotated[tuple[JsonPath, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _one_kind(self) -> KeyTable:
        if sum([self.header is not None, self.path is not None, bool(self.derived)]) != 1:
            raise ValueError("give one of header, path and derived")
        return self


class MappedTable(ChannelTable):
    """``kind = "mapped"``."""

    kind: Literal["mapped"]
    verify: VerifyTable
    map: MapTable
    events: EventsTable | None = None
    key: KeyTable | None = None
    ignore: dict[JsonPath, tuple[Name, ...]] = Field(default={}, max_length=20)

    def build(self, name: str, environment: Environment, _services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``."""
        return Channel(
            name=name,
            kind=self.kind,
            policy=self.policy,
            verifier=open_verifier(self.verify, environment),
            parse=self._parse,
        )

    def _parse(self, webhook: Webhook) -> Received:
        body = parse_json(webhook.body)
        key, event = self._key(webhook, body), self._event(webhook, body)
        if self.events and event not in self.events.new:
            return Received(key, event, note=f"The event {event or 'without a name'} is not one of a new ticket.")
        for path, patterns in self.ignore.items():
            value = text_at(body, path)
            if any(fnmatchcase(value.lower(), pattern.lower()) for pattern in patterns):
                return Received(key, event, note=f"`{path}` has a value that is ignored.")
        return Received(key, event, (self._opened(key, body),))

    def _opened(self, key: str, body: object) -> Opened:
        def at(path: str | None) -> str:
            return text_at(body, path) if path else ""

        remote_id = at(self.map.remote_id)
        if self.map.remote_id and not remote_id:
            raise BadInput(f"There is nothing at `{self.map.remote_id}`, where the ticket's id should stand.")
        return Opened(
            remote_id=remote_id or key,
            subject=at(self.map.subject),
            body=at(self.map.body),
            requester=at(self.map.requester),
            channel=at(self.map.channel),
            features=_without_empty({feature: at(path) for feature, path in self.map.features.items()}),
            url=at(self.map.url) or None,
        )

    def _event(self, webhook: Webhook, body: object) -> str:
        if self.events is None:
            return ""
        if self.events.header:
            return webhook.headers.get(self.events.header, "")
        return text_at(body, self.events.path or "")

    def _key(self, webhook: Webhook, body: object) -> str:
        if self.key is None:
            # Standard Webhooks' id is signed, so it can be relied on; else the body speaks for itself.
            is_standard = isinstance(self.verify, StandardTable)
            return webhook.headers["webhook-id"] if is_standard else hashlib.sha256(webhook.body).hexdigest()
        if self.key.derived:
            values = [text_at(body, path) for path in self.key.derived]
            if not any(values):
                raise BadInput(f"There is nothing at {', '.join(self.key.derived)}, from which the key is derived.")
            return hashlib.sha256(json.dumps(values).encode()).hexdigest()
        header, path = self.key.header, self.key.path
        given = webhook.headers.get(header, "") if header else text_at(body, path or "")
        if not given:
            raise BadInput(f"There is no delivery id in `{header or path}`.")
        return given


def _without_empty(features: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in features.items() if value}
