"""Zammad, built from its documentation (https://docs.zammad.org/en/latest/api/intro.html).

Webhooks are signed with HMAC-SHA1 in X-Hub-Signature and numbered in X-Zammad-Delivery
(https://admin-docs.zammad.org/en/latest/manage/webhook.html).
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from triage.channels.common.calling import Caller, TooLong
from triage.channels.common.files import MOST_BYTES, MOST_FILES, File, with_names
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
from triage.channels.common.verify import HmacTable, Secrets, open_verifier
from triage.errors import BadInput

OVER = ("closed", "removed")
PAGE = 100


class ZammadTable(SystemTable):
    """``kind = "zammad"``: ``fields.….to`` are attributes of a ticket, such as group, priority or an own object.

    ``new_in`` is the group of tickets that are filed here from a chat, where no group was decided.
    """

    kind: Literal["zammad"]
    url: Url
    token: Secret
    hook_secrets: Secrets | None = None
    new_in: Name | None = None
    fields: dict[Name, FieldTable] = Field(default={"queue": FieldTable(to="group")}, min_length=1)

    def build(self, name: str, environment: Environment, _services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``."""
        system = Zammad(self, environment)
        verifier = None
        if self.hook_secrets:
            scheme = HmacTable(
                scheme="hmac", secrets=self.hook_secrets, header="X-Hub-Signature", algorithm="sha1", prefix="sha1="
            )
            verifier = open_verifier(scheme, environment)
        channel = system_channel(name, self, system, verifier, parse, create=system.create, articles=system.articles)
        return replace(channel, files=system.files, attach=system.attach)


def parse(webhook: Webhook) -> Received:
    """A trigger's default body, which holds the ticket."""
    body = parse_json(webhook.body)
    number, key = text_at(body, "ticket.id"), webhook.headers.get("x-zammad-delivery", "")
    if not key:
        raise BadInput("The request has no X-Zammad-Delivery.")
    if not number.isdigit():
        raise BadInput("The body holds no ticket.id.")
    return Received(key, webhook.headers.get("x-zammad-trigger", "trigger"), (Look(number),))


