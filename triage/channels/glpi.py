"""GLPI 10 and 11, built from the documentation of its REST API (https://github.com/glpi-project/glpi/blob/main/apirest.md).

Its webhooks (GLPI 11) are signed in X-GLPI-signature; GLPI 10 has none, so it is polled.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from html import escape, unescape
from typing import Literal

from pydantic import Field, model_validator

from triage.channels.common.calling import Caller, Reply
from triage.channels.common.locking import refuse_changed
from triage.channels.common.moments import moment
from triage.channels.common.paths import items_at, parse_json, text_at, value_at
from triage.channels.common.sweeping import Listed, listed, sweep
from triage.channels.common.system import Channel, Page, Services, system_channel
from triage.channels.common.tables import Environment, FieldTable, Name, Secret, SystemTable, Url
from triage.channels.common.text import plain_text
from triage.channels.common.values import (
    DeliveryFailed,
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

FIELDS = ("group", "category", "priority", "urgency")
OVER = ("5", "6")  # solved, closed
ASSIGNED = 2  # of a group to a ticket, beside requester (1) and observer (3)
CHANGED = 19  # the search option “last update”
PAGE = 100
FARTHEST_WEST = timedelta(hours=12)  # of all time zones


class GlpiTable(SystemTable):
    """``kind = "glpi"``: ``user_token`` is the bot's, ``app_token`` that of the API client, where one is demanded."""

    kind: Literal["glpi"]
    url: Url
    user_token: Secret
    app_token: Secret | None = None
    verify: VerifyTable | None = None
    fields: dict[Name, FieldTable] = Field(default={"queue": FieldTable(to="group")}, min_length=1)

    @model_validator(mode="after")
    def _known_fields(self) -> GlpiTable:
        for name, field in self.fields.items():
            if field.to not in FIELDS:
                raise ValueError(f"fields.{name}.to must be one of {', '.join(FIELDS)}")
        return self

    def build(self, name: str, environment: Environment, _services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``."""
        system = Glpi(self, environment)
        verifier = open_verifier(self.verify, environment) if self.verify else None
        return system_channel(name, self, system, verifier, parse, articles=system.articles)


def parse(webhook: Webhook) -> Received:
    """The default body of a webhook on tickets or followups, or one that names ``ticket_id``."""
    body = parse_json(webhook.body)
    number = text_at(body, "ticket_id") or text_at(body, "item.items_id") or text_at(body, "item.id")
    if not number.isdigit():
        raise BadInput("The body names no ticket: item.id, item.items_id or ticket_id.")
    stamp = text_at(body, "item.date_mod") or f"{webhook.received_at:%Y%m%d%H%M%S}"
    return Received(f"{number}:{stamp}", text_at(body, "event") or "changed", (Look(number),))


class Glpi:
    """One GLPI, called as one user; a session is opened when needed and again when it has run out."""

    def __init__(self, table: GlpiTable, environment: Environment) -> None:
        self._table = table
        app = {"App-Token": table.app_token.read(environment)} if table.app_token else {}
        self._secret = table.user_token.read(environment)
        self._caller = Caller(f"{table.url}/apirest.php", timeout_s=table.sending.timeout_s, headers=app)
        self._lock = threading.Lock()
        self._session, self._me = "", ""

    def read(self, remote_id: str) -> RemoteTicket:
        """The ticket with its followups, private ones too."""
        if not remote_id.isdigit():
            raise Gone(f"GLPI's tickets have numbers, and {remote_id[:50]!r} is none.")
        ticket = self._get(f"/Ticket/{remote_id}", expand_dropdowns="true")
        requester = self._requester(remote_id)
        messages = tuple(self._followups(remote_id, requester))
        helpers = [one.author for one in messages if one.by_agent and not one.is_ours]
        gone = text_at(ticket, "is_deleted") == "1"
        status = Status.SOLVED if text_at(ticket, "status") in OVER else Status.OPEN
        return RemoteTicket(
            remote_id=remote_id,
            subject=unescape(text_at(ticket, "name")),
            body=_text(ticket),
            requester=requester[1] or requester[0],
            fields=self._fields(ticket, remote_id),
            status=Status.GONE if gone else status,
            messages=messages,
            touched_by=helpers[0] if helpers else None,
            opened_by_us=requester[0] == self._my_id(),
            opened_at=moment(text_at(ticket, "date_creation")),
            updated_at=moment(text_at(ticket, "date_mod")),
            version=text_at(ticket, "date_mod") or None,
            url=f"{self._table.url}/front/ticket.form.php?id={remote_id}",
        )

    def set_fields(self, ticket: RemoteTicket, values: Mapping[str, str]) -> None:
        """Set fields, unless the ticket was changed since it was read."""
        path = f"/Ticket/{ticket.remote_id}"
        refuse_changed(ticket, lambda: text_at(self._get(path), "date_mod"))
        wanted: dict[str, object] = {}
        for name, value in values.items():
            field = self._table.fields.get(name)
            if field is None:
                continue
            theirs = field.theirs(value)
            if field.to == "group":
                self._assign(ticket.remote_id, theirs)
            elif field.to == "category":
                wanted["itilcategories_id"] = int(self._id_of("ITILCategory", theirs))
            else:
                wanted[field.to] = _level(theirs)
        if wanted:
            self._send("PUT", path, {"input": wanted})

    def post(self, ticket: RemoteTicket, text: str, *, public: bool) -> str:
        """Add a followup, private or for the requester; GLPI takes HTML."""
        html = escape(text, quote=False).replace("\n", "<br>")
        given = {
            "itemtype": "Ticket",
            "items_id": int(ticket.remote_id),
            "content": html,
            "is_private": int(not public),
        }
        return text_at(self._send("POST", "/ITILFollowup", {"input": given}).json(), "id")

    def changed_since(self, cursor: str | None, since: datetime) -> Iterator[Page]:
        """Tickets by their last change. GLPI's moments name no zone, so the cursor keeps them in GLPI's own."""
        return sweep(cursor, since if cursor else since - FARTHEST_WEST, self._changed)

    def _changed(self, begin: datetime, page: int) -> tuple[list[Listed], bool]:
        body = self._get(
            "/search/Ticket",
            **{
                "criteria[0][field]": str(CHANGED),
                "criteria[0][searchtype]": "morethan",
                "criteria[0][value]": f"{begin.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
                "sort": str(CHANGED),
                "order": "ASC",
                "forcedisplay[0]": "2",
                "forcedisplay[1]": str(CHANGED),
                "range": f"{(page - 1) * PAGE}-{page * PAGE - 1}",
            },
        )
        return listed(items_at(body, "data"), "2", str(CHANGED), PAGE)

    def articles(self) -> Iterator[Mapping[str, object]]:
        """The knowledge base; what stands in its FAQ is for requesters, the rest for agents."""
        start = 0
        while True:
            try:
                body = self._get("/KnowbaseItem", range=f"{start}-{start + PAGE - 1}")
            except DeliveryFailed as error:
                if start and "ERROR_RANGE_EXCEED_TOTAL" in str(error):
                    return
                raise
            items = body if isinstance(body, list) else []
            yield {"articles": [self._article(one) for one in items]}
            if len(items) < PAGE:
                return
            start += PAGE

    def _article(self, item: object) -> dict[str, str]:
        number = text_at(item, "id")
        return {
            "id": f"glpi-{number}",
            "title": unescape(text_at(item, "name")),
            "text": unescape(text_at(item, "answer")),
            "updated": text_at(item, "date_mod")[:10],
            "audience": "public" if text_at(item, "is_faq") == "1" else "internal",
            "url": f"{self._table.url}/front/knowbaseitem.form.php?id={number}",
        }

    def check(self) -> Iterator[Finding]:
        """Credentials, and the names in the table."""
        session = value_at(self._get("/getFullSession"), "session")
        yield Finding(True, "credentials", f"the bot is {text_at(session, 'glpiname')}.")
        for name, field in self._table.fields.items():
            kind = {"group": "Group", "category": "ITILCategory"}.get(field.to)
            for theirs in sorted(field.values.values()) if kind else ():
                try:
                    self._id_of(kind or "", theirs)
                    yield Finding(True, name, f"{theirs} is there.")
                except DeliveryFailed as error:
                    yield Finding(False, name, str(error))

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    def _get(self, path: str, **query: str) -> object:
        return self._call("GET", path, query=query or None).json()

    def _send(self, method: str, path: str, value: object) -> Reply:
        return self._call(method, path, value=value)

    def _call(self, method: str, path: str, *, query: Mapping[str, str] | None = None, value: object = None) -> Reply:
        session = self._open()
        try:
            return self._once(method, path, session, query, value)
        except DeliveryFailed as error:
            if not str(error).startswith("It answered 401"):
                raise
        return self._once(method, path, self._open(instead_of=session), query, value)

    def _once(self, method: str, path: str, session: str, query: Mapping[str, str] | None, value: object) -> Reply:
        headers = {"Session-Token": session}
        if value is None:
            return self._caller.call(method, path, headers=headers, query=query)
        return self._caller.send_json(method, path, value, headers=headers)

    def _open(self, *, instead_of: str = "") -> str:
        with self._lock:
            if not self._session or self._session == instead_of:
                headers = {"Authorization": f"user_token {self._secret}"}
                answer = self._caller.call("GET", "/initSession", headers=headers).json()
                self._session = text_at(answer, "session_token")
            return self._session

    def _requester(self, remote_id: str) -> tuple[str, str]:
        """The id of the requester and the address that was given."""
        body = self._get(f"/Ticket/{remote_id}/Ticket_User")
        people = body if isinstance(body, list) else []
        first = next((one for one in people if text_at(one, "type") == "1"), None)
        return text_at(first, "users_id"), text_at(first, "alternative_email")

    def _followups(self, remote_id: str, requester: tuple[str, str]) -> Iterator[Message]:
        body = self._get(f"/Ticket/{remote_id}/ITILFollowup", range="0-999")
        for one in body if isinstance(body, list) else []:
            author = text_at(one, "users_id")
            yield Message(
                text_at(one, "id"),
                requester[1] if author == requester[0] and requester[1] else author,
                _text(one),
                public=text_at(one, "is_private") == "0",
                by_agent=author != requester[0],
                is_ours=author == self._my_id(),
                at=moment(text_at(one, "date_creation")),
            )

    def _fields(self, ticket: object, remote_id: str) -> dict[str, str]:
        values = {}
        for name, field in self._table.fields.items():
            if field.to == "group":
                value = self._group(remote_id)
            elif field.to == "category":
                named = unescape(text_at(ticket, "itilcategories_id"))
                value = "" if named == "0" else named
            else:
                value = text_at(ticket, field.to)
            if value:
                values[name] = field.ours(value)
        return values

    def _groups_of(self, remote_id: str) -> list[object]:
        body = self._get(f"/Ticket/{remote_id}/Group_Ticket", expand_dropdowns="true")
        return [one for one in (body if isinstance(body, list) else []) if text_at(one, "type") == str(ASSIGNED)]

    def _group(self, remote_id: str) -> str:
        return next((unescape(text_at(one, "groups_id")) for one in self._groups_of(remote_id)), "")

    def _assign(self, remote_id: str, group: str) -> None:
        """Assign one group; those that were assigned before go."""
        number = int(self._id_of("Group", group))
        for one in self._groups_of(remote_id):
            self._send("DELETE", f"/Group_Ticket/{text_at(one, 'id')}", {"input": {"id": text_at(one, "id")}})
        given = {"tickets_id": int(remote_id), "groups_id": number, "type": ASSIGNED}
        self._send("POST", f"/Ticket/{remote_id}/Group_Ticket", {"input": given})

    def _id_of(self, kind: str, name: str) -> str:
        body = self._get(f"/{kind}", **{"searchText[name]": name, "range": "0-99"})
        found = [one for one in (body if isinstance(body, list) else []) if unescape(text_at(one, "name")) == name]
        if not found:
            raise DeliveryFailed(f"GLPI has no {kind} {name}.", retryable=False)
        return text_at(found[0], "id")

    def _my_id(self) -> str:
        if not self._me:
            self._me = text_at(self._get("/getFullSession"), "session.glpiID")
        return self._me


def _text(item: object) -> str:
    """GLPI stores HTML, older versions with its marks written as entities."""
    return plain_text(unescape(text_at(item, "content")), is_html=True)


def _level(value: str) -> int:
    names = {"very low": 1, "low": 2, "medium": 3, "high": 4, "very high": 5, "major": 6}
    if value.isdigit() and 1 <= int(value) <= 6:
        return int(value)
    if value.lower() not in names:
        raise DeliveryFailed(f"GLPI's levels are 1 to 6 or {', '.join(names)}; {value} is none.", retryable=False)
    return names[value.lower()]
