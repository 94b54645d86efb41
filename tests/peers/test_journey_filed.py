"""A question in Slack is filed in Request Tracker, and the thread and the ticket there are kept in step."""

from __future__ import annotations

import base64
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.peers.homes import POLICY, new_home
from tests.peers.rt import SECRET, RequestTracker, request_tracker
from tests.peers.slack import ANA, HELP, LocalSlack, connected, local_slack
from tests.processes import environment, free_port, is_ready, run, running, until

QUESTION = "<@U0SOCK> How do I connect to the VPN with FennGate from home?"
CHANNELS = """
[channels.slack]
kind = "slack"
bot_token = "env:BOT"
app_token = "env:APP"
api_url = "{slack}/api"
desk = ["U02BEA"]
filed_in = "rt"
policy = {{ mode = "apply" }}

[channels.rt]
kind = "rt"
url = "{rt}"
user = "triage"
password = "env:RT_PASSWORD"
hook_secrets = ["env:RT_SECRET"]
new_in = "General"
poll = {{ every_s = 2 }}
policy = {{ mode = "apply" }}
[channels.rt.fields.queue]
to = "Queue"
values = {{ network = "Network", hardware = "Hardware" }}
"""
# Any: what REST answers is plain JSON.
Json = dict[str, Any]


@dataclass
class Desk:
    """triage as a process between a Slack and an RT."""

    slack: LocalSlack
    rt: RequestTracker
    url: str
    env: dict[str, str]
    log: Path

    def is_up(self) -> None:
        until(lambda: is_ready(self.url), what="the server")
        until(lambda: connected(self.slack), what="the socket")

    def numbers(self) -> list[str]:
        return [str(one["id"]) for one in self.rt.bot.get("/tickets", params={"query": "id > 0"}).json()["items"]]

    def said(self, number: str, kind: str) -> list[str]:
        """What the bot wrote on RT's ticket, oldest first."""
        query = {"fields": "Type,Creator,Content", "per_page": "100"}
        items = self.rt.bot.get(f"/ticket/{number}/history", params=query).json()["items"]
        ours = [one for one in items if one["Type"] == kind and one["Creator"]["id"] == "triage"]
        return [self._content(one["id"]) for one in ours]

    def _content(self, transaction: str) -> str:
        found = self.rt.bot.get(f"/transaction/{transaction}/attachments", params={"fields": "Content"}).json()
        attachments = [self.rt.bot.get(f"/attachment/{one['id']}").json() for one in found["items"]]
        return "".join(base64.b64decode(one.get("Content") or "").decode() for one in attachments)

    def thread(self, ts: str) -> str:
        return "\n".join(str(one.get("blocks") or one["text"]) for one in self.slack.thread(HELP, ts))


@pytest.fixture
def desk(peers: Path, sample_home: Path, encoder_folder: Path, tmp_path: Path) -> Iterator[Desk]:
    home = new_home(sample_home, tmp_path, POLICY)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with (
        request_tracker(tmp_path / "rt", f"{url}/v1/webhooks/rt") as rt,
        local_slack(peers, tmp_path, None) as slack,
    ):
        (home / "channels.toml").write_text(CHANNELS.format(slack=slack.url, rt=rt.url))
        env = environment(home, encoder_folder, port=str(port), poll_interval_s="0.05", duplicate_days="0")
        env |= {"BOT": "xoxb-sock", "APP": "xapp-sock", "RT_PASSWORD": "bot-password", "RT_SECRET": SECRET}
        yield Desk(slack, rt, url, env, tmp_path / "serve.log")


def test_a_question_in_slack_and_its_ticket_in_rt_are_kept_in_step(desk: Desk) -> None:
    with running(desk.env, "serve", log=desk.log) as server:
        desk.is_up()
        ts = desk.slack.write(ANA, HELP, QUESTION)
        until(lambda: bool(desk.numbers()), what="a ticket in RT")
        (number,) = desk.numbers()
        ticket = desk.rt.bot.get(f"/ticket/{number}", params={"fields": "Queue", "fields[Queue]": "Name"}).json()
        assert ticket["Queue"]["Name"] == "Network" and ticket["Requestor"][0]["id"] == "ana@fennvale.example"
        until(lambda: len(desk.said(number, "Comment")) == 1, what="the note for agents")
        desk.slack.write(ANA, HELP, "It still drops every ten minutes.", ts)
        until(lambda: len(desk.said(number, "Comment")) == 2, what="the words of the thread")
        assert "ana@fennvale.example wrote in slack:" in desk.said(number, "Comment")[1]
        server.send_signal(signal.SIGKILL)
        server.wait(10)
    reply = {"Content": "Please restart the <gateway> & wait.", "ContentType": "text/plain"}
    desk.rt.agent.post(f"/ticket/{number}/comment", json={**reply, "Content": "Third one today."}).raise_for_status()
    desk.rt.agent.post(f"/ticket/{number}/correspond", json=reply).raise_for_status()
    with running(desk.env, "serve", log=desk.log):
        desk.is_up()
        until(lambda: "&lt;gateway&gt; &amp; wait" in desk.thread(ts), what="the agent's words in the thread")
        desk.slack.write(ANA, HELP, "That helped, thank you so much for it!", ts)
        until(lambda: len(desk.said(number, "Comment")) == 3, what="the thanks in RT")
        desk.rt.agent.put(f"/ticket/{number}", json={"Status": "resolved"}).raise_for_status()
        until(lambda: "marked this as solved in rt" in desk.thread(ts), what="the word that it is solved")
    assert "Third one today" not in desk.thread(ts), "a comment is not for the requester"
    assert desk.thread(ts).count("Please restart the") == desk.thread(ts).count("marked this as solved") == 1
    assert desk.said(number, "Correspond") == [], "the answer stands in the thread; RT mails it to nobody"
    assert desk.numbers() == [number] and len(desk.said(number, "Comment")) == 3
    dead = run(desk.env, "deliveries", "list", "--state", "dead", "--json")
    assert '"deliveries": []' in dead.stdout, dead.stdout
