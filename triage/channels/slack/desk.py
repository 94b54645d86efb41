"""What do all parts of the Slack desk have at hand?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse
from sqlalchemy import select

from triage.channels.common.memory import forget, recall, remember, remember_once
from triage.channels.common.places import place_in
from triage.channels.common.system import Services
from triage.channels.common.tables import Mode, source_of
from triage.channels.common.values import DeliveryFailed, Gone, Received
from triage.channels.inbox import ReceivedState, state_of_received
from triage.channels.slack.people import People
from triage.channels.slack.table import AnswerIn, SlackTable
from triage.db.tables import RemoteTicketRow, TicketRow
from triage.tickets import store

# What Slack says of things that are there no more or never were for us; the words are what an admin reads.
GONE = {
    "channel_not_found": "the channel does not exist, or the app was not invited to it",
    "not_in_channel": "the app is not in the channel: invite it there",
    "is_archived": "the channel is archived",
    "user_not_found": "the person has left",
    "user_disabled": "the person's account was closed",
    "user_not_visible": "the person may not be seen by the app, as a guest or one of another organization",
    "user_not_in_channel": "the person is not in the channel",
    "messages_tab_disabled": "the app takes no messages: turn its Messages Tab on",
    "cannot_dm_bot": "the person is a bot",
    "restricted_action": "the workspace forbids it there",
}
DELETED = {"message_not_found": "the message was deleted", "thread_not_found": "the thread was deleted"}
TIRED = {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
BROKEN = {"invalid_auth", "account_inactive", "token_revoked", "token_expired", "not_authed", "missing_scope"}

# Under these keys stands what admins chose in App Home.
MODE, ANSWERS = "setting:mode", "setting:answers:"
# Of the longest threads the first 2,000 messages are looked at.
PAGE, MOST_PAGES = 200, 10
MODES: tuple[Mode, ...] = ("off", "dry-run", "suggest", "apply")
ANSWER_WAYS: tuple[AnswerIn, ...] = ("thread", "ephemeral")


class Deleted(Gone):
    """Who wrote the message took it back."""


@dataclass(frozen=True, slots=True)
class SlackDesk:
    """One workspace, its settings, and the desk behind it."""

    name: str
    table: SlackTable
    services: Services
    client: WebClient
    people: People

    def take(self, received: Received, *, delay_s: float = 0) -> bool:
        """Store what came and queue the work on it; False where it came before."""
        return self.services.take(self.name, received, delay_s=delay_s)

    def ticket_at(self, remote_id: str) -> str | None:
        """The id of the ticket that lives in that thread."""
        with self.services.sessions() as session:
            row = session.get(RemoteTicketRow, (self.name, remote_id))
            return row.ticket_id if row else None

    def came_as(self, key: str) -> ReceivedState | None:
        """What became of what came with that key; None where nothing did."""
        with self.services.sessions() as session:
            return state_of_received(session, self.name, key)

    def remote_of(self, ticket_id: str) -> RemoteTicketRow | None:
        """The thread that a ticket lives in."""
        with self.services.sessions() as session:
            return place_in(session, self.name, ticket_id)

    def story(self, ticket_id: str) -> TicketRow:
        """The ticket with all that was made of it; raises ``NotFound``."""
        with self.services.sessions() as session:
            return store.find_ticket(session, ticket_id)

    def tickets_of(self, address: str, *, limit: int = 20) -> list[TicketRow]:
        """The newest tickets of a requester that came through this channel."""
        query = (
            select(TicketRow)
            .where(
                TicketRow.source == source_of(self.name), TicketRow.requester_key == address.strip().casefold()[:200]
            )
            .order_by(TicketRow.id.desc())
            .limit(limit)
            .options(*store.STORY)
        )
        with self.services.sessions() as session:
            return list(session.scalars(query))

    def thread(self, channel: str, ts: str) -> list[Mapping[str, object]]:
        """The first message of a thread and what was written in it, oldest first; raises ``SlackApiError``."""
        return self._pages(self.client.conversations_replies, channel=channel, ts=ts)

    def history(self, channel: str, oldest: str, latest: str) -> list[Mapping[str, object]]:
        """What was written in a channel between two moments, newest first; raises ``SlackApiError``."""
        return self._pages(self.client.conversations_history, channel=channel, oldest=oldest, latest=latest)

    def _pages(self, call: Callable[..., SlackResponse], **which: str) -> list[Mapping[str, object]]:
        """Slack gives messages in pages: https://docs.slack.dev/reference/methods/conversations.replies"""
        found: list[Mapping[str, object]] = []
        cursor = ""
        for _ in range(MOST_PAGES):
            page = call(**which, limit=PAGE, cursor=cursor or None)
            found += page["messages"] or []
            cursor = str((page.get("response_metadata") or {}).get("next_cursor") or "")
            if not cursor:
                break
        return found

    def recall(self, key: str) -> object:
        """What was kept under that key, or None."""
        with self.services.sessions() as session:
            return recall(session, self.name, key)

    def keep(self, key: str, value: object) -> None:
        """Keep a value under a key."""
        with self.services.sessions.begin() as session:
            remember(session, self.name, key, value)

    def keep_once(self, key: str, value: object) -> bool:
        """Keep a value unless there is one; False where there is."""
        with self.services.sessions.begin() as session:
            return remember_once(session, self.name, key, value)

    def drop(self, key: str) -> None:
        """Keep nothing under a key any more."""
        with self.services.sessions.begin() as session:
            forget(session, self.name, key)

    def mode_at(self, moment: datetime) -> Mode:
        """What the bot may do at that time: as an admin chose in App Home, else as the table says."""
        chosen = self.recall(MODE)
        mode = next((mode for mode in MODES if mode == chosen), None)
        if mode is None:
            return self.table.policy.mode_at(moment)
        hours = self.table.policy.hours
        return mode if hours is None or hours.open_at(moment) else hours.outside

    def answers_in(self, channel: str) -> AnswerIn | None:
        """Who sees answers in a watched channel: as an admin chose, else as the table says; None elsewhere."""
        watched = self.table.watch.get(channel)
        if watched is None:
            return None
        chosen = self.recall(f"{ANSWERS}{channel}")
        return next((one for one in ANSWER_WAYS if one == chosen), watched.answers)

    def is_open_hours(self) -> bool:
        """Whether the desk is in."""
        hours = self.table.policy.hours
        return hours is None or hours.open_at(datetime.now(UTC))


