"""Freshdesk, built from its documentation (https://developers.freshdesk.com/api/).

Its webhooks are actions of automations: neither signed nor numbered, with a body of the customer's, so they carry a
token in a header and only say where to look.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from html import escape
from typing import Literal

from pydantic import Field, model_validator

from triage.channels.common.calling import Caller
from triage.channels.common.files import File
from triage.channels.common.locking import refuse_changed
from triage.channels.common.moments import moment
from triage.channels.common.paths import items_at, parse_json, text_at, value_at
from triage.channels.common.sweeping import Listed, listed, sweep
from triage.channels.common.system import Channel, Page, Services, system_channel
from triage.channels.common.tables import Environment, FieldTable, Name, Secret, SystemTable, Url
from triage.channels.common.text import plain_text
from triage.channels.common.values import (
    DeliveryFailed,
    Draft,
    Finding,
    Gone,
    Look,
    Message,
    Received,
    RemoteTicket,
    Status,
    Webhook,
)
from triage.channels.common.verify import VerifyTable, open_verifier
from triage.errors import BadInput

CUSTOM = re.compile(r"custom:([a-z0-9_]+)")
PLAIN_FIELDS = ("group", "priority", "type")
PRIORITIES = {"1": "low", "2": "medium", "3": "high", "4": "urgent"}
OVER = ("4", "5")  # resolved, closed
PAGE, MOST_PAGES = 100, 300  # https://developers.freshdesk.com/api/#list_all_tickets


class FreshdeskTable(SystemTable):
    """``kind = "freshdesk"``: ``token`` is the API key of the bot's agent."""

    kind: Literal["freshdesk"]
    url: Url
    token: Secret
    verify: VerifyTable | None = None
    fields: dict[Name, FieldTable] = Field(default={"queue": FieldTable(to="group")}, min_length=1)

    @model_validator(mode="after")
    def _known_fields(self) -> FreshdeskTable:
        for name, field in self.fields.items():
            if field.to not in PLAIN_FIELDS and not CUSTOM.fullmatch(field.to):
                raise ValueError(f"fields.{name}.to must be group, priority, type or custom:cf_name")
        return self

    def build(self, name: str, environment: Environment, _services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``."""
        system = Freshdesk(self, environment)
        verifier = open_verifier(self.verify, environment) if self.verify else None
        channel = system_channel(name, self, system, verifier, parse, create=system.create, articles=system.articles)
        return replace(channel, attach=system.attach)


def parse(webhook: Webhook) -> Received:
    """The body of docs/howto/channels/freshdesk.md: which ticket, and what happened."""
    body = parse_json(webhook.body)
    number = text_at(body, "ticket_id")
    if not number.isdigit():
        raise BadInput("The body names no ticket_id; docs/howto/channels/freshdesk.md gives the body.")
    # Freshdesk numbers nothing; what comes twice in a second is the same, anything else is worth a look.
    key = f"{hashlib.sha256(webhook.body).hexdigest()}:{webhook.received_at:%Y%m%d%H%M%S}"
    return Received(key, text_at(body, "event") or "changed", (Look(number),))


class Freshdesk:
    """One Freshdesk, called as one agent."""

    def __init__(self, table: FreshdeskTable, environment: Environment) -> None:
        self._table = table
        auth = (table.token.read(environment), "X")
        self._caller = Caller(f"{table.url}/api/v2", timeout_s=table.sending.timeout_s, auth=auth)
        self._groups: dict[str, str] = {}
        self._me = ""

    def read(self, remote_id: str) -> RemoteTicket:
        """The ticket with its replies and notes."""
        if not remote_id.isdigit():
            raise Gone(f"Freshdesk's tickets have numbers, and {remote_id[:50]!r} is none.")
        ticket = self._get(f"/tickets/{remote_id}", include="requester")
        requester = text_at(ticket, "requester_id")
        messages = tuple(self._messages(remote_id, text_at(ticket, "requester.email"), requester))
        helpers = [one.author for one in messages if one.by_agent and not one.is_ours]
        gone = value_at(ticket, "deleted") is True or value_at(ticket, "spam") is True
        status = Status.SOLVED if text_at(ticket, "status") in OVER else Status.OPEN
        return RemoteTicket(
            remote_id=remote_id,
            subject=text_at(ticket, "subject"),
            body=text_at(ticket, "description_text"),
            requester=text_at(ticket, "requester.email") or requester,
            fields=self._fields(ticket),
            status=Status.GONE if gone else status,
            messages=messages,
            touched_by=helpers[0] if helpers else None,
            opened_by_us=requester == self._my_id(),
            opened_at=moment(text_at(ticket, "created_at")),
            updated_at=moment(text_at(ticket, "updated_at")),
            version=text_at(ticket, "updated_at") or None,
            url=f"{self._table.url}/a/tickets/{remote_id}",
        )

    def create(self, draft: Draft) -> str:
        """Make a ticket, open and of low priority where nothing else was decided; a new requester is made with it.

        https://developers.freshdesk.com/api/#create_ticket
        """
        html = escape(draft.body, quote=False).replace("\n", "<br>")
        wanted: dict[str, object] = {"subject": draft.subject, "description": html, "status": 2, "priority": 1}
        wanted |= {"email": draft.requester} if draft.requester else {"requester_id": int(self._my_id())}
        return text_at(self._caller.send_json("POST", "/tickets", wanted | self._written(draft.fields)).json(), "id")

    def set_fields(self, ticket: RemoteTicket, values: Mapping[str, str]) -> None:
        """Set fields, unless the ticket was changed since it was read (Freshdesk itself knows no such condition)."""
        wanted = self._written(values)
        path = f"/tickets/{ticket.remote_id}"
        refuse_changed(ticket, lambda: text_at(self._get(path), "updated_at"))
        self._caller.send_json("PUT", path, wanted)

    def _written(self, values: Mapping[str, str]) -> dict[str, object]:
        """Values of ours as Freshdesk takes them."""
        wanted: dict[str, object] = {}
        custom: dict[str, str] = {}
        for name, value in values.items():
            field = self._table.fields.get(name)
            if field is None:
                continue
            theirs = field.theirs(value)
            if named := CUSTOM.fullmatch(field.to):
                custom[named.group(1)] = theirs
            elif field.to == "group":
                wanted["group_id"] = int(self._group_id(theirs))
            elif field.to == "priority":
                wanted["priority"] = _priority(theirs)
            else:
                wanted[field.to] = theirs
        return wanted | ({"custom_fields": custom} if custom else {})

    def post(self, ticket: RemoteTicket, text: str, *, public: bool) -> str:
        """Add a private note, or a reply that Freshdesk mails to the requester; both take HTML."""
        html = _html(text)
        path, body = ("reply", {"body": html}) if public else ("notes", {"body": html, "private": True})
        answer = self._caller.send_json("POST", f"/tickets/{ticket.remote_id}/{path}", body).json()
        return text_at(answer, "id")

    def attach(self, ticket: RemoteTicket, text: str, files: Sequence[File]) -> None:
        """Add a private note with files (https://developers.freshdesk.com/api/#add_note_to_a_ticket)."""
        form = [("attachments[]", (one.name, one.content, one.media_type)) for one in files]
        fields = {"body": _html(text), "private": "true"}
        self._caller.send_form(f"/tickets/{ticket.remote_id}/notes", fields, form)

    def changed_since(self, cursor: str | None, since: datetime) -> Iterator[Page]:
        """Tickets by their last change."""
        return sweep(cursor, since, self._changed)

    def _changed(self, begin: datetime, page: int) -> tuple[list[Listed], bool]:
        body = self._get(
            "/tickets",
            updated_since=f"{begin.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
            order_by="updated_at",
            order_type="asc",
            per_page=str(PAGE),
            page=str(page),
        )
        return listed(_listed(body), "id", "updated_at", PAGE)

    def articles(self) -> Iterator[Mapping[str, object]]:
        """The solution articles, folder by folder, with who may see each folder.

        https://developers.freshdesk.com/api/#solutions
        """
        for category in self._pages("/solutions/categories"):
            for folder in self._pages(f"/solutions/categories/{text_at(category, 'id')}/folders"):
                yield {
                    "folders": [folder],
                    "articles": list(self._pages(f"/solutions/folders/{text_at(folder, 'id')}/articles")),
                }

    def _pages(self, path: str) -> Iterator[object]:
        for page in range(1, MOST_PAGES + 1):
            found = _listed(self._get(path, per_page=str(PAGE), page=str(page)))
            yield from found
            if len(found) < PAGE:
                return

    def check(self) -> Iterator[Finding]:
        """Credentials, and the names in the table."""
        me = self._get("/agents/me")
        yield Finding(True, "credentials", f"the bot is {text_at(me, 'contact.email')}.")
        known = self._load_groups()
        for name, field in self._table.fields.items():
            if field.to == "group":
                missing = sorted(set(field.values.values()) - set(known))
                says = f"Freshdesk has no group {', '.join(missing)}." if missing else "its groups are there."
                yield Finding(not missing, name, says)
        names = {text_at(one, "name") for one in _listed(self._get("/ticket_fields"))}
        for name, field in self._table.fields.items():
            if named := CUSTOM.fullmatch(field.to):
                there = named.group(1) in names
                yield Finding(there, name, f"the field {named.group(1)} is {'there' if there else 'not there'}.")

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    def _get(self, path: str, **query: str) -> object:
        return self._caller.call("GET", path, query=query or None).json()

    def _messages(self, remote_id: str, address: str, requester: str) -> Iterator[Message]:
        for one in self._pages(f"/tickets/{remote_id}/conversations"):
            author = text_at(one, "user_id")
            incoming = value_at(one, "incoming") is True
            text = text_at(one, "body_text") or plain_text(text_at(one, "body"), is_html=True)
            yield Message(
                text_at(one, "id"),
                address if author == requester and address else text_at(one, "from_email") or author,
                text,
                public=value_at(one, "private") is False,
                by_agent=not incoming and author != requester,
                is_ours=author == self._my_id(),
                at=moment(text_at(one, "created_at")),
            )

    def _fields(self, ticket: object) -> dict[str, str]:
        values = {}
        for name, field in self._table.fields.items():
            if named := CUSTOM.fullmatch(field.to):
                value = text_at(value_at(ticket, "custom_fields"), named.group(1))
            elif field.to == "group":
                value = self._group_name(text_at(ticket, "group_id"))
            elif field.to == "priority":
                value = PRIORITIES.get(text_at(ticket, "priority"), "")
            else:
                value = text_at(ticket, field.to)
            if value:
                values[name] = field.ours(value)
        return values

    def _load_groups(self) -> dict[str, str]:
        for page in range(1, 11):
            groups = _listed(self._get("/groups", per_page=str(PAGE), page=str(page)))
            self._groups |= {text_at(one, "name"): text_at(one, "id") for one in groups}
            if len(groups) < PAGE:
                break
        return self._groups

    def _group_id(self, name: str) -> str:
        found = self._groups.get(name) or self._load_groups().get(name)
        if not found:
            raise DeliveryFailed(f"Freshdesk has no group {name}.", retryable=False)
        return found

    def _group_name(self, number: str) -> str:
        if number and number not in self._groups.values():
            self._load_groups()
        return next((name for name, known in self._groups.items() if known == number), number)

    def _my_id(self) -> str:
        if not self._me:
            self._me = text_at(self._get("/agents/me"), "id")
        return self._me


def _listed(body: object) -> list[object]:
    return body if isinstance(body, list) else items_at(body, "results")


def _priority(name: str) -> int:
    number = next((number for number, known in PRIORITIES.items() if known == name.lower() or number == name), None)
    if number is None:
        raise DeliveryFailed(f"Freshdesk has no priority {name}: low, medium, high or urgent.", retryable=False)
    return int(number)


def _html(text: str) -> str:
    return escape(text, quote=False).replace("\n", "<br>")
