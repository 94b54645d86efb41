"""A question in Slack is filed in Request Tracker, and the thread and the ticket there are kept in step."""

from __future__ import annotations

import base64
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.peers.homes import POLICY, new_home
from tests.peers.rt import SECRET, RequestTracker, request_tracker
from tests.peers.slack import ANA, HELP, LocalSlack, connected, local_slack
from tests.processes import environment, free_port, is_ready, run, running, until

QUESTION = "<@U0SOCK> How do I connect to the VPN with FennGate from home?"
# The smallest picture, and enough behind it to be larger than one read.
PICTURE = bytes.fromhex("89504e470d0a1a0a") + bytes(range(256)) * 800
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
        texts = [one for one in attachments if not one.get("Filename")]
        return "".join(base64.b64decode(one.get("Content") or "").decode() for one in texts)

    def attached(self, number: str, kind: str) -> dict[str, bytes]:
        """The files of what the bot wrote on RT's ticket."""
        items = self.rt.bot.get(f"/ticket/{number}/attachments", params={"per_page": "100"}).json()["items"]
        held = [self.rt.bot.get(f"/attachment/{one['id']}").json() for one in items]
        named = [one for one in held if one.get("Filename") and one["Creator"]["id"] == kind]
        return {one["Filename"]: base64.b64decode(one["Content"]) for one in named}

    def files_in(self, ts: str) -> dict[str, bytes]:
        """The files that the bot put into the thread."""
        mine = [one for one in self.slack.thread(HELP, ts) if one.get("bot_id")]
        listed = [file for one in mine for file in one.get("files") or []]
        token = {"Authorization": "Bearer xoxb-sock"}
        return {one["name"]: httpx.get(one["url_private"], headers=token, timeout=20).content for one in listed}

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


def test_files_of_the_thread_and_of_the_ticket_are_in_both_places(desk: Desk) -> None:
    with running(desk.env, "serve", log=desk.log):
        desk.is_up()
        ts = desk.slack.upload(ANA, HELP, f"{QUESTION} It looks so.", "screen.png", PICTURE)
        until(lambda: bool(desk.numbers()), what="a ticket in RT")
        (number,) = desk.numbers()
        until(lambda: desk.attached(number, "triage") == {"screen.png": PICTURE}, what="the picture in RT")
        desk.slack.upload(ANA, HELP, "And this is the log of it.", "vpn-ä.log", b"error 809\n", ts)
        both = {"screen.png": PICTURE, "vpn-ä.log": b"error 809\n"}
        until(lambda: desk.attached(number, "triage") == both, what="the log in RT")
        guide = {"FileName": "guide.pdf", "FileType": "application/pdf"}
        guide["FileContent"] = base64.b64encode(b"%PDF-1.4 " + PICTURE).decode()
        answer = {"Content": "Do it like this.", "ContentType": "text/plain", "Attachments": [guide]}
        desk.rt.agent.post(f"/ticket/{number}/correspond", json=answer).raise_for_status()
        until(lambda: desk.files_in(ts) == {"guide.pdf": b"%PDF-1.4 " + PICTURE}, what="the guide in the thread")
        assert "Do it like this." in desk.thread(ts) and "[attached: guide.pdf]" in desk.thread(ts)
    assert len(desk.said(number, "Comment")) == 3
    dead = run(desk.env, "deliveries", "list", "--state", "dead", "--json")
    assert '"deliveries": []' in dead.stdout, dead.stdout


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
