"""django-helpdesk, the real one: what it says, takes, refuses, and how we find out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.peers.helpdesk import ALICE, BOT, GENERAL, HARDWARE, NETWORK, HelpdeskSite, helpdesk
from tests.receiver import Receiver, receiving
from triage.channels.common.files import File
from triage.channels.common.system import Channel, System
from triage.channels.common.values import DeliveryFailed, Draft, Gone, Look, Status, Webhook
from triage.channels.registry import build

TABLE = {
    "kind": "helpdesk",
    "bot": BOT,
    "user": "triage",
    "password": "env:HD_PASSWORD",
    "hook_secrets": ["env:HD_SECRET"],
    "new_in": GENERAL,
    "fields": {
        "queue": {"to": "queue", "values": {"network": str(NETWORK), "hardware": str(HARDWARE)}},
        "category": {"to": "custom_category", "values": {"tunnel": "vpn"}},
        "priority": {"to": "priority", "values": {"high": "2", "low": "4"}},
    },
}
SECRETS = {"HD_PASSWORD": "triage-password", "HD_SECRET": "hush"}
TEMPLATES = '{{ ticket.queue }} {% load x %} {# gone #} {% unclosed, 100%} {{{ }} {%{%{{# {{ "{" }}'


@dataclass
class Desk:
    """The helpdesk, our channel to it, and what its webhooks brought."""

    site: HelpdeskSite
    channel: Channel
    hooks: Receiver

    @property
    def system(self) -> System:
        assert self.channel.system
        return self.channel.system

    def open(self, subject: str = "VPN drops – über") -> str:
        assert self.site.submit(subject, "It drops ☃.").status_code == 302
        return self.site.newest()

    def reply(self, number: str, text: str, *, public: bool = True) -> None:
        followup = {"ticket": int(number), "comment": text, "public": public}
        self.site.alice("POST", "/followups/", json=followup)

    def named(self, cursor: str | None, since: datetime) -> tuple[list[str], str | None]:
        names: list[str] = []
        for page in self.system.changed_since(cursor, since):
            names += page.remote_ids
            cursor = page.cursor
        return names, cursor


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, peers: Path) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("helpdesk") / "site"
    with receiving() as hooks, helpdesk(folder, f"{hooks.url}/hook") as site:
        channel = build("desk", {**TABLE, "url": site.url}, SECRETS)
        yield Desk(site, channel, hooks)
        channel.close()


def test_a_ticket_is_read_with_all_that_was_said(desk: Desk) -> None:
    number = desk.open()
    desk.reply(number, "For us only.", public=False)
    ticket = desk.system.read(number)
    assert (ticket.subject, ticket.body) == ("VPN drops – über", "It drops ☃.")
    assert ticket.requester == "dora@fennvale.example"
    assert ticket.fields == {"queue": str(GENERAL), "priority": "3"}
    assert ticket.status is Status.OPEN and ticket.touched_by == f"user {ALICE}" and not ticket.opened_by_us
    (message,) = ticket.messages
    assert (message.text, message.public, message.by_agent, message.is_ours) == ("For us only.", False, True, False)
    assert ticket.opened_at and abs(ticket.opened_at - datetime.now(UTC)) < timedelta(minutes=2)


def test_fields_are_set_and_a_number_that_is_none_is_refused(desk: Desk) -> None:
    number = desk.open()
    desk.system.set_fields(desk.system.read(number), {"queue": "network", "category": "tunnel", "priority": "high"})
    ticket = desk.system.read(number)
    assert ticket.fields == {"queue": "network", "category": "tunnel", "priority": "high"}
    assert ticket.touched_by is None, "what the bot does is no touch of a person"
    assert desk.site.ticket(number)["custom_category"] == "vpn"
    for wrong in ({"queue": "99"}, {"queue": "nowhere"}, {"category": "nothing"}):
        with pytest.raises(DeliveryFailed) as failed:
            desk.system.set_fields(ticket, wrong)
        assert not failed.value.retryable_later
    assert desk.system.read(number).fields == ticket.fields


def test_a_ticket_is_made_and_read_back_as_it_was_written(desk: Desk) -> None:
    assert desk.channel.create
    body = "Since {{ today }} ☃ <b>\n\n-- \nAsked in slack.\n[triage:ticket-1]"
    decided = {"queue": "network", "category": "tunnel", "priority": "high"}
    ticket = desk.system.read(desk.channel.create(Draft("VPN drops", body, "dora@fennvale.example", decided)))
    assert (ticket.subject, ticket.requester, ticket.fields) == ("VPN drops", "dora@fennvale.example", decided)
    assert "[triage:ticket-1]" in ticket.body and "☃ <b>" in ticket.body
    assert ticket.messages == () and ticket.touched_by is None
    plain = desk.system.read(desk.channel.create(Draft("VPN", "x", "dora@fennvale.example")))
    assert plain.fields["queue"] == str(GENERAL) and plain.touched_by is None
    with pytest.raises(DeliveryFailed, match="has no mail address"):
        desk.channel.create(Draft("VPN", "x", ""))


def test_a_ticket_that_changed_since_it_was_read_is_not_written(desk: Desk) -> None:
    number = desk.open()
    ticket = desk.system.read(number)
    desk.site.alice("PATCH", f"/tickets/{number}/", json={"queue": HARDWARE})
    with pytest.raises(DeliveryFailed, match="in the meantime") as failed:
        desk.system.set_fields(ticket, {"queue": "network"})
    assert failed.value.retryable_later
    assert desk.system.read(number).fields["queue"] == "hardware"


def test_notes_and_replies_are_ours_and_the_ticket_keeps_its_title(desk: Desk) -> None:
    number = desk.open()
    ticket = desk.system.read(number)
    first = desk.system.post(ticket, "Für den Agenten [triage:1]", public=False)
    second = desk.system.post(ticket, "Für die Kundin [triage:2]", public=True)
    ticket = desk.system.read(number)
    assert [(one.message_id, one.text, one.public, one.is_ours) for one in ticket.messages] == [
        (first, "Für den Agenten [triage:1]", False, True),
        (second, "Für die Kundin [triage:2]", True, True),
    ]
    assert ticket.touched_by is None and ticket.subject == "VPN drops – über"


def test_text_that_looks_like_a_template_stands_there_as_it_was(desk: Desk) -> None:
    number = desk.open()
    for text in (TEMPLATES, "{{", "{%", "%}", "{#", "{" * 9, "<b>&amp;</b> {{ x|safe }}\n{% endverbatim %}"):
        desk.system.post(desk.system.read(number), text, public=False)
        assert desk.system.read(number).messages[-1].text == text


def test_webhooks_tell_of_tickets_and_followups_but_not_of_a_patch(desk: Desk) -> None:
    desk.hooks.requests.clear()
    number = desk.open()
    desk.reply(number, "On it.")
    desk.site.alice("PATCH", f"/tickets/{number}/", json={"queue": NETWORK})
    assert desk.channel.parse
    parsed = [desk.channel.parse(Webhook({}, one.body, datetime.now(UTC), "hush")) for one in desk.hooks.requests]
    assert [one.event for one in parsed] == ["new", "followup"]
    assert {one.happenings for one in parsed} == {(Look(number),)}
    assert len({one.key for one in parsed}) == 2


def test_a_followup_that_is_stored_though_an_error_is_answered_is_found_again(desk: Desk, tmp_path: Path) -> None:
    with helpdesk(tmp_path / "site", "http://127.0.0.1:9/nobody") as site:
        channel = build("desk", {**TABLE, "url": site.url}, SECRETS)
        assert channel.system
        assert site.submit("VPN drops", "Again").status_code == 500
        number = site.newest()
        with pytest.raises(DeliveryFailed, match="500") as failed:
            channel.system.post(channel.system.read(number), "A note [triage:3]", public=False)
        assert failed.value.retryable_later
        assert [one.text for one in channel.system.read(number).messages] == ["A note [triage:3]"]
        channel.close()


def test_asking_for_changes_finds_new_patched_answered_and_closed_tickets(desk: Desk) -> None:
    since = datetime.now(UTC)
    numbers = [desk.open(f"number {one}") for one in range(5)]
    names, cursor = desk.named(None, since)
    assert set(numbers) <= set(names)
    assert desk.named(cursor, since)[0] == []
    desk.site.alice("PATCH", f"/tickets/{numbers[0]}/", json={"queue": HARDWARE})
    desk.site.alice("PATCH", f"/tickets/{numbers[1]}/", json={"status": 4})
    desk.reply(numbers[2], "On it.")
    desk.site.alice("DELETE", f"/tickets/{numbers[3]}/")
    late = desk.open("late")
    names, cursor = desk.named(cursor, since)
    assert sorted(names) == sorted([*numbers[:4], late])
    assert desk.named(cursor, since)[0] == []
    assert desk.system.read(numbers[1]).status is Status.SOLVED
    with pytest.raises(Gone):
        desk.system.read(numbers[3])
    far = datetime.now(UTC) + timedelta(hours=1)
    names, cursor = desk.named(None, far)
    assert names == [], "nothing was said since then"
    assert desk.named(cursor, far)[0] == []


def test_a_first_reading_that_breaks_off_goes_on_where_it_was(desk: Desk) -> None:
    for number in range(110):
        desk.site.alice(
            "POST", "/tickets/", json={"title": f"t{number}", "description": "x", "queue": GENERAL, "priority": 3}
        )
    since = datetime.now(UTC) - timedelta(hours=1)
    first, second, *_ = desk.system.changed_since(None, since)
    (again, *_) = desk.system.changed_since(first.cursor, since)
    assert again.remote_ids == second.remote_ids and first.total == second.total
    names, _ = desk.named(first.cursor, since)
    assert not set(names) & set(first.remote_ids)


def test_a_closed_ticket_is_read_from_the_page_that_named_it_but_only_once(desk: Desk) -> None:
    number = desk.open("closed long ago")
    desk.site.alice("PATCH", f"/tickets/{number}/", json={"status": 4})
    assert number in desk.named(None, datetime.now(UTC) - timedelta(hours=1))[0]
    desk.site.alice("PATCH", f"/tickets/{number}/", json={"status": 2})
    assert desk.system.read(number).status is Status.SOLVED
    assert desk.system.read(number).status is Status.OPEN


def test_merged_tickets_say_into_which(desk: Desk) -> None:
    first, second = desk.open("first"), desk.open("second")
    desk.site.alice("PATCH", f"/tickets/{second}/", json={"merged_to": int(first), "status": 5})
    merged = desk.system.read(second)
    assert merged.status is Status.MERGED and merged.merged_into == first


def test_a_note_goes_with_files(desk: Desk) -> None:
    number = desk.open()
    assert desk.channel.attach
    files = [File("log ä.txt", "text/plain", b"error 809"), File("a.png", "image/png", b"\x89PNG")]
    desk.channel.attach(desk.system.read(number), "A note {{ ticket }} [triage:1]", files)
    said = desk.system.read(number).messages[-1]
    assert "[triage:1]" in said.text and not said.public and said.is_ours
    followup = desk.site.alice("GET", f"/followups/{said.message_id}/").json()
    held = {one["filename"]: one["size"] for one in followup["followupattachment_set"]}
    assert held == {"log ä.txt": 9, "a.png": 4}


def test_what_is_not_there_is_gone(desk: Desk) -> None:
    for number in ("999999", "abc", "../users", "", "٣"):
        with pytest.raises(Gone):
            desk.system.read(number)


def test_the_check_says_what_is_missing(desk: Desk) -> None:
    number = desk.open()
    desk.system.post(desk.system.read(number), "A note [triage:4]", public=False)
    findings = list(desk.system.check())
    assert all(finding.ok for finding in findings), findings
    fields = {"category": {"to": "custom_product"}, "priority": {"to": "priority", "values": {"high": "9"}}}
    wrong = build("desk", {**TABLE, "url": desk.site.url, "fields": fields, "bot": 7}, SECRETS)
    assert wrong.system
    says = " ".join(finding.says for finding in wrong.system.check() if not finding.ok)
    assert "custom_product" in says and "no value 9" in says and f"set bot = {BOT}" in says
    with pytest.raises(DeliveryFailed, match=f"by user {BOT}, but the table says bot = 7"):
        wrong.system.post(wrong.system.read(number), "A note", public=False)
    wrong.close()
    stranger = build("desk", {**TABLE, "url": desk.site.url}, {**SECRETS, "HD_PASSWORD": "wrong"})
    assert stranger.system
    with pytest.raises(DeliveryFailed, match=r"40[13].*Check the credentials"):
        list(stranger.system.check())
    stranger.close()
