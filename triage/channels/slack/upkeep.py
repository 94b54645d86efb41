"""Which threads have gone quiet, and how was the week? Done by the worker that attends to the channel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import func, select

from triage.channels.common.memory import recall, recall_all
from triage.channels.common.tables import DAYS, source_of
from triage.channels.common.values import Closed, DeliveryFailed, Gone, Received
from triage.channels.slack.desk import SlackDesk
from triage.channels.slack.escape import escaped
from triage.channels.slack.limits import actions, button, section
from triage.channels.slack.replies import PERSON, SOLVED
from triage.channels.slack.threads import Asked, asked_as, post, thread_of
from triage.channels.slack.words import say
from triage.db.tables import AnswerFeedbackRow, AnswerRow, RemoteTicketRow, RunRow, TicketRow
from triage.tickets.model import Verdict

# A few at a time: they are old, and Slack wants no more than one message a second.
AT_ONCE = 20
# Before that hour of the day nobody reads a digest.
DIGEST_HOUR = 9

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Week:
    """Tickets of the channel in a span of time: how many came, were answered, were solved, wanted a person.

    ``silent`` counts the others by the reason that there was no answer.
    """

    asked: int
    answered: int
    solved: int
    person: int
    silent: Mapping[str, int]


def tick(desk: SlackDesk, now: datetime) -> None:
    """What is due now: threads to ask about, to close, the digest; a failure of Slack's leaves it for later."""
    try:
        if desk.table.nudge_days:
            _nudge(desk, now)
        if desk.table.nudge_days and desk.table.close_days:
            _close(desk, now)
        _digest(desk, now)
    except DeliveryFailed as error:
        log.warning("upkeep postponed", channel=desk.name, reason=str(error))


def week_of(desk: SlackDesk, since: datetime, until: datetime) -> Week:
    """The figures of the tickets that came in that span; each ticket's newest run counts."""
    newest = select(RunRow.ticket_id, func.max(RunRow.number).label("number")).group_by(RunRow.ticket_id).subquery()
    query = (
        select(AnswerRow.reason, RemoteTicketRow.status, TicketRow.id)
        .join(RunRow, RunRow.ticket_id == TicketRow.id)
        .join(newest, (newest.c.ticket_id == RunRow.ticket_id) & (newest.c.number == RunRow.number))
        .join(AnswerRow, AnswerRow.run_id == RunRow.id)
        .join(RemoteTicketRow, RemoteTicketRow.ticket_id == TicketRow.id)
        .where(TicketRow.source == source_of(desk.name))
        .where(TicketRow.received_at >= since, TicketRow.received_at < until)
    )
    unhelpful = (
        select(func.count(func.distinct(RunRow.ticket_id)))
        .join(AnswerFeedbackRow, AnswerFeedbackRow.run_id == RunRow.id)
        .join(TicketRow, TicketRow.id == RunRow.ticket_id)
        .where(TicketRow.source == source_of(desk.name), AnswerFeedbackRow.verdict != Verdict.SOLVED.value)
        .where(TicketRow.received_at >= since, TicketRow.received_at < until)
    )
    with desk.services.sessions() as session:
        rows = session.execute(query).all()
        person = session.scalar(unhelpful) or 0
    return Week(
        asked=len(rows),
        answered=sum(reason is None for reason, _, _ in rows),
        solved=sum(status == "solved" for _, status, _ in rows),
        person=person,
        silent=Counter(reason for reason, _, _ in rows if reason is not None),
    )


def digest_text(week: Week, language: str | None = None) -> str:
    """The week in words."""
    counts = {"asked": week.asked, "answered": week.answered, "solved": week.solved, "person": week.person}
    text = say("digest", language, **{name: str(number) for name, number in counts.items()})
    silent = sorted(week.silent.items())
    reasons = ", ".join(f"{say(f'silent_{reason}', language)} {number}" for reason, number in silent)
    return f"{text}\n{say('digest_silent', language, reasons=reasons)}" if reasons else text


def _quiet(desk: SlackDesk, before: datetime) -> list[RemoteTicketRow]:
    query = (
        select(RemoteTicketRow)
        .where(RemoteTicketRow.channel == desk.name, RemoteTicketRow.status == "open")
        .where(RemoteTicketRow.updated_at < before)
        .order_by(RemoteTicketRow.updated_at)
        .limit(500)
    )
    with desk.services.sessions() as session:
        return list(session.scalars(query))


def _nudge(desk: SlackDesk, now: datetime) -> None:
    """Ask once in each thread that has been quiet for so long."""
    asked = 0
    for row in _quiet(desk, now - timedelta(days=desk.table.nudge_days)):
        if asked == AT_ONCE:
            return
        if not desk.keep_once(f"nudged:{row.ticket_id}", now.isoformat()):
            continue
        asked += 1
        asked_of = _asked(desk, row)
        language = asked_of.language
        buttons = [
            button(say("solved", language), SOLVED, row.ticket_id, style="primary"),
            button(say("person", language), PERSON, row.ticket_id),
        ]
        blocks = [section(say("nudge", language)), actions(f"nudge:{row.ticket_id}", buttons)]
        try:
            _say(desk, asked_of, say("nudge", language), blocks)
        except DeliveryFailed:
            desk.drop(f"nudged:{row.ticket_id}")  # it is asked later
            raise


def _close(desk: SlackDesk, now: datetime) -> None:
    """Close what stayed quiet after it was asked about, with thanks to who helped."""
    with desk.services.sessions() as session:
        nudged = recall_all(session, desk.name, "nudged:")
    for row in _quiet(desk, now - timedelta(days=desk.table.nudge_days)):
        asked = nudged.get(f"nudged:{row.ticket_id}")
        if not isinstance(asked, str):
            continue
        moment = datetime.fromisoformat(asked)
        if row.updated_at > moment or now - moment < timedelta(days=desk.table.close_days):
            continue
        asked_of = _asked(desk, row)
        language = asked_of.language
        words = say("closed_quiet", language)
        if row.touched_by:
            words += " " + say("thanks_to", language, helper=escaped(row.touched_by))
        taken = desk.take(Received(f"quiet:{row.ticket_id}", "quiet", (Closed(row.remote_id, "triage"),)))
        if taken:
            _say(desk, asked_of, words, [section(words)])


def _digest(desk: SlackDesk, now: datetime) -> None:
    """Tell the desk of its week, once, on its day."""
    day, channel = desk.table.digest_day, desk.table.card_channel
    hours = desk.table.policy.hours
    here = now.astimezone(ZoneInfo(hours.zone if hours else "UTC"))
    if day is None or channel is None or DAYS[here.weekday()] != day or here.hour < DIGEST_HOUR:
        return
    key = f"digest:{here:%G-%V}"
    with desk.services.sessions() as session:
        if recall(session, desk.name, key) is not None:
            return
    text = digest_text(week_of(desk, now - timedelta(days=7), now), desk.table.language)
    post(desk, (channel, None), text, [])
    desk.keep(key, now.isoformat())


def _asked(desk: SlackDesk, row: RemoteTicketRow) -> Asked:
    return asked_as(desk.story(row.ticket_id), row.remote_id)


def _say(desk: SlackDesk, asked: Asked, text: str, blocks: list[dict[str, object]]) -> None:
    try:
        post(desk, thread_of(desk, asked), text, blocks)
    except Gone:
        log.warning("thread is gone", ticket=asked.ticket_id)
