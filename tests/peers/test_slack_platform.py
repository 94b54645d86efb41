"""How Slack behaves when it is not kind: it repeats itself, asks to wait, hangs up, forgets; and the assistant pane."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.peers.homes import new_home
from tests.peers.slack.server import SlackServer, event, send, slack_server
from tests.processes import environment, free_port, is_ready, running, until

SECRET = "signing secret"
ASKED = "How do I connect to the VPN with FennGate from home?"
CHANNEL = """
[channels.slack]
kind = "slack"
bot_token = "env:BOT"
signing_secret = "env:SIGNING"
api_url = "{api}"
desk = ["U0DESK"]
prompts = ["My VPN is down", "Reset my password"]
policy = {{ mode = "apply" }}
sending = {{ first_wait_s = 0.2 }}
"""


@dataclass
class Desk:
    """Our process, and Slack beside it."""

    slack: SlackServer
    url: str
    env: dict[str, str]
    log: Path

    @property
    def hook(self) -> str:
        return f"{self.url}/v1/webhooks/slack"

    def tickets(self) -> list[dict[str, Any]]:
        return list(httpx.get(f"{self.url}/v1/tickets", timeout=20).json()["tickets"])

    def mention(self, text: str, ts: str, event_id: str, **more: Any) -> httpx.Response:
        kind = {"type": "app_mention", "channel": "C1", "user": "U1", "text": f"<@U0BOT> {text}", "ts": ts}
        return send(self.hook, SECRET, event({**kind, "event_ts": ts}, event_id), **more)

    def replies(self, ts: str) -> list[dict[str, Any]]:
        return [one for one in self.slack.called("chat.postMessage") if one.get("thread_ts") == ts]


@pytest.fixture
def desk(sample_home: Path, encoder_folder: Path, tmp_path: Path) -> Iterator[Desk]:
    home = new_home(sample_home, tmp_path)
    port = free_port()
    with slack_server() as slack:
        (home / "channels.toml").write_text(CHANNEL.format(api=slack.api))
        env = environment(home, encoder_folder, port=str(port), poll_interval_s="0.05", duplicate_days="0")
        env |= {"BOT": "xoxb-1", "SIGNING": SECRET}
        yield Desk(slack, f"http://127.0.0.1:{port}", env, tmp_path / "serve.log")


@pytest.fixture
def served(desk: Desk) -> Iterator[Desk]:
    with running(desk.env, "serve", log=desk.log):
        until(lambda: is_ready(desk.url), what="the server")
        yield desk


def test_an_event_that_comes_four_times_is_one_ticket_and_one_reply(served: Desk) -> None:
    for retry in range(4):
        assert served.mention("VPN drops", "1795.0001", "Ev1", retry=retry).status_code == 200
    until(lambda: bool(served.replies("1795.0001")), what="the reply")
    time.sleep(1)
    assert len(served.tickets()) == 1 and len(served.replies("1795.0001")) == 1


def test_being_asked_to_wait_it_waits_and_says_it_once(served: Desk) -> None:
    served.slack.tired["chat.postMessage"] = 2
    served.mention("VPN drops", "1795.0002", "Ev2")
    until(lambda: len(served.replies("1795.0002")) == 3, what="the third try")
    until(lambda: served.tickets()[0]["runs"][0]["deliveries"][0]["state"] == "delivered", what="the delivery")
    assert len([one for one in served.slack.messages if one["thread_ts"] == "1795.0002"]) == 1


def test_in_a_thread_of_500_replies_the_word_of_the_desk_is_found(served: Desk) -> None:
    writers = ["U1"] * 449 + ["U0DESK"] + ["U1"] * 50
    served.slack.written = [{"ts": f"1795.1{n:04d}", "user": user, "text": "…"} for n, user in enumerate(writers)]
    served.mention("VPN drops", "1795.0005", "Ev6")
    until(lambda: served.tickets() and served.tickets()[0]["runs"] != [], what="the ticket")
    until(lambda: served.tickets()[0]["runs"][0]["deliveries"][0]["state"] == "delivered", what="the delivery")
    assert "A person works on it" in served.tickets()[0]["runs"][0]["deliveries"][0]["detail"]
    assert served.replies("1795.0005") == []


def test_what_slack_refuses_for_good_is_a_dead_letter_in_words(served: Desk) -> None:
    served.slack.errors["conversations.replies"] = "channel_not_found"
    served.mention("VPN drops", "1795.0003", "Ev3")
    until(lambda: served.tickets() and served.tickets()[0]["runs"] != [], what="the ticket")
    until(lambda: served.tickets()[0]["runs"][0]["deliveries"][0]["state"] == "dead", what="the dead letter")
    assert "was not invited to it" in served.tickets()[0]["runs"][0]["deliveries"][0]["detail"]


def test_stale_and_forged_events_are_refused(served: Desk) -> None:
    assert served.mention("VPN drops", "1795.0004", "Ev4", age_s=400).status_code == 401
    assert send(served.hook, "another", event({"type": "app_mention"}, "Ev5")).status_code == 401
    assert served.tickets() == []


def test_slack_is_answered_in_time_while_no_worker_runs_and_slack_itself_hangs(desk: Desk) -> None:
    with running(desk.env, "serve", "--no-worker", log=desk.log):
        until(lambda: is_ready(desk.url), what="the server")
        began = time.monotonic()
        assert desk.mention("VPN drops", "1795.0006", "Ev6").status_code == 200
        assert time.monotonic() - began < 3
        assert len(httpx.get(f"{desk.url}/v1/received", timeout=20).json()["received"]) == 1
    with running(desk.env, "serve", log=desk.log):
        until(lambda: bool(desk.replies("1795.0006")), what="the reply")


def test_a_process_that_dies_before_it_answers_loses_nothing_that_slack_sends_again(desk: Desk) -> None:
    with running(desk.env, "serve", log=desk.log) as process:
        until(lambda: is_ready(desk.url), what="the server")
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    with pytest.raises(httpx.TransportError):
        desk.mention("VPN drops", "1795.0007", "Ev7")
    with running(desk.env, "serve", log=desk.log):
        until(lambda: is_ready(desk.url), what="the server again")
        assert desk.mention("VPN drops", "1795.0007", "Ev7", retry=1).status_code == 200
        until(lambda: bool(desk.replies("1795.0007")), what="the reply")
        assert len(desk.tickets()) == 1


def assistant(kind: str, **more: Any) -> dict[str, Any]:
    pane = {"user_id": "U1", "context": {}, "channel_id": "D1", "thread_ts": "1795.1"}
    return {"type": kind, "assistant_thread": pane, "event_ts": "1795.1", **more}


def test_the_assistant_pane_greets_streams_a_cited_answer_and_offers_a_ticket(served: Desk) -> None:
    assert send(served.hook, SECRET, event(assistant("assistant_thread_started"), "Ev10")).status_code == 200
    until(lambda: bool(served.slack.called("assistant.threads.setSuggestedPrompts")), what="the prompts")
    asked = {"type": "message", "channel": "D1", "channel_type": "im", "user": "U1", "text": ASKED}
    asked |= {"ts": "1795.2", "thread_ts": "1795.1", "event_ts": "1795.2"}
    assert send(served.hook, SECRET, event(asked, "Ev11")).status_code == 200
    until(lambda: bool(served.slack.called("chat.stopStream")), what="the end of the answer")
    assert served.slack.called("assistant.threads.setStatus")
    streamed = str(served.slack.calls)
    assert "FennGate" in streamed
    assert "triage_file" in str(served.slack.called("chat.stopStream"))
    assert served.tickets() == []
    # Where the workspace has no streaming, the words come at once.
    served.slack.errors["chat.startStream"] = "unknown_method"
    again = event({**asked, "ts": "1795.3", "event_ts": "1795.3"}, "Ev12")
    assert send(served.hook, SECRET, again).status_code == 200
    until(lambda: any("FennGate" in str(one) for one in served.slack.called("chat.postMessage")), what="the words")
