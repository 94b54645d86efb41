"""How are RT's tickets read, written, made and watched over REST2?"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.header import Header
from itertools import count

from triage.channels.common.calling import Caller, TooLong
from triage.channels.common.files import MOST_ENCODED, MOST_FILES, File, with_names
from triage.channels.common.moments import moment
from triage.channels.common.paths import items_at, text_at, value_at
from triage.channels.common.system import Page
from triage.channels.common.tables import FieldTable
from triage.channels.common.text import plain_text
from triage.channels.common.values import DeliveryFailed, Draft, Finding, Gone, Message, RemoteTicket
from triage.channels.rt.bodies import CUSTOM, Change, custom_value, ids_in, people_in, status_of
from triage.channels.rt.sweep import Sweep

SYSTEM_USERS = ("RT_System", "Nobody")
TEXT_KINDS = ("text/plain", "text/html")
SPOKEN = ("Comment", "Correspond")
# RT gives no more at once: https://docs.bestpractical.com/rt/5.0.3/RT/REST2.html#Paging
PAGE = 100
# LastUpdated counts whole seconds, and what is asked for takes its time to arrive.
OVERLAP = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Site:
    """One RT as the channel's table describes it."""

    url: str
    user: str
    new_in: str
    fields: Mapping[str, FieldTable]
    has_hook: bool
    timeout_s: float


