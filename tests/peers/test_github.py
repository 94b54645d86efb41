"""GitHub's issues, against an emulator that no one here wrote: webhooks, labels, assignees, comments."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.peers.github import REPOSITORY, SECRET, Emulator, emulator
from tests.processes import until
from tests.receiver import Receiver, Sent, receiving
from triage.channels.common.system import Channel, System
from triage.channels.common.values import DeliveryFailed, Gone, Look, Received, Status, Webhook
from triage.channels.common.verify import NotVerified
from triage.channels.registry import build

TABLE = {
    "kind": "github",
    "repository": REPOSITORY,
    "token": "env:GH_TOKEN",
    "hook_secrets": ["env:GH_SECRET"],
    "notes": "comment",
    "fields": {
        "queue": {"to": "label:area/"},
        "priority": {"to": "label:", "values": {"high": "P1", "low": "P3"}},
        "owner": {"to": "assignee"},
    },
}
SECRETS = {"GH_TOKEN": "gho_triage", "GH_SECRET": SECRET}


@dataclass
class Desk:
    """The emulator, our channel to it, and what its webhook brought."""

    github: Emulator
    channel: Channel
    hooks: Receiver

    @property
    def system(self) -> System:
        assert self.channel.system
        return self.channel.system

    def labels(self, number: str) -> list[str]:
        return sorted(one["name"] for one in self.github.issues("alice", "GET", f"/{number}")["labels"])

    def named(self, cursor: str | None, since: datetime) -> tuple[list[str], str | None]:
        names: list[str] = []
        for page in self.system.changed_since(cursor, since):
            names += page.remote_ids
            cursor = page.cursor
        return names, cursor


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, peers: Path) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("github") / "emulator"
    with receiving() as hooks, emulator(folder, f"{hooks.url}/hook") as github:
        github.call("owner", "PUT", f"/repos/{REPOSITORY}/collaborators/triage-bot", json={"permission": "push"})
        channel = build("desk", {**TABLE, "url": github.url}, SECRETS)
        yield Desk(github, channel, hooks)
        channel.close()


def test_an_issue_is_read_with_all_that_was_said(desk: Desk) -> None:
    number = desk.github.open()
    desk.github.issues("alice", "POST", f"/{number}/comments", json={"body": "Still."})
    ticket = desk.system.read(number)
    assert (ticket.subject, ticket.body, ticket.requester) == ("VPN drops – über", "It drops ☃.", "alice")
    assert ticket.fields == {} and ticket.status is Status.OPEN
    assert ticket.touched_by is None and not ticket.opened_by_us
    assert [(one.text, one.public, one.by_agent, one.is_ours) for one in ticket.messages] == [
        ("Still.", True, False, False)
    ]
    desk.github.issues("owner", "POST", f"/{number}/comments", json={"body": "On it."})
    assert desk.system.read(number).touched_by == "desk"


def test_only_labels_of_the_fields_own_set_are_changed(desk: Desk) -> None:
    number = desk.github.open()
    desk.github.issues("alice", "POST", f"/{number}/labels", json={"labels": ["good first issue", "area/hardware"]})
    ticket = desk.system.read(number)
    assert ticket.fields == {"queue": "hardware"}
    desk.system.set_fields(ticket, {"queue": "network", "priority": "high", "owner": "triage-bot"})
    assert desk.labels(number) == ["P1", "area/network", "good first issue"]
    ticket = desk.system.read(number)
    assert ticket.fields == {"queue": "network", "priority": "high", "owner": "triage-bot"}
    assert ticket.touched_by is None, "what the bot and the requester do is no touch of an agent"


def test_an_agents_second_label_counts_and_names_the_agent(desk: Desk) -> None:
    number = desk.github.open()
    desk.system.set_fields(desk.system.read(number), {"queue": "network"})
    desk.github.issues("owner", "POST", f"/{number}/labels", json={"labels": ["area/hardware"]})
    ticket = desk.system.read(number)
    assert ticket.fields["queue"] == "hardware" and ticket.touched_by == "desk"


def test_an_issue_that_changed_since_it_was_read_is_not_written(desk: Desk) -> None:
    number = desk.github.open()
    ticket = desk.system.read(number)
    desk.github.issues("owner", "POST", f"/{number}/labels", json={"labels": ["area/hardware"]})
    with pytest.raises(DeliveryFailed, match="in the meantime") as failed:
        desk.system.set_fields(ticket, {"queue": "network"})
    assert failed.value.retryable_later
    assert desk.labels(number) == ["area/hardware"]


def test_comments_are_ours_can_be_found_again_and_call_nobody(desk: Desk) -> None:
    number = desk.github.open()
    ticket = desk.system.read(number)
    first = desk.system.post(ticket, "Ask @alice, or mail a@b.example [triage:1]", public=True)
    second = desk.system.post(ticket, "For agents [triage:2]", public=False)
    ticket = desk.system.read(number)
    assert [(one.message_id, one.text, one.is_ours) for one in ticket.messages] == [
        (first, "Ask @\u200balice, or mail a@b.example [triage:1]", True),
        (second, "For agents [triage:2]", True),
    ]
    assert ticket.touched_by is None


def taken(desk: Desk, request: Sent) -> Received:
    assert desk.channel.verifier and desk.channel.parse
    webhook = Webhook(request.headers, request.body, datetime.now(UTC))
    desk.channel.verifier.check(webhook)
    with pytest.raises(NotVerified):
        desk.channel.verifier.check(replace(webhook, body=request.body + b" "))
    return desk.channel.parse(webhook)


def test_webhooks_verify_and_tell_of_issues_and_comments(desk: Desk) -> None:
    number = desk.github.open()
    desk.github.issues("alice", "POST", f"/{number}/comments", json={"body": "Still."})
    desk.github.issues("alice", "PATCH", f"/{number}", json={"state": "closed"})

    def seen() -> list[Received]:
        return [
            one for request in list(desk.hooks.requests) if (one := taken(desk, request)).happenings == (Look(number),)
        ]

    until(lambda: len(seen()) >= 3, what="three webhooks")
    assert sorted(one.event for one in seen()) == ["issue_comment.created", "issues.closed", "issues.opened"]
    assert len({one.key for one in seen()}) == 3
    assert desk.system.read(number).status is Status.SOLVED


def test_asking_for_changes_names_each_and_goes_on_from_the_cursor(desk: Desk) -> None:
    since = datetime.now(UTC)
    first = desk.github.open("one")
    names, cursor = desk.named(None, since)
    assert first in names
    second = desk.github.open("two")
    desk.github.issues("alice", "PATCH", f"/{first}", json={"state": "closed"})
    names, cursor = desk.named(cursor, since)
    assert {first, second} <= set(names)
    assert desk.named(None, datetime.now(UTC) + timedelta(hours=1))[0] == []


def test_many_changes_at_once_are_all_named(desk: Desk) -> None:
    since = datetime.now(UTC)
    opened = {desk.github.open(f"many {number}") for number in range(130)}
    assert opened <= set(desk.named(None, since)[0])


def test_what_is_not_there_is_gone(desk: Desk) -> None:
    for number in ("999999", "abc", "../labels", "", "٣"):
        with pytest.raises(Gone):
            desk.system.read(number)


def test_the_check_says_what_is_missing(desk: Desk) -> None:
    fields = {"queue": {"to": "label:area/", "values": {"net": "network", "no": "nowhere"}}}
    channel = build("desk", {**TABLE, "url": desk.github.url, "fields": fields}, SECRETS)
    assert channel.system
    findings = {one.what: one for one in channel.system.check()}
    assert "triage-bot" in findings["credentials"].says
    assert not findings["queue"].ok and "area/nowhere" in findings["queue"].says
    assert findings["repository"].ok and findings["notes"].ok
    channel.close()
    elsewhere = build("desk", {**TABLE, "url": desk.github.url, "repository": "desk/nothing"}, SECRETS)
    assert elsewhere.system
    assert [one.what for one in elsewhere.system.check() if not one.ok] == ["repository"]
    elsewhere.close()
