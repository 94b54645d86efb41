"""Is each event of a Socket Mode connection one ticket and one reply, wherever the connection breaks?"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.peers.homes import new_home
from tests.peers.slack.server import SlackServer, event, slack_server
from tests.peers.slack.sockets import Sockets, sockets
from tests.processes import environment, free_port, is_ready, running, until

CHANNEL = """
[channels.slack]
kind = "slack"
bot_token = "env:BOT"
app_token = "env:APP"
api_url = "{api}"
policy = {{ mode = "apply" }}
sending = {{ first_wait_s = 0.2 }}
"""
# Any: events and tickets are plain dictionaries.
Json = dict[str, Any]


@dataclass
class Desk:
    """Our process, Slack's API and its sockets."""

    slack: SlackServer
    sockets: Sockets
    url: str

    def tickets(self) -> list[Json]:
        return list(httpx.get(f"{self.url}/v1/tickets", params={"limit": 200}, timeout=20).json()["tickets"])

    def is_answered(self, *stamps: str) -> bool:
        return set(stamps) <= set(self.replies())

    def replies(self) -> Counter[str]:
        return Counter(str(one["thread_ts"]) for one in self.slack.messages)


def mention(number: int) -> Json:
    ts = f"1795.{number:04d}"
    kind = {"type": "app_mention", "channel": "C1", "user": "U1", "text": f"<@U0BOT> VPN drops {number}", "ts": ts}
    return event({**kind, "event_ts": ts}, f"Ev{number}")


@pytest.fixture(scope="module")
def desk(sample_home: Path, encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("sockets")
    home = new_home(sample_home, folder)
    port = free_port()
    with slack_server() as slack, sockets() as held:
        slack.socket_url = held.url
        (home / "channels.toml").write_text(CHANNEL.format(api=slack.api))
        env = environment(home, encoder_folder, port=str(port), poll_interval_s="0.05", duplicate_days="0")
        env |= {"BOT": "xoxb-1", "APP": "xapp-1"}
        url = f"http://127.0.0.1:{port}"
        with running(env, "serve", log=folder / "serve.log"):
            until(lambda: is_ready(url), what="the server")
            held.another(0)
            yield Desk(slack, held, url)


def test_a_connection_that_is_cut_in_the_middle_of_an_event_loses_and_doubles_nothing(desk: Desk) -> None:
    before = len(desk.sockets.opened)
    desk.sockets.push_half(mention(1), "e1")
    desk.sockets.another(before)
    assert "e1" not in desk.sockets.acknowledged
    desk.sockets.push(mention(1), "e1-again", retry=1)
    until(lambda: desk.is_answered("1795.0001"), what="the reply")
    assert "e1-again" in desk.sockets.acknowledged


def test_a_connection_that_is_cut_before_it_can_acknowledge_loses_and_doubles_nothing(desk: Desk) -> None:
    before = len(desk.sockets.opened)
    desk.sockets.push(mention(2), "e2")
    desk.sockets.cut()  # whether it was read or not, Slack has heard nothing
    desk.sockets.another(before)
    desk.sockets.push(mention(2), "e2-again", retry=1)
    until(lambda: "e2-again" in desk.sockets.acknowledged and desk.is_answered("1795.0002"), what="the reply")
    time.sleep(1)
    assert desk.replies()["1795.0002"] == 1
    assert sum("VPN drops 2" in one["body"] for one in desk.tickets()) == 1


def test_what_was_acknowledged_before_the_cut_is_done(desk: Desk) -> None:
    before = len(desk.sockets.opened)
    desk.sockets.push(mention(3), "e3")
    until(lambda: "e3" in desk.sockets.acknowledged, what="the acknowledgement")
    desk.sockets.cut()
    until(lambda: desk.is_answered("1795.0003"), what="the reply")
    desk.sockets.another(before)
    assert desk.replies()["1795.0003"] == 1


@pytest.mark.parametrize("reason", ["refresh_requested", "warning"])
def test_slack_may_ask_for_another_connection(desk: Desk, reason: str) -> None:
    before = len(desk.sockets.opened)
    number = 10 + len(reason)
    desk.sockets.opened[-1].send(json.dumps({"type": "disconnect", "reason": reason, "debug_info": {}}))
    desk.sockets.another(before)
    desk.sockets.push(mention(number), f"e{number}")
    until(lambda: desk.is_answered(f"1795.{number:04d}"), what="the reply")
    assert desk.replies()[f"1795.{number:04d}"] == 1


def test_a_burst_that_is_cut_is_all_there_once_slack_has_repeated_it(desk: Desk) -> None:
    before = len(desk.sockets.opened)
    numbers = range(100, 120)
    for number in numbers:
        desk.sockets.push(mention(number), f"b{number}")
        if number == 110:
            desk.sockets.cut()
            break
    desk.sockets.another(before)
    for number in numbers:
        if f"b{number}" not in desk.sockets.acknowledged:
            desk.sockets.push(mention(number), f"b{number}-again", retry=1)
    stamps = [f"1795.{number:04d}" for number in numbers]
    until(lambda: desk.is_answered(*stamps), what="all replies")
    time.sleep(1)
    assert {desk.replies()[stamp] for stamp in stamps} == {1}
    bodies = Counter(one["body"] for one in desk.tickets())
    assert all(bodies[f"VPN drops {number}"] == 1 for number in numbers)
