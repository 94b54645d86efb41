"""What stands in App Home? One's own tickets; for agents those that wait."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from triage.channels.common.tables import source_of
from triage.channels.slack.desk import ANSWER_WAYS, ANSWERS, MODE, MODES, SlackDesk
from triage.channels.slack.escape import cut, escaped, link, moment
from triage.channels.slack.limits import VIEW_BLOCKS, Block, actions, button, context, fit, header, option, section
from triage.channels.slack.words import say
from triage.db.tables import RemoteTicketRow, TicketRow
from triage.privacy import mask, names_of
from triage.tickets import store

NEW_BUTTON = "triage_home_new"
SET_MODE, SET_ANSWERS = "triage_set_mode", "triage_set_answers:"
MOST = 20


def home_view(desk: SlackDesk, user_id: str) -> Block:
    """The view for one person; what they may not see is not in it."""
    person = desk.people.person(user_id)
    language = person.language
    blocks: list[Block] = [
        header(say("greeting", language)),
        actions("home", [button(say("new_ticket", language), NEW_BUTTON, "new", style="primary")]),
        header(say("my_tickets", language)),
    ]
    mine = desk.tickets_of(person.address, limit=MOST)
    states = _remotes(desk, [ticket.id for ticket in mine])
    blocks += [_line(ticket, states.get(ticket.id), language) for ticket in mine]
    if not mine:
        blocks.append(section(say("no_tickets", language)))
    if desk.people.at_desk(user_id):
        blocks += [header(say("queue", language)), *_waiting(desk, language)]
    if desk.people.is_admin(user_id):
        blocks += settings_blocks(desk, language)
    return {"type": "home", "blocks": fit(blocks, VIEW_BLOCKS)}


def settings_blocks(desk: SlackDesk, language: str | None) -> list[Block]:
    """What an admin may change here: the mode of the channel, and who sees answers where every message is a ticket."""
    blocks = [header(say("settings", language))]
    mode = desk.mode_at(datetime.now(UTC))
    blocks.append(_choice(say("mode", language), SET_MODE, list(MODES), mode))
    for channel in list(desk.table.watch)[:20]:
        label = say("answers_in", language, channel=f"<#{channel}>")
        blocks.append(
            _choice(label, f"{SET_ANSWERS}{channel}", list(ANSWER_WAYS), desk.answers_in(channel) or "thread")
        )
    return blocks


def on_setting(desk: SlackDesk, user_id: str, action: Mapping[str, Any]) -> bool:
    """Keep what an admin chose; False for everybody else and for what is no choice."""
    value = str((action.get("selected_option") or {}).get("value") or "")
    action_id = str(action.get("action_id") or "")
    if not desk.people.is_admin(user_id):
        return False
    if action_id == SET_MODE and value in MODES:
        desk.keep(MODE, value)
        return True
    channel = action_id.removeprefix(SET_ANSWERS)
    if action_id.startswith(SET_ANSWERS) and channel in desk.table.watch and value in ANSWER_WAYS:
        desk.keep(f"{ANSWERS}{channel}", value)
        return True
    return False


def _choice(label: str, action_id: str, values: list[str], current: str) -> Block:
    options = [option(one, one) for one in values]
    chosen = options[values.index(current)] if current in values else options[0]
    select = {"type": "static_select", "action_id": action_id, "options": options, "initial_option": chosen}
    return {**section(label), "accessory": select}


def status_lines(desk: SlackDesk, user_id: str) -> str:
    """One's own tickets as text, newest first."""
    person = desk.people.person(user_id)
    mine = desk.tickets_of(person.address, limit=10)
    if not mine:
        return say("no_tickets", person.language)
    states = _remotes(desk, [ticket.id for ticket in mine])
    return "\n".join(_words(ticket, states.get(ticket.id), person.language) for ticket in mine)


def _waiting(desk: SlackDesk, language: str | None) -> list[Block]:
    """Open tickets that nobody of the desk has touched, oldest first, without what is personal."""
    query = (
        select(TicketRow)
        .join(RemoteTicketRow, RemoteTicketRow.ticket_id == TicketRow.id)
        .where(TicketRow.source == source_of(desk.name))
        .where(RemoteTicketRow.status == "open", RemoteTicketRow.touched_by.is_(None))
        .order_by(TicketRow.id)
        .limit(MOST)
        .options(*store.STORY)
    )
    with desk.services.sessions() as session:
        tickets = list(session.scalars(query))
    states = _remotes(desk, [ticket.id for ticket in tickets])
    return [_line(ticket, states.get(ticket.id), language, masked=True) for ticket in tickets] or [context("–")]


def _line(ticket: TicketRow, remote: RemoteTicketRow | None, language: str | None, *, masked: bool = False) -> Block:
    return section(_words(ticket, remote, language, masked=masked))


def _words(ticket: TicketRow, remote: RemoteTicketRow | None, language: str | None, *, masked: bool = False) -> str:
    title = (ticket.subject or ticket.body).strip().partition("\n")[0]
    if masked:
        title = mask(title, names=names_of(ticket.requester, ticket.features))
    is_open = remote is None or remote.status == "open"
    shown = link(remote.url, cut(title, 120)) if remote and remote.url else escaped(cut(title, 120))
    queue = store.current_value(ticket, "queue")
    parts = [say("open" if is_open else "closed", language), *([escaped(queue)] if queue else [])]
    return f"{shown}\n_{' · '.join(parts)} · {moment(ticket.received_at)}_"


def _remotes(desk: SlackDesk, ticket_ids: list[str]) -> dict[str, RemoteTicketRow]:
    if not ticket_ids:
        return {}
    query = select(RemoteTicketRow).where(
        RemoteTicketRow.channel == desk.name, RemoteTicketRow.ticket_id.in_(ticket_ids)
    )
    with desk.services.sessions() as session:
        return {row.ticket_id: row for row in session.scalars(query)}
