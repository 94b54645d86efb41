"""How does a result get into its thread, and a card to the agents, each once?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slack_sdk.errors import SlackApiError

from triage.channels.common.system import Steps
from triage.channels.common.values import Gone, News, Outgoing, Status
from triage.channels.slack.cards import card
from triage.channels.slack.desk import SlackDesk, failure, place_of
from triage.channels.slack.escape import escaped, mrkdwn, quoted
from triage.channels.slack.limits import Block, actions, button, fit, section, sections
from triage.channels.slack.messages import who_of_the_desk
from triage.channels.slack.replies import SHARE, fallback, reply_blocks
from triage.channels.slack.words import say
from triage.tickets.model import Outcome

THREAD, CARD = "thread", "card"
FORM = "form:"  # begins the places of tickets that came by the form and have no thread yet


def send(desk: SlackDesk, outgoing: Outgoing, done: Steps) -> str:
    """Say in the ticket's thread what was found, and show the agents' card; returns what happened, in words."""
    if not outgoing.is_open:
        return "Nothing was sent: the ticket is solved."
    if desk.mode_at(outgoing.created_at) == "off":
        return "Nothing was sent: the channel is off at this time."
    says = []
    place = thread_of(desk, outgoing)
    if THREAD not in outgoing.done:
        says.append(_reply(desk, outgoing, place, done))
    if CARD not in outgoing.done:
        says.append(_card(desk, outgoing, place, done))
    return " ".join(one for one in says if one) or "There was nothing left to do."


def relay(desk: SlackDesk, outgoing: Outgoing, news: News) -> None:
    """Say in the ticket's thread what was said, or became of it, in the system that it is filed in."""
    channel, ts = thread_of(desk, outgoing)
    language = outgoing.language
    if news.status is not None:
        words = say("reopened_there" if news.status is Status.OPEN else "solved_there", language, system=news.via)
        blocks = [section(words)]
    else:
        words = say("said_there", language, agent=escaped(news.author), system=escaped(news.via))
        blocks = [section(words), *sections(quoted(mrkdwn(news.text)), most=10)]
    blocks[0]["block_id"] = news.marker
    if outgoing.is_repeat and _marked(_thread(desk, channel, ts), news.marker):
        return
    _post(desk, channel, words, blocks, ts)


def thread_of(desk: SlackDesk, outgoing: Outgoing) -> tuple[str, str]:
    """Channel and moment of the ticket's thread; for one that came by the form it is opened in a conversation."""
    if not outgoing.remote_id.startswith(FORM):
        return place_of(outgoing.remote_id)
    key = f"thread:{outgoing.ticket_id}"
    known = desk.recall(key)
    if isinstance(known, str):
        return place_of(known)
    user = outgoing.features.get("slack_user", "")
    text = say("your_ticket", outgoing.language, subject=outgoing.subject or "…")
    try:
        channel = str(desk.client.conversations_open(users=user)["channel"]["id"])
        ts = str(desk.client.chat_postMessage(channel=channel, text=text)["ts"])
    except SlackApiError as error:
        raise failure(error) from error
    desk.keep(key, f"{channel}:{ts}")
    desk.keep(f"place:{channel}:{ts}", outgoing.remote_id)
    return channel, ts


def _reply(desk: SlackDesk, outgoing: Outgoing, place: tuple[str, str], done: Steps) -> str:
    """The words in the thread, as far as the policy and the people in it let the bot speak."""
    channel, ts = place
    there = _thread(desk, channel, ts)
    if outgoing.human_touched or who_of_the_desk(desk, there, outgoing.features.get("slack_user", "")):
        done(THREAD, "")
        return "A person works on it, so the bot said nothing."
    mode = desk.mode_at(outgoing.created_at)
    if mode != "apply":
        done(THREAD, "")
        return f"The policy is {mode}, so nothing was said in the thread."
    blocks = fit(reply_blocks(outgoing, in_hours=desk.is_open_hours()))
    answered = outgoing.answer is not None and outgoing.answer.given
    if answered and desk.answers_in(channel) == "ephemeral":
        _ephemeral(desk, outgoing, channel, ts, blocks)
        done(THREAD, "ephemeral")
        return "Answered, for the requester's eyes only."
    # Where an earlier attempt posted it and never heard so, it stands there with the marker.
    posted = _marked(there, outgoing.marker) or _post(desk, channel, fallback(outgoing), blocks, ts)
    done(THREAD, posted)
    return "Answered in the thread." if answered else "Said in the thread that it was filed."


