"""How are a repository's issues read and written? Of https://docs.github.com/en/rest/issues."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from triage.channels.common.calling import Caller
from triage.channels.common.moments import moment
from triage.channels.common.paths import items_at, text_at, value_at
from triage.channels.common.sweeping import Listed, sweep
from triage.channels.common.system import Page
from triage.channels.common.tables import FieldTable
from triage.channels.common.values import DeliveryFailed, Finding, Gone, Message, RemoteTicket, Status
from triage.channels.github.fields import IssueField, label_names
from triage.channels.github.hooks import is_bot

# https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api
HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
PAGE, MOST_PAGES = 100, 20
# https://docs.github.com/en/graphql/reference/enums#commentauthorassociation: who may work on issues.
STAFF = ("OWNER", "MEMBER", "COLLABORATOR")
# https://docs.github.com/en/rest/using-the-rest-api/issue-event-types: what a person does who works on an issue.
WORK = ("labeled", "unlabeled", "assigned", "unassigned", "milestoned", "renamed", "closed", "reopened", "locked")
MENTION = re.compile(r"(?<![\w`])@(?=[A-Za-z0-9])")


@dataclass(frozen=True, slots=True)
class _Event:
    """What somebody did to an issue: ``target`` is the label or the assignee, in small letters."""

    kind: str
    actor: object
    target: str


class Issues:
    """The issues of one repository, seen by one account."""

    def __init__(  # noqa: PLR0913  # what the table says, each once
        self,
        url: str,
        repository: str,
        token: str,
        *,
        fields: Mapping[str, FieldTable],
        login: str | None,
        comments_notes: bool,
        takes_bots: bool,
        has_hook: bool,
        timeout_s: float,
    ) -> None:
        self._repository = repository
        self._fields = {name: IssueField(table) for name, table in fields.items()}
        self._login = login or ""
        self._comments_notes = comments_notes
        self._takes_bots = takes_bots
        self._has_hook = has_hook
        self._caller = Caller(url, timeout_s=timeout_s, headers={**HEADERS, "Authorization": f"Bearer {token}"})

    def read(self, remote_id: str) -> RemoteTicket:
        """The issue as it stands now, with all comments and who has worked on it."""
        issue = self._issue(remote_id)
        author = text_at(issue, "user.login")
        events = list(self._events(remote_id))
        messages = tuple(self._message(one, author) for one in self._pages(self._path(f"/{remote_id}/comments")))
        helpers = [one.author for one in messages if one.by_agent and not one.is_ours]
        workers = [text_at(one.actor, "login") for one in events if self._is_work(one, author)]
        return RemoteTicket(
            remote_id=remote_id,
            subject=text_at(issue, "title"),
            body=text_at(issue, "body"),
            requester=author,
            fields=self._values(issue, events),
            status=Status.SOLVED if text_at(issue, "state") == "closed" else Status.OPEN,
            messages=messages,
            touched_by=next(iter([*helpers, *workers]), None),
            opened_by_us=self._is_me(author),
            opened_at=moment(text_at(issue, "created_at")),
            updated_at=moment(text_at(issue, "updated_at")),
            version=_digest(issue),
            url=text_at(issue, "html_url") or None,
        )

    def set_fields(self, ticket: RemoteTicket, values: Mapping[str, str]) -> None:
        """Set fields unless the issue was changed since it was read; labels and assignees of nobody's field stay.

        GitHub has no If-Match for issues, so it is read once more just before. What is wrong is removed before what
        is right is added: where this breaks off in between, a repeat finds the field empty and ends the work.
        """
        issue = self._issue(ticket.remote_id)
        if _digest(issue) != ticket.version:
            raise DeliveryFailed(f"Issue {ticket.remote_id} was changed in the meantime.")
        for name, value in values.items():
            field = self._fields.get(name)
            if field is None:
                continue
            change = field.change(_standing(issue, field), value)
            if field.of_labels:
                self._relabel(ticket.remote_id, change.remove, change.add)
            else:
                self._reassign(ticket.remote_id, change.remove, change.add)

    def post(self, ticket: RemoteTicket, text: str, *, public: bool) -> str:
        """Add a comment that calls nobody by @name; a note only where the table lets it be a comment."""
        if not public and not self._comments_notes:
            says = 'GitHub has no internal notes. Set notes = "comment" to write them where everybody reads them.'
            raise DeliveryFailed(says, retryable=False)
        # A zero-width space: the words of an article shall not call people to an issue.
        body = {"body": MENTION.sub("@\N{ZERO WIDTH SPACE}", text)}
        answer = self._caller.send_json("POST", self._path(f"/{ticket.remote_id}/comments"), body)
        return text_at(answer.json(), "id")

    def changed_since(self, cursor: str | None, since: datetime) -> Iterator[Page]:
        """Issues by ``updated_at``; pull requests are left out."""
        return sweep(cursor, since, self._changed)

    def check(self) -> Iterator[Finding]:
        """The account, what it may do in the repository, and whether the labels and assignees are there."""
        yield Finding(True, "credentials", f"the bot is {self._me()}.")
        try:
            repository = self._caller.call("GET", f"/repos/{self._repository}").json()
        except Gone:
            says = f"there is no {self._repository}, or the token does not reach it."
            yield Finding(False, "repository", says)
            return
        has_issues = value_at(repository, "has_issues") is not False
        yield Finding(has_issues, "repository", "it has issues." if has_issues else "its issues are switched off.")
        rights = value_at(repository, "permissions")
        if isinstance(rights, dict):
            may = any(rights.get(one) is True for one in ("admin", "maintain", "push", "triage"))
            says = "the bot may set labels." if may else "the bot may not set labels: give it the role Triage."
            yield Finding(may, "permissions", says)
        labels = {text_at(one, "name").casefold() for one in self._pages(f"/repos/{self._repository}/labels")}
        for name, field in self._fields.items():
            yield self._check_field(name, field, labels)
        notes = "notes are public comments." if self._comments_notes else "no notes are written: GitHub has none."
        yield Finding(True, "notes", notes)
        if not self._has_hook:
            says = "hook_secrets are not set, so changes are only found by asking; see docs/howto/channels/github.md."
            yield Finding(True, "webhook", says)

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    def _check_field(self, name: str, field: IssueField, labels: set[str]) -> Finding:
        if field.of_labels:
            missing = [one for one in field.names() if one.casefold() not in labels]
            says = f"the repository has no label {', '.join(missing)}." if missing else "its labels are there."
            return Finding(not missing, name, says)
        missing = [one for one in field.names() if not self._may_be_assigned(one)]
        says = f"issues cannot be assigned to {', '.join(missing)}." if missing else "its assignees are there."
        return Finding(not missing, name, says)

    def _may_be_assigned(self, login: str) -> bool:
        try:
            self._caller.call("GET", f"/repos/{self._repository}/assignees/{quote(login, safe='')}")
        except Gone:
            return False
        return True

    def _path(self, rest: str) -> str:
        return f"/repos/{self._repository}/issues{rest}"

    def _issue(self, remote_id: str) -> object:
        if not (remote_id.isascii() and remote_id.isdigit()):
            raise Gone(f"GitHub's issues have numbers, and {remote_id[:50]!r} is none.")
        try:
            issue = self._caller.call("GET", self._path(f"/{remote_id}")).json()
        except Gone as error:
            raise Gone(f"{self._repository} has no issue {remote_id}, or the token does not reach it.") from error
        if value_at(issue, "pull_request") is not None:
            raise Gone(f"{self._repository}#{remote_id} is a pull request.")
        return issue

    def _changed(self, begin: datetime, page: int) -> tuple[list[Listed], bool]:
        query = {
            "state": "all",
            "sort": "updated",
            "direction": "asc",
            "since": begin.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "per_page": str(PAGE),
            "page": str(page),
        }
        body = self._caller.call("GET", self._path(""), query=query).json()
        issues = body if isinstance(body, list) else []
        found = [Listed(text_at(one, "number"), text_at(one, "updated_at"), self._is_ticket(one)) for one in issues]
        return found, len(found) == PAGE

    def _pages(self, path: str) -> Iterator[object]:
        for number in range(1, MOST_PAGES + 1):
            query = {"per_page": str(PAGE), "page": str(number)}
            found = self._caller.call("GET", path, query=query).json()
            items = found if isinstance(found, list) else []
            yield from items
            if len(items) < PAGE:
                return

    def _events(self, remote_id: str) -> Iterator[_Event]:
        for one in self._pages(self._path(f"/{remote_id}/events")):
            target = text_at(one, "label.name") or text_at(one, "assignee.login")
            yield _Event(text_at(one, "event"), value_at(one, "actor"), target.casefold())

    def _values(self, issue: object, events: list[_Event]) -> dict[str, str]:
        last_set = {one.target: place for place, one in enumerate(events) if one.kind in ("labeled", "assigned")}
        found = {name: field.value(_standing(issue, field), last_set) for name, field in self._fields.items()}
        return {name: value for name, value in found.items() if value}

    def _relabel(self, remote_id: str, remove: tuple[str, ...], add: tuple[str, ...]) -> None:
        for label in remove:
            self._remove(self._path(f"/{remote_id}/labels/{quote(label, safe='')}"))
        if add:
            self._caller.send_json("POST", self._path(f"/{remote_id}/labels"), {"labels": list(add)})

    def _remove(self, path: str) -> None:
        try:
            self._caller.call("DELETE", path)
        except Gone:  # an earlier attempt or a person was faster
            return

    def _reassign(self, remote_id: str, remove: tuple[str, ...], add: tuple[str, ...]) -> None:
        path = self._path(f"/{remote_id}/assignees")
        if remove:
            self._caller.send_json("DELETE", path, {"assignees": list(remove)})
        if add:
            self._caller.send_json("POST", path, {"assignees": list(add)})

    def _message(self, comment: object, author: str) -> Message:
        user = value_at(comment, "user")
        login = text_at(user, "login")
        is_ours = self._is_me(login)
        staff = text_at(comment, "author_association") in STAFF
        return Message(
            text_at(comment, "id"),
            login,
            text_at(comment, "body"),
            public=True,
            by_agent=is_ours or (staff and login != author and not is_bot(user)),
            is_ours=is_ours,
            at=moment(text_at(comment, "created_at")),
        )

    def _is_work(self, event: _Event, author: str) -> bool:
        login = text_at(event.actor, "login")
        return (
            bool(login)
            and event.kind in WORK
            and login != author
            and not self._is_me(login)
            and not is_bot(event.actor)
        )

    def _is_ticket(self, issue: object) -> bool:
        bot = is_bot(value_at(issue, "user")) and not self._takes_bots
        return value_at(issue, "pull_request") is None and not bot

    def _is_me(self, login: str) -> bool:
        return login.casefold() == self._me().casefold()

    def _me(self) -> str:
        if not self._login:
            login = text_at(self._caller.call("GET", "/user").json(), "login")
            if not login:
                raise DeliveryFailed("GitHub does not tell whose token this is: set login.", retryable=False)
            self._login = login
        return self._login


def _standing(issue: object, field: IssueField) -> tuple[str, ...]:
    if field.of_labels:
        return label_names(items_at(issue, "labels"))
    return tuple(text_at(one, "login") for one in items_at(issue, "assignees"))


def _digest(issue: object) -> str:
    """What tells that an issue was changed; ``updated_at`` alone counts whole seconds."""
    parts = [value_at(issue, name) for name in ("title", "body", "state", "comments", "updated_at")]
    logins = sorted(text_at(one, "login") for one in items_at(issue, "assignees"))
    stands = [*parts, sorted(label_names(items_at(issue, "labels"))), logins]
    return hashlib.sha256(json.dumps(stands, sort_keys=True).encode()).hexdigest()
