"""django-helpdesk: unsigned webhooks on a secret path, REST API to read and write.

Of https://django-helpdesk.readthedocs.io/en/stable/api.html and …/webhooks.html, and run against 2.6.1, whose API has
no ETag, no moment of the last change, and no list of queues: queues go by their numbers.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from triage.channels.common.calling import Caller
from triage.channels.common.files import File
from triage.channels.common.moments import moment
from triage.channels.common.paths import items_at, parse_json, text_at, value_at
from triage.channels.common.system import Page
from triage.channels.common.tables import FieldTable
from triage.channels.common.values import DeliveryFailed, Draft, Finding, Gone, Message, RemoteTicket, Status
from triage.channels.helpdesk.bodies import (
    digest_of,
    is_number,
    last_said,
    may_have_changed,
    opening_of,
    untemplated,
)

NUMBERED = ("queue", "priority", "assigned_to")
NORMAL = 3  # of helpdesk's five priorities, one of which it wants
CUSTOM = re.compile(r"custom_[A-Za-z0-9_-]+")
# A page holds all that was said on its tickets. helpdesk loads all tickets for each page of them and even for a single
# one: .5 s for a thousand. So pages are large, and closed tickets are taken from the page that has just named them.
PAGE, MOST_BYTES, FRESH_S = 100, 50_000_000, 60.0
# The clock there may be another than ours.
OVERLAP = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Site:
    """One django-helpdesk as the channel's table describes it."""

    url: str
    bot: int
    fields: Mapping[str, FieldTable]
    open_statuses: tuple[int, ...]
    has_hook: bool
    new_in: int | None = None


