"""What follows from a click? Feedback, a choice, a correction, or a person who takes over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog
from slack_sdk.errors import SlackApiError
from sqlalchemy.exc import IntegrityError

from triage.channels.common.tables import source_of
from triage.channels.common.values import Closed, DeliveryFailed, Message, Received, Said
from triage.channels.outgoing import given_answer
from triage.channels.relaying import pass_on
from triage.channels.slack.cards import CHANGE
from triage.channels.slack.desk import SlackDesk, failure, place_of
from triage.channels.slack.escape import escaped
from triage.channels.slack.limits import Block
from triage.channels.slack.modal import change_view, labels_of
from triage.channels.slack.replies import answer_blocks, settled
from triage.channels.slack.threads import asked_as, language_of, post, thread_of
from triage.channels.slack.words import say
from triage.db.tables import TicketRow
from triage.errors import NotFound
from triage.tickets import store
from triage.tickets.feedback import add_feedback
from triage.tickets.model import AnswerFeedback, Correction, Outcome, Verdict

# Any: bolt hands bodies over as plain dictionaries.
Body = dict[str, Any]

log = structlog.get_logger(__name__)


def on_verdict(desk: SlackDesk, body: Body, verdict: Verdict) -> None:
    """The requester says whether the answer helped; solved closes the ticket, else a person is called."""
    ticket = _own_ticket(desk, body)
    if ticket is None:
        return
    author, language = _author(desk, body), language_of(ticket)
    key = f"slack:{verdict.value}:{author}"
    _once(lambda: _judge(desk, ticket.id, AnswerFeedback(verdict, author, idempotency_key=key[:200])))
    if verdict is Verdict.SOLVED:
        remote = desk.remote_of(ticket.id)
        if remote:
            desk.take(Received(f"solved:{ticket.id}", "solved", (Closed(remote.remote_id, author),)))
        _settle(desk, body, say("glad", language))
        return
    _settle(desk, body, say("sorry", language))
    call_for_a_person(desk, ticket, author)


def on_person(desk: SlackDesk, body: Body) -> None:
    """The requester wants a person: the agents are told, and the bot is quiet from now on."""
    ticket = _own_ticket(desk, body)
    if ticket is None:
        return
    _settle(desk, body, say("person_called", language_of(ticket)))
    call_for_a_person(desk, ticket, _author(desk, body))


def call_for_a_person(desk: SlackDesk, ticket: TicketRow, author: str) -> None:
    """Tell the agents, under the ticket's card, that somebody waits for them."""
    card = desk.recall(f"card:{ticket.id}")
    place = place_of(card) if isinstance(card, str) else None
    channel = place[0] if place else desk.table.card_channel
    if channel is None:
        return
    group = next((one for one in desk.table.desk if one.startswith("S")), None)
    words = say("asks_for_person", desk.table.language, ticket=ticket.id)
    text = f"<!subteam^{group}> {words}" if group else words
    try:
        desk.client.chat_postMessage(channel=channel, thread_ts=place[1] if place else None, text=text)
    except SlackApiError as error:
        log.warning("agents were not told", ticket=ticket.id, reason=str(failure(error)))


def on_value(desk: SlackDesk, body: Body) -> None:
    """A value of the certified set was chosen, by the requester or an agent: that is a correction."""
    ticket = _own_ticket(desk, body, also_desk=True)
    if ticket is None:
        return
    _, _, chosen = str(body["actions"][0].get("value", "")).partition(" ")
    field, _, value = chosen.partition("=")
    author = _author(desk, body)
    correct(desk, ticket.id, field, value, author)
    _settle(desk, body, say("thanks_choice", language_of(ticket), value=escaped(value)))


def on_article(desk: SlackDesk, body: Body) -> None:
    """One of several articles was chosen: its words are shown, and the choice is kept for the gate to learn from."""
    ticket = _own_ticket(desk, body)
    if ticket is None:
        return
    _, _, article_id = str(body["actions"][0].get("value", "")).partition(" ")
    loaded = desk.services.desk.current()
    run = ticket.runs[-1]
    audiences = loaded.audiences if run.audiences is None else tuple(run.audiences)
    hits = loaded.knowledge.search(run.text, audiences=audiences, language=run.language, limit=20)
    hit = next((one for one in hits if one.article_id == article_id), None)
    if hit is None:
        _settle(desk, body, say("sorry", language_of(ticket)))
        return
    author = _author(desk, body)
    note = AnswerFeedback(
        Verdict.NOT_SOLVED, author, "chosen among several", article_id, f"slack:chosen:{article_id}"[:200]
    )
    _once(lambda: _judge(desk, ticket.id, note))
    blocks = answer_blocks(hit.citation.text, (hit.citation,), run.language)
    try:
        post(desk, (str(body["channel"]["id"]), _thread(body)), say("answer_found", run.language), blocks)
    except DeliveryFailed as error:
        log.warning("could not be said", reason=str(error))


def on_share(desk: SlackDesk, body: Body) -> None:
    """An answer that only its requester saw is shown to the channel."""
    ticket = _own_ticket(desk, body)
    remote = desk.remote_of(ticket.id) if ticket else None
    run = ticket.runs[-1] if ticket else None
    if ticket is None or remote is None or run is None or run.answer is None:
        return
    key = f"shared:{run.id}"
    if not desk.keep_once(key, True):
        return  # the button stays, as Slack takes none from what only one person sees
    given = given_answer(run.answer)
    language = language_of(ticket)
    blocks = answer_blocks(given.text, given.citations, language)
    user = str(body["user"]["id"])
    try:
        place = thread_of(desk, asked_as(ticket, remote.remote_id))
        post(desk, place, say("shared", language, user=f"<@{user}>"), blocks)
    except DeliveryFailed as error:
        desk.drop(key)
        log.warning("not shared", ticket=ticket.id, reason=str(error))
        tell(desk, body, say("trouble", language))


