"""Zendesk Support, built from its documentation (https://developer.zendesk.com/api-reference/ticketing/introduction/).

Webhooks are signed with base64(HMAC-SHA256(secret, timestamp + body))
(https://developer.zendesk.com/documentation/webhooks/verifying/); updates are safe with ``safe_update`` and
``updated_stamp`` (https://developer.zendesk.com/documentation/ticketing/managing-tickets/creating-and-updating-tickets/).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field, model_validator

from triage.channels.common.calling import Caller
from triage.channels.common.files import File
from triage.channels.common.moments import moment
from triage.channels.common.paths import items_at, parse_json, text_at, value_at
from triage.channels.common.system import Channel, Page, Services, system_channel
from triage.channels.common.tables import Environment, FieldTable, Name, Secret, SystemTable, Url
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
from triage.channels.common.verify import HmacTable, Secrets, open_verifier
from triage.errors import BadInput

CUSTOM = re.compile(r"custom:(\d+)")
TAG = re.compile(r"tag:(.*)")
PLAIN_FIELDS = ("group", "priority", "type")
AGENTS = ("agent", "admin")
MOST_COMMENT_PAGES = 20


class ZendeskTable(SystemTable):
    """``kind = "zendesk"``: ``user`` is the mail address of the bot's agent, ``token`` an API token."""

    kind: Literal["zendesk"]
    url: Url
    user: Name
    token: Secret
    hook_secrets: Secrets | None = None
    fields: dict[Name, FieldTable] = Field(default={"queue": FieldTable(to="group")}, min_length=1)

    @model_validator(mode="after")
    def _known_fields(self) -> ZendeskTable:
        for name, field in self.fields.items():
            if field.to not in PLAIN_FIELDS and not CUSTOM.fullmatch(field.to) and not TAG.fullmatch(field.to):
                raise ValueError(f"fields.{name}.to must be group, priority, type, custom:ID or tag:PREFIX")
        return self

    def build(self, name: str, environment: Environment, _services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``."""
        system = Zendesk(self, environment)
        verifier = None
        if self.hook_secrets:
            scheme = HmacTable(
                scheme="hmac",
                secrets=self.hook_secrets,
                header="X-Zendesk-Webhook-Signature",
                encoding="base64",
                signs="{timestamp}{body}",
                timestamp_header="X-Zendesk-Webhook-Signature-Timestamp",
            )
            verifier = open_verifier(scheme, environment)
        channel = system_channel(name, self, system, verifier, parse, create=system.create, articles=system.articles)
        return replace(channel, attach=system.attach)


def parse(webhook: Webhook) -> Received:
    """An event of a subscription (``zen:event-type:ticket.…``), or a trigger's body with ``ticket_id``."""
    body = parse_json(webhook.body)
    event = text_at(body, "type")
    number = text_at(body, "detail.id") if event else text_at(body, "ticket_id")
    key = text_at(body, "id") if event else webhook.headers.get("x-zendesk-webhook-invocation-id", "")
    if not key:
        raise BadInput("The body has no id and the request no X-Zendesk-Webhook-Invocation-Id.")
    if event and not event.startswith("zen:event-type:ticket."):
        return Received(key, event, note=f"The event {event[:100]} is not one of tickets.")
    if not number.isdigit():
        raise BadInput("The body names no ticket: detail.id of an event, or ticket_id of a trigger.")
    return Received(key, event or "trigger", (Look(number),))


class Zendesk:
    """One Zendesk, called as one agent."""

    def __init__(self, table: ZendeskTable, environment: Environment) -> None:
        self._table = table
        auth = (f"{table.user}/token", table.token.read(environment))
        self._caller = Caller(f"{table.url}/api/v2", timeout_s=table.sending.timeout_s, auth=auth)
        self._groups: dict[str, str] = {}
        self._me = ""

    def read(self, remote_id: str) -> RemoteTicket:
        """The ticket with its public and private comments."""
        if not remote_id.isdigit():
            raise Gone(f"Zendesk's tickets have numbers, and {remote_id[:50]!r} is none.")
        body = self._get(f"/tickets/{remote_id}.json", include="users")
        ticket = value_at(body, "ticket")
        people = _people(body)
        comments = list(self._comments(remote_id, people))
        requester = text_at(ticket, "requester_id")
        helpers = [one.author for one in comments[1:] if one.by_agent and not one.is_ours]
        status = text_at(ticket, "status")
        return RemoteTicket(
            remote_id=remote_id,
            subject=text_at(ticket, "subject"),
            body=text_at(ticket, "description"),
            requester=people.get(requester, ("", ""))[0] or requester,
            fields=self._fields(ticket),
            status=_status(status),
            messages=tuple(comments[1:]),
            touched_by=helpers[0] if helpers else None,
            opened_by_us=text_at(ticket, "submitter_id") == requester == self._my_id(),
            opened_at=moment(text_at(ticket, "created_at")),
            updated_at=moment(text_at(ticket, "updated_at")),
            version=text_at(ticket, "updated_at") or None,
            url=f"{self._table.url}/agent/tickets/{remote_id}",
        )

    def create(self, draft: Draft) -> str:
        """Make a ticket (https://developer.zendesk.com/api-reference/ticketing/tickets/tickets/#create-ticket)."""
        wanted, tags = self._written(draft.fields)
        wanted |= {"subject": draft.subject, "comment": {"body": draft.body}, "tags": tags}
        if draft.requester:
            wanted["requester"] = {"email": draft.requester, "name": draft.requester.partition("@")[0]}
        return text_at(self._caller.send_json("POST", "/tickets.json", {"ticket": wanted}).json(), "ticket.id")

    def set_fields(self, ticket: RemoteTicket, values: Mapping[str, str]) -> None:
        """Set fields unless the ticket was changed since it was read; Zendesk answers 409 then."""
        for name, value in values.items():
            field = self._table.fields.get(name)
            if field and (prefix := TAG.fullmatch(field.to)):
                self._retag(ticket.remote_id, prefix.group(1), field.theirs(value))
        wanted, _ = self._written(values)
        if wanted:
            self._update(ticket, wanted)

    def post(self, ticket: RemoteTicket, text: str, *, public: bool) -> str:
        """Add a comment: an internal note, or a reply that Zendesk mails to the requester."""
        return self._say(ticket, {"body": text, "public": public})

    def attach(self, ticket: RemoteTicket, text: str, files: Sequence[File]) -> None:
        """Add an internal note with files.

        Of https://developer.zendesk.com/api-reference/ticketing/tickets/ticket-attachments/: uploads of one token.
        """
        token = ""
        for one in files:
            query = {"filename": one.name} | ({"token": token} if token else {})
            headers = {"Content-Type": one.media_type}
            reply = self._caller.call("POST", "/uploads.json", content=one.content, headers=headers, query=query)
            token = text_at(reply.json(), "upload.token")
        self._say(ticket, {"body": text, "public": False, "uploads": [token]})

    def _say(self, ticket: RemoteTicket, comment: Mapping[str, object]) -> str:
        answer = self._put(ticket.remote_id, {"comment": dict(comment)})
        events = items_at(answer, "audit.events")
        return next((text_at(one, "id") for one in events if text_at(one, "type") == "Comment"), "")

    def _written(self, values: Mapping[str, str]) -> tuple[dict[str, object], list[str]]:
        """Values of ours as Zendesk takes them, and those that are tags."""
        wanted: dict[str, object] = {}
        custom: list[dict[str, object]] = []
        tags: list[str] = []
        for name, value in values.items():
            field = self._table.fields.get(name)
            if field is None:
                continue
            theirs = field.theirs(value)
            if named := CUSTOM.fullmatch(field.to):
                custom.append({"id": int(named.group(1)), "value": theirs})
            elif prefix := TAG.fullmatch(field.to):
                tags.append(f"{prefix.group(1)}{theirs}")
            elif field.to == "group":
                wanted["group_id"] = int(self._group_id(theirs))
            else:
                wanted[field.to] = theirs
        return wanted | ({"custom_fields": custom} if custom else {}), tags

    def changed_since(self, cursor: str | None, since: datetime) -> Iterator[Page]:
        """The incremental export of tickets, whose cursor it is; changes of the last minute come a minute later."""
        query = {"cursor": cursor} if cursor else {"start_time": f"{since.timestamp():.0f}"}
        while True:
            body = self._get("/incremental/tickets/cursor.json", **query)
            after = text_at(body, "after_cursor")
            tickets = tuple(text_at(one, "id") for one in items_at(body, "tickets"))
            if after:
                yield Page(tickets, after)
            if value_at(body, "end_of_stream") is not False or not after:
                return
            query = {"cursor": after}

    def articles(self) -> Iterator[Mapping[str, object]]:
        """The help centre as its export has it, with who may see what."""
        segments = items_at(self._get("/help_center/user_segments.json", per_page="100"), "user_segments")
        query = {"page[size]": "100"}
        while True:
            body = self._get("/help_center/articles.json", **query)
            yield {"articles": items_at(body, "articles"), "user_segments": segments}
            after = text_at(body, "meta.after_cursor")
            if value_at(body, "meta.has_more") is not True or not after:
                return
            query["page[after]"] = after

    def check(self) -> Iterator[Finding]:
        """Credentials, the role of the bot, and the names in the table."""
        me = value_at(self._get("/users/me.json"), "user")
        role = text_at(me, "role")
        yield Finding(
            role in AGENTS, "credentials", f"the bot is {text_at(me, 'email') or 'nobody'}, role {role or 'none'}."
        )
        for name, field in self._table.fields.items():
            if field.to == "group":
                missing = sorted(set(field.values.values()) - set(self._load_groups()))
                says = f"Zendesk has no group {', '.join(missing)}." if missing else "its groups are there."
                yield Finding(not missing, name, says)
            elif named := CUSTOM.fullmatch(field.to):
                try:
                    self._get(f"/ticket_fields/{named.group(1)}.json")
                    yield Finding(True, name, f"the field {named.group(1)} is there.")
                except Gone:
                    yield Finding(False, name, f"Zendesk has no ticket field {named.group(1)}.")
        try:
            next(self.changed_since(None, datetime.now(UTC)), None)
            yield Finding(True, "export", "changed tickets can be asked for.")
        except DeliveryFailed as error:
            yield Finding(
                False, "export", f"{error} The incremental export is for admins; without it webhooks must do."
            )

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    def _get(self, path: str, **query: str) -> object:
        return self._caller.call("GET", path, query=query or None).json()

    def _put(self, remote_id: str, values: Mapping[str, object]) -> object:
        return self._caller.send_json("PUT", f"/tickets/{remote_id}.json", {"ticket": dict(values)}).json()

    def _update(self, ticket: RemoteTicket, values: Mapping[str, object]) -> None:
        safe = {"safe_update": True, "updated_stamp": ticket.version} if ticket.version else {}
        self._put(ticket.remote_id, {**values, **safe})

    def _retag(self, remote_id: str, prefix: str, value: str) -> None:
        """Give the field's tag that value; tags of others stay."""
        tags = items_at(self._get(f"/tickets/{remote_id}/tags.json"), "tags")
        old = [str(tag) for tag in tags if str(tag).startswith(prefix) and str(tag) != f"{prefix}{value}"]
        if old:
            self._caller.send_json("DELETE", f"/tickets/{remote_id}/tags.json", {"tags": old})
        self._caller.send_json("PUT", f"/tickets/{remote_id}/tags.json", {"tags": [f"{prefix}{value}"]})

    def _comments(self, remote_id: str, people: dict[str, tuple[str, str]]) -> Iterator[Message]:
        query = {"include": "users", "page[size]": "100"}
        for _ in range(MOST_COMMENT_PAGES):
            body = self._get(f"/tickets/{remote_id}/comments.json", **query)
            people |= _people(body)
            for one in items_at(body, "comments"):
                author = text_at(one, "author_id")
                address, role = people.get(author, (author, ""))
                yield Message(
                    text_at(one, "id"),
                    address or author,
                    text_at(one, "plain_body") or text_at(one, "body"),
                    public=value_at(one, "public") is True,
                    by_agent=role in AGENTS,
                    is_ours=author == self._my_id(),
                    at=moment(text_at(one, "created_at")),
                )
            after = text_at(body, "meta.after_cursor")
            if value_at(body, "meta.has_more") is not True or not after:
                return
            query["page[after]"] = after

    def _fields(self, ticket: object) -> dict[str, str]:
        values = {}
        for name, field in self._table.fields.items():
            if named := CUSTOM.fullmatch(field.to):
                found = (one for one in items_at(ticket, "custom_fields") if text_at(one, "id") == named.group(1))
                value = next((text_at(one, "value") for one in found), "")
            elif prefix := TAG.fullmatch(field.to):
                tags = [str(tag) for tag in items_at(ticket, "tags")]
                value = next((tag.removeprefix(prefix.group(1)) for tag in tags if tag.startswith(prefix.group(1))), "")
            elif field.to == "group":
                value = self._group_name(text_at(ticket, "group_id"))
            else:
                value = text_at(ticket, field.to)
            if value:
                values[name] = field.ours(value)
        return values

    def _load_groups(self) -> dict[str, str]:
        query = {"page[size]": "100"}
        while True:
            body = self._get("/groups.json", **query)
            self._groups |= {text_at(one, "name"): text_at(one, "id") for one in items_at(body, "groups")}
            after = text_at(body, "meta.after_cursor")
            if value_at(body, "meta.has_more") is not True or not after:
                return self._groups
            query["page[after]"] = after

    def _group_id(self, name: str) -> str:
        found = self._groups.get(name) or self._load_groups().get(name)
        if not found:
            raise DeliveryFailed(f"Zendesk has no group {name}.", retryable=False)
        return found

    def _group_name(self, number: str) -> str:
        if not number:
            return ""
        if number not in self._groups.values():
            self._load_groups()
        return next((name for name, known in self._groups.items() if known == number), number)

    def _my_id(self) -> str:
        if not self._me:
            self._me = text_at(self._get("/users/me.json"), "user.id")
        return self._me


def _people(body: object) -> dict[str, tuple[str, str]]:
    return {text_at(one, "id"): (text_at(one, "email"), text_at(one, "role")) for one in items_at(body, "users")}


def _status(name: str) -> Status:
    if name == "deleted":
        return Status.GONE
    return Status.SOLVED if name in ("solved", "closed") else Status.OPEN
