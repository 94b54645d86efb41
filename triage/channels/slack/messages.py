"""Which messages are tickets, which belong to one, and which are neither?

Every message has the key of its channel and moment, so that it is taken once, whether Slack tells of it as a message,
as a mention, or three times.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

from slack_sdk.errors import SlackApiError

from triage.channels.common.memory import recall, remember, remember_once
from triage.channels.common.values import DeliveryFailed, Gone, Look, Message, Opened, Received, RemoteTicket, Said
from triage.channels.slack.desk import SlackDesk, failure, place_of

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
    text = _text(event)
    channel, ts, thread = str(event.get("channel", "")), str(event.get("ts", "")), str(event.get("thread_ts", ""))
    if f"<@{bot_user}>" in text:
        return  # it comes as a mention too, and is taken there
    if thread and thread != ts:
        _in_thread(desk, event, f"{channel}:{thread}")
    elif event.get("channel_type") == "im":
        _open(desk, event, f"{channel}:{ts}")
    elif channel in desk.table.watch:
        _watched(desk, event)


def on_mention(desk: SlackDesk, event: Event) -> None:
    """Somebody spoke to the bot: a ticket, or a question in the thread of one."""
    if not is_written_by_a_person(event):
        return
    channel, ts, thread = str(event.get("channel", "")), str(event.get("ts", "")), str(event.get("thread_ts", ""))
    if thread and thread != ts:
        if desk.ticket_at(f"{channel}:{thread}"):
            _in_thread(desk, event, f"{channel}:{thread}")
        else:
            # The thread is what it is about, so its first message is the ticket.
            desk.take(Received(_key(channel, ts), "app_mention", (Look(f"{channel}:{thread}"),)))
        return
    _open(desk, event, f"{channel}:{ts}", name="app_mention")


def on_reaction(desk: SlackDesk, event: Event) -> None:
    """The emoji of tickets was put on a message: that is one now."""
    item = event.get("item")
    if event.get("reaction") != desk.table.emoji or not isinstance(item, Mapping) or item.get("type") != "message":
        return
    remote_id = f"{item.get('channel')}:{item.get('ts')}"
    desk.take(Received(f"emoji:{remote_id}", "reaction_added", (Look(remote_id),)))


def on_changed(desk: SlackDesk, event: Event) -> None:
    """A message of a ticket was edited or deleted: what it says now is noted, or that it is gone."""
    if event.get("subtype") == "message_deleted":
        _on_deleted(desk, event)
        return
    message = event.get("message")
    if not isinstance(message, Mapping):
        return
    channel, ts = str(event.get("channel", "")), str(message.get("ts", ""))
    remote_id = f"{channel}:{message.get('thread_ts') or ts}"
    edited = message.get("edited")
    moment = str(edited.get("ts", "")) if isinstance(edited, Mapping) else ""
    if moment and is_written_by_a_person(message) and desk.ticket_at(remote_id):
        said = _said(desk, message, f"{ts}/{moment}", edited=True)
        desk.take(Received(f"edit:{channel}:{ts}:{moment}", "message_changed", (Said(remote_id, said),)))


def _on_deleted(desk: SlackDesk, event: Event) -> None:
    """What was noted stays with the desk, for its answers rest on it; that its writer took it back is noted too."""
    message = event.get("previous_message")
    if not isinstance(message, Mapping) or not is_written_by_a_person(message):
        return
    channel, ts = str(event.get("channel", "")), str(message.get("ts", ""))
    remote_id = f"{channel}:{message.get('thread_ts') or ts}"
    if not desk.ticket_at(remote_id):
        return
    user = str(message["user"])
    by = desk.people.person(user).address
    gone = Message(f"{ts}/deleted", by, "(deleted a message)", public=True, by_agent=desk.people.at_desk(user))
    desk.take(Received(f"deleted:{channel}:{ts}", "message_deleted", (Said(remote_id, gone),)))


def read_thread(desk: SlackDesk, remote_id: str) -> RemoteTicket:
    """A message as a ticket, with the lines that its writer added within the burst window.

    Raises ``DeliveryFailed`` with the seconds to wait while they still write.
    """
    channel, ts = place_of(remote_id)
    try:
        found = desk.thread(channel, ts)
        root = next((one for one in found if one.get("ts") == ts), None)
        if root is None:
            raise Gone("The message was deleted before anybody looked.")
        lines = [root, *_burst(desk, channel, root)]
        link = desk.client.chat_getPermalink(channel=channel, message_ts=ts).get("permalink")
    except SlackApiError as error:
        raise failure(error) from error
    person = desk.people.person(str(root.get("user", "")))
    text = "\n".join(plain(_text(one)) for one in lines).strip()
    replies = [one for one in found if one.get("ts") != ts and is_written_by_a_person(one)]
    return RemoteTicket(
        remote_id=remote_id,
        subject="",
        body=f"{text}\n{_files(root)}".strip()[:LONGEST],
        requester=person.address,
        features={"slack_user": person.user_id, "slack_channel": channel},
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
    return replace(opened, requester=desk.people.person(user).address) if user else opened


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


def _open(desk: SlackDesk, event: Event, remote_id: str, *, name: str = "message") -> None:
    channel, ts = place_of(remote_id)
    text = plain(_text(event))
    files = _files(event)
    if is_small_talk(text) and not files:
        desk.take(Received(_key(channel, ts), name, note="Small talk is no ticket."))
        return
    user = str(event["user"])
    opened = Opened(
        remote_id,
        "",
        f"{text}\n{files}".strip()[:LONGEST],
        f"slack:{user}",  # Slack wants its answer within three seconds, so who that is, is looked up afterwards
        features={"slack_user": user, "slack_channel": channel},
    )
    desk.take(Received(_key(channel, ts), name, (opened,)))


def _watched(desk: SlackDesk, event: Event) -> None:
    """The first line of a burst is the ticket, read when its writer has finished; the others belong to it."""
    channel, ts, user = str(event["channel"]), str(event["ts"]), str(event["user"])
    if is_small_talk(plain(_text(event))) and not _files(event):
        desk.take(Received(_key(channel, ts), "message", note="Small talk is no ticket."))
        return
    key = f"burst:{channel}:{user}"
    with desk.services.sessions.begin() as session:
        begun = recall(session, desk.name, key)
        joins = isinstance(begun, str) and 0 <= float(ts) - float(begun) < desk.table.burst_s and begun != ts
        if not joins and not remember_once(session, desk.name, key, ts):
            remember(session, desk.name, key, ts)
    if joins:
        desk.take(Received(_key(channel, ts), "message", note=f"It belongs to the message of {begun}."))
        return
    desk.take(Received(_key(channel, ts), "message", (Look(f"{channel}:{ts}"),)), delay_s=desk.table.settle_s)


def _burst(desk: SlackDesk, channel: str, root: Event) -> list[Event]:
    """What the writer of a watched message added within the window, oldest first."""
    if channel not in desk.table.watch or not desk.table.burst_s:
        return []
    began = float(str(root["ts"]))
    history = desk.client.conversations_history(
        channel=channel, oldest=str(root["ts"]), latest=f"{began + desk.table.burst_s:.6f}", limit=50
    )
    added = [
        one
        for one in reversed(history["messages"] or [])
        if one.get("user") == root.get("user") and is_written_by_a_person(one) and one.get("ts") != root["ts"]
        if not one.get("thread_ts") and not is_small_talk(plain(_text(one)))
    ]
    newest = float(str(added[-1]["ts"])) if added else began
    left = min(newest + desk.table.settle_s, began + desk.table.burst_s) - time.time()
    if left > 0:
        raise DeliveryFailed("The message may still be going on.", wait_s=left)
    return added


def _in_thread(desk: SlackDesk, event: Event, remote_id: str) -> None:
    """A message in a thread: it is noted where the thread is a ticket; in a direct conversation it opens one."""
    channel, ts = str(event["channel"]), str(event["ts"])
    said = Said(remote_id, _said(desk, event, ts))
    if desk.ticket_at(remote_id) or event.get("channel_type") != "im":
        desk.take(Received(_key(channel, ts), "message", (said,)))
    else:
        _open(desk, event, remote_id)


def _said(desk: SlackDesk, event: Event, message_id: str, *, edited: bool = False) -> Message:
    user = str(event["user"])
    person = desk.people.person(user)
    text = f"{plain(_text(event))}\n{_files(event)}".strip()
    return Message(
        message_id,
        person.address,
        f"(edited) {text}"[:LONGEST] if edited else text[:LONGEST],
        public=True,
        by_agent=desk.people.at_desk(user),
    )


def _text(event: Event) -> str:
    return str(event.get("text") or "")


def _files(event: Event) -> str:
    """The names of what was uploaded, and where it lies in Slack: nobody here opens it."""
    files = event.get("files")
    found = [one for one in files if isinstance(one, Mapping)] if isinstance(files, list) else []
    names = [" ".join(str(one[key]) for key in ("name", "permalink") if one.get(key)) or "a file" for one in found]
    return f"[attached: {', '.join(names)}]" if names else ""


def _key(channel: str, ts: str) -> str:
    return f"message:{channel}:{ts}"
