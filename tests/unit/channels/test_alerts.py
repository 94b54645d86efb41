"""What each monitoring system's message says of an incident."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from triage.channels.common.system import Channel
from triage.channels.common.values import Closed, Opened, Received, Said, Webhook
from triage.channels.registry import build
from triage.errors import BadInput

FIXTURES = Path(__file__).parent.parent.parent / "fixtures" / "alerts"


def channel(kind: str, **more: str) -> Channel:
    table = {"kind": "alerts", "format": kind, "verify": {"scheme": "path", "secrets": ["env:S"]}, **more}
    return build("alerts", table, {"S": "secret"})


def read(of: Channel, body: object) -> Received:
    assert of.parse
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return of.parse(Webhook({}, raw, datetime(2026, 11, 23, 12, tzinfo=UTC)))


def recorded(name: str) -> dict[str, object]:
    value: dict[str, object] = json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))
    return value


def opened(received: Received) -> Opened:
    (said,) = received.happenings
    assert isinstance(said, Said) and said.otherwise is not None
    return said.otherwise


@pytest.mark.parametrize(
    ("kind", "over", "title", "severity"),
    [
        ("alertmanager", {"status": "resolved"}, "Disks of two databases are full", "critical"),
        ("datadog", {"transition": "Recovered"}, "[Triggered] Load is high on web-3", "P2"),
        ("newrelic", {"state": "CLOSED"}, "Error rate of checkout is high", "CRITICAL"),
        ("dynatrace", {"State": "RESOLVED"}, "Response time degradation", "PERFORMANCE"),
        ("appdynamics", {"event": "POLICY_CLOSE_CRITICAL"}, "Slow transactions in checkout", "ERROR"),
    ],
)
def test_an_incident_opens_a_ticket_and_its_end_closes_the_same(
    kind: str, over: dict[str, str], title: str, severity: str
) -> None:
    body = recorded(kind)
    ticket = opened(read(channel(kind), body))
    assert ticket.subject == title and ticket.features["severity"] == severity and ticket.body
    (closed,) = read(channel(kind), body | over).happenings
    assert isinstance(closed, Closed) and closed.remote_id == ticket.remote_id


def test_a_repeat_says_more_of_the_same_ticket() -> None:
    body = recorded("datadog")
    first, second = read(channel("datadog"), body), read(channel("datadog"), body | {"transition": "Re-Triggered"})
    assert opened(first).remote_id == opened(second).remote_id and first.key != second.key
    assert read(channel("datadog"), body).key == first.key


def test_each_alert_can_be_a_ticket_of_its_own() -> None:
    received = read(channel("alertmanager", by="alert"), recorded("alertmanager"))
    assert [type(one) for one in received.happenings] == [Said, Said, Closed]
    assert len({one.remote_id for one in received.happenings}) == 3


def test_splunk_makes_one_ticket_a_day_of_a_search() -> None:
    ticket = opened(read(channel("splunk"), recorded("splunk")))
    assert ticket.subject == "Failed logins" and "user: root" in ticket.body
    assert read(channel("splunk"), recorded("splunk") | {"sid": "another"}).happenings[0].remote_id == ticket.remote_id


def test_a_storm_in_one_message_is_listed_in_part_and_counted() -> None:
    body = recorded("alertmanager")
    one = body["alerts"][0]  # type: ignore[index]
    ticket = opened(read(channel("alertmanager"), body | {"alerts": [one] * 500, "truncatedAlerts": 10}))
    assert "490 more" in ticket.body and len(ticket.body) < 5_000


@pytest.mark.parametrize("kind", ["alertmanager", "datadog", "newrelic", "dynatrace", "appdynamics", "splunk"])
@pytest.mark.parametrize("body", [b"", b"[]", b"5", b"{}", b'{"alerts": {}}', b"\xff", b"<html>", b"[" * 90_000])
def test_what_says_nothing_is_refused_in_words(kind: str, body: bytes) -> None:
    with pytest.raises(BadInput):
        read(channel(kind), body)


def test_odd_values_upset_nothing() -> None:
    odd = {"alerts": [{"status": "firing", "labels": {"a": {"b": 1}}, "annotations": None}, 5, None], "status": 7}
    assert read(channel("alertmanager"), odd).happenings
    assert read(channel("alertmanager", by="alert"), odd).happenings
