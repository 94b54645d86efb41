"""In which thread does a ticket live, and what stands there?

Most live under the message that they were. One that came by the form has no message, and one whose channel cannot be
spoken in any more has lost its own: those live in the requester's conversation with the app.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slack_sdk.errors import SlackApiError

from triage.channels.common.values import Gone, Outgoing
from triage.channels.slack.desk import Deleted, SlackDesk, in_words, place_of
from triage.channels.slack.escape import cut, escaped, title_of
from triage.channels.slack.limits import HEADER_TEXT, Block, section
from triage.channels.slack.words import say
from triage.db.tables import TicketRow

FORM = "form:"  # begins the places of tickets that came by the form and have no thread of their own
TOMBSTONE = "tombstone"  # stands where a message was deleted that has replies

Place = tuple[str, str]
Messages = Sequence[Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A ticket, as far as it takes to find its thread; ``user`` is the id of who asked, or empty."""

    ticket_id: str
    remote_id: str
    user: str
    title: str
    language: str | None
    is_repeat: bool = False


def asked_by(outgoing: Outgoing) -> Asked:
    """The ticket of a delivery."""
    title = title_of(outgoing.subject) or title_of(outgoing.text)
    user = outgoing.features.get("slack_user", "")
    return Asked(outgoing.ticket_id, outgoing.remote_id, user, title, outgoing.language, outgoing.is_repeat)


def asked_as(ticket: TicketRow, remote_id: str) -> Asked:
    """A stored ticket."""
    title = title_of(ticket.subject) or title_of(ticket.body)
    return Asked(ticket.id, remote_id, str(ticket.features.get("slack_user") or ""), title, language_of(ticket))


def language_of(ticket: TicketRow) -> str | None:
    """The language that the ticket was read in last."""
    return ticket.runs[-1].language if ticket.runs else None


def id_at(desk: SlackDesk, channel: str, ts: str) -> str:
    """The id of the ticket that what is written there would belong to, whether there is one or not."""
    known = desk.recall(_key(channel, ts))
    return known if isinstance(known, str) else f"{channel}:{ts}"


def belongs_to(desk: SlackDesk, channel: str, ts: str, remote_id: str) -> None:
    """Note that what is written there belongs to a ticket that lives elsewhere."""
    desk.keep(_key(channel, ts), remote_id)


def thread_of(desk: SlackDesk, asked: Asked) -> Place:
    """Channel and moment of the ticket's thread, opened where it has none yet; raises ``DeliveryFailed``."""
    moved = desk.recall(f"thread:{asked.ticket_id}")
    if isinstance(moved, str):
        return place_of(moved)
    return own_thread(desk, asked) if asked.remote_id.startswith(FORM) else place_of(asked.remote_id)


def is_own(desk: SlackDesk, asked: Asked) -> bool:
    """Whether the ticket lives in the requester's own conversation."""
    return asked.remote_id.startswith(FORM) or desk.recall(f"thread:{asked.ticket_id}") is not None


def own_thread(desk: SlackDesk, asked: Asked) -> Place:
    """Let the ticket live in the requester's conversation with the app from now on; raises ``DeliveryFailed``."""
    if not asked.user:
        raise Gone("Nobody in Slack is known who asked.")
    marker = f"thread:{asked.ticket_id}"
    words = say("your_ticket", asked.language, subject=escaped(cut(asked.title, HEADER_TEXT)) or "…")
    blocks = [section(words) | {"block_id": marker}]
    with in_words():
        channel = str(desk.client.conversations_open(users=asked.user)["channel"]["id"])
    stands = marked(latest(desk, channel), marker) if asked.is_repeat else None
    ts = stands or post(desk, (channel, None), words, blocks)
    belongs_to(desk, channel, ts, asked.remote_id)
    desk.keep(marker, f"{channel}:{ts}")
    return channel, ts


def written_in(desk: SlackDesk, place: Place) -> Messages:
    """What was written in the thread so far, the first message left out; raises ``Deleted`` where that is gone."""
    channel, ts = place
    with in_words():
        messages = desk.thread(channel, ts)
    first = next((one for one in messages if one.get("ts") == ts), None)
    if first is None or first.get("subtype") == TOMBSTONE:
        raise Deleted("The message of the ticket was deleted.")
    return [one for one in messages if one.get("ts") != ts]


def latest(desk: SlackDesk, channel: str) -> Messages:
    """The newest messages of a channel; raises ``DeliveryFailed``."""
    with in_words():
        messages: Messages = desk.client.conversations_history(channel=channel, limit=100)["messages"] or []
    return messages


def marked(messages: Messages, marker: str) -> str | None:
    """The moment of the message that carries the marker."""
    for message in messages:
        blocks = message.get("blocks")
        for block in blocks if isinstance(blocks, list) else []:
            if isinstance(block, Mapping) and block.get("block_id") == marker:
                return str(message["ts"])
    return None


def post(desk: SlackDesk, place: tuple[str, str | None], text: str, blocks: Sequence[Block]) -> str:
    """Say something in a channel or a thread of it; returns its moment. Raises ``DeliveryFailed``."""
    channel, thread = place
    with in_words():
        answer = desk.client.chat_postMessage(
            channel=channel,
            text=text,
            blocks=list(blocks) or None,
            thread_ts=thread,
            unfurl_links=False,
            unfurl_media=False,
        )
    return str(answer["ts"])


def link_to(desk: SlackDesk, place: Place) -> str | None:
    """The address of a message, where Slack tells it."""
    try:
        answer = desk.client.chat_getPermalink(channel=place[0], message_ts=place[1])
    except SlackApiError:
        return None
    return str(answer.get("permalink") or "") or None


def _key(channel: str, ts: str) -> str:
    return f"place:{channel}:{ts}"
