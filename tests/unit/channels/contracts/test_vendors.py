"""Every vendor's module does the same for the desk, whatever the vendor calls it; held to their documentation."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kb import KnowledgeBase
from tests.unit.channels.contracts.desks import DESKS, FreshdeskDesk, GlpiDesk, JiraDesk, VendorDesk, ZammadDesk
from tests.unit.channels.contracts.vendor import misbehaviour, serving
from tests.unit.kb.doubles import WordEncoder
from triage.channels.common.files import MOST_BYTES, File
from triage.channels.common.system import Channel, System
from triage.channels.common.values import DeliveryFailed, Draft, Gone, Look, Status, Webhook
from triage.channels.importing import import_articles
from triage.channels.registry import build
from triage.errors import BadInput

HIGH = {"freshdesk": "high", "zammad": "3 high", "jira": "High", "servicenow": "1 - High", "glpi": "4"}


@pytest.fixture(params=DESKS, ids=lambda made: made.kind)
def desk(request: pytest.FixtureRequest) -> Iterator[VendorDesk]:
    made: VendorDesk = request.param()
    with serving(made.vendor):
        yield made


@pytest.fixture
def channel(desk: VendorDesk) -> Iterator[Channel]:
    table = {"kind": desk.kind, "url": desk.vendor.url, "sending": {"timeout_s": 1}, **desk.table()}
    made = build(desk.kind, table, desk.secrets)
    yield made
    made.close()


@pytest.fixture
def system(channel: Channel) -> System:
    assert channel.system
    return channel.system


def test_a_ticket_reads_the_same_everywhere(desk: VendorDesk, system: System) -> None:
    ticket = system.read(desk.remote_id)
    assert (ticket.subject, ticket.body, ticket.requester) == ("VPN drops", "Since this morning.", "ana@example.com")
    assert ticket.fields["queue"] == "servicedesk" and ticket.status is Status.OPEN
    assert ticket.messages == () and ticket.touched_by is None and not ticket.opened_by_us
    assert ticket.opened_at == datetime(2026, 11, 23, 10, tzinfo=UTC) and desk.remote_id in str(ticket.url)


def test_who_said_what_and_to_whom(desk: VendorDesk, system: System) -> None:
    desk.say("ana", "Still so.", public=True)
    assert system.read(desk.remote_id).touched_by is None
    desk.agent_says("I look into it.", public=False)
    ticket = system.read(desk.remote_id)
    assert [(one.text, one.public, one.by_agent, one.is_ours) for one in ticket.messages] == [
        ("Still so.", True, False, False),
        ("I look into it.", False, True, False),
    ]
    assert ticket.touched_by


def test_fields_are_set_and_stand_there_afterwards(desk: VendorDesk, system: System) -> None:
    wanted = {"queue": "network", "priority": HIGH[desk.kind]}
    system.set_fields(system.read(desk.remote_id), wanted)
    ticket = system.read(desk.remote_id)
    assert {name: ticket.fields[name] for name in wanted} == wanted and ticket.touched_by is None


def test_a_ticket_that_changed_since_it_was_read_is_not_written(desk: VendorDesk, system: System) -> None:
    ticket = system.read(desk.remote_id)
    desk.agent_moves()
    with pytest.raises(DeliveryFailed, match="changed since it was read") as failed:
        system.set_fields(ticket, {"queue": "network"})
    assert failed.value.retryable_later and not failed.value.faulty
    assert system.read(desk.remote_id).fields["queue"] == "servicedesk"


def test_what_does_not_exist_there_is_refused_or_read_back_unchanged(desk: VendorDesk, system: System) -> None:
    try:
        system.set_fields(system.read(desk.remote_id), {"queue": "Nowhere"})
    except DeliveryFailed as error:
        assert not error.retryable_later
    assert system.read(desk.remote_id).fields.get("queue") == "servicedesk"


def test_notes_are_for_agents_and_replies_for_the_requester(desk: VendorDesk, system: System) -> None:
    ticket = system.read(desk.remote_id)
    system.post(ticket, "For you <b>&\nonly ☃ [triage:1]", public=False)
    system.post(ticket, "For Ana [triage:2]", public=True)
    found = system.read(desk.remote_id)
    assert [one.public for one in found.messages] == [False, True]
    assert all(one.is_ours for one in found.messages) and found.touched_by is None
    assert "[triage:1]" in found.messages[0].text and "☃" in found.messages[0].text


FILES = [File("log ä 漢.txt", "text/plain", b"error 809\n"), File("a.png", "image/png", bytes(range(256)) * 4)]


@pytest.mark.parametrize("desk", [FreshdeskDesk, ZammadDesk], indirect=True, ids=["freshdesk", "zammad"])
def test_a_note_goes_with_files(desk: VendorDesk, channel: Channel, system: System) -> None:
    assert channel.attach
    channel.attach(system.read(desk.remote_id), "ana wrote in slack:\n\n<b>Look</b> [triage:1]", FILES)
    assert desk.held == {one.name: one.content for one in FILES}
    (said,) = system.read(desk.remote_id).messages
    assert "[triage:1]" in said.text and not said.public and said.is_ours


@pytest.mark.parametrize("desk", [ZammadDesk], indirect=True, ids=["zammad"])
def test_an_agents_files_are_named_and_fetched(desk: VendorDesk, channel: Channel, system: System) -> None:
    desk.agent_says("Do it so.", public=True)
    desk.said[-1]["files"] = {"guide.txt": b"Step 1", "too large.bin": bytes(MOST_BYTES + 1)}
    (said,) = system.read(desk.remote_id).messages
    assert said.text == "Do it so.\n[attached: guide.txt, too large.bin]" and channel.files
    assert list(channel.files(desk.remote_id, said.message_id)) == [File("guide.txt", "text/plain", b"Step 1")]


def test_solved_is_solved(desk: VendorDesk, system: System) -> None:
    desk.is_over = True
    assert system.read(desk.remote_id).status is Status.SOLVED


def test_what_is_not_there_is_gone(desk: VendorDesk, system: System) -> None:
    for missing in ("8", "", "../users", "IT-8", "d" * 32):
        with pytest.raises(Gone):
            system.read(missing)


@pytest.mark.parametrize(("name", "faults"), misbehaviour(), ids=lambda value: value if isinstance(value, str) else "")
def test_what_fails_for_now_can_be_tried_again(desk: VendorDesk, system: System, name: str, faults: Any) -> None:
    system.read(desk.remote_id)  # a session, where there is one, is open
    desk.vendor.faults = list(faults)
    with pytest.raises(DeliveryFailed) as failed:
        system.read(desk.remote_id)
    assert failed.value.retryable_later and (failed.value.wait_s == 7) == (name == "too many")
    assert system.read(desk.remote_id).subject == "VPN drops"


def test_changed_tickets_are_named_with_where_to_go_on(desk: VendorDesk, system: System) -> None:
    first = next(system.changed_since(None, datetime(2026, 11, 1, tzinfo=UTC)))
    assert first.remote_ids == (desk.remote_id,) and first.cursor
    assert [page.remote_ids for page in system.changed_since(first.cursor, datetime.now(UTC))] == [()]
    desk.agent_moves()
    assert next(system.changed_since(first.cursor, datetime.now(UTC))).remote_ids == (desk.remote_id,)


def test_a_ticket_is_made_for_its_requester_or_for_the_bot(desk: VendorDesk, channel: Channel) -> None:
    if channel.create is None:
        assert desk.kind in ("jira", "servicenow", "glpi")
        return
    body = "Since <b>today</b> ☃\n\n[triage:ticket-1]"
    drafted = Draft("VPN drops", body, "ana@example.com", {"queue": "network"})
    assert channel.create(drafted) == "8"
    shown = body.replace("<", "&lt;").replace(">", "&gt;") if desk.kind == "freshdesk" else body
    assert desk.made == ("VPN drops", shown, "ana@example.com", "Network team")
    channel.create(Draft("VPN drops", "Since today.", ""))
    assert desk.made == ("VPN drops", "Since today.", "the bot", None if desk.kind == "freshdesk" else "Service desk")


def test_the_help_centre_goes_into_the_knowledge_base_with_who_may_see_it(
    desk: VendorDesk, channel: Channel, tmp_path: Path
) -> None:
    if channel.articles is None:
        assert desk.kind == "jira"
        return
    base = KnowledgeBase.open(tmp_path / "kb", WordEncoder())
    base.sync(import_articles(channel.articles(), tmp_path))
    found = {article.title: (article.audience, article.text.strip()) for article in base.articles()}
    assert found.keys() == {"VPN", "Scanner", "Door codes"}
    assert {title: audience for title, (audience, _) in found.items()} == {
        "VPN": "public",
        "Scanner": "public",
        "Door codes": "internal",
    }
    assert "gateway" in found["VPN"][1] and "<" not in found["VPN"][1]


def test_the_check_is_content_or_says_what_is_missing(desk: VendorDesk, system: System, channel: Channel) -> None:
    assert all(finding.ok for finding in system.check()), list(system.check())
    table = {"kind": desk.kind, "url": desk.vendor.url, **desk.table()}
    table["fields"] = {"queue": {**table["fields"]["queue"], "values": {"a": "Nowhere"}}}
    wrong = build("wrong", table, desk.secrets)
    assert wrong.system
    assert any("Nowhere" in finding.says for finding in wrong.system.check() if not finding.ok)
    stranger = build("stranger", table, {name: "wrong" for name in desk.secrets})
    assert stranger.system
    with pytest.raises(DeliveryFailed):
        list(stranger.system.check())
    wrong.close()
    stranger.close()


BODIES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "freshdesk": ({"ticket_id": "7", "event": "created"}, {"x-token": "k3y"}),
    "zammad": ({"ticket": {"id": 7}}, {"x-zammad-delivery": "d1"}),
    "jira": (
        {"webhookEvent": "jira:issue_created", "issue": {"key": "IT-7"}},
        {"x-atlassian-webhook-identifier": "w1"},
    ),
    "servicenow": ({"sys_id": "a" * 32, "sys_mod_count": "3", "operation": "update"}, {"x-token": "h00k"}),
    "glpi": ({"event": "new", "item": {"id": 7, "date_mod": "2026-11-23 10:00:00"}}, {"x-token": "h00k"}),
}


def hook(desk: VendorDesk, body: Any, headers: dict[str, str]) -> Webhook:
    raw = json.dumps(body).encode()
    given = dict(headers)
    if desk.kind in ("zammad", "jira"):
        algorithm = "sha1" if desk.kind == "zammad" else "sha256"
        given["x-hub-signature"] = f"{algorithm}=" + hmac.new(b"h00k", raw, getattr(hashlib, algorithm)).hexdigest()
    return Webhook(given, raw, datetime.now(UTC))


def test_a_webhook_says_where_to_look(desk: VendorDesk, channel: Channel) -> None:
    body, headers = BODIES[desk.kind]
    assert channel.verifier and channel.parse
    webhook = hook(desk, body, headers)
    channel.verifier.check(webhook)
    received = channel.parse(webhook)
    assert received.happenings == (Look(desk.remote_id),) and received.key
    for wrong in ({}, [], "x", 5, {"ticket": {"id": "../"}}, {"sys_id": 1}):
        try:
            odd = channel.parse(hook(desk, wrong, headers))
        except BadInput:
            continue
        assert not odd.happenings and odd.note


def test_jira_ignores_other_projects_and_keeps_labels_of_others() -> None:
    jira = JiraDesk()
    with serving(jira.vendor):
        channel = build("jira", {"kind": "jira", "url": jira.vendor.url, **jira.table()}, jira.secrets)
        assert channel.system and channel.parse
        other = {"webhookEvent": "jira:issue_created", "issue": {"key": "HR-1"}}
        assert "not of the project" in channel.parse(hook(jira, other, BODIES["jira"][1])).note
        channel.system.set_fields(channel.system.read("IT-7"), {"area": "new"})
        assert jira.fields["labels"] == ["vip", "area_new"]
        channel.close()


def test_glpi_opens_a_new_session_when_the_old_one_has_run_out() -> None:
    glpi = GlpiDesk()
    with serving(glpi.vendor):
        channel = build("glpi", {"kind": "glpi", "url": glpi.vendor.url, **glpi.table()}, glpi.secrets)
        assert channel.system
        channel.system.read("7")
        glpi.session = "s2"
        assert channel.system.read("7").subject == "VPN drops"
        channel.close()
