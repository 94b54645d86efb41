"""Request Tracker 5: scrips tell of changes, REST2 reads and writes.

Of https://docs.bestpractical.com/rt/5.0.3/RT/REST2.html; a PUT answers 200 with sentences even where a field was
refused, so what stands there afterwards is read back.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Literal

from pydantic import Field, model_validator

from triage.channels.common.calling import Caller
from triage.channels.common.moments import moment
from triage.channels.common.paths import parse_json, text_at, value_at
from triage.channels.common.system import Channel, Page, Services
from triage.channels.common.tables import ChannelTable, Environment, FieldTable, Name, PollTable, Secret, Url
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

CUSTOM = re.compile(r"CF\.\{(.+)\}")
PLAIN_FIELDS = ("Queue", "Priority", "Owner")
SYSTEM_USERS = ("RT_System", "Nobody")
SPOKEN = ("Comment", "Correspond")
# By RT's default lifecycle: https://docs.bestpractical.com/rt/5.0.3/customizing/lifecycles.html
OVER = ("resolved", "rejected", "deleted")
# RT gives no more at once: https://docs.bestpractical.com/rt/5.0.3/RT/REST2.html#Paging
PAGE = 100
# LastUpdated counts whole seconds, and what is asked for takes its time to arrive.
OVERLAP = timedelta(seconds=60)


class RtTable(ChannelTable):
    """``kind = "rt"``. ``user`` is the bot's account, by which its own doings are known; a token or its password.

    ``new_in`` is the queue of tickets that are filed here from a chat, where no queue was decided.
    """

    kind: Literal["rt"]
    url: Url
    user: Name
    token: Secret | None = None
    password: Secret | None = None
    hook_secrets: Secrets | None = None
    new_in: Name = "General"
    fields: dict[Name, FieldTable] = Field(default={"queue": FieldTable(to="Queue")}, min_length=1)
    poll: PollTable = PollTable()

    @model_validator(mode="after")
    def _one_way_in(self) -> RtTable:
        if (self.token is None) == (self.password is None):
            raise ValueError("give either token or password")
        for name, field in self.fields.items():
            if field.to not in PLAIN_FIELDS and not CUSTOM.fullmatch(field.to):
                raise ValueError(f"fields.{name}.to must be Queue, Priority, Owner or CF.{{Name}}")
        return self

    def build(self, name: str, environment: Environment, _services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``."""
        system = RequestTracker(self, environment)
        verifier = None
        if self.hook_secrets:
            scheme = HmacTable(
                scheme="hmac",
                secrets=self.hook_secrets,
                header="X-RT-Signature",
                prefix="sha256=",
                timestamp_header="X-RT-Timestamp",
                signs="{timestamp}.{body}",
            )
            verifier = open_verifier(scheme, environment)
        return Channel(
            name=name,
            kind=self.kind,
            policy=self.policy,
            sending=self.sending,
            verifier=verifier,
            parse=parse if verifier else None,
            system=system,
            poll_every_s=self.poll.every_s,
            create=system.create,
            close=system.close,
        )


def parse(webhook: Webhook) -> Received:
    """What examples/rt/triage_initialdata.pl sends: which transaction happened to which ticket."""
    body = parse_json(webhook.body)
    transaction, ticket, event = (text_at(body, key) for key in ("transaction_id", "ticket_id", "event"))
    if not transaction.isdigit() or not ticket.isdigit():
        raise BadInput("The body names no transaction_id and ticket_id; load examples/rt/triage_initialdata.pl.")
    return Received(transaction, event, (Look(ticket),))


@dataclass(frozen=True, slots=True)
class _Change:
    """A transaction of a ticket's history."""

    number: str
    kind: str
    creator: str
    at: datetime | None