class Helpdesk:
    """One django-helpdesk, called as one user of its staff."""

    def __init__(self, site: Site, caller: Caller) -> None:
        self._site = site
        self._caller = caller
        self._open = ",".join(map(str, site.open_statuses))
        self._listed: dict[str, object] = {}
        self._listed_at = 0.0

    def read(self, remote_id: str) -> RemoteTicket:
        """The ticket as it stands now; its first follow-up is what it was opened with."""
        ticket = self._just_listed(remote_id) or self._ticket(remote_id)
        followups = items_at(ticket, "followup_set")
        opening = opening_of(ticket, followups)
        messages = [self._message(one, ticket) for one in followups if one is not opening]
        merged = text_at(ticket, "merged_to")
        first = opening if opening is not None else next(iter(followups), None)
        people = [text_at(one, "user") for one in followups if one is not opening]
        return RemoteTicket(
            remote_id=remote_id,
            subject=text_at(ticket, "title"),
            body=text_at(ticket, "description"),
            requester=text_at(ticket, "submitter_email"),
            fields=self._fields(ticket),
            status=Status.MERGED if merged else self._status(ticket),
            messages=tuple(one for one in messages if one.text),
            touched_by=next((f"user {one}" for one in people if one and not self._is_bot(one)), None),
            opened_by_us=opening is not None and self._is_bot(text_at(opening, "user")),
            opened_at=moment(text_at(first, "date")),
            updated_at=last_said(followups) if merged or self._status(ticket) is not Status.OPEN else None,
            version=digest_of(ticket),
            url=f"{self._site.url}/tickets/{remote_id}/",
            merged_into=merged or None,
        )

    def set_fields(self, ticket: RemoteTicket, values: Mapping[str, str]) -> None:
        """Set fields unless the ticket was changed since it was read.

        There is no If-Match, so it is read once more just before: what changes within these milliseconds is lost.
        """
        wanted = {
            field.to: self._theirs(name, field, values[name])
            for name, field in self._site.fields.items()
            if name in values
        }
        if digest_of(self._ticket(ticket.remote_id)) != ticket.version:
            raise DeliveryFailed(f"Ticket {ticket.remote_id} was changed in the meantime.")
        self._caller.send_json("PATCH", f"/tickets/{ticket.remote_id}/", wanted)

    def post(self, ticket: RemoteTicket, text: str, *, public: bool) -> str:
        """Add a follow-up; it may be stored and yet answered with an error, as where helpdesk's own webhook fails.

        It has no title: that would become the ticket's.
        """
        followup = {"ticket": int(ticket.remote_id), "comment": untemplated(text), "public": public}
        return self._told(self._caller.send_json("POST", "/followups/", followup).json())

    def attach(self, ticket: RemoteTicket, text: str, files: Sequence[File]) -> None:
        """Add a private follow-up with files."""
        form = [("attachments", (one.name, one.content, one.media_type)) for one in files]
        fields = {"ticket": ticket.remote_id, "comment": untemplated(text), "public": "false"}
        self._told(self._caller.send_form("/followups/", fields, form).json())

    def _told(self, answer: object) -> str:
        author = text_at(answer, "user")
        if not self._is_bot(author):
            says = f"The follow-up was added by user {author or 'nobody'}, but the table says bot = {self._site.bot}."
            raise DeliveryFailed(f"{says} Set it right: the bot takes itself for a person.", retryable=False)
        return text_at(answer, "id")

    def create(self, draft: Draft) -> str:
        """Make a ticket; helpdesk wants a queue of it, by the decision or by ``new_in``, and an address."""
        if not draft.requester:
            raise DeliveryFailed(
                "Whoever asked has no mail address, without which helpdesk takes none.", retryable=False
            )
        wanted: dict[str, object] = {"title": draft.subject, "description": untemplated(draft.body)}
        wanted |= {"submitter_email": draft.requester, "priority": NORMAL}
        wanted |= {"queue": self._site.new_in} if self._site.new_in else {}
        wanted |= {
            field.to: self._theirs(name, field, draft.fields[name])
            for name, field in self._site.fields.items()
            if name in draft.fields
        }
        if "queue" not in wanted:
            raise DeliveryFailed("No queue was decided, and the table has no new_in.", retryable=False)
        return text_at(self._caller.send_json("POST", "/tickets/", wanted).json(), "id")

    def changed_since(self, cursor: str | None, since: datetime) -> Iterator[Page]:
        """First all tickets that something was said on since then, afterwards open ones that differ from last time.

        The API tells no moment of change, so the cursor holds a digest of each open ticket; one that is no longer
        open is named as well.
        """
        state = parse_json(cursor.encode()) if cursor else {}
        known = value_at(state, "open")
        seen: dict[str, str] = {key: str(value) for key, value in known.items()} if isinstance(known, dict) else {}
        begun = value_at(state, "page")
        if not cursor or isinstance(begun, int):
            yield from self._all(seen, begun if isinstance(begun, int) else 1, since - OVERLAP)
        else:
            yield from self._differing(seen)

    def check(self) -> Iterator[Finding]:
        """Credentials, the fields of the table and their values, as far as the API tells."""
        try:
            body = self._page(1)
        except Gone:
            says = f"there is no API at {self._site.url}/api/: set HELPDESK_ACTIVATE_API_ENDPOINT = True there."
            yield Finding(False, "credentials", says)
            return
        count = value_at(body, "count")
        yield Finding(True, "credentials", f"the bot is of the staff and may see {count} tickets.")
        options = value_at(self._caller.call("OPTIONS", "/tickets/").json(), "actions.POST")
        for name, field in self._site.fields.items():
            yield self._check_field(name, field, options, items_at(body, "results"))
        yield self._check_bot()
        if not self._site.has_hook:
            says = "hook_secrets are not set, so changes are only found by asking; see docs/howto/channels/helpdesk.md."
            yield Finding(True, "webhook", says)

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    def _all(self, seen: dict[str, str], begin: int, since: datetime) -> Iterator[Page]:
        number = begin
        while True:
            body = self._page(number)
            tickets = items_at(body, "results")
            seen |= {text_at(one, "id"): _short(one) for one in tickets if self._status(one) is Status.OPEN}
            self._listed = {text_at(one, "id"): one for one in tickets if self._status(one) is not Status.OPEN}
            self._listed_at = time.monotonic()
            more = value_at(body, "next") is not None
            number += 1
            named = tuple(text_at(one, "id") for one in tickets if may_have_changed(one, since))
            yield Page(named, _cursor(seen, number if more else None), _count(body))
            if not more:
                return

    def _differing(self, seen: dict[str, str]) -> Iterator[Page]:
        found: set[str] = set()
        number = 0
        more = True
        while more:
            number += 1
            body = self._page(number, status=self._open)
            now = {text_at(one, "id"): _short(one) for one in items_at(body, "results")}
            more = value_at(body, "next") is not None
            changed = tuple(one for one, digest in now.items() if seen.get(one) != digest)
            found |= now.keys()
            seen |= now
            if changed:
                yield Page(changed, _cursor(seen))
        over = tuple(one for one in seen if one not in found)
        if over:
            yield Page(over, _cursor({one: digest for one, digest in seen.items() if one in found}))

    def _page(self, number: int, **query: str) -> object:
        asked = {"page": str(number), "page_size": str(PAGE), **query}
        return self._caller.call("GET", "/tickets/", query=asked).json()

    def _just_listed(self, remote_id: str) -> object | None:
        """A closed ticket as the page that named it showed it, once: nothing is ever written to such a one."""
        ticket = self._listed.pop(remote_id, None)
        return ticket if time.monotonic() - self._listed_at < FRESH_S else None

    def _ticket(self, remote_id: str) -> object:
        """Asked for among the open ones first, for helpdesk loads all that the question covers to find one."""
        if not is_number(remote_id):
            raise Gone(f"helpdesk's tickets have numbers, and {remote_id[:50]!r} is none.")
        path = f"/tickets/{remote_id}/"
        try:
            return self._caller.call("GET", path, query={"status": self._open}).json()
        except Gone:
            pass
        try:
            return self._caller.call("GET", path).json()
        except Gone as error:
            raise Gone(f"helpdesk has no ticket {remote_id}, or its user may not see it.") from error

    def _fields(self, ticket: object) -> dict[str, str]:
        found = {name: field.ours(text_at(ticket, field.to)) for name, field in self._site.fields.items()}
        return {name: value for name, value in found.items() if value}

    def _theirs(self, name: str, field: FieldTable, value: str) -> object:
        theirs = field.theirs(value)
        if field.to not in NUMBERED:
            return theirs
        if not is_number(theirs):
            says = f"The channel's table does not say which number {name} {value!r} has in helpdesk."
            raise DeliveryFailed(says, retryable=False)
        return int(theirs)

    def _status(self, ticket: object) -> Status:
        return Status.OPEN if value_at(ticket, "status") in self._site.open_statuses else Status.SOLVED

    def _message(self, followup: object, ticket: object) -> Message:
        user = text_at(followup, "user")
        return Message(
            text_at(followup, "id"),
            f"user {user}" if user else text_at(ticket, "submitter_email"),
            text_at(followup, "comment"),
            public=value_at(followup, "public") is True,
            by_agent=bool(user),
            is_ours=self._is_bot(user),
            at=moment(text_at(followup, "date")),
        )

    def _is_bot(self, user: str) -> bool:
        return user == str(self._site.bot)

    def _check_field(self, name: str, field: FieldTable, options: object, tickets: list[object]) -> Finding:
        about = value_at(options, field.to)
        if not isinstance(about, dict):
            return Finding(False, name, f"helpdesk's tickets have no field {field.to}.")
        if field.to in ("queue", "assigned_to"):
            seen = sorted({text_at(one, field.to) for one in tickets} - {""}, key=int)
            says = f"the API lists none, so the numbers in the table cannot be checked; seen are {', '.join(seen)}."
            return Finding(True, name, says)
        choices = {text_at(one, "value") for one in items_at(about, "choices")}
        missing = sorted(set(field.values.values()) - choices) if choices else []
        if missing:
            return Finding(False, name, f"{field.to} has no value {', '.join(missing)}, only {', '.join(choices)}.")
        return Finding(True, name, f"{field.to} is there.")

    def _check_bot(self) -> Finding:
        """Whether the follow-ups that bear our mark are by the user that the table names."""
        last = self._caller.call("GET", "/followups/", query={"page_size": "1"}).json()
        pages = _count(last) or 0
        query = {"page_size": str(PAGE), "page": str(max(1, -(-pages // PAGE)))}
        newest = items_at(self._caller.call("GET", "/followups/", query=query).json(), "results") if pages else []
        ours = {text_at(one, "user") for one in newest if "[triage:" in text_at(one, "comment")}
        wrong = sorted(one for one in ours if one and not self._is_bot(one))
        if wrong:
            return Finding(False, "bot", f"the bot's follow-ups are by user {wrong[0]}: set bot = {wrong[0]}.")
        says = f"its follow-ups are those of user {self._site.bot}."
        return Finding(True, "bot", says if ours else f"user {self._site.bot} has not added any follow-up lately.")


def _short(ticket: object) -> str:
    return digest_of(ticket)[:10]


def _cursor(seen: Mapping[str, str], page: int | None = None) -> str:
    return json.dumps({"open": dict(seen)} if page is None else {"open": dict(seen), "page": page})


def _count(body: object) -> int | None:
    count = value_at(body, "count")
    return count if isinstance(count, int) else None
