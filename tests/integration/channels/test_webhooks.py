"""Webhooks over HTTP on a real database: exactly the right ones count."""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session, sessionmaker

from tests.doubles import NoJobs
from tests.integration.channels.conftest import Office
from triage.channels import inbox
from triage.channels.common.system import WebAnswer
from triage.channels.common.values import Look, Received, Webhook
from triage.channels.registry import Channels, open_channels
from triage.db.tables import ReceivedRow, TicketRow
from triage.settings import Settings
from triage.web import create_app

CHANNELS = """
[channels.desk]
kind = "mapped"
[channels.desk.verify]
scheme = "hmac"
header = "X-Signature"
timestamp_header = "X-Timestamp"
signs = "{timestamp}.{body}"
secrets = ["env:NEW", "env:OLD"]
[channels.desk.map]
subject = "subject"
body = "text"
requester = "from"
remote_id = "id"
[channels.desk.key]
path = "delivery"
[channels.desk.events]
path = "event"
new = ["created"]

[channels.hidden]
kind = "mapped"
verify = { scheme = "path", secrets = ["env:PATH_SECRET"] }
map = { subject = "subject" }

[channels.broken]
kind = "mapped"
"""
SECRETS = {"NEW": "n3w", "OLD": "0ld", "PATH_SECRET": "longandrandom"}


@dataclass
class Door:
    """The REST API with channels; ``post`` signs a body as the system would."""

    client: TestClient
    sessions: sessionmaker[Session]
    jobs: NoJobs
    channels: Channels

    def post(self, body: object, *, secret: str = "n3w", age_s: float = 0, forged: bool = False, **headers: str) -> int:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        stamp = f"{time.time() - age_s:.0f}"
        signature = hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
        given = {
            "X-Timestamp": stamp,
            "X-Signature": signature[::-1] if forged else signature,
            "Content-Type": "application/json",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post("/v1/webhooks/desk", content=raw, headers=given).status_code

    def rows(self) -> int:
        with self.sessions() as session:
            return session.scalar(select(func.count()).select_from(ReceivedRow)) or 0


@pytest.fixture
def door(office: Office, engine: Engine, database_url: str, tmp_path: Path) -> Door:
    path = tmp_path / "channels.toml"
    path.write_text(CHANNELS)
    channels = open_channels(path, SECRETS)
    settings = Settings(home=tmp_path, database_url=database_url, max_body_bytes=200_000)
    app = create_app(
        settings=settings,
        engine=engine,
        sessions=office.sessions,
        desk=office.desk,
        jobs=office.jobs,
        channels=channels,
    )
    client = TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=False)
    return Door(client, office.sessions, office.jobs, channels)


def created(number: int) -> dict[str, object]:
    return {
        "event": "created",
        "delivery": f"d{number}",
        "id": number,
        "subject": f"VPN drops {number}",
        "text": "Since this morning.",
        "from": "ana@example.com",
    }


def test_a_signed_webhook_is_stored_and_queued_and_answered(door: Door) -> None:
    assert door.post(created(1)) == 202
    assert door.post(created(2), secret="0ld") == 202
    assert door.rows() == 2 and len(door.jobs.queued) == 2


def test_repeats_are_answered_and_not_stored(door: Door) -> None:
    assert [door.post(created(1)) for _ in range(3)] == [202] * 3
    assert door.rows() == 1 and len(door.jobs.queued) == 1


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"forged": True}, 401),
        ({"secret": "guess"}, 401),
        ({"age_s": 301}, 401),
        ({"age_s": -301}, 401),
        ({"Content_Encoding": "gzip"}, 415),
        ({"X_Signature": ""}, 401),
    ],
)
def test_forged_stale_and_packed_ones_are_refused(door: Door, changes: dict[str, object], status: int) -> None:
    assert door.post(created(1), **changes) == status  # type: ignore[arg-type]
    assert door.rows() == 0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),
        (b'{"event": "created", "deliv', 422),
        (b"\xff\xfe\x00", 422),
        (b"[" * 50_000, 422),
        ([], 422),
        ({"event": "created"}, 422),
        ({"event": "created", "delivery": "d"}, 422),
        (b"x" * 10_000_000, 413),
        (gzip.compress(b"0" * 10_000_000), 422),
    ],
)
def test_malformed_ones_are_refused_in_words(door: Door, body: object, status: int) -> None:
    assert door.post(body) == status
    assert door.rows() == 0


def test_unknown_events_and_other_content_types_are_accepted(door: Door) -> None:
    assert door.post({"event": "exploded", "delivery": "d1", "new_field": {"a": []}}) == 202
    assert door.post(created(2), Content_Type="text/plain") == 202
    with door.sessions() as session:
        assert Counter(session.scalars(select(ReceivedRow.state))) == {"ignored": 1, "pending": 1}
    assert len(door.jobs.queued) == 1


