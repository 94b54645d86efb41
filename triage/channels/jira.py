"""Jira Service Management, built from its documentation (https://developer.atlassian.com/cloud/jira/platform/rest/v2/).

Comments are made and told apart by the service desk's own API
(https://developer.atlassian.com/cloud/jira/service-desk/rest/api-group-request/), webhooks signed in X-Hub-Signature
(https://developer.atlassian.com/cloud/jira/platform/webhooks/).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field, model_validator

from triage.channels.common.calling import Caller
from triage.channels.common.locking import refuse_changed
from triage.channels.common.moments import minutes_since, moment
from triage.channels.common.paths import items_at, parse_json, text_at, value_at
from triage.channels.common.sweeping import Listed, sweep
from triage.channels.common.system import Channel, Page, Services, system_channel
from triage.channels.common.tables import Environment, FieldTable, Name, Secret, SystemTable, Url
from triage.channels.common.values import Finding, Gone, Look, Message, Received, RemoteTicket, Status, Webhook
from triage.channels.common.verify import HmacTable, Secrets, open_verifier
from triage.errors import BadInput

KEY = re.compile(r"[A-Z][A-Z0-9_]{0,30}-\d{1,12}")
CUSTOM = re.compile(r"customfield_\d+")
LABEL = re.compile(r"label:(.*)")
NAMED = ("priority", "component", "issuetype")
PAGE, MOST_PAGES = 100, 100
EVENTS = ("jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created", "comment_updated")


class JiraTable(SystemTable):
    """``kind = "jira"``: ``user`` is the mail address of the bot's account, ``token`` its API token."""

    kind: Literal["jira"]
    url: Url
    user: Name
    token: Secret
    project: Name
    hook_secrets: Secrets | None = None
    fields: dict[Name, FieldTable] = Field(default={"queue": FieldTable(to="component")}, min_length=1)

    @model_validator(mode="after")
    def _known_fields(self) -> JiraTable:
        if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,30}", self.project):
            raise ValueError("project is the key of a project, such as IT")
        for name, field in self.fields.items():
            if field.to not in NAMED and not CUSTOM.fullmatch(field.to) and not LABEL.fullmatch(field.to):
                raise ValueError(
                    f"fields.{name}.to must be priority, component, issuetype, customfield_N or label:PREFIX"
                )
        return self

    def build(self, name: str, environment: Environment, _services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``."""
        system = Jira(self, environment)
        verifier = None
        if self.hook_secrets:
            scheme = HmacTable(scheme="hmac", secrets=self.hook_secrets, header="X-Hub-Signature", prefix="sha256=")
            verifier = open_verifier(scheme, environment)
        return system_channel(name, self, system, verifier, self._parse)

    def _parse(self, webhook: Webhook) -> Received:
        body = parse_json(webhook.body)
        event, number = text_at(body, "webhookEvent"), text_at(body, "issue.key")
        key = webhook.headers.get("x-atlassian-webhook-identifier", "")
        if not key:
            raise BadInput("The request has no X-Atlassian-Webhook-Identifier.")
        if event not in EVENTS:
            return Received(key, event, note=f"The event {event[:100]} is not one of issues.")
        if not KEY.fullmatch(number):
            raise BadInput("The body holds no issue.key.")
        if not number.startswith(f"{self.project}-"):
            return Received(key, event, note=f"{number} is not of the project {self.project}.")
        return Received(key, event, (Look(number),))


class Jira:
    """One Jira, called as one account."""

    def __init__(self, table: JiraTable, environment: Environment) -> None:
        self._table = table
        auth = (table.user, table.token.read(environment))
        self._caller = Caller(table.url, timeout_s=table.sending.timeout_s, auth=auth)
        self._me = ""

    def read(self, remote_id: str) -> RemoteTicket:
        """The issue with its comments; version 2 of the API gives texts as texts."""
        if not KEY.fullmatch(remote_id):
            raise Gone(f"Jira's issues have keys such as IT-7, and {remote_id[:50]!r} is none.")
        issue = self._get(f"/rest/api/2/issue/{remote_id}")
        fields = value_at(issue, "fields")
        messages = tuple(self._messages(remote_id))
        reporter = text_at(fields, "reporter.accountId")
        assignee = text_at(fields, "assignee.accountId")
        helpers = [one.author for one in messages if one.by_agent and not one.is_ours]
        if assignee and assignee not in (self._my_id(), reporter):
            helpers.append(_person(value_at(fields, "assignee")))
        return RemoteTicket(
            remote_id=remote_id,
            subject=text_at(fields, "summary"),
            body=text_at(fields, "description"),
            requester=_person(value_at(fields, "reporter")),
            fields=self._fields(fields),
            status=Status.SOLVED if text_at(fields, "status.statusCategory.key") == "done" else Status.OPEN,
            messages=messages,
            touched_by=helpers[0] if helpers else None,
            opened_by_us=reporter == self._my_id(),
            opened_at=moment(text_at(fields, "created")),
            updated_at=moment(text_at(fields, "updated")),
            version=text_at(fields, "updated") or None,
            url=f"{self._table.url}/browse/{remote_id}",
        )

    def set_fields(self, ticket: RemoteTicket, values: Mapping[str, str]) -> None:
        """Set fields, unless the issue was changed since it was read; labels of others stay."""
        wanted: dict[str, object] = {}
        update: dict[str, list[object]] = {}
        path = f"/rest/api/2/issue/{ticket.remote_id}"
        for name, value in values.items():
            field = self._table.fields.get(name)
            if field is None:
                continue
            theirs = field.theirs(value)
            if field.to == "component":
                wanted["components"] = [{"name": theirs}]
            elif field.to in NAMED:
                wanted[field.to] = {"name": theirs}
            elif prefix := LABEL.fullmatch(field.to):
                old = self._label(prefix.group(1), items_at(self._get(path), "fields.labels"))
                changes: list[object] = [{"add": f"{prefix.group(1)}{theirs}"}]
                update.setdefault("labels", []).extend([{"remove": f"{prefix.group(1)}{old}"}] if old else [])
                update["labels"].extend(changes)
            else:
                wanted[field.to] = {"value": theirs}
        refuse_changed(ticket, lambda: text_at(self._get(path, fields="updated"), "fields.updated"))
        self._caller.send_json("PUT", path, {"fields": wanted, "update": update})

    def post(self, ticket: RemoteTicket, text: str, *, public: bool) -> str:
        """Add an internal comment, or one that the customer sees."""
        path = f"/rest/servicedeskapi/request/{ticket.remote_id}/comment"
        return text_at(self._caller.send_json("POST", path, {"body": text, "public": public}).json(), "id")

    def changed_since(self, cursor: str | None, since: datetime) -> Iterator[Page]:
        """Issues by their last change."""
        tokens: dict[int, str] = {}

        def ask(begin: datetime, page: int) -> tuple[list[Listed], bool]:
            query = self._query(begin) | ({"nextPageToken": tokens[page]} if page > 1 else {})
            body = self._get("/rest/api/3/search/jql", **query)
            found = [Listed(text_at(one, "key"), text_at(one, "fields.updated")) for one in items_at(body, "issues")]
            # Jira may put fewer on a page than it was asked for.
            tokens[page + 1] = text_at(body, "nextPageToken")
            return found, bool(tokens[page + 1])

        return sweep(cursor, since, ask)

    def _query(self, begin: datetime) -> dict[str, str]:
        # JQL would read a moment in the account's time zone.
        asked = f"updated >= -{minutes_since(begin)}m ORDER BY updated ASC"
        return {
            "jql": f'project = "{self._table.project}" AND {asked}',
            "fields": "updated",
            "maxResults": str(PAGE),
        }

    def check(self) -> Iterator[Finding]:
        """Credentials, the project, and the names in the table."""
        me = self._get("/rest/api/2/myself")
        yield Finding(True, "credentials", f"the bot is {text_at(me, 'displayName')}.")
        try:
            project = self._get(f"/rest/api/2/project/{self._table.project}")
        except Gone:
            yield Finding(False, "project", f"Jira has no project {self._table.project} that the bot may see.")
            return
        is_desk = text_at(project, "projectTypeKey") == "service_desk"
        says = "a service project." if is_desk else "no service project, so comments cannot be internal."
        yield Finding(is_desk, "project", f"{self._table.project} is {says}")
        known = {text_at(one, "name") for one in items_at(project, "components")}
        for name, field in self._table.fields.items():
            if field.to == "component":
                missing = sorted(set(field.values.values()) - known)
                found = (
                    f"the project has no component {', '.join(missing)}." if missing else "its components are there."
                )
                yield Finding(not missing, name, found)

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    def _get(self, path: str, **query: str) -> object:
        return self._caller.call("GET", path, query=query or None).json()

    def _messages(self, remote_id: str) -> Iterator[Message]:
        start = 0
        for _ in range(MOST_PAGES):
            body = self._get(f"/rest/api/2/issue/{remote_id}/comment", startAt=str(start), maxResults=str(PAGE))
            comments = items_at(body, "comments")
            for one in comments:
                author = text_at(one, "author.accountId")
                yield Message(
                    text_at(one, "id"),
                    _person(value_at(one, "author")),
                    text_at(one, "body"),
                    public=value_at(one, "jsdPublic") is not False,
                    # Customers of the portal have accounts of their own kind.
                    by_agent=text_at(one, "author.accountType") == "atlassian",
                    is_ours=author == self._my_id(),
                    at=moment(text_at(one, "created")),
                )
            start += len(comments)
            if len(comments) < PAGE:
                return

    def _fields(self, fields: object) -> dict[str, str]:
        values = {}
        for name, field in self._table.fields.items():
            if field.to == "component":
                value = text_at(fields, "components[0].name")
            elif field.to in NAMED:
                value = text_at(fields, f"{field.to}.name")
            elif prefix := LABEL.fullmatch(field.to):
                value = self._label(prefix.group(1), items_at(fields, "labels"))
            else:
                chosen = value_at(fields, field.to)
                value = text_at(chosen, "value") if isinstance(chosen, dict) else text_at(fields, field.to)
            if value:
                values[name] = field.ours(value)
        return values

    @staticmethod
    def _label(prefix: str, labels: list[object]) -> str:
        return next((str(one).removeprefix(prefix) for one in labels if str(one).startswith(prefix)), "")

    def _my_id(self) -> str:
        if not self._me:
            self._me = text_at(self._get("/rest/api/2/myself"), "accountId")
        return self._me


def _person(user: object) -> str:
    """The address where Jira shows it, else the name: Atlassian lets people hide theirs."""
    return text_at(user, "emailAddress") or text_at(user, "displayName") or text_at(user, "accountId")
