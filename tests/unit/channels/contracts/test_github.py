"""GitHub by its documentation, where the emulator says less: apps, pull requests, limits, roles, assignees."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.channels.contracts.vendor import Call, Refused, Vendor, misbehaviour, serving
from triage.channels.common.journey import plan_for
from triage.channels.common.system import Channel, System
from triage.channels.common.values import (
    DeliveryFailed,
    Event,
    Gone,
    Look,
    Outgoing,
    Received,
    RemoteTicket,
    Webhook,
)
from triage.channels.registry import build
from triage.errors import BadInput, Misconfigured
from triage.tickets.model import Decision, Outcome

FIXTURES = Path(__file__).parent.parent.parent.parent / "fixtures" / "github"
TABLE: dict[str, Any] = {
    "kind": "github",
    "repository": "desk/support",
    "token": "env:TOKEN",
    "hook_secrets": ["env:SECRET"],
    "policy": {"mode": "apply"},
    "fields": {
        "queue": {"to": "label:area/"},
        "priority": {"to": "label:", "values": {"high": "P1", "low": "P3"}},
        "owner": {"to": "assignee", "values": {"bea": "bea-gh", "leo": "leo-gh"}},
    },
}
SECRETS = {"TOKEN": "t0ken", "SECRET": "hush"}
STAMP = "2026-11-23T10:00:00Z"


def person(login: str, kind: str = "User") -> dict[str, Any]:
    return {"login": login, "type": kind}


class GithubServer:
    """One repository of one issue and one pull request."""

    def __init__(self) -> None:
        self.issue: dict[str, Any] = json.loads((FIXTURES / "issues.opened.json").read_bytes())["issue"]
        self.comments: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.listed: list[dict[str, Any]] = [self.issue]
        self.assignable = {"bea-gh"}
        self.may_set_labels = True
        base = "/repos/desk/support"
        self.vendor = Vendor(
            [
                ("GET", "/user", self._me),
                ("GET", base, self._repository),
                ("GET", f"{base}/labels", lambda _: [{"name": "P1"}, {"name": "p3"}]),
                ("GET", f"{base}/assignees/(.+)", self._assignee),
                ("GET", f"{base}/issues", self._list),
                ("GET", f"{base}/issues/7", lambda _: self.issue),
                ("GET", f"{base}/issues/8", lambda _: {**self.issue, "number": 8, "pull_request": {"url": "…"}}),
                ("GET", f"{base}/issues/7/comments", lambda call: self._page(call, self.comments)),
                ("GET", f"{base}/issues/7/events", lambda call: self._page(call, self.events)),
                ("POST", f"{base}/issues/7/labels", self._add_labels),
                ("DELETE", f"{base}/issues/7/labels/(.+)", self._remove_label),
                ("POST", f"{base}/issues/7/assignees", self._assign),
                ("DELETE", f"{base}/issues/7/assignees", self._unassign),
                ("POST", f"{base}/issues/7/comments", lambda call: {"id": 5, **call.body}),
            ],
            self._authorized,
        )

    def _authorized(self, call: Call) -> None:
        if call.headers.get("authorization") != "Bearer t0ken":
            raise Refused(401, {"message": "Bad credentials"})
        assert call.headers["x-github-api-version"] == "2022-11-28"
        assert call.headers["accept"] == "application/vnd.github+json"
        assert call.headers["user-agent"]

    def _me(self, _: Call) -> object:
        return person("triage-bot")

    def _repository(self, _: Call) -> object:
        return {"has_issues": True, "permissions": {"admin": False, "push": False, "triage": self.may_set_labels}}

    def _assignee(self, call: Call) -> object:
        if call.groups[0] not in self.assignable:
            raise Refused(404, {"message": "Not Found"})
        return None

    def _page(self, call: Call, items: list[dict[str, Any]]) -> object:
        size, number = int(call.query["per_page"]), int(call.query["page"])
        assert size <= 100
        return items[(number - 1) * size : number * size]

    def _list(self, call: Call) -> object:
        assert (call.query["state"], call.query["sort"], call.query["direction"]) == ("all", "updated", "asc")
        since = call.query["since"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", since)
        found = sorted((one for one in self.listed if one["updated_at"] >= since), key=lambda one: one["updated_at"])
        return self._page(call, found)

    def _add_labels(self, call: Call) -> object:
        self.issue["labels"] += [{"name": name} for name in call.body["labels"]]
        self.events += [
            {"event": "labeled", "actor": person("triage-bot"), "label": {"name": name}} for name in call.body["labels"]
        ]
        return self.issue["labels"]

    def _remove_label(self, call: Call) -> object:
        name = call.groups[0].replace("%2F", "/")
        if name not in [one["name"] for one in self.issue["labels"]]:
            raise Refused(404, {"message": "Label does not exist"})
        self.issue["labels"] = [one for one in self.issue["labels"] if one["name"] != name]
        return self.issue["labels"]

    def _assign(self, call: Call) -> object:
        # Who may not be assigned is left out in silence.
        allowed = [person(login) for login in call.body["assignees"] if login in self.assignable]
        self.issue["assignees"] += allowed
        return self.issue

    def _unassign(self, call: Call) -> object:
        self.issue["assignees"] = [one for one in self.issue["assignees"] if one["login"] not in call.body["assignees"]]
        return self.issue


@pytest.fixture
def server() -> Iterator[GithubServer]:
    server = GithubServer()
    with serving(server.vendor):
        yield server


@pytest.fixture
def channel(server: GithubServer) -> Iterator[Channel]:
    channel = build("gh", {**TABLE, "url": server.vendor.url, "sending": {"timeout_s": 0.5}}, SECRETS)
    yield channel
    channel.close()


@pytest.fixture
def system(channel: Channel) -> System:
    assert channel.system
    return channel.system


def parsed(channel: Channel, name: str, **headers: str) -> Received:
    """The fixture ``event.whatever`` as GitHub would send it."""
    body = (FIXTURES / f"{name}.json").read_bytes()
    given = {"x-github-event": name.partition(".")[0], "x-github-delivery": "72d3162e", **headers}
    given["x-hub-signature-256"] = "sha256=" + hmac.new(b"hush", body, hashlib.sha256).hexdigest()
    webhook = Webhook({key.replace("_", "-"): value for key, value in given.items()}, body, datetime.now(UTC))
    assert channel.verifier and channel.parse
    channel.verifier.check(webhook)
    return channel.parse(webhook)


@pytest.mark.parametrize("event", ["issues.opened", "issues.labeled", "issues.closed", "issue_comment.created"])
def test_an_event_asks_to_look_at_its_issue(channel: Channel, event: str) -> None:
    assert parsed(channel, event) == Received("72d3162e", event, (Look("7"),))


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ("ping", "not one of issues"),
        ("issue_comment.on_pull_request", "a pull request"),
        ("issues.opened_by_bot", "A bot opened"),
    ],
)
def test_other_events_are_accepted_and_ignored(channel: Channel, event: str, says: str) -> None:
    received = parsed(channel, event)
    assert received.happenings == () and says in received.note


def test_issues_of_bots_are_taken_where_the_table_says_so(server: GithubServer) -> None:
    taking = build("gh", {**TABLE, "url": server.vendor.url, "bots": "take"}, SECRETS)
    assert parsed(taking, "issues.opened_by_bot").happenings == (Look("9"),)
    taking.close()


def test_another_repository_is_none_of_ours(server: GithubServer) -> None:
    other = build("gh", {**TABLE, "url": server.vendor.url, "repository": "desk/other"}, SECRETS)
    assert "desk/other" in parsed(other, "issues.opened").note
    other.close()


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"x-github-event": "issues"}, b"{}"),
        ({"x-github-delivery": "1"}, b"{}"),
        ({"x-github-event": "issues", "x-github-delivery": "1"}, b""),
        ({"x-github-event": "issues", "x-github-delivery": "1"}, b'{"repository": {"full_name": "desk/support"}}'),
        ({"x-github-event": "issues", "x-github-delivery": "1", "content-type": "application/x-www-form-urlencoded"},
         b"payload=%7B%7D"),
    ],
)  # fmt: skip
def test_a_malformed_webhook_is_refused(channel: Channel, headers: dict[str, str], body: bytes) -> None:
    assert channel.parse
    with pytest.raises(BadInput):
        channel.parse(Webhook(headers, body, datetime.now(UTC)))


def test_who_belongs_to_the_repository_is_an_agent_unless_a_bot_or_the_author(
    server: GithubServer, system: System
) -> None:
    def comment(number: int, author: dict[str, Any], association: str) -> dict[str, Any]:
        return {"id": number, "user": author, "author_association": association, "body": "…", "created_at": STAMP}

    server.comments = [
        comment(1, person("ana"), "MEMBER"),
        comment(2, person("somebody"), "NONE"),
        comment(3, person("stale[bot]", "Bot"), "COLLABORATOR"),
        comment(4, person("Triage-Bot"), "COLLABORATOR"),
    ]
    ticket = system.read("7")
    assert [(one.by_agent, one.is_ours) for one in ticket.messages] == [(False, False)] * 3 + [(True, True)]
    assert ticket.touched_by is None
    server.events = [
        {"event": "subscribed", "actor": person("bea")},
        {"event": "labeled", "actor": person("stale[bot]", "Bot"), "label": {"name": "stale"}},
        {"event": "labeled", "actor": None, "label": {"name": "old"}},
        {"event": "assigned", "actor": person("bea"), "assignee": person("bea-gh")},
    ]
    assert system.read("7").touched_by == "bea"
    server.comments.append(comment(5, person("leo"), "OWNER"))
    assert system.read("7").touched_by == "leo"


def test_more_comments_than_a_page_holds_are_all_read(server: GithubServer, system: System) -> None:
    server.comments = [{"id": number, "user": person("ana"), "body": "…"} for number in range(230)]
    assert len(system.read("7").messages) == 230


def test_only_people_and_labels_of_the_fields_own_set_are_changed(server: GithubServer, system: System) -> None:
    server.issue["labels"] = [{"name": one} for one in ("Area/Old", "p3", "P2", "help wanted")]
    server.issue["assignees"] = [person("leo-gh"), person("zoe-gh")]
    ticket = system.read("7")
    assert ticket.fields == {"queue": "Old", "priority": "low", "owner": "leo"}
    system.set_fields(ticket, {"queue": "net/vpn & co", "priority": "high", "owner": "bea"})
    assert [one["name"] for one in server.issue["labels"]] == ["P2", "help wanted", "area/net/vpn & co", "P1"]
    assert [one["login"] for one in server.issue["assignees"]] == ["zoe-gh", "bea-gh"]
    assert system.read("7").fields == {"queue": "net/vpn & co", "priority": "high", "owner": "bea"}


def test_who_cannot_be_assigned_is_seen_when_it_is_read_back(server: GithubServer, system: System) -> None:
    system.set_fields(system.read("7"), {"owner": "leo"})
    assert "owner" not in system.read("7").fields


def test_a_writing_that_broke_off_is_ended_by_the_next_try(server: GithubServer, system: System) -> None:
    server.issue["labels"] = [{"name": "area/old"}]
    ticket = system.read("7")

    def break_off(call: Call) -> None:
        if call.method == "POST":
            server.vendor.check = lambda _: None
            raise Refused(502)

    server.vendor.check = break_off
    with pytest.raises(DeliveryFailed):
        system.set_fields(ticket, {"queue": "network"})
    ticket = system.read("7")
    assert "queue" not in ticket.fields, "what is missing will be set again"
    system.set_fields(ticket, {"queue": "network"})
    assert system.read("7").fields["queue"] == "network"


def test_a_pull_request_is_no_ticket(system: System) -> None:
    with pytest.raises(Gone, match="pull request"):
        system.read("8")


def test_pull_requests_and_issues_of_bots_are_not_named(server: GithubServer, system: System) -> None:
    def listed(number: int, **more: Any) -> dict[str, Any]:
        return {**server.issue, "number": number, "updated_at": STAMP, **more}

    server.listed = [listed(1), listed(2, pull_request={}), listed(3, user=person("x[bot]", "Bot")), listed(4)]
    (page,) = system.changed_since(None, datetime(2026, 11, 1, tzinfo=UTC))
    assert page.remote_ids == ("1", "4")


def test_what_changed_long_ago_is_named_once_and_what_changed_just_now_once_more(
    server: GithubServer, system: System
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    old, new = ((now - timedelta(seconds=age)).strftime("%Y-%m-%dT%H:%M:%SZ") for age in (300, 3))
    server.listed = [{**server.issue, "number": 1, "updated_at": old}]
    (page,) = system.changed_since(None, now - timedelta(hours=1))
    assert page.remote_ids == ("1",)
    assert [one.remote_ids for one in system.changed_since(page.cursor, now)] == [()]
    server.listed.append({**server.issue, "number": 2, "updated_at": new})
    for _ in range(2):
        (page,) = system.changed_since(page.cursor, now)
        assert page.remote_ids == ("2",), "it may have changed again within its second"


def test_issues_that_move_while_pages_are_read_are_not_skipped(server: GithubServer, system: System) -> None:
    begin = datetime(2026, 11, 1, tzinfo=UTC)

    def at(seconds: int) -> str:
        return (begin + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")

    server.listed = [{**server.issue, "number": number, "updated_at": at(number)} for number in range(250)]
    named: set[str] = set()
    for page in system.changed_since(None, begin):
        named |= set(page.remote_ids)
        for one in server.listed[:40]:
            one["updated_at"] = at(1_000 + len(named))
    assert named == {str(number) for number in range(250)}


def test_many_issues_of_one_second_are_all_named(server: GithubServer, system: System) -> None:
    server.listed = [{**server.issue, "number": number, "updated_at": STAMP} for number in range(250)]
    named = [one for page in system.changed_since(None, datetime(2026, 11, 1, tzinfo=UTC)) for one in page.remote_ids]
    assert set(named) == {str(number) for number in range(250)}


@pytest.mark.parametrize("status", [403, 429])
def test_a_limit_is_waited_for_and_no_fault_of_the_credentials(
    server: GithubServer, system: System, status: int
) -> None:
    for headers in (
        {"Retry_After": "60"},
        {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": f"{time.time() + 60:.0f}"},
    ):
        server.vendor.faults = [Refused(status, {"message": "rate limit exceeded"}, **headers)]
        with pytest.raises(DeliveryFailed) as failed:
            system.read("7")
        assert failed.value.wait_s == pytest.approx(60, abs=5) and not failed.value.faulty
        assert failed.value.retryable_later and "credentials" not in str(failed.value)
    server.vendor.faults = [Refused(403, {"message": "Resource not accessible"}, X_RateLimit_Remaining="4999")]
    with pytest.raises(DeliveryFailed, match="Check the credentials"):
        system.read("7")


@pytest.mark.parametrize("faults", [faults for _, faults in misbehaviour()], ids=[name for name, _ in misbehaviour()])
def test_an_api_that_misbehaves_is_asked_again_later(
    server: GithubServer, system: System, faults: list[Refused | float | bytes]
) -> None:
    server.vendor.faults = list(faults)
    with pytest.raises(DeliveryFailed) as failed:
        system.read("7")
    assert failed.value.retryable_later
    assert system.read("7").subject == "VPN drops"


def test_the_check_says_what_the_bot_may_not_do(server: GithubServer, system: System) -> None:
    findings = {one.what: one for one in system.check()}
    assert findings["permissions"].ok and findings["priority"].ok
    assert not findings["owner"].ok and "leo-gh" in findings["owner"].says and "bea-gh" not in findings["owner"].says
    server.may_set_labels = False
    assert ["Triage" in one.says for one in system.check() if one.what == "permissions"] == [True]
    server.vendor.faults = [Refused(401, {"message": "Bad credentials"})]
    stranger = build("gh", {**TABLE, "url": server.vendor.url}, {**SECRETS, "TOKEN": "wrong"})
    assert stranger.system
    with pytest.raises(DeliveryFailed, match=r"401.*Check the credentials"):
        list(stranger.system.check())
    stranger.close()


def test_a_note_is_refused_where_it_would_be_public(server: GithubServer, channel: Channel, system: System) -> None:
    ticket = system.read("7")
    with pytest.raises(DeliveryFailed, match="no internal notes") as failed:
        system.post(ticket, "For agents.", public=False)
    assert not failed.value.retryable_later
    outgoing = outgoing_of(ticket)
    plan = plan_for(outgoing, channel.policy, ticket, datetime.now(UTC))
    assert plan.fields == {"queue": "network"} and plan.note is None
    noting = build("gh", {**TABLE, "url": server.vendor.url, "notes": "comment"}, SECRETS)
    assert plan_for(outgoing, noting.policy, ticket, datetime.now(UTC)).note
    noting.close()


def outgoing_of(ticket: RemoteTicket) -> Outgoing:
    now = datetime.now(UTC)
    decision = Decision("queue", Outcome.APPLY, "network", 0.99, "A rule.")
    return Outgoing(
        delivery_id="d" * 20,
        event=Event.RESULT,
        ticket_id="t1",
        source="channel:gh",
        remote_id=ticket.remote_id,
        subject=ticket.subject,
        requester=ticket.requester,
        language=None,
        run=1,
        decisions=(decision,),
        answer=None,
        similar=(),
        macros=(),
        duplicate_of=None,
        created_at=now,
        received_at=now,
    )


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"repository": "support"}, "no repository"),
        ({"repository": "desk/.."}, "no repository"),
        ({"policy": {"mode": "suggest"}}, 'notes = "comment"'),
        ({"policy": {"mode": "dry-run"}}, 'notes = "comment"'),
        ({"fields": {"queue": {"to": "labels"}}}, "fields.queue.to must be"),
        ({"fields": {"queue": {"to": "label:"}}}, "needs a prefix"),
        ({"token": "ghp_123"}, "where the secret stands"),
        ({"notes": "loud"}, "notes"),
    ],
)
def test_a_wrong_table_says_what_is_wrong(changes: dict[str, object], says: str) -> None:
    with pytest.raises(Misconfigured, match=says):
        build("gh", {**TABLE, **changes}, SECRETS)
