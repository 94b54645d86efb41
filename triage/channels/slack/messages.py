"""Which messages are tickets, which belong to one, and which are neither?

Every message has the key of its channel and moment, so that it is taken once, whether Slack tells of it as a message,
as a mention, or three times.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from triage.channels.common.files import with_names
from triage.channels.common.memory import recall, remember, remember_once
from triage.channels.common.values import DeliveryFailed, Look, Message, Opened, Received, RemoteTicket, Said
from triage.channels.inbox import ReceivedState
from triage.channels.slack.desk import Deleted, SlackDesk, in_words, place_of
from triage.channels.slack.threads import TOMBSTONE, belongs_to, id_at

Event = Mapping[str, object]

# Kinds of messages that people write; all others are Slack's own or another bot's.
WRITTEN = {"", "file_share", "thread_broadcast", "me_message"}
_MENTION = re.compile(r"<@[UW][A-Z0-9]+(?:\|[^>]*)?>")
_LINK = re.compile(r"<(https?://[^|>]+|mailto:[^|>]+)(?:\|([^>]*))?>")
_SPECIAL = re.compile(r"<!([a-z]+)(?:\^[^|>]*)?(?:\|([^>]*))?>")
_CHANNEL = re.compile(r"<#[A-Z0-9]+(?:\|([^>]*))?>")
_SMALL_TALK = re.compile(
    r"(?:thanks?(?: you)?|thx|ty|hi|hello|hey|good morning|morning|solved|done|fixed|"
    r"ok(?:ay)?|great|perfect|nvm|never ?mind|"
    r"danke(?: schön)?|vielen dank|hallo|guten (?:tag|morgen)|moin|erledigt|gelöst|super|passt|"
    r"merci(?: beaucoup)?|bonjour|salut|résolu|parfait|gracias|muchas gracias|hola|buenos días|resuelto|perfecto)"
    r"(?:\s+(?:all|everyone|team|a lot|so much|again|zusammen|an alle|à tous|a todos))?",
    re.IGNORECASE,
)
LONGEST = 40_000


def on_message(desk: SlackDesk, event: Event, bot_user: str) -> None:
    """A message of a direct conversation, a watched channel, or a thread that is a ticket."""
    if is_changed(event):
        on_changed(desk, event)
        return
    if not is_written_by_a_person(event):
        return
    channel = str(event.get("channel", ""))
    if f"<@{bot_user}>" in _text(event):
        return  # it comes as a mention too, and is taken there
    if _is_reply(event):
        _in_thread(desk, event)
    elif event.get("channel_type") == "im":
        _open(desk, event)
    elif channel in desk.table.watch:
        _watched(desk, event)


def on_mention(desk: SlackDesk, event: Event) -> None:
    """Somebody spoke to the bot: a ticket, or a question in the thread of one."""
    if not is_written_by_a_person(event):
        return
    if not _is_reply(event):
        _open(desk, event, name="app_mention")
    elif desk.ticket_at(_ticket_of(desk, event)):
        _in_thread(desk, event)
    else:
        # The thread is what it is about, so its first message is the ticket.
        channel, thread = str(event.get("channel", "")), str(event["thread_ts"])
        desk.take(Received(_key(event), "app_mention", (Look(f"{channel}:{thread}"),)))


def on_reaction(desk: SlackDesk, event: Event) -> None:
    """The emoji of tickets was put on a message: that is one now."""
    item = event.get("item")
    if event.get("reaction") == desk.table.emoji and isinstance(item, Mapping) and item.get("type") == "message":
        remote_id = id_at(desk, str(item.get("channel")), str(item.get("ts")))
        desk.take(Received(f"emoji:{remote_id}", "reaction_added", (Look(remote_id),)))


def on_shortcut(desk: SlackDesk, channel: str, message: Event, user: str) -> None:
    """Somebody makes a ticket of a message; where the app cannot read it, of what the shortcut says of it."""
    remote_id = id_at(desk, channel, str(message["ts"]))
    writer = str(message["user"]) if is_written_by_a_person(message) else user
    opened = _opened(remote_id, {**message, "channel": channel, "user": writer})
    desk.take(Received(f"emoji:{remote_id}", "shortcut", (Look(remote_id, opened if opened.body else None),)))


def on_changed(desk: SlackDesk, event: Event) -> None:
    """A message of a ticket was edited or deleted: what it says now is noted, or that it is gone."""
    message = event.get("message")
    if event.get("subtype") == "message_deleted" or (
        isinstance(message, Mapping) and message.get("subtype") == TOMBSTONE
    ):
        _on_deleted(desk, event)
        return
    if not isinstance(message, Mapping):
        return
    message = _whole(event, message)
    edited = message.get("edited")
    moment = str(edited.get("ts", "")) if isinstance(edited, Mapping) else ""
    if moment and is_written_by_a_person(message) and _is_ours(desk, message):
        ts = str(message.get("ts", ""))
        said = _said(desk, message, f"{ts}/{moment}", edited=True)
        _take_said(desk, message, Received(f"edit:{message['channel']}:{ts}:{moment}", "message_changed"), said)


def _on_deleted(desk: SlackDesk, event: Event) -> None:
    """What was noted stays with the desk, for its answers rest on it; that its writer took it back is noted too."""
    message = event.get("previous_message")
    if not isinstance(message, Mapping) or not is_written_by_a_person(message):
        return
    message = _whole(event, message)
    if not _is_ours(desk, message):
        return
    ts, user = str(message.get("ts", "")), str(message["user"])
    by = desk.people.person(user).address
    gone = Message(f"{ts}/deleted", by, "(deleted a message)", public=True, by_agent=desk.people.at_desk(user))
    remote_id = _ticket_of(desk, message)
    said = Said(remote_id, gone, after=_opens(remote_id))
    desk.take(Received(f"deleted:{message['channel']}:{ts}", "message_deleted", (said,)))


def read_thread(desk: SlackDesk, remote_id: str) -> RemoteTicket:
    """A message as a ticket, with the lines that its writer added within the burst window.

    Raises ``DeliveryFailed`` with the seconds to wait while they still write.
    """
    channel, ts = place_of(remote_id)
    with in_words():
        found = desk.thread(channel, ts)
        root = next((one for one in found if one.get("ts") == ts), None)
        if root is None or root.get("subtype") == TOMBSTONE:
            raise Deleted("The message was deleted before anybody looked.")
        lines = lines_of(desk, channel, root)
        link = desk.client.chat_getPermalink(channel=channel, message_ts=ts).get("permalink")
    person = desk.people.person(str(root.get("user", "")))
    replies = [one for one in found if one.get("ts") != ts and is_written_by_a_person(one)]
    return RemoteTicket(
        remote_id=remote_id,
        subject="",
        body="\n".join(_words(one) for one in lines).strip()[:LONGEST],
        requester=person.address,
        features=person.features | {"slack_channel": channel},
        messages=tuple(_said(desk, one, str(one["ts"])) for one in replies),
        touched_by=who_of_the_desk(desk, replies, person.user_id),
        # No moment: who puts the emoji on an old message wants a ticket of it all the same.
        url=str(link) if link else None,
    )


def who_of_the_desk(desk: SlackDesk, replies: Iterable[Event], requester: str) -> str | None:
    """The first person of the desk, other than the requester, who wrote one of these."""
    writers = dict.fromkeys(str(one["user"]) for one in replies if is_written_by_a_person(one))
    helper = next((user for user in writers if user != requester and desk.people.at_desk(user)), None)
    return desk.people.person(helper).address if helper else None


def complete(desk: SlackDesk, opened: Opened) -> Opened:
    """The ticket with its requester's address, as far as Slack tells it."""
    user = opened.features.get("slack_user", "")
    if not user:
        return opened
    person = desk.people.person(user)
    return replace(opened, requester=person.address, features={**opened.features, **person.features})