def place_of(remote_id: str) -> tuple[str, str]:
    """Channel and thread of a ticket; raises ``Gone`` for what is no thread."""
    channel, colon, ts = remote_id.partition(":")
    if not colon or not ts:
        raise Gone(f"{remote_id[:60]!r} is no thread of Slack's.")
    return channel, ts


@contextmanager
def in_words() -> Iterator[None]:
    """What Slack refuses within the block is raised as what it means for a delivery: ``DeliveryFailed``."""
    try:
        yield
    except SlackApiError as error:
        raise failure(error) from error


def failure(error: SlackApiError) -> DeliveryFailed:
    """What an error of Slack's means for a delivery, in words."""
    response = error.response
    code = str(response.get("error", "unknown")) if response is not None else "unknown"
    headers: Mapping[str, str] = getattr(response, "headers", {}) or {}
    if getattr(response, "status_code", 200) == 429 or code in ("ratelimited", "rate_limited"):
        wait = next((value for name, value in headers.items() if name.lower() == "retry-after"), "30")
        return DeliveryFailed("Slack asks to wait.", wait_s=float(wait) if str(wait).isdigit() else 30.0)
    if code in DELETED:
        return Deleted(f"Slack says {code}: {DELETED[code]}.")
    if code in GONE:
        return Gone(f"Slack says {code}: {GONE[code]}.")
    if code in BROKEN:
        return DeliveryFailed(f"Slack says {code}: check the tokens and scopes with `triage slack check`.", faulty=True)
    if code in TIRED:
        return DeliveryFailed(f"Slack says {code}.", faulty=True)
    return DeliveryFailed(f"Slack refused it: {code}.", retryable=False)