def on_accept(desk: SlackDesk, body: Body) -> None:
    """An agent says that what was decided or suggested is right: each value is confirmed."""
    ticket = _desk_ticket(desk, body)
    if ticket is None:
        return
    author = _author(desk, body)
    for decision in ticket.runs[-1].decisions if ticket.runs else []:
        first = decision.alternatives[0]["label"] if decision.alternatives else None
        value = decision.value or (first if decision.outcome != Outcome.LEAVE.value else None)
        if value:
            correct(desk, ticket.id, decision.field, value, author)
    _settle(desk, body, say("accepted_by", desk.table.language, agent=escaped(author)))


def on_change(desk: SlackDesk, body: Body) -> None:
    """An agent wants other values: the form for that is opened."""
    ticket = _desk_ticket(desk, body)
    if ticket is None:
        return
    card = {"channel": str(body["channel"]["id"]), "ts": str(body["message"]["ts"])}
    view = change_view(ticket, labels_of(desk, ticket), card)
    try:
        desk.client.views_open(trigger_id=str(body["trigger_id"]), view=view)
    except SlackApiError as error:
        tell(desk, body, say("expired", desk.people.person(str(body["user"]["id"])).language))
        log.warning("form not opened", reason=str(failure(error)), action=CHANGE)


def on_take(desk: SlackDesk, body: Body) -> None:
    """An agent takes the ticket: the requester is told, and the bot is quiet from now on."""
    ticket = _desk_ticket(desk, body)
    remote = desk.remote_of(ticket.id) if ticket else None
    if ticket is None or remote is None:
        return
    person = desk.people.person(str(body["user"]["id"]))
    said = Message(f"taken:{person.user_id}", person.address, "Takes the ticket.", public=False, by_agent=True)
    desk.take(Received(f"taken:{ticket.id}:{person.user_id}", "taken", (Said(remote.remote_id, said),)))
    words = say("taken", language_of(ticket), agent=f"<@{person.user_id}>")
    try:
        post(desk, thread_of(desk, asked_as(ticket, remote.remote_id)), words, [])
    except DeliveryFailed as error:
        log.warning("the requester was not told", ticket=ticket.id, reason=str(error))
    _settle(desk, body, say("taken_by", desk.table.language, agent=escaped(person.name)))


def correct(desk: SlackDesk, ticket_id: str, field: str, value: str, author: str) -> None:
    """Write a correction down, once for each field, value and author."""
    key = f"slack:{field}:{value}:{author}"[:200]

    def write() -> None:
        with desk.services.sessions.begin() as session:
            store.add_correction(session, ticket_id, Correction(field, value, author, idempotency_key=key))
            pass_on(session, desk.services.jobs, ticket_id, by=desk.name)

    _once(write)


def tell(desk: SlackDesk, body: Body, words: str) -> None:
    """Say something that only the one who clicked sees."""
    channel = body.get("channel") or {}
    try:
        desk.client.chat_postEphemeral(channel=str(channel.get("id", "")), user=str(body["user"]["id"]), text=words)
    except SlackApiError as error:
        log.warning("could not be told", reason=str(failure(error)))


def _own_ticket(desk: SlackDesk, body: Body, *, also_desk: bool = False) -> TicketRow | None:
    """The ticket of the button, where it is the clicker's own; else they are told."""
    ticket = _ticket(desk, body)
    if ticket is None:
        return None
    user = str(body["user"]["id"])
    is_own = ticket.features.get("slack_user") == user or desk.people.person(user).address == ticket.requester
    if is_own or (also_desk and desk.people.at_desk(user)):
        return ticket
    tell(desk, body, say("not_yours", desk.people.person(user).language))
    return None


def _desk_ticket(desk: SlackDesk, body: Body) -> TicketRow | None:
    user = str(body["user"]["id"])
    if not desk.people.at_desk(user):
        tell(desk, body, say("desk_only", desk.people.person(user).language))
        return None
    return _ticket(desk, body)


def _ticket(desk: SlackDesk, body: Body) -> TicketRow | None:
    ticket_id, _, _ = str(body["actions"][0].get("value", "")).partition(" ")
    try:
        ticket = desk.story(ticket_id)
    except NotFound:
        return None
    return ticket if ticket.source == source_of(desk.name) and ticket.runs else None


def _judge(desk: SlackDesk, ticket_id: str, given: AnswerFeedback) -> None:
    with desk.services.sessions.begin() as session:
        add_feedback(session, ticket_id, given)


def _once(write: Callable[[], None]) -> None:
    """Write; where the same came twice at once, the other was first."""
    try:
        write()
    except IntegrityError:
        write()


def _settle(desk: SlackDesk, body: Body, note: str) -> None:
    """Take the buttons away and say what became of them; an ephemeral message is only answered."""
    message: Mapping[str, Any] = body.get("message") or {}
    channel = body.get("channel") or {}
    if not message.get("ts") or body.get("container", {}).get("is_ephemeral"):
        tell(desk, body, note)
        return
    blocks: list[Block] = settled(message.get("blocks") or [], note)
    try:
        desk.client.chat_update(channel=str(channel["id"]), ts=str(message["ts"]), text=note, blocks=blocks)
    except SlackApiError as error:
        log.warning("message not updated", reason=str(failure(error)))
        tell(desk, body, note)


def _thread(body: Body) -> str:
    message = body.get("message") or {}
    return str(message.get("thread_ts") or message.get("ts") or body.get("container", {}).get("thread_ts") or "")


def _author(desk: SlackDesk, body: Body) -> str:
    return desk.people.person(str(body["user"]["id"])).address
