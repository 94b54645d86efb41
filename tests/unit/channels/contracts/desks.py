"""Vendors by their documentation, each with one ticket in it: a colleague of the requester's asks, Bea may answer.

Every desk has `agent_says` and `agent_moves`, what people there do, and says how its channel is set up.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Any, ClassVar

from tests.unit.channels.contracts.vendor import Call, Refused, Vendor

OPENED = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
KNOWN = [("VPN", "<p>Restart the <b>gateway</b> client.</p>"), ("Scanner", "<p>Press the green key twice.</p>")]
SECRET = [("Door codes", "<p>Ask Bea for the code of bay 7.</p>")]
VALUES = {"network": "Network team", "servicedesk": "Service desk"}


class VendorDesk:
    """What all have: a clock that ticks with every change, and who may call."""

    kind = ""
    remote_id = "7"
    secrets: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        self.changes = 0
        self.said: list[dict[str, Any]] = []
        self.held: dict[str, bytes] = {}  # files of notes
        self.fields: dict[str, Any] = {"group": "Service desk"}
        self.is_over = False
        self.made: tuple[str, str, str, str | None] | None = None
        self.vendor = Vendor(self.routes(), self.check)

    def routes(self) -> list[Any]:
        raise NotImplementedError

    def check(self, call: Call) -> None:
        raise NotImplementedError

    def table(self) -> dict[str, Any]:
        raise NotImplementedError

    def stamp(self, form: str = "%Y-%m-%dT%H:%M:%SZ") -> str:
        return (OPENED + timedelta(seconds=self.changes)).strftime(form)

    def changed(self) -> None:
        self.changes += 1

    def say(self, who: str, text: str, *, public: bool) -> str:
        self.changed()
        self.said.append({"id": 100 + len(self.said), "who": who, "text": text, "public": public, "at": self.stamp()})
        return str(self.said[-1]["id"])

    def agent_says(self, text: str, *, public: bool) -> None:
        self.say("bea", text, public=public)

    def agent_moves(self) -> None:
        self.changed()


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class FreshdeskDesk(VendorDesk):
    kind = "freshdesk"
    secrets: ClassVar[dict[str, str]] = {"TOKEN": "k3y"}
    ids: ClassVar[dict[str, int]] = {"ana": 10, "bea": 20, "bot": 30}
    groups: ClassVar[dict[str, int]] = {"Service desk": 1, "Network team": 2}

    def table(self) -> dict[str, Any]:
        return {
            "token": "env:TOKEN",
            "verify": {"scheme": "header", "header": "X-Token", "secrets": ["env:TOKEN"]},
            "fields": {"queue": {"to": "group", "values": VALUES}, "priority": {"to": "priority"}},
        }

    def check(self, call: Call) -> None:
        if call.headers.get("authorization") != basic("k3y", "X"):
            raise Refused(401, {"code": "invalid_credentials"})

    def routes(self) -> list[Any]:
        return [
            ("GET", r"/api/v2/agents/me", lambda _: {"id": 30, "contact": {"email": "bot@desk.example"}}),
            ("GET", r"/api/v2/groups", lambda _: [{"id": i, "name": n} for n, i in self.groups.items()]),
            ("GET", r"/api/v2/ticket_fields", lambda _: []),
            ("GET", r"/api/v2/tickets/7", lambda _: self.ticket()),
            ("PUT", r"/api/v2/tickets/7", self.put),
            ("GET", r"/api/v2/tickets/7/conversations", lambda _: [self.conversation(one) for one in self.said]),
            ("POST", r"/api/v2/tickets/7/(notes|reply)", self.post),
            ("GET", r"/api/v2/tickets", self.listed),
            ("POST", r"/api/v2/tickets", self.make),
            ("GET", r"/api/v2/solutions/categories", lambda call: [{"id": 1}] if call.query["page"] == "1" else []),
            ("GET", r"/api/v2/solutions/categories/1/folders", lambda _: self.folders),
            ("GET", r"/api/v2/solutions/folders/(\d)/articles", self.solutions),
        ]

    folders: ClassVar[list[dict[str, Any]]] = [{"id": 2, "visibility": 1}, {"id": 3, "visibility": 3}]

    def solutions(self, call: Call) -> object:
        folder = int(call.groups[0])
        number, page = len(KNOWN) if folder == 2 else 1, int(call.query["page"])
        known = [
            {"id": 10 * folder + place, "title": title, "description": text, "folder_id": folder, "status": 2}
            for place, (title, text) in enumerate(KNOWN[:number] if folder == 2 else SECRET)
        ]
        drafts = [{**known[0], "id": 99, "status": 1}] if folder == 2 else []
        return [*known, *drafts] if page == 1 else []

    def make(self, call: Call) -> object:
        given = call.body
        has_requester = "email" in given or "requester_id" in given
        if not has_requester or not {"subject", "description", "status", "priority"} <= set(given):
            raise Refused(400, {"description": "Validation failed"})
        if given.get("group_id", 1) not in self.groups.values() or set(given) - self.takes:
            raise Refused(400, {"description": "Validation failed"})
        who = given.get("email") or ("the bot" if given["requester_id"] == 30 else "?")
        group = next((n for n, i in self.groups.items() if i == given.get("group_id")), None)
        self.made = (given["subject"], given["description"].replace("<br>", "\n"), who, group)
        return {"id": 8}

    takes: ClassVar[set[str]] = {
        *("subject", "description", "status", "priority", "email", "requester_id", "group_id", "type", "custom_fields")
    }

    def ticket(self) -> dict[str, Any]:
        return {
            "id": 7,
            "subject": "VPN drops",
            "description_text": "Since this morning.",
            "requester_id": 10,
            "requester": {"email": "ana@example.com"},
            "group_id": self.groups[self.fields["group"]],
            "priority": self.fields.get("priority", 1),
            "status": 4 if self.is_over else 2,
            "created_at": OPENED.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "updated_at": self.stamp(),
        }

    def conversation(self, one: dict[str, Any]) -> dict[str, Any]:
        who = {"user_id": self.ids[one["who"]], "incoming": one["who"] == "ana"}
        return {"id": one["id"], **who, "body_text": one["text"], "private": not one["public"], "created_at": one["at"]}

    def put(self, call: Call) -> object:
        given = call.body
        if "group_id" in given:
            if given["group_id"] not in self.groups.values():
                raise Refused(400, {"description": "Validation failed"})
            self.fields["group"] = next(n for n, i in self.groups.items() if i == given["group_id"])
        if "priority" in given:
            if given["priority"] not in (1, 2, 3, 4):
                raise Refused(400, {"description": "Validation failed"})
            self.fields["priority"] = given["priority"]
        self.changed()
        return self.ticket()

    def post(self, call: Call) -> object:
        public = call.groups[0] == "reply"
        if not public and call.body.get("private") not in (True, "true"):
            raise Refused(400, {"description": "the note would be public"})
        self.held |= dict(call.body.get("attachments[]", []))
        text = call.body["body"].replace("<br>", "\n")
        return {"id": int(self.say("bot", text, public=public))}

    def listed(self, call: Call) -> object:
        since = call.query["updated_since"]
        return [self.ticket()] if since <= self.stamp() and call.query["page"] == "1" else []


class ZammadDesk(VendorDesk):
    kind = "zammad"
    secrets: ClassVar[dict[str, str]] = {"TOKEN": "t0ken", "HOOK": "h00k"}

    def table(self) -> dict[str, Any]:
        return {
            "token": "env:TOKEN",
            "hook_secrets": ["env:HOOK"],
            "new_in": "Service desk",
            "fields": {"queue": {"to": "group", "values": VALUES}, "priority": {"to": "priority"}},
        }

    def check(self, call: Call) -> None:
        if call.headers.get("authorization") != "Token token=t0ken":
            raise Refused(401, {"error": "Invalid token!"})

    def routes(self) -> list[Any]:
        return [
            ("GET", r"/api/v1/users/me", lambda _: {"login": "bot@desk.example", "email": "bot@desk.example"}),
            ("GET", r"/api/v1/groups", lambda _: [{"name": name} for name in VALUES.values()]),
            ("GET", r"/api/v1/ticket_priorities", lambda _: [{"name": "2 normal"}, {"name": "3 high"}]),
            ("GET", r"/api/v1/tickets/7", lambda _: self.ticket()),
            ("PUT", r"/api/v1/tickets/7", self.put),
            ("GET", r"/api/v1/ticket_articles/by_ticket/7", lambda _: self.articles()),
            ("GET", r"/api/v1/ticket_articles/(\d+)", self.article),
            ("GET", r"/api/v1/ticket_attachment/7/(\d+)/(\d+)", self.attachment),
            ("POST", r"/api/v1/ticket_articles", self.post),
            ("GET", r"/api/v1/tickets/search", lambda call: [self.ticket()] if call.query["page"] == "1" else []),
            ("POST", r"/api/v1/tickets", self.make),
            ("POST", r"/api/v1/knowledge_bases/init", self.knowledge),
        ]

    def article(self, call: Call) -> object:
        return next(one for one in self.articles() if str(one["id"]) == call.groups[0])

    def attachment(self, call: Call) -> bytes:
        files: dict[str, bytes] = next(one for one in self.said if str(one["id"]) == call.groups[0])["files"]
        return list(files.values())[int(call.groups[1])]

    def knowledge(self, call: Call) -> object:
        if wanted := call.body.get("answer_translation_content_ids"):
            texts = {100 + place: {"id": 100 + place, "body": text} for place, (_, text) in enumerate(KNOWN + SECRET)}
            return {"KnowledgeBaseAnswerTranslationContent": {str(one): texts[one] for one in wanted}}
        moments = ["published_at"] * len(KNOWN) + ["internal_at"]
        answers = {
            str(place): {"id": place, "category_id": 1, moment: "2026-01-01T00:00:00Z"}
            for place, moment in enumerate(moments, 1)
        }
        translations = {
            str(place): {"id": place, "answer_id": place, "title": title, "content_id": 99 + place}
            for place, (title, _) in enumerate(KNOWN + SECRET, 1)
        }
        return {"KnowledgeBaseAnswer": answers, "KnowledgeBaseAnswerTranslation": translations}

    def make(self, call: Call) -> object:
        given = call.body
        if given.get("group") not in VALUES.values() or not given["customer_id"].startswith("guess:"):
            raise Refused(422, {"error": "No lookup value found"})
        if given["article"]["internal"] or given["article"]["type"] != "note":
            raise Refused(422, {"error": "Invalid value"})
        who = given["customer_id"].removeprefix("guess:").replace("bot@desk.example", "the bot")
        self.made = (given["title"], given["article"]["body"], who, given["group"])
        return {"id": 8}

    def ticket(self) -> dict[str, Any]:
        return {
            "id": 7,
            "title": "VPN drops",
            "customer": "ana@example.com",
            "state": "closed" if self.is_over else "open",
            **self.fields,
            "created_at": OPENED.isoformat(),
            "updated_at": self.stamp(),
        }

    def articles(self) -> list[dict[str, Any]]:
        first = {"id": 99, "who": "ana", "text": "Since this morning.", "public": True, "at": OPENED.isoformat()}
        people = {"ana": "ana@example.com", "bea": "bea@desk.example", "bot": "bot@desk.example"}
        return [
            {
                "id": one["id"],
                "created_by": people[one["who"]],
                "sender": "Customer" if one["who"] == "ana" else "Agent",
                "body": one["text"],
                "content_type": "text/plain",
                "internal": not one["public"],
                "attachments": [
                    {"id": place, "filename": name, "preferences": {"Content-Type": "text/plain"}}
                    for place, name in enumerate(one.get("files", {}))
                ],
                "created_at": one["at"],
            }
            for one in [first, *self.said]
        ]

    def put(self, call: Call) -> object:
        if call.body.get("group", "Service desk") not in VALUES.values():
            raise Refused(422, {"error": "No lookup value found for 'group'"})
        if call.body.get("priority", "2 normal") not in ("2 normal", "3 high"):
            raise Refused(422, {"error": "No lookup value found for 'priority'"})
        self.fields |= call.body
        self.changed()
        return self.ticket()

    def post(self, call: Call) -> object:
        public = not call.body["internal"]
        if public and not (call.body["type"] == "email" and call.body.get("to")):
            raise Refused(422, {"error": "nobody to send it to"})
        for one in call.body.get("attachments", []):
            assert one["mime-type"]
            self.held[one["filename"]] = base64.b64decode(one["data"], validate=True)
        return {"id": int(self.say("bot", call.body["body"], public=public))}


class JiraDesk(VendorDesk):
    kind = "jira"
    remote_id = "IT-7"
    secrets: ClassVar[dict[str, str]] = {"TOKEN": "t0ken", "HOOK": "h00k"}

    def table(self) -> dict[str, Any]:
        return {
            "user": "bot@desk.example",
            "token": "env:TOKEN",
            "project": "IT",
            "hook_secrets": ["env:HOOK"],
            "fields": {
                "queue": {"to": "component", "values": VALUES},
                "priority": {"to": "priority"},
                "area": {"to": "label:area_"},
            },
        }

    def check(self, call: Call) -> None:
        if call.headers.get("authorization") != basic("bot@desk.example", "t0ken"):
            raise Refused(401, {"errorMessages": ["Client must be authenticated"]})

    def routes(self) -> list[Any]:
        components = [{"name": name} for name in VALUES.values()]
        project = {"projectTypeKey": "service_desk", "components": components}
        return [
            ("GET", r"/rest/api/2/myself", lambda _: {"accountId": "bot", "displayName": "triage"}),
            ("GET", r"/rest/api/2/project/IT", lambda _: project),
            ("GET", r"/rest/api/2/issue/IT-7", lambda _: self.issue()),
            ("PUT", r"/rest/api/2/issue/IT-7", self.put),
            ("GET", r"/rest/api/2/issue/IT-7/comment", self.comments),
            ("POST", r"/rest/servicedeskapi/request/IT-7/comment", self.post),
            ("GET", r"/rest/api/3/search/jql", self.search),
        ]

    def issue(self) -> dict[str, Any]:
        return {
            "key": "IT-7",
            "fields": {
                "summary": "VPN drops",
                "description": "Since this morning.",
                "reporter": {"accountId": "ana", "emailAddress": "ana@example.com"},
                "assignee": None,
                "components": [{"name": self.fields["group"]}],
                "priority": {"name": self.fields.get("priority", "Medium")},
                "labels": self.fields.get("labels", ["vip", "area_old"]),
                "status": {"statusCategory": {"key": "done" if self.is_over else "new"}},
                "created": "2026-11-23T10:00:00.000+0000",
                "updated": self.stamp("%Y-%m-%dT%H:%M:%S.000+0000"),
            },
        }

    def put(self, call: Call) -> object:
        for one in call.body["fields"].get("components", []):
            if one["name"] not in VALUES.values():
                raise Refused(400, {"errors": {"components": f"Component name '{one['name']}' is not valid"}})
            self.fields["group"] = one["name"]
        if "priority" in call.body["fields"]:
            if call.body["fields"]["priority"]["name"] not in ("Low", "Medium", "High"):
                raise Refused(400, {"errors": {"priority": "The priority selected is invalid."}})
            self.fields["priority"] = call.body["fields"]["priority"]["name"]
        labels = list(self.fields.get("labels", ["vip", "area_old"]))
        for change in call.body["update"].get("labels", []):
            labels = [one for one in labels if one != change.get("remove")] + (
                [change["add"]] if "add" in change else []
            )
        self.fields["labels"] = labels
        self.changed()
        return {}

    def comments(self, call: Call) -> object:
        names = {"ana": ("customer", "ana@example.com"), "bea": ("atlassian", ""), "bot": ("atlassian", "")}
        found = [
            {
                "id": str(one["id"]),
                "author": {
                    "accountId": one["who"],
                    "accountType": names[one["who"]][0],
                    "displayName": f"{one['who']}@desk.example",
                },
                "body": one["text"],
                "jsdPublic": one["public"],
                "created": one["at"],
            }
            for one in self.said
        ]
        return {"comments": found[int(call.query["startAt"]) :], "total": len(found)}

    def post(self, call: Call) -> object:
        return {"id": self.say("bot", call.body["body"], public=call.body["public"])}

    def search(self, call: Call) -> object:
        if not re.search(r"updated >= -\d+m ORDER BY updated ASC", call.query["jql"]):
            raise Refused(400, {"errorMessages": ["bad JQL"]})
        return {"issues": [{"key": "IT-7", "fields": {"updated": self.stamp()}}], "isLast": True}


class ServicenowDesk(VendorDesk):
    kind = "servicenow"
    remote_id = "a" * 32
    secrets: ClassVar[dict[str, str]] = {"PASSWORD": "p4ss", "HOOK": "h00k"}

    def table(self) -> dict[str, Any]:
        return {
            "user": "triage.bot",
            "password": "env:PASSWORD",
            "verify": {"scheme": "header", "header": "X-Token", "secrets": ["env:HOOK"]},
            "fields": {"queue": {"to": "assignment_group", "values": VALUES}, "priority": {"to": "urgency"}},
            "public_knowledge": ["IT"],
        }

    def check(self, call: Call) -> None:
        if call.headers.get("authorization") != basic("triage.bot", "p4ss"):
            raise Refused(401, {"error": {"message": "User Not Authenticated"}})

    def routes(self) -> list[Any]:
        incident = rf"/api/now/table/incident/{self.remote_id}"
        return [
            ("GET", incident, lambda _: {"result": self.record()}),
            ("PATCH", incident, self.patch),
            ("GET", r"/api/now/table/sys_journal_field", lambda _: {"result": self.journal()}),
            ("GET", r"/api/now/table/sys_user_group", self.groups),
            ("GET", r"/api/now/table/incident", self.listed),
            ("GET", r"/api/now/table/kb_knowledge", self.knowledge),
        ]

    def knowledge(self, call: Call) -> object:
        found = re.fullmatch(r"workflow_state=published\^sys_id>(\w*)\^ORDERBYsys_id", call.query["sysparm_query"])
        if not found or call.query["sysparm_display_value"] != "all":
            raise Refused(400, {"error": {"message": "bad query"}})
        records = []
        for place, (title, text) in enumerate(KNOWN + SECRET):
            values = {"sys_id": f"{place:032}", "number": f"KB{place}", "short_description": title, "text": text}
            values |= {"can_read_user_criteria": "vip" if (title, text) in SECRET else ""}
            record = {name: {"value": value, "display_value": value} for name, value in values.items()}
            records.append({**record, "kb_knowledge_base": {"value": "d" * 32, "display_value": "IT"}})
        return {"result": [one for one in records if one["sys_id"]["value"] > found[1]]}

    def record(self) -> dict[str, Any]:
        def plain(value: str) -> dict[str, str]:
            return {"value": value, "display_value": value}

        return {
            "short_description": plain("VPN drops"),
            "description": plain("Since this morning."),
            "caller_id": {"value": "b" * 32, "display_value": "Ana Fischer"},
            "caller_id.email": plain("ana@example.com"),
            "caller_id.user_name": plain("ana"),
            "assignment_group": {"value": "c" * 32, "display_value": self.fields["group"]},
            "urgency": {"value": "3", "display_value": self.fields.get("urgency", "3 - Low")},
            "state": plain("6" if self.is_over else "1"),
            "sys_mod_count": plain(str(self.changes)),
            "sys_created_by": plain("ana"),
            "sys_created_on": plain("2026-11-23 10:00:00"),
            "sys_updated_on": plain(self.stamp("%Y-%m-%d %H:%M:%S")),
        }

    def patch(self, call: Call) -> object:
        if call.query.get("sysparm_input_display_value") != "true":
            raise Refused(400, {"error": {"message": "names would be taken for ids"}})
        for element in ("comments", "work_notes"):
            if element in call.body:
                self.say("bot", call.body[element], public=element == "comments")
        # What is no group is not refused: the field just stays as it was.
        if call.body.get("assignment_group") in VALUES.values():
            self.fields["group"] = call.body["assignment_group"]
        if "urgency" in call.body:
            self.fields["urgency"] = call.body["urgency"]
        self.changed()
        return {"result": self.record()}

    def journal(self) -> list[dict[str, str]]:
        users = {"ana": "ana", "bea": "bea@desk.example", "bot": "triage.bot"}
        return [
            {
                "sys_id": str(one["id"]),
                "element": "comments" if one["public"] else "work_notes",
                "value": one["text"],
                "sys_created_by": users[one["who"]],
                "sys_created_on": one["at"],
            }
            for one in self.said
        ]

    def groups(self, call: Call) -> object:
        name = call.query["sysparm_query"].removeprefix("name=")
        return {"result": [{"name": name}] if name in VALUES.values() else []}

    def listed(self, call: Call) -> object:
        query = call.query.get("sysparm_query", "")
        if query and not re.search(r"gs\.minutesAgoStart\(\d+\)\^ORDERBYsys_updated_on", query):
            raise Refused(400, {"error": {"message": "bad query"}})
        return {"result": [{"sys_id": self.remote_id, "sys_updated_on": self.stamp("%Y-%m-%d %H:%M:%S")}]}


class GlpiDesk(VendorDesk):
    kind = "glpi"
    secrets: ClassVar[dict[str, str]] = {"USER": "us3r", "APP": "4pp", "HOOK": "h00k"}
    ids: ClassVar[dict[str, int]] = {"ana": 10, "bea": 20, "bot": 30}
    group_ids: ClassVar[dict[str, int]] = {"Service desk": 1, "Network team": 2}

    def __init__(self) -> None:
        super().__init__()
        self.session = "s1"

    def table(self) -> dict[str, Any]:
        return {
            "user_token": "env:USER",
            "app_token": "env:APP",
            "verify": {"scheme": "header", "header": "X-Token", "secrets": ["env:HOOK"]},
            "fields": {"queue": {"to": "group", "values": VALUES}, "priority": {"to": "priority"}},
        }

    def check(self, call: Call) -> None:
        if call.headers.get("app-token") != "4pp":
            raise Refused(400, ["ERROR_WRONG_APP_TOKEN_PARAMETER", ""])
        if call.path.endswith("/initSession"):
            if call.headers.get("authorization") != "user_token us3r":
                raise Refused(401, ["ERROR_GLPI_LOGIN_USER_TOKEN", ""])
        elif call.headers.get("session-token") != self.session:
            raise Refused(401, ["ERROR_SESSION_TOKEN_INVALID", ""])

    def routes(self) -> list[Any]:
        root = "/apirest.php"
        return [
            ("GET", rf"{root}/initSession", lambda _: {"session_token": self.session}),
            ("GET", rf"{root}/getFullSession", lambda _: {"session": {"glpiID": 30, "glpiname": "triage"}}),
            ("GET", rf"{root}/Ticket/7", lambda _: self.ticket()),
            ("PUT", rf"{root}/Ticket/7", self.put),
            ("GET", rf"{root}/Ticket/7/Ticket_User", lambda _: self.people()),
            ("GET", rf"{root}/Ticket/7/ITILFollowup", lambda _: [self.followup(one) for one in self.said]),
            ("POST", rf"{root}/ITILFollowup", self.post),
            ("GET", rf"{root}/Ticket/7/Group_Ticket", lambda _: self.assigned()),
            ("POST", rf"{root}/Ticket/7/Group_Ticket", self.assign),
            ("DELETE", rf"{root}/Group_Ticket/5", lambda _: self.fields.update(group="") or [{"5": True}]),
            ("GET", rf"{root}/(Group|ITILCategory)", self.names),
            ("GET", rf"{root}/KnowbaseItem", self.knowledge),
            ("GET", rf"{root}/search/Ticket", lambda _: {"data": [{"2": 7, "19": self.stamp("%Y-%m-%d %H:%M:%S")}]}),
        ]

    def knowledge(self, call: Call) -> object:
        items = [
            {"id": place, "name": title, "answer": escape(text), "is_faq": int((title, text) in KNOWN)}
            for place, (title, text) in enumerate(KNOWN + SECRET)
        ]
        if int(call.query["range"].partition("-")[0]) >= len(items):
            raise Refused(400, ["ERROR_RANGE_EXCEED_TOTAL", "Provided range exceed total count of data"])
        return items

    def ticket(self) -> dict[str, Any]:
        return {
            "id": 7,
            "name": "VPN drops",
            "content": "&lt;p&gt;Since this morning.&lt;/p&gt;",
            "itilcategories_id": 0,
            "priority": self.fields.get("priority", 3),
            "status": 5 if self.is_over else 1,
            "is_deleted": 0,
            "date_creation": "2026-11-23 10:00:00",
            "date_mod": self.stamp("%Y-%m-%d %H:%M:%S"),
        }

    def people(self) -> list[dict[str, Any]]:
        return [{"users_id": 10, "type": 1, "alternative_email": "ana@example.com"}]

    def followup(self, one: dict[str, Any]) -> dict[str, Any]:
        hidden = 0 if one["public"] else 1
        text = one["text"].replace("\n", "<br>")
        return {
            "id": one["id"],
            "users_id": self.ids[one["who"]],
            "content": text,
            "is_private": hidden,
            "date_creation": one["at"],
        }

    def put(self, call: Call) -> object:
        self.fields |= call.body["input"]
        self.changed()
        return [{"7": True, "message": ""}]

    def post(self, call: Call) -> object:
        given = call.body["input"]
        text = given["content"].replace("<br>", "\n")
        return {"id": int(self.say("bot", text, public=not given["is_private"]))}

    def assigned(self) -> list[dict[str, Any]]:
        return [{"id": 5, "groups_id": self.fields["group"], "type": 2}] if self.fields["group"] else []

    def assign(self, call: Call) -> object:
        wanted = call.body["input"]["groups_id"]
        self.fields["group"] = next(name for name, number in self.group_ids.items() if number == wanted)
        self.changed()
        return {"id": 5}

    def names(self, call: Call) -> object:
        name = call.query["searchText[name]"]
        return [{"id": self.group_ids[name], "name": name}] if name in self.group_ids else []


DESKS = [FreshdeskDesk, ZammadDesk, JiraDesk, ServicenowDesk, GlpiDesk]
