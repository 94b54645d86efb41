"""Zendesk by its documentation, on a server of ours that holds us to it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kb import KnowledgeBase
from tests.unit.channels.contracts.vendor import Call, Refused, Vendor, misbehaviour, serving
from tests.unit.kb.doubles import WordEncoder
from triage.channels.common.files import File
from triage.channels.common.system import Channel, System
from triage.channels.common.values import DeliveryFailed, Draft, Gone, Look, Status, Webhook
from triage.channels.importing import import_articles
from triage.channels.registry import build
from triage.errors import BadInput

STAMP = "2026-11-23T10:00:00Z"
TOKEN = base64.b64encode(b"bot@desk.example/token:t0ken").decode()
GROUPS = [{"id": 1, "name": "Service desk"}, {"id": 2, "name": "Network team"}]
USERS = [
    {"id": 10, "email": "ana@example.com", "role": "end-user"},
    {"id": 20, "email": "bea@desk.example", "role": "agent"},
    {"id": 30, "email": "bot@desk.example", "role": "agent"},
]


SEGMENTS = [{"id": 9, "name": "Agents", "user_type": "staff"}]
ARTICLES = [
    {
        "id": 1,
        "title": "VPN",
        "body": "<p>Restart the client.</p>",
        "html_url": "https://help.example/1",
        "draft": False,
    },
    {"id": 2, "title": "Keys", "body": "<p>Ask Bea.</p>", "section_id": 3, "user_segment_id": 9},
]


class ZendeskServer:
    """Its state: one ticket and its comments."""

    def __init__(self) -> None:
        self.ticket: dict[str, Any] = {
            "id": 7,
            "subject": "VPN drops",
            "description": "Since this morning.",
            "requester_id": 10,
            "submitter_id": 10,
            "group_id": 1,
            "priority": None,
            "status": "new",
            "tags": ["vip", "area_old"],
            "custom_fields": [{"id": 360, "value": None}],
            "created_at": STAMP,
            "updated_at": STAMP,
        }
        self.uploads: dict[str, dict[str, bytes]] = {}
        self.comments = [
            {"id": 100, "author_id": 10, "plain_body": "Since this morning.", "public": True, "created_at": STAMP}
        ]
        self.vendor = Vendor(
            [
                ("GET", r"/api/v2/users/me\.json", lambda _: {"user": USERS[2]}),
                ("GET", r"/api/v2/groups\.json", self._groups),
                ("POST", r"/api/v2/tickets\.json", self._make),
                ("GET", r"/api/v2/tickets/7\.json", lambda _: {"ticket": self.ticket, "users": USERS[:1]}),
                ("PUT", r"/api/v2/tickets/7\.json", self._update),
                ("GET", r"/api/v2/tickets/7/comments\.json", self._comments),
                ("GET", r"/api/v2/tickets/7/tags\.json", lambda _: {"tags": self.ticket["tags"]}),
                ("PUT", r"/api/v2/tickets/7/tags\.json", self._tag),
                ("DELETE", r"/api/v2/tickets/7/tags\.json", self._untag),
                ("POST", r"/api/v2/uploads\.json", self._upload),
                ("GET", r"/api/v2/ticket_fields/360\.json", lambda _: {"ticket_field": {"id": 360}}),
                ("GET", r"/api/v2/help_center/user_segments\.json", lambda _: {"user_segments": SEGMENTS}),
                ("GET", r"/api/v2/help_center/articles\.json", self._articles),
                ("GET", r"/api/v2/incremental/tickets/cursor\.json", self._export),
            ],
            self._authorized,
        )

    def _authorized(self, call: Call) -> None:
        if call.headers.get("authorization") != f"Basic {TOKEN}":
            raise Refused(401, {"error": "Couldn't authenticate you"})

    def _groups(self, call: Call) -> object:
        second = call.query.get("page[after]") == "next"
        more = {"has_more": not second, "after_cursor": "next"}
        return {"groups": GROUPS[1:] if second else GROUPS[:1], "meta": more}

    def _comments(self, call: Call) -> object:
        return {"comments": self.comments, "users": USERS, "meta": {"has_more": False}}

    def _update(self, call: Call) -> object:
        given = dict(call.body["ticket"])
        if given.pop("safe_update", False) and given.pop("updated_stamp") != self.ticket["updated_at"]:
            raise Refused(409, {"error": "UpdateConflict"})
        events = []
        comment = given.pop("comment", None)
        if comment:
            made = {"id": 100 + len(self.comments), "author_id": 30, "plain_body": comment["body"], "created_at": STAMP}
            self.comments.append({**made, "public": comment["public"]})
            self.held = [self.uploads[token] for token in comment.get("uploads", [])]
            events.append({"id": made["id"], "type": "Comment"})
        if given.get("priority") not in (None, "low", "normal", "high", "urgent"):
            raise Refused(422, {"error": "RecordInvalid"})
        self.ticket |= {**given, "updated_at": f"2026-11-23T10:00:0{len(self.comments)}Z"}
        return {"ticket": self.ticket, "audit": {"events": events}}

    def _upload(self, call: Call) -> object:
        token = call.query.get("token", "u1")
        self.uploads.setdefault(token, {})[call.query["filename"]] = call.body
        return {"upload": {"token": token}}

    def _make(self, call: Call) -> object:
        self.made = call.body["ticket"]
        if not self.made["comment"].get("body") or set(self.made.get("requester", {"name": ""})) - {"name", "email"}:
            raise Refused(422, {"error": "RecordInvalid"})
        return {"ticket": {"id": 8}}

    def _articles(self, call: Call) -> object:
        second = call.query.get("page[after]") == "next"
        return {
            "articles": ARTICLES[1:] if second else ARTICLES[:1],
            "meta": {"has_more": not second, "after_cursor": "next"},
        }

    def _tag(self, call: Call) -> object:
        self.ticket["tags"] = sorted({*self.ticket["tags"], *call.body["tags"]})
        return {"tags": self.ticket["tags"]}

    def _untag(self, call: Call) -> object:
        self.ticket["tags"] = [tag for tag in self.ticket["tags"] if tag not in call.body["tags"]]
        return {"tags": self.ticket["tags"]}

    def _export(self, call: Call) -> object:
        if "cursor" not in call.query and "start_time" not in call.query:
            raise Refused(400, {"error": "StartTimeMissing"})
        first = call.query.get("cursor") is None
        return {
            "tickets": [{"id": 7}] if first else [],
            "after_cursor": "c1" if first else "c2",
            "end_of_stream": not first,
        }


@pytest.fixture
def zendesk() -> Iterator[ZendeskServer]:
    server = ZendeskServer()
    with serving(server.vendor):
        yield server


@pytest.fixture
def channel(zendesk: ZendeskServer) -> Iterator[Channel]:
    table = {
        "kind": "zendesk",
        "url": zendesk.vendor.url,
        "user": "bot@desk.example",
        "token": "env:TOKEN",
        "hook_secrets": ["env:HOOK"],
        "sending": {"timeout_s": 1},
        "fields": {
            "queue": {"to": "group", "values": {"network": "Network team", "servicedesk": "Service desk"}},
            "priority": {"to": "priority"},
            "category": {"to": "custom:360"},
            "area": {"to": "tag:area_"},
        },
    }
    made = build("zendesk", table, {"TOKEN": "t0ken", "HOOK": "h00k"})
    yield made
    made.close()


@pytest.fixture
def system(channel: Channel) -> System:
    assert channel.system
    return channel.system


def test_a_ticket_is_read_with_its_comments_and_who_wrote_them(zendesk: ZendeskServer, system: System) -> None:
    zendesk.comments.append({"id": 101, "author_id": 20, "plain_body": "I look.", "public": False, "created_at": STAMP})
    ticket = system.read("7")
    assert (ticket.subject, ticket.requester, ticket.status) == ("VPN drops", "ana@example.com", Status.OPEN)
    assert ticket.fields == {"queue": "servicedesk", "area": "old"}
    assert ticket.touched_by == "bea@desk.example"
    (message,) = ticket.messages
    assert message.by_agent and not message.public and not message.is_ours


def test_fields_are_set_where_nobody_was_faster(zendesk: ZendeskServer, system: System) -> None:
    ticket = system.read("7")
    system.set_fields(ticket, {"queue": "network", "priority": "high", "category": "vpn", "area": "new"})
    assert system.read("7").fields == {"queue": "network", "priority": "high", "category": "vpn", "area": "new"}
    assert "vip" in zendesk.ticket["tags"], "tags of others stay"
    zendesk.ticket["updated_at"] = "2026-11-23T11:00:00Z"
    with pytest.raises(DeliveryFailed, match="409") as conflict:
        system.set_fields(ticket, {"queue": "servicedesk"})
    assert conflict.value.retryable_later and not conflict.value.faulty


def test_a_ticket_is_made_for_its_requester_or_for_the_bot(zendesk: ZendeskServer, channel: Channel) -> None:
    assert channel.create
    decided = {"queue": "network", "area": "new", "category": "Ulm"}
    assert channel.create(Draft("VPN drops", "Today.\n\n[triage:ticket-1]", "ana@example.com", decided)) == "8"
    assert zendesk.made["requester"] == {"email": "ana@example.com", "name": "ana"}
    assert zendesk.made["comment"] == {"body": "Today.\n\n[triage:ticket-1]"}
    assert (zendesk.made["group_id"], zendesk.made["tags"]) == (2, ["area_new"])
    assert zendesk.made["custom_fields"] == [{"id": 360, "value": "Ulm"}]
    channel.create(Draft("VPN drops", "Today.", ""))
    assert "requester" not in zendesk.made


def test_notes_are_private_and_replies_public_and_both_ours(system: System) -> None:
    ticket = system.read("7")
    assert system.post(ticket, "For agents ☃", public=False) == "101"
    system.post(ticket, "For Ana", public=True)
    assert [(one.text, one.public, one.is_ours) for one in system.read("7").messages] == [
        ("For agents ☃", False, True),
        ("For Ana", True, True),
    ]


def test_a_note_goes_with_files(zendesk: ZendeskServer, channel: Channel, system: System) -> None:
    files = [File("log ä.txt", "text/plain", b"error 809"), File("a.png", "image/png", b"\x89PNG")]
    assert channel.attach
    channel.attach(system.read("7"), "A note [triage:1]", files)
    assert zendesk.held == [{"log ä.txt": b"error 809", "a.png": b"\x89PNG"}]
    assert not system.read("7").messages[-1].public


def test_what_is_refused_for_good_is_not_tried_again(system: System) -> None:
    ticket = system.read("7")
    with pytest.raises(DeliveryFailed, match="no group Nowhere") as unknown:
        system.set_fields(ticket, {"queue": "Nowhere"})
    with pytest.raises(DeliveryFailed, match="422") as invalid:
        system.set_fields(ticket, {"priority": "hysterical"})
    assert not unknown.value.retryable_later and not invalid.value.retryable_later
    for missing in ("8", "x", ""):
        with pytest.raises(Gone):
            system.read(missing)


@pytest.mark.parametrize(("name", "faults"), misbehaviour(), ids=lambda value: value if isinstance(value, str) else "")
def test_what_fails_for_now_can_be_tried_again(zendesk: ZendeskServer, system: System, name: str, faults: Any) -> None:
    zendesk.vendor.faults = list(faults)
    with pytest.raises(DeliveryFailed) as failed:
        system.read("7")
    assert failed.value.retryable_later
    assert (failed.value.wait_s == 7) == (name == "too many")
    assert system.read("7").subject == "VPN drops"


def test_changed_tickets_come_by_cursor(system: System) -> None:
    pages = list(system.changed_since(None, datetime(2026, 11, 1, tzinfo=UTC)))
    assert [(page.remote_ids, page.cursor) for page in pages] == [(("7",), "c1"), ((), "c2")]
    assert [page.remote_ids for page in system.changed_since("c1", datetime.now(UTC))] == [()]


def test_the_check_names_what_is_missing(zendesk: ZendeskServer, system: System) -> None:
    assert all(finding.ok for finding in system.check())
    zendesk.vendor.routes = [one for one in zendesk.vendor.routes if "ticket_fields" not in one[1]]
    assert ["ticket field 360" in finding.says for finding in system.check() if not finding.ok] == [True]


def signed(body: dict[str, Any], **headers: str) -> Webhook:
    raw = json.dumps(body).encode()
    now = datetime.now(UTC)
    stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    signature = base64.b64encode(hmac.new(b"h00k", stamp.encode() + raw, hashlib.sha256).digest()).decode()
    given = {"x-zendesk-webhook-signature": signature, "x-zendesk-webhook-signature-timestamp": stamp, **headers}
    return Webhook(given, raw, now)


def test_events_and_triggers_say_where_to_look(channel: Channel) -> None:
    assert channel.verifier and channel.parse
    event = {"id": "e1", "type": "zen:event-type:ticket.created", "detail": {"id": "7"}, "time": STAMP}
    channel.verifier.check(signed(event))
    assert channel.parse(signed(event)).happenings == (Look("7"),)
    trigger = signed({"ticket_id": 7}, **{"x-zendesk-webhook-invocation-id": "i1"})
    assert (channel.parse(trigger).key, channel.parse(trigger).happenings) == ("i1", (Look("7"),))
    other = channel.parse(signed({"id": "e2", "type": "zen:event-type:article.published", "detail": {"id": "1"}}))
    assert not other.happenings and "not one of tickets" in other.note
    for wrong in ({}, {"ticket_id": 7}, {"id": "e3", "type": "zen:event-type:ticket.created"}):
        with pytest.raises(BadInput):
            channel.parse(signed(wrong))


def test_the_help_centre_goes_into_the_knowledge_base_with_who_may_see_it(channel: Channel, tmp_path: Path) -> None:
    assert channel.articles
    file = import_articles(channel.articles(), tmp_path)
    base = KnowledgeBase.open(tmp_path / "kb", WordEncoder())
    base.sync(file)
    assert {article.title: article.audience for article in base.articles()} == {"VPN": "public", "Keys": "internal"}
    base.sync(import_articles(iter([{"articles": ARTICLES[:1]}]), tmp_path))
    assert [article.title for article in base.articles()] == ["VPN"]
