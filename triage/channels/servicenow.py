"""ServiceNow incidents, built from its documentation of the Table API.

https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
It has no webhooks: a business rule of docs/howto/channels/servicenow.md sends one, with a token in a header.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Literal

from pydantic import Field

from triage.channels.common.calling import Caller
from triage.channels.common.locking import refuse_changed
from triage.channels.common.moments import minutes_since, moment
from triage.channels.common.paths import items_at, parse_json, text_at
from triage.channels.common.sweeping import Listed, listed, sweep
from triage.channels.common.system import Channel, Page, Services, system_channel
from triage.channels.common.tables import Environment, FieldTable, Name, Secret, SystemTable, Url
from triage.channels.common.values import Finding, Gone, Look, Message, Received, RemoteTicket, Status, Webhook
from triage.channels.common.verify import VerifyTable, open_verifier
from triage.errors import BadInput

SYS_ID = re.compile(r"[0-9a-f]{32}")
OVER = ("6", "7", "8")  # resolved, closed, canceled
PAGE = 100


class ServicenowTable(SystemTable):
    """``kind = "servicenow"``: ``fields.….to`` are columns such as assignment_group, category or priority.

    ``public_knowledge`` names the knowledge bases whose articles requesters may see; the others are for agents.
    """

    kind: Literal["servicenow"]
    url: Url
    user: Name
    password: Secret
    table: Name = "incident"
    public_knowledge: tuple[Name, ...] = ()
    verify: VerifyTable | None = None
    fields: dict[Name, FieldTable] = Field(default={"queue": FieldTable(to="assignment_group")}, min_length=1)

    def build(self, name: str, environment: Environment, _services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``."""
        system = ServiceNow(self, environment)
        verifier = open_verifier(self.verify, environment) if self.verify else None
        return system_channel(name, self, system, verifier, parse, articles=system.articles)


def parse(webhook: Webhook) -> Received:
    """What the business rule sends: which record, at which count of changes."""
    body = parse_json(webhook.body)
    sys_id, count = text_at(body, "sys_id"), text_at(body, "sys_mod_count")
    if not SYS_ID.fullmatch(sys_id) or not count.isdigit():
        raise BadInput("The body names no sys_id and sys_mod_count; docs/howto/channels/servicenow.md gives the rule.")
    return Received(f"{sys_id}:{count}", text_at(body, "operation") or "changed", (Look(sys_id),))


