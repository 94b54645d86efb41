"""Bodies in the shape of the customer's own template."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from triage.channels.common.system import Channel
from triage.channels.common.values import Opened, Received, Webhook
from triage.channels.registry import build
from triage.errors import BadInput, Misconfigured

TABLE = {
    "kind": "mapped",
    "verify": {"scheme": "header", "header": "X-Token", "secrets": ["env:S"]},
    "map": {
        "subject": "issue.title",
        "body": "issue.comments[0].text",
        "requester": "issue.by.email",
        "remote_id": "issue.id",
        "url": "issue.url",
        "features": {"product": "issue.labels", "site": "issue.site"},
    },
}
BODY = {
    "issue": {
        "id": 4711,
        "title": "VPN drops",
        "url": "https://desk.example/4711",
        "by": {"email": "ana@example.com"},
        "comments": [{"text": "Since this morning."}],
        "labels": ["vpn", "laptop"],
    }
}


def channel(**changes: object) -> Channel:
    return build("portal", {**TABLE, **changes}, {"S": "secret"})


def read(of: Channel, body: object, **headers: str) -> Received:
    assert of.parse
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return of.parse(Webhook({name.replace("_", "-"): value for name, value in headers.items()}, raw, datetime.now(UTC)))


def test_each_field_comes_from_its_path() -> None:
    (opened,) = read(channel(), BODY).happenings
    assert opened == Opened(
        "4711",
        "VPN drops",
        "Since this morning.",
        "ana@example.com",
        features={"product": "vpn, laptop"},
        url="https://desk.example/4711",
    )


def test_the_key_is_the_senders_or_derived_or_the_body_itself() -> None:
    assert read(channel(key={"header": "X-Id"}), BODY, x_id="a").key == "a"
    assert read(channel(key={"path": "issue.id"}), BODY).key == "4711"
    derived = channel(key={"derived": ["issue.id", "issue.title"]})
    assert read(derived, BODY).key == read(derived, {**BODY, "more": 1}).key
    assert read(channel(), BODY).key != read(channel(), {**BODY, "more": 1}).key
    with pytest.raises(BadInput, match="no delivery id in `x-id`"):
        read(channel(key={"header": "X-Id"}), BODY)


def test_other_events_and_ignored_values_are_accepted_and_nothing_follows() -> None:
    by_event = channel(events={"path": "event", "new": ["created"]})
    assert read(by_event, {**BODY, "event": "created"}).happenings
    other = read(by_event, {**BODY, "event": "exploded"})
    assert not other.happenings and "exploded" in other.note
    ours = channel(ignore={"issue.by.email": ["*@example.com"]})
    assert not read(ours, BODY).happenings


@pytest.mark.parametrize(
    "body",
    [b"", b"\xff\xfe", b"{", b"[" * 100_000, b"NaN", b'{"issue": {"id": NaN}}'],
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(BadInput, match="not valid JSON"):
        read(channel(), body)


@pytest.mark.parametrize("body", [{}, [], "text", 5, None, {"issue": []}, {"issue": {"id": ""}}])
def test_a_body_without_an_id_is_refused(body: object) -> None:
    with pytest.raises(BadInput, match=r"nothing at `issue\.id`"):
        read(channel(), body)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"map": {}}, "needs a text"),
        ({"map": {"subject": "a..b"}}, "no path"),
        ({"map": {"subject": "a"}, "surplus": 1}, "surplus"),
        ({"key": {"header": "X", "path": "a"}}, "one of header, path and derived"),
        ({"verify": {"scheme": "none"}}, "verify"),
        ({"kind": "telepathy"}, "must be one of"),
    ],
)
def test_a_wrong_table_is_told_by_its_key(change: dict[str, object], says: str) -> None:
    with pytest.raises(Misconfigured, match=says):
        channel(**change)
