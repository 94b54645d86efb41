"""Which forms are there? A new ticket with the desk's own fields, and other values for one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from triage.channels.common.values import Opened, Received
from triage.channels.slack.desk import SlackDesk
from triage.channels.slack.escape import cut
from triage.channels.slack.limits import MODAL_TITLE, OPTIONS, Block, option
from triage.channels.slack.messages import plain
from triage.channels.slack.threads import FORM
from triage.channels.slack.words import say
from triage.db.tables import TicketRow
from triage.tickets import store

NEW, CHANGED = "triage_new", "triage_changed"
# What a form may hold (https://docs.slack.dev/reference/block-kit/block-elements/plain-text-input-element).
LONGEST_SUBJECT, LONGEST_DETAILS = 150, 3_000


def new_view(desk: SlackDesk, language: str | None, *, text: str = "", origin: str = "") -> Block:
    """The form of a new ticket; ``origin`` is the thread that it is about, if any."""
    blocks: list[Block] = [
        _input("subject", say("subject", language), _text_input(LONGEST_SUBJECT, text.splitlines()[0] if text else "")),
        _input("details", say("details", language), _text_input(LONGEST_DETAILS, text, many=True), optional=True),
    ]
    for name, field in desk.table.form.items():
        options = [option(one, one) for one in field.options[:OPTIONS]]
        select: Block = {"type": "static_select", "action_id": "chosen", "options": options}
        blocks.append(_input(f"field_{name}", field.label, select, optional=True))
    return _modal(NEW, say("new_ticket", language), blocks, language, origin)


def change_view(ticket: TicketRow, labels: Mapping[str, list[str]], card: Mapping[str, str]) -> Block:
    """The form with which an agent gives a ticket other values.

    Values may be longer than Slack's options, so the form names them by their digests; the present one comes first.
    """
    blocks = []
    for name, values in list(labels.items())[:20]:
        current = store.current_value(ticket, name)
        ordered = [*(one for one in values if one == current), *(one for one in values if one != current)][:OPTIONS]
        options = [option(one, _digest(one)) for one in ordered]
        select: Block = {"type": "static_select", "action_id": "chosen", "options": options}
        if current in ordered:
            select["initial_option"] = options[0]
        blocks.append(_input(f"field_{name}", name, select, optional=True))
    return _modal(CHANGED, "Change…", blocks, "en", json.dumps({"ticket": ticket.id, "card": card}))


def on_new(desk: SlackDesk, body: Mapping[str, Any], view: Mapping[str, Any]) -> None:
    """A ticket from the form; its answer comes in the thread it is about, or in a conversation with the app."""
    user = str(body["user"]["id"])
    values = view["state"]["values"]
    subject, details = _entered(values, "subject"), _entered(values, "details")
    origin = str(view.get("private_metadata") or "")
    remote_id = origin or f"{FORM}{view['id']}"
    chosen = {
        name: str(choice["selected_option"]["value"])
        for name in desk.table.form
        if (choice := values.get(f"field_{name}", {}).get("chosen", {})).get("selected_option")
    }
    opened = Opened(
        remote_id,
        plain(subject),
        plain(details),
        f"slack:{user}",
        features={**chosen, "slack_user": user, "slack_channel": origin.partition(":")[0] or "form"},
    )
    desk.take(Received(f"{FORM}{view['id']}", "view_submission", (opened,)))


def changed_values(desk: SlackDesk, view: Mapping[str, Any]) -> tuple[str, dict[str, str], dict[str, str]]:
    """The ticket, the new values by field, and where its card is."""
    data = json.loads(view["private_metadata"])
    labels = labels_of(desk, desk.story(data["ticket"]))
    chosen = {}
    for block_id, elements in view["state"]["values"].items():
        selected = elements.get("chosen", {}).get("selected_option") or {}
        name = block_id.removeprefix("field_")
        # A value that another model does not know any more is not taken.
        value = next((one for one in labels.get(name, []) if _digest(one) == selected.get("value")), None)
        if value is not None:
            chosen[name] = value
    return data["ticket"], chosen, data["card"]


def labels_of(desk: SlackDesk, ticket: TicketRow) -> dict[str, list[str]]:
    """The values that each field of the ticket may have."""
    classifier = desk.services.desk.current().classifier
    known = {name: list(field.labels) for name, field in classifier.card.fields.items()} if classifier else {}
    for decision in ticket.runs[-1].decisions:
        seen = [one["label"] for one in decision.alternatives] + ([decision.value] if decision.value else [])
        known.setdefault(decision.field, []).extend(one for one in seen if one not in known.get(decision.field, []))
    return {name: values for name, values in known.items() if values}


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()[:32]


def _entered(values: Mapping[str, Any], name: str) -> str:
    return str(values.get(name, {}).get("entered", {}).get("value") or "")


def _text_input(longest: int, initial: str, *, many: bool = False) -> Block:
    made: Block = {"type": "plain_text_input", "action_id": "entered", "max_length": longest, "multiline": many}
    return made | ({"initial_value": cut(initial, longest)} if initial else {})


def _input(block_id: str, label: str, element: Block, *, optional: bool = False) -> Block:
    text = {"type": "plain_text", "text": cut(label, 2_000)}
    return {"type": "input", "block_id": block_id[:255], "label": text, "element": element, "optional": optional}


def _modal(callback_id: str, title: str, blocks: list[Block], language: str | None, data: str) -> Block:
    def text(words: str) -> Block:
        return {"type": "plain_text", "text": cut(words, MODAL_TITLE)}

    return {
        "type": "modal",
        "callback_id": callback_id,
        "title": text(title),
        "submit": text(say("send", language)),
        "close": text(say("cancel", language)),
        "private_metadata": data,
        "blocks": blocks,
    }