def test_a_secret_address_is_neither_logged_nor_shown(door: Door, capsys: pytest.CaptureFixture[str]) -> None:
    right = door.client.post("/v1/webhooks/hidden/longandrandom", json={"subject": "VPN"})
    assert right.status_code == 202
    wrong = door.client.post("/v1/webhooks/hidden/longandrando", json={"subject": "VPN"})
    assert wrong.status_code == 401 and "longandrando" not in wrong.text
    elsewhere = door.client.get("/v1/webhooks/hidden/longandrandom")
    assert elsewhere.status_code == 405 and "longandrandom" not in elsewhere.text
    output = capsys.readouterr()
    assert "longandrand" not in output.out + output.err


def test_channels_that_are_missing_or_broken_say_so_and_keep_no_other_from_working(door: Door) -> None:
    missing = door.client.post("/v1/webhooks/none", json={})
    assert missing.status_code == 404 and "There is no channel" in missing.json()["detail"]
    assert door.client.post("/v1/webhooks/broken", json={}).status_code == 503
    ready = door.client.get("/readyz").json()
    assert ready["channels"]["broken"]["ready"] is False and "verify" in ready["channels"]["broken"]["says"]
    assert ready["channels"]["desk"]["ready"] is True
    assert door.post(created(1)) == 202


def test_what_our_own_code_fails_on_is_kept_to_be_looked_at(door: Door) -> None:
    def fail(_: Webhook) -> Received:
        raise ZeroDivisionError

    channel = door.channels.open["desk"]
    door.channels.open["desk"] = replace(channel, parse=fail)  # type: ignore[index]
    assert door.post(created(1)) == 202
    with door.sessions() as session:
        (row,) = session.scalars(select(ReceivedRow))
        assert row.state == "dead" and b"VPN drops 1" in (row.body or b"") and "ZeroDivisionError" in row.detail
    listed = door.client.get("/v1/received", params={"state": "dead"}).json()
    assert [one["event"] for one in listed["received"]] == ["unreadable"]


def test_a_channel_may_speak_its_own_protocol(door: Door) -> None:
    channel = replace(door.channels.open["desk"], dispatch=lambda webhook: WebAnswer(200, webhook.body[::-1]))
    door.channels.open["desk"] = channel  # type: ignore[index]
    assert door.client.post("/v1/webhooks/desk", content=b"abc").content == b"cba"


def test_of_a_thousand_webhooks_exactly_the_right_ones_count(door: Door, office: Office) -> None:
    """A third of them is redelivered, forged, stale or malformed."""
    dice = random.Random(7)
    wrong = [
        lambda n: door.post(created(n), forged=True),
        lambda n: door.post(created(n), age_s=dice.choice([400, -400, 90_000])),
        lambda n: door.post(json.dumps(created(n)).encode()[: -dice.randint(2, 40)]),
    ]
    answers: Counter[str] = Counter()
    right: set[int] = set()
    for number in range(1_000):
        kind = dice.random()
        if kind < 2 / 3 or not right:
            right.add(number)
            answers[f"right {door.post(created(number))}"] += 1
        elif kind < 0.78:
            answers[f"again {door.post(created(dice.choice(sorted(right))))}"] += 1
        else:
            answers[f"wrong {dice.choice(wrong)(number)}"] += 1
    assert answers["right 202"] == len(right)
    assert sum(count for name, count in answers.items() if name.startswith("again")) == answers["again 202"]
    assert answers["wrong 202"] == 0
    assert door.rows() == len(right) == len(door.jobs.queued)
    channel = door.channels.open["desk"]
    for _, row_id, tries, _ in list(door.jobs.queued):
        inbox.work_on(door.sessions, door.jobs, channel, row_id, tries)
    with door.sessions() as session:
        subjects = session.scalars(select(TicketRow.subject)).all()
    assert sorted(subjects) == sorted(f"VPN drops {number}" for number in right)


def test_dead_letters_are_listed_shown_and_retried_over_rest(door: Door, open_office: Callable[..., Office]) -> None:
    office = open_office()
    office.jobs = door.jobs
    office.system.open("1", "VPN drops")
    office.system.refused_fields = {"queue"}
    office.take(Look("1"))
    office.work()
    (dead,) = door.client.get("/v1/deliveries", params={"state": "dead"}).json()["deliveries"]
    shown = door.client.get(f"/v1/deliveries/{dead['id']}").json()
    assert "queue stands at general" in shown["detail"] and shown["done"].keys() == {"fields", "note"}
    assert door.client.post(f"/v1/deliveries/{dead['id']}/retry", json={}).status_code == 202
    assert door.client.post(f"/v1/deliveries/{dead['id']}/retry", json={}).status_code == 422
    assert door.client.get("/v1/deliveries/none").status_code == 404
    assert door.client.post("/v1/received/%00/retry", json={}).status_code == 404
    assert datetime.fromisoformat(shown["created_at"]) <= datetime.now(UTC)