def is_written_by_a_person(event: Event) -> bool:
    """Not by a bot, this one or another, and not by Slack itself."""
    return bool(event.get("user")) and not event.get("bot_id") and str(event.get("subtype") or "") in WRITTEN


def is_changed(event: Event) -> bool:
    """Whether it tells of an older message."""
    return event.get("subtype") in ("message_changed", "message_deleted")


def is_small_talk(text: str) -> bool:
    """Greetings, thanks and the like, or nothing but emoji: no ticket."""
    words = re.sub(r":[a-z0-9_+'-]+:", " ", text)
    words = re.sub(r"[^\w\s’']+", " ", words).strip()
    return not re.search(r"\w", words) or _SMALL_TALK.fullmatch(words) is not None


def plain(text: str) -> str:
    """What people see of a message, as plain text."""
    text = _MENTION.sub("", text)
    text = _LINK.sub(lambda match: match.group(2) or match.group(1).removeprefix("mailto:"), text)
    text = _CHANNEL.sub(lambda match: f"#{match.group(1) or 'channel'}", text)
    text = _SPECIAL.sub(lambda match: match.group(2) or match.group(1), text)
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip()


def _is_reply(message: Event) -> bool:
    """Whether it was written in the thread of another."""
    return bool(message.get("thread_ts")) and message["thread_ts"] != message.get("ts")


def _ticket_of(desk: SlackDesk, message: Event) -> str:
    """The id of the ticket that a message or its thread is, or would be."""
    return id_at(desk, str(message.get("channel", "")), str(message.get("thread_ts") or message.get("ts", "")))


def _whole(event: Event, message: Event) -> Event:
    """A message that an event tells of, with where it was written."""
    return {**message, "channel": event.get("channel", ""), "channel_type": event.get("channel_type", "")}


def _is_ours(desk: SlackDesk, message: Event) -> bool:
    """Whether the message is a ticket or belongs to one, or was taken in and may become one."""
    remote_id = _ticket_of(desk, message)
    return desk.ticket_at(remote_id) is not None or desk.came_as(_opens(remote_id)) is not None


def is_ticket(desk: SlackDesk, channel: str, thread: str) -> bool:
    """Whether the thread is a ticket, or has still to become one."""
    remote_id = id_at(desk, channel, thread)
    return desk.ticket_at(remote_id) is not None or desk.came_as(_opens(remote_id)) is ReceivedState.PENDING