class RequestTracker:
    """One RT, called over REST2 as one user."""

    def __init__(self, table: RtTable, environment: Environment) -> None:
        self._table = table
        auth, headers = None, {"Accept": "application/json"}
        if table.token:
            headers["Authorization"] = f"token {table.token.read(environment)}"
        elif table.password:
            auth = (table.user, table.password.read(environment))
        self._caller = Caller(f"{table.url}/REST/2.0", timeout_s=table.sending.timeout_s, auth=auth, headers=headers)

    def read(self, remote_id: str) -> RemoteTicket:
        """The ticket as it stands now, with its comments and correspondence."""
        if not remote_id.isdigit():
            raise Gone(f"RT's tickets have numbers, and {remote_id[:50]!r} is none.")
        # The queue's name costs a field of its own; its id tells nobody anything.
        query = {"fields": "Queue,Owner", "fields[Queue]": "Name"}
        try:
            reply = self._caller.call("GET", f"/ticket/{remote_id}", query=query)
        except Gone as error:
            raise Gone(f"RT has no ticket {remote_id}, or its user may not see it.") from error
        body = reply.json()
        found = text_at(body, "id")
        changes = list(self._history(found))
        requesters = {person.casefold() for person in _people(value_at(body, "Requestor"))}
        created = next((one for one in changes if one.kind == "Create"), None)
        status = text_at(body, "Status")
        touched = [one.creator for one in changes[1:] if self._is_agent(one.creator, requesters)]
        return RemoteTicket(
            remote_id=remote_id,
            subject=text_at(body, "Subject"),
            body=self._content(created) if created else "",
            requester=next(iter(_people(value_at(body, "Requestor"))), text_at(body, "Creator.id")),
            fields=self._fields(body),
            status=_status(status, merged=found != remote_id),
            messages=tuple(self._message(one, requesters) for one in changes if one.kind in SPOKEN),
            touched_by=touched[0] if touched else None,
            opened_by_us=created is not None and created.creator == self.me(),
            opened_at=moment(text_at(body, "Created")),
            updated_at=moment(text_at(body, "LastUpdated")),
            version=reply.etag,
            url=f"{self._table.url}/Ticket/Display.html?id={remote_id}",
            merged_into=found if found != remote_id else None,
        )

    def set_fields(self, ticket: RemoteTicket, values: Mapping[str, str]) -> None:
        """Set fields unless the ticket was changed since it was read."""
        headers = {"If-Match": ticket.version} if ticket.version else {}
        self._caller.send_json("PUT", f"/ticket/{ticket.remote_id}", self._written(values), headers=headers)

    def post(self, ticket: RemoteTicket, text: str, *, public: bool) -> str:
        """Add a comment, which the requester does not see, or correspondence, which RT mails."""
        verb = "correspond" if public else "comment"
        # As JSON, for RT takes a body of plain text for Latin-1 whatever its charset says.
        message = {"Content": text, "ContentType": "text/plain"}
        self._caller.send_json("POST", f"/ticket/{ticket.remote_id}/{verb}", message)
        return ""

    def create(self, draft: Draft) -> str:
        """Make a ticket (https://docs.bestpractical.com/rt/5.0.3/RT/REST2.html#Tickets); RT mails its requestor."""
        wanted: dict[str, object] = {"Subject": draft.subject, "Content": draft.body, "ContentType": "text/plain"}
        wanted |= {"Queue": self._table.new_in} | self._written(draft.fields)
        if draft.requester:
            wanted["Requestor"] = [draft.requester]
        made = self._caller.send_json("POST", "/ticket", wanted).json()
        number = text_at(made, "id")
        if not number.isdigit():
            raise DeliveryFailed(f"RT made no ticket: {str(made)[:300]}", retryable=False)
        return number

    def changed_since(self, cursor: str | None, since: datetime) -> Iterator[Page]:
        """Tickets changed since the sweep before began, by number: one that changes meanwhile keeps its place.

        Merged ones are named too; RT leaves them out unless EffectiveId is asked for.
        """
        sweep = _Sweep.at(cursor, since)
        named = 0
        while True:
            # RT reads a moment in the time zone of its user, whatever zone stands in it; this it reads right,
            # and its clock may be another than ours.
            ago = math.ceil((datetime.now(UTC) - sweep.since + OVERLAP).total_seconds())
            query = {
                "query": f"LastUpdated >= '{ago} seconds ago' AND EffectiveId > 0 AND id > {sweep.after}",
                "orderby": "id",
                "order": "ASC",
                "per_page": str(PAGE),
            }
            body = self._caller.call("GET", "/tickets", query=query).json()
            numbers, total = _ids(body), value_at(body, "total")
            # Without a total RT leaves out what its user may not see, so a short page need not be the last.
            is_last = not numbers or (isinstance(total, int) and len(numbers) < PAGE)
            if numbers:
                sweep = replace(sweep, after=int(numbers[-1]))
            if sweep.after:
                whole = named + total if isinstance(total, int) else None
                yield Page(numbers, sweep.next if is_last else str(sweep), whole)
            if is_last:
                return
            named += len(numbers)

    def check(self) -> Iterator[Finding]:
        """Credentials, the names of the table, and what the user may see."""
        version = text_at(self._caller.call("GET", "/rt").json(), "Version")
        yield Finding(True, "credentials", f"RT {version} knows its user {self.me()}.")
        for name, field in self._table.fields.items():
            yield from self._check_field(name, field)
        seen = self._caller.call("GET", "/tickets", query={"query": "id > 0", "per_page": "1"}).json()
        items = value_at(seen, "items")
        if isinstance(items, list) and items:
            ticket = self.read(text_at(items[0], "id"))
            yield Finding(True, "tickets", f"they can be read; ticket {ticket.remote_id} stands at {ticket.fields}.")
        else:
            says = "none can be seen: RT is empty, or the user lacks the rights ShowTicket and SeeQueue."
            yield Finding(False, "tickets", says)
        if not self._table.hook_secrets:
            says = "hook_secrets are not set, so changes are only found by asking; see docs/howto/channels/rt.md."
            yield Finding(True, "webhook", says)

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    def me(self) -> str:
        """The name of the user that this calls as."""
        return self._table.user

    def _written(self, values: Mapping[str, str]) -> dict[str, object]:
        """Values of ours as REST2 takes them."""
        wanted: dict[str, object] = {}
        custom: dict[str, str] = {}
        for name, value in values.items():
            field = self._table.fields.get(name)
            if field is None:
                continue
            named = CUSTOM.fullmatch(field.to)
            if named:
                custom[named.group(1)] = field.theirs(value)
            else:
                wanted[field.to] = field.theirs(value)
        return wanted | ({"CustomFields": custom} if custom else {})

    def _check_field(self, name: str, field: FieldTable) -> Iterator[Finding]:
        if field.to == "Queue":
            known = {text_at(item, "Name") for item in self._all("/queues/all", "Name")}
            missing = sorted(set(field.values.values()) - known)
            says = f"RT has the queues {', '.join(sorted(known))}."
            if missing or not known:
                says = f"RT has no queue {', '.join(missing) or 'at all'} that its user may see (right SeeQueue)."
            yield Finding(not missing and bool(known), name, says)
            return
        named = CUSTOM.fullmatch(field.to)
        if named:
            search = json.dumps([{"field": "Name", "value": named.group(1)}])
            items = value_at(self._caller.call("GET", "/customfields", query={"query": search}).json(), "items")
            found = isinstance(items, list) and bool(items)
            says = "there" if found else "not there, or the user lacks the right SeeCustomField"
            yield Finding(found, name, f"the custom field {named.group(1)} is {says}.")

    def _fields(self, body: object) -> dict[str, str]:
        values = {}
        for name, field in self._table.fields.items():
            named = CUSTOM.fullmatch(field.to)
            if named:
                value = _custom_value(value_at(body, "CustomFields"), named.group(1))
            elif field.to == "Queue":
                value = text_at(body, "Queue.Name")
            elif field.to == "Owner":
                value = text_at(body, "Owner.id").replace("Nobody", "")
            else:
                value = text_at(body, field.to)
            if value:
                values[name] = field.ours(value)
        return values

    def _history(self, remote_id: str) -> Iterator[_Change]:
        for item in self._all(f"/ticket/{remote_id}/history", "Type,Creator,Created"):
            at = moment(text_at(item, "Created"))
            yield _Change(text_at(item, "id"), text_at(item, "Type"), text_at(item, "Creator.id"), at)

    def _all(self, path: str, fields: str) -> Iterator[object]:
        """All pages: one with few items need not be the last, as RT leaves out what its user may not see."""
        for page in count(1):
            query = {"fields": fields, "per_page": str(PAGE), "page": str(page)}
            items = value_at(self._caller.call("GET", path, query=query).json(), "items")
            if not isinstance(items, list) or not items:
                return
            yield from items

    def _message(self, change: _Change, requesters: set[str]) -> Message:
        return Message(
            change.number,
            change.creator,
            self._content(change),
            public=change.kind == "Correspond",
            by_agent=self._is_agent(change.creator, requesters),
            is_ours=change.creator == self.me(),
            at=change.at,
        )

    def _content(self, change: _Change) -> str:
        query = {"fields": "Content,ContentType,Filename"}
        reply = self._caller.call("GET", f"/transaction/{change.number}/attachments", query=query).json()
        items = value_at(reply, "items")
        texts = [item for item in items if not text_at(item, "Filename")] if isinstance(items, list) else []
        for kind in ("text/plain", "text/html"):
            for item in texts:
                if text_at(item, "ContentType") == kind:
                    return plain_text(text_at(item, "Content"), is_html=kind == "text/html")
        return ""

    def _is_agent(self, creator: str, requesters: set[str]) -> bool:
        """RT tells nobody's role: who is neither requester, nor we, nor RT itself works at the desk."""
        return creator.casefold() not in requesters and creator != self.me() and creator not in SYSTEM_USERS