class Zammad:
    """One Zammad, called as one agent."""

    def __init__(self, table: ZammadTable, environment: Environment) -> None:
        self._table = table
        headers = {"Authorization": f"Token token={table.token.read(environment)}"}
        self._caller = Caller(f"{table.url}/api/v1", timeout_s=table.sending.timeout_s, headers=headers)
        self._me: tuple[str, str] | None = None

    def read(self, remote_id: str) -> RemoteTicket:
        """The ticket with its articles; the first one is what was asked."""
        if not remote_id.isdigit():
            raise Gone(f"Zammad's tickets have ids of digits, and {remote_id[:50]!r} is none.")
        ticket = self._get(f"/tickets/{remote_id}", expand="true")
        articles = self._get(f"/ticket_articles/by_ticket/{remote_id}", expand="true")
        said = [self._message(one) for one in (articles if isinstance(articles, list) else [])]
        first = said[0] if said else None
        helpers = [one.author for one in said[1:] if one.by_agent and not one.is_ours]
        state = text_at(ticket, "state")
        return RemoteTicket(
            remote_id=remote_id,
            subject=text_at(ticket, "title"),
            body=first.text if first else "",
            requester=text_at(ticket, "customer"),
            fields={
                name: field.ours(value)
                for name, field in self._table.fields.items()
                if (value := text_at(ticket, field.to))
            },
            status=Status.MERGED if state == "merged" else Status.SOLVED if state in OVER else Status.OPEN,
            messages=tuple(said[1:]),
            touched_by=helpers[0] if helpers else None,
            opened_by_us=first is not None and first.is_ours and text_at(ticket, "customer") == first.author,
            opened_at=moment(text_at(ticket, "created_at")),
            updated_at=moment(text_at(ticket, "updated_at")),
            version=text_at(ticket, "updated_at") or None,
            url=f"{self._table.url}/#ticket/zoom/{remote_id}",
        )

    def create(self, draft: Draft) -> str:
        """Make a ticket (https://docs.zammad.org/en/latest/api/ticket/index.html#create); its customer, if new, too."""
        wanted: dict[str, object] = {"group": self._table.new_in} if self._table.new_in else {}
        decided = {name: field for name, field in self._table.fields.items() if name in draft.fields}
        wanted |= {field.to: field.theirs(draft.fields[name]) for name, field in decided.items()}
        if "group" not in wanted:
            raise DeliveryFailed("No group was decided, and the table has no new_in.", retryable=False)
        wanted |= {
            "title": draft.subject,
            "customer_id": f"guess:{draft.requester or self._myself()[1]}",
            "article": {"body": draft.body, "content_type": "text/plain", "type": "note", "internal": False},
        }
        return text_at(self._caller.send_json("POST", "/tickets", wanted).json(), "id")

    def set_fields(self, ticket: RemoteTicket, values: Mapping[str, str]) -> None:
        """Set fields by their names, unless the ticket was changed since it was read."""
        known = {name: field for name, field in self._table.fields.items() if name in values}
        path = f"/tickets/{ticket.remote_id}"
        refuse_changed(ticket, lambda: text_at(self._get(path, expand="true"), "updated_at"))
        self._caller.send_json("PUT", path, {field.to: field.theirs(values[name]) for name, field in known.items()})

    def post(self, ticket: RemoteTicket, text: str, *, public: bool) -> str:
        """Add an internal note, or a mail to the customer."""
        more = {"to": ticket.requester, "subject": f"Re: {ticket.subject}"} if public else {}
        return self._say(ticket, text, {"type": "email" if public else "note", "internal": not public, **more})

    def attach(self, ticket: RemoteTicket, text: str, files: Sequence[File]) -> None:
        """Add an internal note with files (https://docs.zammad.org/en/latest/api/ticket/articles.html#create)."""
        attachments = [
            {"filename": one.name, "data": base64.b64encode(one.content).decode(), "mime-type": one.media_type}
            for one in files
        ]
        self._say(ticket, text, {"type": "note", "internal": True, "attachments": attachments})

    def _say(self, ticket: RemoteTicket, text: str, more: Mapping[str, object]) -> str:
        article = {"ticket_id": int(ticket.remote_id), "body": text, "content_type": "text/plain", **more}
        return text_at(self._caller.send_json("POST", "/ticket_articles", article).json(), "id")

    def files(self, remote_id: str, message_id: str) -> Iterator[File]:
        """The files of an article, but for those that are too large."""
        for one in items_at(self._get(f"/ticket_articles/{message_id}"), "attachments")[:MOST_FILES]:
            path = f"/ticket_attachment/{remote_id}/{message_id}/{text_at(one, 'id')}"
            with suppress(TooLong):
                content = self._caller.call("GET", path, most_bytes=MOST_BYTES).body
                yield File(text_at(one, "filename"), text_at(one, "preferences.Content-Type"), content)

    def changed_since(self, cursor: str | None, since: datetime) -> Iterator[Page]:
        """Tickets by their last change (https://docs.zammad.org/en/latest/api/ticket/index.html#search)."""
        return sweep(cursor, since, self._changed)

    def _changed(self, begin: datetime, page: int) -> tuple[list[Listed], bool]:
        body = self._get(
            "/tickets/search",
            query=f"updated_at:[{begin.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ} TO *]",
            sort_by="updated_at",
            order_by="asc",
            per_page=str(PAGE),
            page=str(page),
            expand="true",
        )
        return listed(body if isinstance(body, list) else [], "id", "updated_at", PAGE)

    def articles(self) -> Iterator[Mapping[str, object]]:
        """The knowledge base in Zammad's own tables: first all but the texts, then these.

        https://docs.zammad.org/en/latest/api/knowledgebase.html
        """
        tables = self._caller.send_json("POST", "/knowledge_bases/init", {}).json()
        yield _lists(tables)
        translations = value_at(tables, "KnowledgeBaseAnswerTranslation")
        found = translations.values() if isinstance(translations, dict) else ()
        ids = sorted({int(number) for one in found if (number := text_at(one, "content_id")).isdigit()})
        for start in range(0, len(ids), PAGE):
            wanted = {"answer_translation_content_ids": ids[start : start + PAGE]}
            yield _lists(self._caller.send_json("POST", "/knowledge_bases/init", wanted).json())

    def check(self) -> Iterator[Finding]:
        """Credentials, and the names in the table."""
        yield Finding(True, "credentials", f"the bot is {self._myself()[1]}.")
        for name, field in self._table.fields.items():
            if field.to in ("group", "priority"):
                path = "/groups" if field.to == "group" else "/ticket_priorities"
                body = self._get(path)
                known = {text_at(one, "name") for one in (body if isinstance(body, list) else [])}
                missing = sorted(set(field.values.values()) - known)
                says = f"Zammad has no {field.to} {', '.join(missing)}." if missing else "its values are there."
                yield Finding(not missing, name, says)

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    def _get(self, path: str, **query: str) -> object:
        return self._caller.call("GET", path, query=query or None).json()

    def _message(self, article: object) -> Message:
        author = text_at(article, "created_by")
        is_html = text_at(article, "content_type") == "text/html"
        return Message(
            text_at(article, "id"),
            author,
            with_names(
                plain_text(text_at(article, "body"), is_html=is_html),
                [text_at(one, "filename") for one in items_at(article, "attachments")],
            ),
            public=value_at(article, "internal") is False,
            by_agent=text_at(article, "sender") == "Agent",
            is_ours=author in self._myself(),
            at=moment(text_at(article, "created_at")),
        )

    def _myself(self) -> tuple[str, str]:
        if self._me is None:
            me = self._get("/users/me")
            self._me = (text_at(me, "login"), text_at(me, "email"))
        return self._me


def _lists(tables: object) -> dict[str, object]:
    """Tables by name with their records by id, as lists of records."""
    found = tables if isinstance(tables, dict) else {}
    return {name: list(records.values()) for name, records in found.items() if isinstance(records, dict)}
