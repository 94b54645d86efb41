"""Quiet threads are asked about once and closed with thanks; the desk is told of its week."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from slack_sdk import WebClient

from tests.integration.channels.conftest import Office
from tests.peers.slack.server import SlackServer, slack_server
from triage.channels import inbox
from triage.channels.common.system import Channel, Services
from triage.channels.common.values import Opened, Received
from triage.channels.slack import SlackTable
from triage.channels.slack.desk import SlackDesk
from triage.channels.slack.home import home_view, on_setting
from triage.channels.slack.people import People
from triage.channels.slack.table import WatchTable
from triage.channels.slack.upkeep import digest_text, tick, week_of
from triage.db.tables import RemoteTicketRow
from triage.pipeline import process

MONDAY = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def slack() -> Iterator[SlackServer]:
    with slack_server() as server:
        yield server


@pytest.fixture
def desk(office: Office, slack: SlackServer) -> SlackDesk:
    table = SlackTable.model_validate(
        {
            "kind": "slack",
            "bot_token": "env:B",
            "app_token": "env:A",
            "card_channel": "C0AGENTS",
            "digest_day": "mon",
        }
    )
    client = WebClient(token="xoxb-1", base_url=f"{slack.api}/")
    services = Services(office.sessions, office.jobs, office.desk, partial(inbox.take, office.sessions, office.jobs))
    return SlackDesk("slack", table, services, client, People(client, (), ()))


def work(office: Office, channel: Channel) -> None:
    while office.jobs.queued:
        kind, row_id, number, _ = office.jobs.queued.pop(0)
        if kind == "received":
            inbox.work_on(office.sessions, office.jobs, channel, row_id, number)
        elif kind == "triage":
            process(office.sessions, office.desk, row_id, number)


def opened(office: Office, desk: SlackDesk, *, quiet_days: float, touched_by: str | None = None) -> None:
    features = {"slack_user": "U1", "slack_channel": "C1"}
    desk.take(Received("m1", "message", (Opened("C1:1.1", "", "VPN drops", "u1@fennvale.example", features=features),)))
    work(office, Channel("slack", "slack"))
    with office.sessions.begin() as session:
        row = session.get_one(RemoteTicketRow, ("slack", "C1:1.1"))
        row.updated_at, row.touched_by = datetime.now(UTC) - timedelta(days=quiet_days), touched_by


def test_a_quiet_thread_is_asked_about_once(office: Office, desk: SlackDesk, slack: SlackServer) -> None:
    opened(office, desk, quiet_days=4)
    now = datetime.now(UTC)
    for _ in range(3):
        tick(desk, now)
    asked = [one for one in slack.called("chat.postMessage") if one.get("thread_ts") == "1.1"]
    assert len(asked) == 1 and "Is this solved?" in asked[0]["text"] and "triage_solved" in str(asked[0]["blocks"])


def test_what_stays_quiet_is_closed_with_thanks(office: Office, desk: SlackDesk, slack: SlackServer) -> None:
    opened(office, desk, quiet_days=9, touched_by="bea@desk.example")
    now = datetime.now(UTC)
    tick(desk, now)
    tick(desk, now + timedelta(days=3))
    assert len(slack.called("chat.postMessage")) == 1
    for _ in range(2):
        tick(desk, now + timedelta(days=5))
    work(office, Channel("slack", "slack"))
    said = [one["text"] for one in slack.called("chat.postMessage") if one.get("thread_ts") == "1.1"]
    assert len(said) == 2 and "Thanks to bea@desk.example" in said[1]
    with office.sessions() as session:
        assert session.get_one(RemoteTicketRow, ("slack", "C1:1.1")).status == "solved"


def test_a_thread_with_news_is_left_alone(office: Office, desk: SlackDesk, slack: SlackServer) -> None:
    opened(office, desk, quiet_days=1)
    tick(desk, datetime.now(UTC))
    assert slack.called("chat.postMessage") == []


def test_the_desk_is_told_of_its_week_once(office: Office, desk: SlackDesk, slack: SlackServer) -> None:
    opened(office, desk, quiet_days=0)
    week = week_of(desk, datetime.now(UTC) - timedelta(days=7), datetime.now(UTC) + timedelta(minutes=1))
    assert (week.asked, week.answered, week.solved) == (1, 0, 0) and sum(week.silent.values()) == 1
    assert "1 asked" in digest_text(week) and "Not answered" in digest_text(week)
    for hours in (-6, 0, 1, 24):
        tick(desk, MONDAY + timedelta(hours=hours))
    told = [one for one in slack.called("chat.postMessage") if one["channel"] == "C0AGENTS"]
    assert len(told) == 1 and "The week in the help desk" in told[0]["text"]


def test_slack_being_away_postpones_it(office: Office, desk: SlackDesk, slack: SlackServer) -> None:
    slack.errors["chat.postMessage"] = "internal_error"
    tick(desk, MONDAY)
    slack.errors.clear()
    tick(desk, MONDAY + timedelta(minutes=1))
    assert len([one for one in slack.called("chat.postMessage") if "The week" in one["text"]]) == 2


def test_an_admin_chooses_the_mode_and_nobody_else(office: Office, desk: SlackDesk) -> None:
    table = desk.table.model_copy(update={"admins": ("U0ADMIN",), "watch": {"C0HELP": WatchTable()}})
    desk = replace(desk, table=table, people=People(desk.client, (), ("U0ADMIN",)))
    chosen = {"action_id": "triage_set_mode", "selected_option": {"value": "apply"}}
    assert not on_setting(desk, "U1", chosen) and desk.mode_at(MONDAY) == "suggest"
    assert "Settings" not in str(home_view(desk, "U1")) and "Settings" in str(home_view(desk, "U0ADMIN"))
    assert on_setting(desk, "U0ADMIN", chosen) and desk.mode_at(MONDAY) == "apply"
    answers = {"action_id": "triage_set_answers:C0HELP", "selected_option": {"value": "ephemeral"}}
    assert on_setting(desk, "U0ADMIN", answers) and desk.answers_in("C0HELP") == "ephemeral"
    for odd in (
        {"action_id": "triage_set_mode", "selected_option": {"value": "rampage"}},
        {"action_id": "triage_set_answers:C0OTHER", "selected_option": {"value": "thread"}},
        {},
    ):
        assert not on_setting(desk, "U0ADMIN", odd)
    assert desk.answers_in("C0OTHER") is None