class RequestTracker:
    """One RT, called over REST2 as one user."""

    def __init__(self, site: Site, auth: tuple[str, str] | None, headers: Mapping[str, str]) -> None:
        self._site = site
        self._caller = Caller(f"{site.url}/REST/2.0", timeout_s=site.timeout_s, auth=auth, headers=headers)

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
        outside = {person.casefold() for role in ("Requestor", "Cc") for person in people_in(value_at(body, role))}
        outside -= {person.casefold() for person in (*people_in(value_at(body, "AdminCc")), text_at(body, "Owner.id"))}
        created = next((one for one in changes if one.kind == "Create"), None)
        status = text_at(body, "Status")
        touched = [one.creator for one in changes[1:] if self._is_agent(one.creator, outside)]
        return RemoteTicket(
            remote_id=remote_id,
            subject=text_at(body, "Subject"),
            body=self._text(self._attachments(created.number)) if created else "",
            requester=next(iter(people_in(value_at(body, "Requestor"))), text_at(body, "Creator.id")),
            fields=self._fields(body),
            status=status_of(status, merged=found != remote_id),
            messages=tuple(self._message(one, outside) for one in changes if one.kind in SPOKEN),
            touched_by=touched[0] if touched else None,
            opened_by_us=created is not None and created.creator == self.me(),
            opened_at=moment(text_at(body, "Created")),
            updated_at=moment(text_at(body, "LastUpdated")),
            version=reply.etag,
            url=f"{self._site.url}/Ticket/Display.html?id={remote_id}",
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

    def attach(self, ticket: RemoteTicket, text: str, files: Sequence[File]) -> None:
        """Add a comment with files (https://docs.bestpractical.com/rt/5.0.3/RT/REST2.html#Tickets)."""
        attachments = [
            {
                "FileName": _header(one.name),
                "FileType": one.media_type,
                "FileContent": base64.b64encode(one.content).decode(),
            }
            for one in files
            if one.content  # RT refuses empty ones
        ]
        message = {"Content": text, "ContentType": "text/plain", "Attachments": attachments}
        self._caller.send_json("POST", f"/ticket/{ticket.remote_id}/comment", message)

    def files(self, _remote_id: str, message_id: str) -> Iterator[File]:
        """The files of a comment or of correspondence, but for those that are too large."""
        for one in [one for one in self._listed(message_id) if text_at(one, "Filename")][:MOST_FILES]:
            with suppress(TooLong):
                content = self._content(text_at(one, "id"))
                yield File(text_at(one, "Filename"), text_at(one, "ContentType"), content)

    def create(self, draft: Draft) -> str:
        """Make a ticket (https://docs.bestpractical.com/rt/5.0.3/RT/REST2.html#Tickets); RT mails its requestor."""
        wanted: dict[str, object] = {"Subject": draft.subject, "Content": draft.body, "ContentType": "text/plain"}
        wanted |= {"Queue": self._site.new_in} | self._written(draft.fields)
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
        sweep = Sweep.at(cursor, since)
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
            numbers, total = ids_in(body), value_at(body, "total")
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
        for name, field in self._site.fields.items():
            yield from self._check_field(name, field)
        seen = self._caller.call("GET", "/tickets", query={"query": "id > 0", "per_page": "1"}).json()
        items = value_at(seen, "items")
        if isinstance(items, list) and items:
            ticket = self.read(text_at(items[0], "id"))
            yield Finding(True, "tickets", f"they can be read; ticket {ticket.remote_id} stands at {ticket.fields}.")
        else:
            says = "none can be seen: RT is empty, or the user lacks the rights ShowTicket and SeeQueue."
            yield Finding(False, "tickets", says)
        if not self._site.has_hook:
            says = "hook_secrets are not set, so changes are only found by asking; see docs/howto/channels/rt.md."
            yield Finding(True, "webhook", says)

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    def me(self) -> str:
        """The name of the user that this calls as."""
        return self._site.user

    def _written(self, values: Mapping[str, str]) -> dict[str, object]:
        """Values of ours as REST2 takes them."""
        wanted: dict[str, object] = {}
        custom: dict[str, str] = {}
        for name, value in values.items():
            field = self._site.fields.get(name)
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
        for name, field in self._site.fields.items():
            named = CUSTOM.fullmatch(field.to)
            if named:
                value = custom_value(value_at(body, "CustomFields"), named.group(1))
            elif field.to == "Queue":
                value = text_at(body, "Queue.Name")
            elif field.to == "Owner":
                value = text_at(body, "Owner.id").replace("Nobody", "")
            else:
                value = text_at(body, field.to)
            if value:
                values[name] = field.ours(value)
        return values

    def _history(self, remote_id: str) -> Iterator[Change]:
        for item in self._all(f"/ticket/{remote_id}/history", "Type,Creator,Created"):
            at = moment(text_at(item, "Created"))
            yield Change(text_at(item, "id"), text_at(item, "Type"), text_at(item, "Creator.id"), at)

    def _all(self, path: str, fields: str) -> Iterator[object]:
        """All pages: one with few items need not be the last, as RT leaves out what its user may not see."""
        for page in count(1):
            query = {"fields": fields, "per_page": str(PAGE), "page": str(page)}
            items = value_at(self._caller.call("GET", path, query=query).json(), "items")
            if not isinstance(items, list) or not items:
                return
            yield from items

    def _message(self, change: Change, outside: set[str]) -> Message:
        attachments = self._attachments(change.number)
        return Message(
            change.number,
            change.creator,
            with_names(self._text(attachments), filter(None, (text_at(one, "Filename") for one in attachments))),
            public=change.kind == "Correspond",
            by_agent=self._is_agent(change.creator, outside),
            is_ours=change.creator == self.me(),
            at=change.at,
        )

    def _attachments(self, transaction: str) -> list[object]:
        """The parts of a message with what they hold; where files make that too long, only the text's."""
        try:
            return self._listed(transaction, "Content")
        except TooLong:
            parts = self._listed(transaction)
        texts = [one for one in parts if not text_at(one, "Filename") and text_at(one, "ContentType") in TEXT_KINDS]
        held = {text_at(one, "id"): self._content(text_at(one, "id")).decode("utf-8", "replace") for one in texts}
        return [{**one, "Content": held.get(text_at(one, "id"), "")} for one in parts if isinstance(one, dict)]

    def _listed(self, transaction: str, *more: str) -> list[object]:
        query = {"fields": ",".join((*more, "ContentType", "Filename")), "per_page": str(PAGE)}
        return items_at(
            self._caller.call("GET", f"/transaction/{transaction}/attachments", query=query).json(), "items"
        )

    def _content(self, attachment: str) -> bytes:
        body = self._caller.call("GET", f"/attachment/{attachment}", most_bytes=MOST_ENCODED).json()
        try:
            return base64.b64decode(text_at(body, "Content"))
        except ValueError as error:
            raise DeliveryFailed(f"RT's attachment {attachment} cannot be read.", retryable=False) from error

    def _text(self, attachments: Sequence[object]) -> str:
        texts = [item for item in attachments if not text_at(item, "Filename")]
        for kind in TEXT_KINDS:
            for item in texts:
                if text_at(item, "ContentType") == kind:
                    return plain_text(text_at(item, "Content"), is_html=kind == "text/html")
        return ""

    def _is_agent(self, creator: str, outside: set[str]) -> bool:
        """RT tells nobody's place: who neither asked nor was copied, nor is we or RT itself, works at the desk."""
        return creator.casefold() not in outside and creator != self.me() and creator not in SYSTEM_USERS


def _header(name: str) -> str:
    """A file's name as RT understands it: it decodes encoded words (RFC 2047), and garbles what is beyond ASCII."""
    return name if name.isascii() else Header(name, "utf-8", maxlinelen=10_000).encode()