class ServiceNow:
    """One instance, called as one user."""

    def __init__(self, table: ServicenowTable, environment: Environment) -> None:
        self._table = table
        auth = (table.user, table.password.read(environment))
        headers = {"Accept": "application/json"}
        self._caller = Caller(f"{table.url}/api/now", timeout_s=table.sending.timeout_s, auth=auth, headers=headers)

    def read(self, remote_id: str) -> RemoteTicket:
        """The record with its comments and work notes."""
        if not SYS_ID.fullmatch(remote_id):
            raise Gone(f"ServiceNow's records have ids of 32 hexadecimal digits, and {remote_id[:50]!r} is none.")
        record = self._record(remote_id)
        messages = tuple(self._journal(remote_id, text_at(record, "caller_id.user_name.value")))
        helpers = [one.author for one in messages if one.by_agent and not one.is_ours]
        opener = text_at(record, "sys_created_by.value")
        caller = text_at(record, "caller_id.email.value") or text_at(record, "caller_id.display_value")
        return RemoteTicket(
            remote_id=remote_id,
            subject=text_at(record, "short_description.value"),
            body=text_at(record, "description.value"),
            requester=caller or opener,
            fields={
                name: field.ours(value)
                for name, field in self._table.fields.items()
                if (value := text_at(record, f"{field.to}.display_value"))
            },
            status=Status.SOLVED if text_at(record, "state.value") in OVER else Status.OPEN,
            messages=messages,
            touched_by=helpers[0] if helpers else None,
            opened_by_us=opener == self._table.user,
            opened_at=moment(text_at(record, "sys_created_on.value")),
            updated_at=moment(text_at(record, "sys_updated_on.value")),
            version=text_at(record, "sys_mod_count.value") or None,
            url=f"{self._table.url}/nav_to.do?uri={self._table.table}.do?sys_id={remote_id}",
        )

    def set_fields(self, ticket: RemoteTicket, values: Mapping[str, str]) -> None:
        """Set columns by what people see in them, unless the record was changed since it was read."""
        known = {name: field for name, field in self._table.fields.items() if name in values}
        refuse_changed(ticket, lambda: text_at(self._record(ticket.remote_id), "sys_mod_count.value"))
        self._patch(ticket.remote_id, {field.to: field.theirs(values[name]) for name, field in known.items()})

    def post(self, ticket: RemoteTicket, text: str, *, public: bool) -> str:
        """Add a work note, or a comment that the caller sees."""
        self._patch(ticket.remote_id, {"comments" if public else "work_notes": text})
        return ""

    def changed_since(self, cursor: str | None, since: datetime) -> Iterator[Page]:
        """Records by their last change."""
        return sweep(cursor, since, self._changed)

    def _changed(self, begin: datetime, page: int) -> tuple[list[Listed], bool]:
        # A moment would be read in the user's time zone.
        minutes = minutes_since(begin)
        body = self._get(
            f"/table/{self._table.table}",
            sysparm_query=f"sys_updated_on>=javascript:gs.minutesAgoStart({minutes})^ORDERBYsys_updated_on",
            sysparm_fields="sys_id,sys_updated_on",
            sysparm_limit=str(PAGE),
            sysparm_offset=str((page - 1) * PAGE),
        )
        return listed(items_at(body, "result"), "sys_id", "sys_updated_on", PAGE)

    def articles(self) -> Iterator[Mapping[str, object]]:
        """The published articles. For requesters are those of ``public_knowledge`` that name no readers of their own.

        Who may read a knowledge base stands in tables that few may see, so nothing is taken for public by itself.
        """
        last = ""
        while True:
            body = self._get(
                "/table/kb_knowledge",
                sysparm_query=f"workflow_state=published^sys_id>{last}^ORDERBYsys_id",
                sysparm_fields="sys_id,number,short_description,text,language,sys_updated_on,kb_knowledge_base,"
                "can_read_user_criteria,cannot_read_user_criteria,roles,valid_to",
                sysparm_display_value="all",
                sysparm_limit=str(PAGE),
            )
            records = items_at(body, "result")
            yield {"articles": [self._article(one) for one in records]}
            if len(records) < PAGE:
                return
            last = text_at(records[-1], "sys_id.value")

    def _article(self, record: object) -> dict[str, str]:
        base = text_at(record, "kb_knowledge_base.display_value")
        limits = ("can_read_user_criteria", "cannot_read_user_criteria", "roles")
        is_public = base in self._table.public_knowledge and not any(text_at(record, f"{one}.value") for one in limits)
        sys_id = text_at(record, "sys_id.value")
        return {
            "id": text_at(record, "number.value") or sys_id,
            "title": text_at(record, "short_description.value"),
            "text": text_at(record, "text.value"),
            "language": text_at(record, "language.value"),
            "updated": text_at(record, "sys_updated_on.value")[:10],
            "review_by": text_at(record, "valid_to.value")[:10],
            "audience": "public" if is_public else "internal",
            "url": f"{self._table.url}/kb_view.do?sys_kb_id={sys_id}",
        }

    def check(self) -> Iterator[Finding]:
        """Credentials, the table, and the groups that the table names."""
        body = self._get(f"/table/{self._table.table}", sysparm_limit="1", sysparm_fields="sys_id")
        seen = bool(items_at(body, "result"))
        says = (
            "records can be read." if seen else "no record can be seen: it is empty, or the user lacks the role itil."
        )
        yield Finding(seen, f"table {self._table.table}", says)
        for name, field in self._table.fields.items():
            if field.to != "assignment_group":
                continue
            for group in sorted(field.values.values()):
                found = self._get("/table/sys_user_group", sysparm_query=f"name={group}", sysparm_limit="1")
                there = bool(items_at(found, "result"))
                yield Finding(there, name, f"the group {group} is {'there' if there else 'not there'}.")

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

    def _get(self, path: str, **query: str) -> object:
        return self._caller.call("GET", path, query=query or None).json()

    def _record(self, remote_id: str) -> object:
        columns = {field.to for field in self._table.fields.values()} | {
            *("short_description", "description", "state", "sys_mod_count", "sys_created_on", "sys_updated_on"),
            *("sys_created_by", "caller_id", "caller_id.email", "caller_id.user_name"),
        }
        path = f"/table/{self._table.table}/{remote_id}"
        query = {"sysparm_display_value": "all", "sysparm_fields": ",".join(sorted(columns))}
        body = self._get(path, **query)
        result = body.get("result") if isinstance(body, dict) else None
        return _nested(result) if isinstance(result, dict) else {}

    def _patch(self, remote_id: str, values: Mapping[str, str]) -> None:
        path = f"/table/{self._table.table}/{remote_id}?sysparm_input_display_value=true"
        self._caller.send_json("PATCH", path, dict(values))

    def _journal(self, remote_id: str, caller: str) -> Iterator[Message]:
        query = f"element_id={remote_id}^elementINcomments,work_notes^ORDERBYsys_created_on"
        body = self._get("/table/sys_journal_field", sysparm_query=query, sysparm_limit="1000")
        for one in items_at(body, "result"):
            author = text_at(one, "sys_created_by")
            yield Message(
                text_at(one, "sys_id"),
                author,
                text_at(one, "value"),
                public=text_at(one, "element") == "comments",
                by_agent=author != caller,
                is_ours=author == self._table.user,
                at=moment(text_at(one, "sys_created_on")),
            )


def _nested(record: Mapping[str, object]) -> dict[str, object]:
    """Columns of other tables come as `caller_id.email`; here they stand below their first part."""
    nested: dict[str, object] = {name: value for name, value in record.items() if "." not in name}
    for name, value in record.items():
        first, dot, rest = name.partition(".")
        inner = nested.get(first)
        if dot and isinstance(inner, dict):
            nested[first] = {**inner, rest: value}
    return nested
