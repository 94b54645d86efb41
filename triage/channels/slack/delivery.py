"""How does a result get into its thread, and a card to the agents, each once?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from triage.channels.common.files import File
from triage.channels.common.system import Steps
from triage.channels.common.values import Gone, News, Outgoing, Status
from triage.channels.slack.cards import card
from triage.channels.slack.desk import Deleted, SlackDesk, in_words
from triage.channels.slack.escape import escaped, mrkdwn, quoted
from triage.channels.slack.files import hand_over
from triage.channels.slack.limits import Block, actions, button, fit, section, sections
from triage.channels.slack.messages import who_of_the_desk
from triage.channels.slack.replies import SHARE, fallback, reply_blocks
from triage.channels.slack.threads import (
    Place,
    asked_by,
    is_own,
    latest,
    link_to,
    marked,
    own_thread,
    post,
    thread_of,
    written_in,
)
from triage.channels.slack.words import say
from triage.tickets.model import Outcome

T = TypeVar("T")

THREAD, CARD = "thread", "card"


def send(desk: SlackDesk, outgoing: Outgoing, done: Steps) -> str:
    """Say in the ticket's thread what was found, and show the agents' card; returns what happened, in words.

    Raises ``Gone`` where neither the requester nor the agents could be told.
    """
    if not outgoing.is_open:
        return "Nothing was sent: the ticket is solved."
    if desk.mode_at(outgoing.created_at) == "off":
        return "Nothing was sent: the channel is off at this time."
    says, untold = [], None
    if THREAD not in outgoing.done:
        try:
            says.append(_reply(desk, outgoing, done))
        except Gone as error:
            untold = error
            says.append(say("untold", why=str(error)))
    has_card = bool(outgoing.done.get(CARD))
    if CARD not in outgoing.done:
        note = say("untold", desk.table.language, why=str(untold)) if untold else ""
        has_card, said = _card(desk, outgoing, note, done)
        says.append(said)
    if untold:
        if not has_card:
            raise untold
        done(THREAD, "")
    return " ".join(one for one in says if one) or "There was nothing left to do."


def relay(desk: SlackDesk, outgoing: Outgoing, news: News, files: Sequence[File]) -> None:
    """Say in the ticket's thread what was said, or became of it, in the system that it is filed in."""
    language = outgoing.language
    if news.status is not None:
        words = say("reopened_there" if news.status is Status.OPEN else "solved_there", language, system=news.via)
        blocks = [section(words)]
    else:
        words = say("said_there", language, agent=escaped(news.author), system=escaped(news.via))
        blocks = [section(words), *sections(quoted(mrkdwn(news.text)), most=10)]
    blocks[0]["block_id"] = news.marker

    def tell(place: Place) -> None:
        there = written_in(desk, place) if outgoing.is_repeat else []
        said = marked(there, news.marker)
        if said is None:
            post(desk, place, words, blocks)
        hand_over(desk, place, files, [one for one in there if said and float(str(one["ts"])) > float(said)])

    _there_or_apart(desk, outgoing, tell)


def _reply(desk: SlackDesk, outgoing: Outgoing, done: Steps) -> str:
    """The words in the thread, as far as the policy and the people in it let the bot speak."""
    mode = desk.mode_at(outgoing.created_at)
    if mode != "apply":
        done(THREAD, "")
        return f"The policy is {mode}, so nothing was said in the thread."
    blocks = fit(reply_blocks(outgoing, in_hours=desk.is_open_hours()))
    answered = outgoing.answer is not None and outgoing.answer.given

    def say_in(place: Place) -> str:
        there = written_in(desk, place)
        if outgoing.human_touched or who_of_the_desk(desk, there, outgoing.features.get("slack_user", "")):
            done(THREAD, "")
            return "A person works on it, so the bot said nothing."
        if answered and desk.answers_in(place[0]) == "ephemeral":
            _ephemeral(desk, outgoing, place, blocks)
            done(THREAD, "ephemeral")
            return "Answered, for the requester's eyes only."
        # Where an earlier attempt posted it and never heard so, it stands there with the marker.
        posted = marked(there, outgoing.marker) or post(desk, place, fallback(outgoing), blocks)
        done(THREAD, posted)
        return "Answered in the thread." if answered else "Said in the thread that it was filed."

    def tell(place: Place) -> str:
        try:
            return say_in(place)
        except Deleted:  # whoever took the question back wants no answer to it
            done(THREAD, "")
            return "The message of the ticket was deleted, so nothing was said in its thread."

    return _there_or_apart(desk, outgoing, tell)


def _there_or_apart(desk: SlackDesk, outgoing: Outgoing, tell: Callable[[Place], T]) -> T:
    """Tell the requester in the ticket's thread or, where that cannot be, in their own conversation."""
    asked = asked_by(outgoing)
    try:
        return tell(thread_of(desk, asked))
    except Gone:
        if is_own(desk, asked):
            raise
        return tell(own_thread(desk, asked))


def _ephemeral(desk: SlackDesk, outgoing: Outgoing, place: Place, blocks: Sequence[Block]) -> None:
    share = actions(f"{outgoing.marker}:share", [button(say("share", outgoing.language), SHARE, outgoing.ticket_id)])
    user = outgoing.features.get("slack_user", "")
    with in_words():
        desk.client.chat_postEphemeral(
            channel=place[0], user=user, thread_ts=place[1], text=fallback(outgoing), blocks=[*blocks, share]
        )


def _card(desk: SlackDesk, outgoing: Outgoing, note: str, done: Steps) -> tuple[bool, str]:
    """The agents' card, in the channel of the queue that was decided; whether it is there, and what happened."""
    queue = next((d.value for d in outgoing.decisions if d.field == "queue" and d.outcome is Outcome.APPLY), None)
    channel = desk.table.queues.get(queue or "") or desk.table.card_channel
    if channel is None:
        done(CARD, "")
        return False, ""
    marker = f"{outgoing.marker}:card"
    try:
        earlier = marked(latest(desk, channel), marker) if outgoing.is_repeat else None
        posted = earlier or post(
            desk,
            (channel, None),
            say("new_card", desk.table.language),
            card(outgoing, _link(desk, outgoing), desk.table.language, note=note),
        )
    except Gone as error:
        done(CARD, "")
        return False, f"The agents' card was not shown: {error}"
    desk.keep(f"card:{outgoing.ticket_id}", f"{channel}:{posted}")
    done(CARD, posted)
    return True, "The agents have its card."


def _link(desk: SlackDesk, outgoing: Outgoing) -> str | None:
    """The address of the ticket's thread, where it has one that can be seen."""
    try:
        return link_to(desk, thread_of(desk, asked_by(outgoing)))
    except Gone:
        return None
