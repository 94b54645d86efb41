"""Request Tracker 5, the real one: what it says, takes, refuses, and how we find out."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.peers.rt import SECRET, RequestTracker, request_tracker
from tests.receiver import Receiver, receiving
from triage.channels.common.system import Channel, System
from triage.channels.common.values import DeliveryFailed, Draft, Gone, Look, Status, Webhook
from triage.channels.registry import build

TABLE = {
    "kind": "rt",
    "user": "triage",
    "password": "env:RT_PASSWORD",
    "hook_secrets": ["env:RT_SECRET"],
    "fields": {
        "queue": {"to": "Queue", "values": {"network": "Network", "hardware": "Hardware"}},
        "category": {"to": "CF.{Category}"},
        "priority": {"to": "Priority", "values": {"high": "80", "low": "20"}},
    },
}


@dataclass
class Desk:
    """RT, our channel to it, and what its scrips sent."""

    rt: RequestTracker
    channel: Channel
    hooks: Receiver

    @property
    def system(self) -> System:
        assert self.channel.system
        return self.channel.system

    def open(self, subject: str = "VPN drops – über", **values: object) -> str:
        given = {"Queue": "General", "Subject": subject, "Content": "It drops ☃.", "ContentType": "text/plain"}
        answer = self.rt.agent.post("/ticket", json={**given, "Requestor": "carol@example.test", **values})
        return str(answer.raise_for_status().json()["id"])


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("rt") / "rt"
    with receiving() as hooks, request_tracker(folder, f"{hooks.url}/hook") as rt:
        secrets = {"RT_PASSWORD": "bot-password", "RT_SECRET": SECRET}
        channel = build("rt", {**TABLE, "url": rt.url}, secrets)
        yield Desk(rt, channel, hooks)
        channel.close()


def test_a_ticket_is_read_with_all_that_was_said(desk: Desk) -> None:
    number = desk.open()
    desk.rt.agent.post(f"/ticket/{number}/comment", content="For us only.", headers={"Content-Type": "text/plain"})
    ticket = desk.system.read(number)
    assert (ticket.subject, ticket.body, ticket.requester) == ("VPN drops – über", "It drops ☃.", "carol@example.test")
    assert ticket.fields == {"queue": "General", "priority": "0"}
    assert ticket.status is Status.OPEN and ticket.touched_by == "bea" and not ticket.opened_by_us
    (message,) = ticket.messages
    assert (message.text, message.public, message.by_agent, message.is_ours) == ("For us only.", False, True, False)
    assert ticket.opened_at and abs(ticket.opened_at - datetime.now(UTC)) < timedelta(minutes=2)


COPIED = """From: Dana <dana@example.test>
To: rt@desk.test
Subject: [desk.test #{number}] VPN drops
Message-ID: <copied-{number}@example.test>

Same here.
"""


def test_a_word_of_who_was_copied_is_no_agents(desk: Desk) -> None:
    number = desk.open(Cc="dana@example.test")
    desk.rt.mail(COPIED.format(number=number))
    ticket = desk.system.read(number)
    (message,) = ticket.messages
    assert (message.text.strip(), message.author, message.by_agent) == ("Same here.", "dana@example.test", False)
    assert ticket.touched_by is None


def test_a_ticket_is_made_and_read_back_as_it_was_written(desk: Desk) -> None:
    assert desk.channel.create
    body = "Seit heute ☃ <b>\n\n-- \nAsked in slack.\n[triage:ticket-1]"
    decided = {"queue": "network", "category": "network", "priority": "high"}
    ticket = desk.system.read(desk.channel.create(Draft("VPN über", body, "carol@example.test", decided)))
    assert (ticket.subject, ticket.requester, ticket.fields) == ("VPN über", "carol@example.test", decided)
    assert ticket.body == body and ticket.opened_by_us and ticket.touched_by is None
    assert desk.system.read(desk.channel.create(Draft("VPN", "x", ""))).fields["queue"] == "General"
    with pytest.raises(DeliveryFailed, match="No permission to create tickets in the queue 'Nowhere'"):
        desk.channel.create(Draft("VPN", "x", "carol@example.test", {"queue": "Nowhere"}))


def test_fields_are_set_and_a_refused_one_still_stands_as_it_was(desk: Desk) -> None:
    number = desk.open()
    ticket = desk.system.read(number)
    assert ticket.touched_by is None
    desk.system.set_fields(ticket, {"queue": "network", "category": "network", "priority": "high"})
    ticket = desk.system.read(number)
    assert ticket.fields == {"queue": "network", "category": "network", "priority": "high"}
    assert ticket.touched_by is None, "what the bot does is no touch of a person"
    desk.system.set_fields(ticket, {"queue": "Nowhere", "category": "nothing"})
    assert desk.system.read(number).fields == ticket.fields


def test_a_ticket_that_changed_since_it_was_read_is_not_written(desk: Desk) -> None:
    number = desk.open()
    ticket = desk.system.read(number)
    desk.rt.agent.put(f"/ticket/{number}", json={"Queue": "Hardware"}).raise_for_status()
    with pytest.raises(DeliveryFailed, match="412") as failed:
        desk.system.set_fields(ticket, {"queue": "network"})
    assert failed.value.retryable_later
    assert desk.system.read(number).fields["queue"] == "hardware"


def test_notes_and_replies_are_ours_and_can_be_found_again(desk: Desk) -> None:
    number = desk.open()
    ticket = desk.system.read(number)
    desk.system.post(ticket, "Für den Agenten [triage:1]", public=False)
    desk.system.post(ticket, "Für die Kundin [triage:2]", public=True)
    ticket = desk.system.read(number)
    assert [(one.text, one.public, one.is_ours) for one in ticket.messages] == [
        ("Für den Agenten [triage:1]", False, True),
        ("Für die Kundin [triage:2]", True, True),
    ]
    assert ticket.touched_by is None


def test_scrips_tell_of_every_change_with_a_signature_that_verifies(desk: Desk) -> None:
    desk.hooks.requests.clear()
    number = desk.open()
    desk.rt.agent.put(f"/ticket/{number}", json={"Queue": "Network", "Status": "resolved"})
    assert desk.channel.verifier and desk.channel.parse
    events = []
    for request in desk.hooks.requests:
        webhook = Webhook(request.headers, request.body, datetime.now(UTC))
        desk.channel.verifier.check(webhook)
        received = desk.channel.parse(webhook)
        assert received.happenings == (Look(number),)
        events.append(received.event)
    assert sorted(events) == ["Create", "Set", "Status"]
    assert desk.system.read(number).status is Status.SOLVED


def test_a_listener_that_is_away_delays_a_ticket_and_loses_none(desk: Desk) -> None:
    desk.hooks.answers = [(500, {}, b"<html>no</html>")]
    assert desk.system.read(desk.open()).subject


def test_asking_for_changes_names_each_and_goes_on_from_the_cursor(desk: Desk) -> None:
    since = datetime.now(UTC) - timedelta(seconds=1)
    first = desk.open("one")
    named = [number for page in desk.system.changed_since(None, since) for number in page.remote_ids]
    assert first in named
    *_, last = desk.system.changed_since(None, since)
    second = desk.open("two")
    later = [number for page in desk.system.changed_since(last.cursor, since) for number in page.remote_ids]
    assert second in later
    far = datetime.now(UTC) + timedelta(hours=1)
    assert list(desk.system.changed_since(None, far)) == []


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_the_users_time_zone_changes_nothing(desk: Desk, zone: str) -> None:
    root = desk.rt.client("root", "password")
    root.put("/user/triage", json={"Timezone": zone}).raise_for_status()
    try:
        number = desk.open("from elsewhere")
        since = datetime.now(UTC) - timedelta(seconds=5)
        named = [one for page in desk.system.changed_since(None, since) for one in page.remote_ids]
        assert number in named
        assert list(desk.system.changed_since(None, since + timedelta(minutes=5))) == []
    finally:
        root.put("/user/triage", json={"Timezone": ""})


def test_merged_tickets_say_into_which(desk: Desk) -> None:
    first, second = desk.open("first"), desk.open("second")
    desk.rt.agent.put(f"/ticket/{second}", json={"MergeInto": first}).raise_for_status()
    merged = desk.system.read(second)
    assert merged.status is Status.MERGED and merged.merged_into == first


def test_a_merged_ticket_is_told_of_and_found_by_asking(desk: Desk) -> None:
    first, second = desk.open("first"), desk.open("second")
    desk.hooks.requests.clear()
    desk.rt.agent.put(f"/ticket/{second}", json={"MergeInto": first}).raise_for_status()
    assert desk.channel.parse
    told = [desk.channel.parse(Webhook(one.headers, one.body, datetime.now(UTC))) for one in desk.hooks.requests]
    assert (Look(second),) in [one.happenings for one in told]
    since = datetime.now(UTC) - timedelta(seconds=5)
    assert {first, second} <= {number for page in desk.system.changed_since(None, since) for number in page.remote_ids}


def test_no_changed_ticket_is_skipped_though_others_change_between_pages(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triage.channels.rt.tickets.PAGE", 3)
    since = datetime.now(UTC) - timedelta(seconds=1)
    made = [desk.open(f"page {number}") for number in range(8)]
    pages = desk.system.changed_since(None, since)
    first = next(pages)
    for number in made[:3]:
        desk.rt.agent.put(f"/ticket/{number}", json={"Priority": "7"}).raise_for_status()
    rest = list(pages)
    named = [number for page in (first, *rest) for number in page.remote_ids]
    assert len(named) == len(set(named)) and set(made) <= set(named)
    resumed = [number for page in desk.system.changed_since(first.cursor, since) for number in page.remote_ids]
    assert resumed == [number for page in rest for number in page.remote_ids], "a sweep cut short goes on where it was"
    again = {number for page in desk.system.changed_since(rest[-1].cursor, since) for number in page.remote_ids}
    assert set(made[:3]) <= again, "what changed during a sweep is named by the next"


def test_all_of_a_long_history_is_read_though_its_user_may_not_see_the_mails_in_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("triage.channels.rt.tickets.PAGE", 3)
    number = desk.open("a long one")
    for turn in range(4):
        desk.system.post(desk.system.read(number), f"turn {turn}", public=True)
    assert [one.text for one in desk.system.read(number).messages] == [f"turn {turn}" for turn in range(4)]


def test_a_ticket_with_a_large_file_is_read_with_its_words_and_the_file(desk: Desk) -> None:
    number, large = desk.open(), bytes(range(256)) * 12_000  # 3 MB, more than is read of an answer
    file = {"FileName": "scan.tif", "FileType": "image/tiff", "FileContent": base64.b64encode(large).decode()}
    said = {"Content": "Here is the scan ☃.", "ContentType": "text/plain", "Attachments": [file]}
    desk.rt.agent.post(f"/ticket/{number}/correspond", json=said).raise_for_status()
    (message,) = desk.system.read(number).messages
    assert message.text == "Here is the scan ☃.\n[attached: scan.tif]" and desk.channel.files
    (held,) = desk.channel.files(number, message.message_id)
    assert (held.name, held.media_type, held.content) == ("scan.tif", "image/tiff", large)


def test_what_is_not_there_is_gone(desk: Desk) -> None:
    for number in ("999999", "abc", "../users", ""):
        with pytest.raises(Gone):
            desk.system.read(number)


def test_a_mail_becomes_a_ticket_that_reads_well(desk: Desk) -> None:
    desk.rt.mail(
        "From: Dora <dora@example.test>\nTo: rt@desk.test\nSubject: =?utf-8?q?Drucker_f=C3=A4llt_aus?=\n"
        'Message-ID: <1@example.test>\nContent-Type: text/html; charset="utf-8"\n\n<p>Papier<br>stau</p>\n'
    )
    *_, last = desk.system.changed_since(None, datetime.now(UTC) - timedelta(seconds=5))
    ticket = desk.system.read(last.remote_ids[-1])
    assert ticket.subject == "Drucker fällt aus" and ticket.body.split() == ["Papier", "stau"]
    assert ticket.requester == "dora@example.test" and ticket.touched_by is None


def test_the_check_says_what_is_missing(desk: Desk) -> None:
    assert all(finding.ok for finding in desk.system.check())
    wrong = {**TABLE, "url": desk.rt.url, "fields": {"queue": {"to": "Queue", "values": {"a": "Nowhere"}}}}
    channel = build("rt", wrong, {"RT_PASSWORD": "bot-password", "RT_SECRET": SECRET})
    assert channel.system
    assert ["Nowhere" in finding.says for finding in channel.system.check() if not finding.ok] == [True]
    channel.close()
    stranger = build("rt", {**TABLE, "url": desk.rt.url}, {"RT_PASSWORD": "wrong", "RT_SECRET": SECRET})
    assert stranger.system
    with pytest.raises(DeliveryFailed, match=r"401.*Check the credentials"):
        list(stranger.system.check())
    stranger.close()
    assert httpx.get(desk.rt.url, timeout=20).status_code == 200