def _ephemeral(desk: SlackDesk, outgoing: Outgoing, channel: str, ts: str, blocks: Sequence[Block]) -> None:
    share = actions(f"{outgoing.marker}:share", [button(say("share", outgoing.language), SHARE, outgoing.ticket_id)])
    user = outgoing.features.get("slack_user", "")
    try:
        desk.client.chat_postEphemeral(
            channel=channel, user=user, thread_ts=ts, text=fallback(outgoing), blocks=[*blocks, share]
        )
    except SlackApiError as error:
        raise failure(error) from error


def _card(desk: SlackDesk, outgoing: Outgoing, place: tuple[str, str], done: Steps) -> str:
    """The agents' card, in the channel of the queue that was decided."""
    queue = next((d.value for d in outgoing.decisions if d.field == "queue" and d.outcome is Outcome.APPLY), None)
    channel = desk.table.queues.get(queue or "") or desk.table.card_channel
    if channel is None:
        done(CARD, "")
        return ""
    blocks = card(outgoing, _link(desk, place))
    try:
        earlier = _recent(desk, channel, f"{outgoing.marker}:card") if outgoing.is_repeat else None
        posted = earlier or _post(desk, channel, "A new ticket", blocks, None)
    except Gone as error:
        done(CARD, "")
        return f"The agents' card was not shown: {error}"
    desk.keep(f"card:{outgoing.ticket_id}", f"{channel}:{posted}")
    done(CARD, posted)
    return "The agents have its card."


def _post(desk: SlackDesk, channel: str, text: str, blocks: Sequence[Block], thread: str | None) -> str:
    try:
        answer = desk.client.chat_postMessage(
            channel=channel, text=text, blocks=list(blocks), thread_ts=thread, unfurl_links=False, unfurl_media=False
        )
    except SlackApiError as error:
        raise failure(error) from error
    return str(answer["ts"])


def _thread(desk: SlackDesk, channel: str, ts: str) -> Sequence[Mapping[str, object]]:
    """What was written in the thread so far, the first message left out; raises ``Gone`` where that was deleted."""
    try:
        messages = desk.thread(channel, ts)
    except SlackApiError as error:
        raise failure(error) from error
    if not any(one.get("ts") == ts for one in messages):
        raise Gone("The message of the ticket was deleted.")
    return [one for one in messages if one.get("ts") != ts]


def _recent(desk: SlackDesk, channel: str, marker: str) -> str | None:
    try:
        messages = desk.client.conversations_history(channel=channel, limit=100)["messages"]
    except SlackApiError as error:
        raise failure(error) from error
    return _marked(messages or [], marker)


def _marked(messages: Sequence[Mapping[str, object]], marker: str) -> str | None:
    for message in messages:
        blocks = message.get("blocks")
        for block in blocks if isinstance(blocks, list) else []:
            if isinstance(block, Mapping) and block.get("block_id") == marker:
                return str(message["ts"])
    return None


def _link(desk: SlackDesk, place: tuple[str, str]) -> str | None:
    try:
        answer = desk.client.chat_getPermalink(channel=place[0], message_ts=place[1])
    except SlackApiError as error:
        if isinstance(failure(error), Gone):
            raise Gone("The message of the ticket was deleted.") from error
        return None
    return str(answer.get("permalink") or "") or None