def _open(desk: SlackDesk, event: Event, *, name: str = "message") -> None:
    opened = _opened(_ticket_of(desk, event), event)
    if _is_chat(event):
        desk.take(Received(_key(event), name, note="Small talk is no ticket."))
    else:
        desk.take(Received(_key(event), name, (opened,)))


def _opened(remote_id: str, message: Event) -> Opened:
    user = str(message["user"])
    return Opened(
        remote_id,
        "",
        _words(message)[:LONGEST],
        f"slack:{user}",  # Slack wants its answer within three seconds, so who that is, is looked up afterwards
        features={"slack_user": user, "slack_channel": str(message["channel"])},
    )


def _is_chat(message: Event) -> bool:
    return is_small_talk(plain(_text(message))) and not _files(message)


def _watched(desk: SlackDesk, event: Event) -> None:
    """The first line of a burst is the ticket, read when its writer has finished; the others belong to it."""
    channel, ts, user = str(event["channel"]), str(event["ts"]), str(event["user"])
    if _is_chat(event):
        desk.take(Received(_key(event), "message", note="Small talk is no ticket."))
        return
    key = f"burst:{channel}:{user}"
    with desk.services.sessions.begin() as session:
        begun = recall(session, desk.name, key)
        joins = isinstance(begun, str) and 0 <= float(ts) - float(begun) < desk.table.burst_s and begun != ts
        if not joins and not remember_once(session, desk.name, key, ts):
            remember(session, desk.name, key, ts)
    if joins:
        belongs_to(desk, channel, ts, f"{channel}:{begun}")
        desk.take(Received(_key(event), "message", note=f"It belongs to the message of {begun}."))
        return
    desk.take(Received(_key(event), "message", (Look(f"{channel}:{ts}"),)), delay_s=desk.table.settle_s)


def lines_of(desk: SlackDesk, channel: str, root: Event) -> list[Event]:
    """The messages that open a ticket, oldest first; raises ``DeliveryFailed`` while their writer goes on."""
    return [root, *_burst(desk, channel, root)]


def _burst(desk: SlackDesk, channel: str, root: Event) -> list[Event]:
    """What the writer of a watched message added within the window, oldest first."""
    if channel not in desk.table.watch or not desk.table.burst_s:
        return []
    began = float(str(root["ts"]))
    written = desk.history(channel, str(root["ts"]), f"{began + desk.table.burst_s:.6f}")
    added = [
        one
        for one in reversed(written)
        if one.get("user") == root.get("user") and is_written_by_a_person(one) and one.get("ts") != root["ts"]
        if not one.get("thread_ts") and not _is_chat(one)
    ]
    newest = float(str(added[-1]["ts"])) if added else began
    left = min(newest + desk.table.settle_s, began + desk.table.burst_s) - time.time()
    if left > 0:
        raise DeliveryFailed("The message may still be going on.", wait_s=left)
    return added


def _in_thread(desk: SlackDesk, event: Event) -> None:
    """A message in a thread: it is noted where the thread is a ticket; in a direct conversation it opens one."""
    _take_said(desk, event, Received(_key(event), "message"), _said(desk, event, str(event["ts"])))


def _take_said(desk: SlackDesk, message: Event, received: Received, said: Message) -> None:
    """Note what was said where its thread is a ticket; else it opens one, where it would have by itself."""
    remote_id = _ticket_of(desk, message)
    is_asked = not _is_reply(message) or message.get("channel_type") == "im"
    otherwise = _opened(remote_id, message) if is_asked and not _is_chat(message) else None
    desk.take(replace(received, happenings=(Said(remote_id, said, otherwise, _opens(remote_id)),)))


def _said(desk: SlackDesk, event: Event, message_id: str, *, edited: bool = False) -> Message:
    user = str(event["user"])
    person = desk.people.person(user)
    text = _words(event)
    return Message(
        message_id,
        person.address,
        f"(edited) {text}"[:LONGEST] if edited else text[:LONGEST],
        public=True,
        by_agent=desk.people.at_desk(user),
    )


def _words(message: Event) -> str:
    """What a message says, with the names of its files."""
    return with_names(plain(_text(message)), _files(message))


def _text(event: Event) -> str:
    return str(event.get("text") or "")


def _files(event: Event) -> list[str]:
    """The names of what was uploaded, and where it lies in Slack."""
    found = files_in(event)
    return [" ".join(str(one[key]) for key in ("name", "permalink") if one.get(key)) or "a file" for one in found]


def files_in(message: Event) -> list[Event]:
    """What was uploaded with a message, as Slack tells of it."""
    files = message.get("files")
    return [one for one in files if isinstance(one, Mapping)] if isinstance(files, list) else []


def _key(message: Event) -> str:
    """The key that a message is taken in under."""
    return _opens(f"{message['channel']}:{message['ts']}")


def _opens(remote_id: str) -> str:
    """The key of the message that opens the ticket."""
    return f"message:{remote_id}"
