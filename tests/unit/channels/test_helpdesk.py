"""django-helpdesk without one: its webhooks, the table, and what an API that misbehaves comes to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.unit.channels.contracts.vendor import Call, Refused, Vendor, misbehaviour, serving
from triage.channels.common.system import Channel
from triage.channels.common.values import DeliveryFailed, Look, Received, Webhook
from triage.channels.common.verify import NotVerified
from triage.channels.helpdesk.bodies import untemplated
from triage.channels.registry import build
from triage.errors import BadInput, Misconfigured

FIXTURES = Path(__file__).parent.parent.parent / "fixtures" / "helpdesk"
TABLE: dict[str, Any] = {
    "kind": "helpdesk",
    "url": "https://help.example",
    "bot": 1,
    "user": "triage",
    "password": "env:PASSWORD",
    "hook_secrets": ["env:NEW", "env:OLD"],
    "fields": {"queue": {"to": "queue", "values": {"network": "2"}}},
}
SECRETS = {"PASSWORD": "p", "NEW": "new-secret", "OLD": "old-secret"}


@pytest.fixture
def channel() -> Iterator[Channel]:
    channel = build("desk", TABLE, SECRETS)
    yield channel
    channel.close()


def parsed(channel: Channel, body: bytes) -> Received:
    assert channel.parse
    return channel.parse(Webhook({}, body, datetime.now(UTC), "new-secret"))


@pytest.mark.parametrize(("event", "key"), [("new", "new:7"), ("followup", "followup:7:12")])
def test_a_webhook_asks_to_look_at_its_ticket(channel: Channel, event: str, key: str) -> None:
    body = (FIXTURES / f"{event}.json").read_bytes()
    assert parsed(channel, body) == Received(key, event, (Look("7"),))


def test_fields_that_are_new_change_nothing(channel: Channel) -> None:
    body = json.loads((FIXTURES / "new.json").read_bytes())
    body["ticket"]["mood"] = body["version"] = {"new": [1]}
    assert parsed(channel, json.dumps(body).encode()).happenings == (Look("7"),)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b"{}",
        b'{"ticket": 7}',
        b'{"ticket": {"id": null}}',
        b'{"ticket": {"id": "../users"}}',
        b'{"ticket": {"id": -1}}',
        b'{"ticket": {"id": 7}, "followup_id": ["x"]}',
        '{"ticket": {"id": "٣"}}'.encode(),
        b"[" * 100_000,
    ],
)
def test_a_malformed_body_is_refused(channel: Channel, body: bytes) -> None:
    with pytest.raises(BadInput):
        parsed(channel, body)


def test_the_address_must_hold_one_of_the_secrets(channel: Channel) -> None:
    assert channel.verifier
    for given in ("new-secret", "old-secret"):
        channel.verifier.check(Webhook({}, b"{}", datetime.now(UTC), given))
    for wrong in ("", "new-secre", "new-secret/"):
        with pytest.raises(NotVerified):
            channel.verifier.check(Webhook({}, b"{}", datetime.now(UTC), wrong))


def test_without_a_secret_nothing_is_taken_by_webhook() -> None:
    channel = build("desk", {name: value for name, value in TABLE.items() if name != "hook_secrets"}, SECRETS)
    assert channel.verifier is None and channel.parse is None
    channel.close()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"bot": 0}, "bot"),
        ({"bot": None}, "bot"),
        ({"token": "env:NEW"}, "either user and password or token"),
        ({"user": None}, "either user and password or token"),
        ({"password": "secret"}, "where the secret stands"),
        ({"fields": {}}, "fields"),
        ({"fields": {"queue": {"to": "owner"}}}, "fields.queue.to must be"),
        ({"fields": {"queue": {"to": "queue"}}}, "which number each value has"),
        ({"fields": {"queue": {"to": "queue", "values": {"network": "Network"}}}}, "which number each value has"),
        ({"open_statuses": []}, "open_statuses"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(changes: dict[str, object], says: str) -> None:
    with pytest.raises(Misconfigured, match=says):
        build("desk", {**TABLE, **changes}, SECRETS)


def test_no_template_of_django_begins_in_what_is_posted() -> None:
    for text in ("{{ x }}", "{% load x %}", "{# gone #}", "{{{%{#%}}}", "100%}"):
        posted = untemplated(text)
        # The only tags left are ours, which print a brace each.
        for brace in "{}":
            posted = posted.replace(f'{{{{ "{brace}" }}}}', "·")
        assert not any(mark in posted for mark in ("{{", "{%", "{#", "%}")), posted
    assert untemplated("a {plain} text, 50 %") == "a {plain} text, 50 %"


class HelpdeskServer:
    """One ticket, as the API shows it."""

    def __init__(self) -> None:
        self.ticket = json.loads((FIXTURES / "followup.json").read_bytes())["ticket"]
        self.written: list[Any] = []
        self.vendor = Vendor(
            [
                ("GET", r"/api/tickets/7/", lambda _: self.ticket),
                ("PATCH", r"/api/tickets/7/", self._patch),
                ("GET", r"/api/tickets/", lambda _: {"count": 1, "next": None, "results": [self.ticket]}),
            ],
            lambda _: None,
        )

    def _patch(self, call: Call) -> object:
        self.written.append(call.body)
        return {**self.ticket, **call.body}


@pytest.mark.parametrize("faults", [faults for _, faults in misbehaviour()], ids=[name for name, _ in misbehaviour()])
def test_an_api_that_misbehaves_is_asked_again_later(faults: list[Refused | float | bytes]) -> None:
    server = HelpdeskServer()
    with serving(server.vendor) as vendor:
        channel = build("desk", {**TABLE, "url": vendor.url, "sending": {"timeout_s": 0.5}}, SECRETS)
        assert channel.system
        vendor.faults = list(faults)
        with pytest.raises(DeliveryFailed) as failed:
            channel.system.read("7")
        assert failed.value.retryable_later
        assert channel.system.read("7").touched_by == "user 2"
        channel.close()


def test_a_followup_between_reading_and_writing_stops_the_writing() -> None:
    server = HelpdeskServer()
    with serving(server.vendor) as vendor:
        channel = build("desk", {**TABLE, "url": vendor.url}, SECRETS)
        assert channel.system
        ticket = channel.system.read("7")
        server.ticket["followup_set"].append({**server.ticket["followup_set"][-1], "id": 13})
        with pytest.raises(DeliveryFailed, match="in the meantime"):
            channel.system.set_fields(ticket, {"queue": "network"})
        assert server.written == []
        channel.system.set_fields(channel.system.read("7"), {"queue": "network"})
        assert server.written == [{"queue": 2}]
        channel.close()


def test_a_long_conversation_is_read() -> None:
    server = HelpdeskServer()
    server.ticket["followup_set"] += [
        {"id": 100 + number, "user": None, "comment": "x" * 1_000_000, "public": True, "date": "2026-11-23T12:00:00Z"}
        for number in range(4)
    ]
    with serving(server.vendor) as vendor:
        channel = build("desk", {**TABLE, "url": vendor.url}, SECRETS)
        assert channel.system
        assert len(channel.system.read("7").messages) == 5
        channel.close()