@dataclass(frozen=True, slots=True)
class _Sweep:
    """Going through what changed ``since``: how far it came (the number ``after``), and when it ``began``."""

    since: datetime
    began: datetime
    after: int = 0

    @classmethod
    def at(cls, cursor: str | None, since: datetime) -> _Sweep:
        """Where the cursor left off; a cursor of one moment begins a new sweep."""
        stood, _, rest = (cursor or "").partition(" ")
        began, _, after = rest.partition(" ")
        return cls(moment(stood) or since, moment(began) or datetime.now(UTC), int(after) if after.isdigit() else 0)

    def __str__(self) -> str:
        return f"{self.since.isoformat()} {self.began.isoformat()} {self.after}"

    @property
    def next(self) -> str:
        """The cursor once all are named."""
        return self.began.isoformat()


def _ids(body: object) -> tuple[str, ...]:
    items = value_at(body, "items")
    return tuple(text_at(item, "id") for item in items) if isinstance(items, list) else ()


def _people(value: object) -> Sequence[str]:
    return [text_at(person, "id") for person in value] if isinstance(value, list) else []


def _custom_value(value: object, name: str) -> str:
    fields = value if isinstance(value, list) else []
    return next((text_at(field, "values[0]") for field in fields if text_at(field, "name") == name), "")


def _status(name: str, *, merged: bool) -> Status:
    if merged:
        return Status.MERGED
    return Status.SOLVED if name in OVER else Status.OPEN
