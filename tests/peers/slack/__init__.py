"""A Slack server on this machine: local-slack with one app in Socket Mode and one over signed HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.processes import free_port, until

BINARY = Path("slack") / "node_modules" / "local-slack-linux-x64" / "bin" / "local-slack"
ANA, BEA, CARL = "U01ANA", "U02BEA", "U03CARL"
HELP, WATCHED, AGENTS = "C01HELP", "C02WATCHED", "C03AGENTS"
SIGNING_SECRET = "http signing secret"

WORKSPACE = """
workspace: {{ name: Fennvale, domain: fennvale, teamId: T01TEST }}
apps:
{app}
  - {{ appId: A03OTHER, botUserId: U0OTHER, botName: pipeline, botToken: xoxb-other, appToken: xapp-other,
      signingSecret: unused, mode: socket }}
users:
  - {{ id: U01ANA, name: ana, real_name: Ana Fischer, email: ana@fennvale.example }}
  - {{ id: U02BEA, name: bea, real_name: Bea Agent, email: bea@fennvale.example }}
  - {{ id: U03CARL, name: carl, real_name: Carl Other, email: carl@fennvale.example }}
channels:
  - {{ id: C01HELP, name: help, members: [U01ANA, U02BEA, U03CARL, {bot}, U0OTHER] }}
  - {{ id: C02WATCHED, name: it-help, members: [U01ANA, U02BEA, U03CARL, {bot}, U0OTHER] }}
  - {{ id: C03AGENTS, name: agents, members: [U02BEA, {bot}, U0OTHER] }}
"""
BY_SOCKET = """  - { appId: A01SOCK, botUserId: U0SOCK, botName: triage, botToken: xoxb-sock, appToken: xapp-sock,
      signingSecret: unused, mode: socket }"""
BY_HTTP = """  - { appId: A02HTTP, botUserId: U0HTTP, botName: triage, botToken: xoxb-http, appToken: xapp-http,
      signingSecret: "%s", mode: events, requestUrl: "%s" }"""
# Any: messages and blocks are plain dictionaries.
Message = dict[str, Any]


@dataclass(frozen=True)
class LocalSlack:
    """Where it listens, and what people do in it."""

    url: str

    def control(self, path: str, **body: object) -> dict[str, Any]:
        answer = httpx.post(f"{self.url}/_control/{path}", json=body, timeout=20)
        assert answer.is_success, answer.text
        value: dict[str, Any] = answer.json()
        return value

    def write(self, user: str, channel: str, text: str, thread: str | None = None) -> str:
        more = {"thread_ts": thread, "threadTs": thread} if thread else {}
        return str(self.control("message", channel=channel, user=user, text=text, **more)["message"]["ts"])

    def upload(self, user: str, channel: str, text: str, name: str, content: bytes, thread: str | None = None) -> str:
        """Write a message with a file."""
        fields = {"channel": channel, "user": user, "text": text} | ({"thread_ts": thread} if thread else {})
        answer = httpx.post(f"{self.url}/_control/upload", data=fields, files={"file": (name, content)}, timeout=20)
        answer.raise_for_status()
        return next(one["ts"] for one in reversed(self.messages(channel)) if text in one["text"])

    def messages(self, channel: str) -> list[Message]:
        return list(httpx.get(f"{self.url}/_control/messages/{channel}", timeout=20).json()["messages"])

    def thread(self, channel: str, ts: str) -> list[Message]:
        return [one for one in self.messages(channel) if one.get("thread_ts") == ts and one["ts"] != ts]

    def click(self, user: str, channel: str, message: Message, action_id: str) -> dict[str, Any]:
        for block in message["blocks"]:
            for element in block.get("elements", []):
                if element.get("action_id") == action_id:
                    action = {"type": "button", "action_id": action_id, "value": element["value"]}
                    action["block_id"] = block.get("block_id", "")
                    return self.control("interact", channel=channel, messageTs=message["ts"], user=user, action=action)
        raise AssertionError(f"no button {action_id} in {message}")

    def log(self) -> list[dict[str, Any]]:
        return list(httpx.get(f"{self.url}/_control/log", timeout=20).json()["log"])

    def state(self) -> dict[str, Any]:
        value: dict[str, Any] = httpx.get(f"{self.url}/_control/state", timeout=20).json()
        return value


@contextmanager
def local_slack(peers: Path, folder: Path, request_url: str | None) -> Iterator[LocalSlack]:
    """Start it on a free port, with our app over HTTP or, without an address, in Socket Mode, and another bot's."""
    port = free_port()
    config = folder / "workspace.yaml"
    app = BY_HTTP % (SIGNING_SECRET, request_url) if request_url else BY_SOCKET
    config.write_text(WORKSPACE.format(app=app, bot="U0HTTP" if request_url else "U0SOCK"))
    command = [str(peers / BINARY), "--config", str(config), "--port", str(port), "--base-host", "127.0.0.1"]
    with (folder / "local-slack.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=folder)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(url), what="local-slack")
        yield LocalSlack(url)
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/_control/state", timeout=5).is_success
    except httpx.TransportError:
        return False


@contextmanager
def screen(slack: LocalSlack) -> Iterator[Screen]:
    """What a person sees: forms and the home tab, through the same connection as local-slack's own page."""
    import logging

    from slack_sdk.socket_mode.builtin.connection import Connection, ConnectionState

    seen: list[dict[str, Any]] = []
    connection = Connection(
        url=f"{slack.url.replace('http', 'ws')}/ui",
        logger=logging.getLogger("screen"),
        on_message_listener=lambda text: seen.append(json.loads(text)),
    )
    connection.connect()
    state = ConnectionState()
    thread = threading.Thread(target=_watch, args=(connection, state), daemon=True)
    thread.start()
    try:
        until(lambda: bool(seen), what="the page")
        yield Screen(connection, seen)
    finally:
        state.terminated = True
        connection.disconnect()
        thread.join(5)


def connected(slack: LocalSlack) -> bool:
    """Whether our app holds its Socket Mode connection."""
    with screen(slack) as page:
        return any(app["appId"] == "A01SOCK" and app["connected"] for app in page.seen[0]["state"]["apps"])


def _watch(connection: Any, state: Any) -> None:
    try:
        connection.run_until_completion(state)
    except OSError:
        assert state.terminated, "the page was cut off"


@dataclass
class Screen:
    """The page of one person; ``seen`` is all that was shown, oldest first."""

    connection: Any
    seen: list[dict[str, Any]]

    def form(self) -> dict[str, Any]:
        """The form that is open now."""
        until(lambda: self._form() is not None, what="a form", timeout_s=15)
        return self._form()  # type: ignore[return-value]

    def _form(self) -> dict[str, Any] | None:
        stacks = [one["stack"] for one in self.seen if one.get("t") == "view"]
        return stacks[-1][-1] if stacks and stacks[-1] else None

    def home(self, user: str) -> dict[str, Any]:
        """The home tab of a person."""
        until(lambda: self._home(user) is not None, what="the home tab", timeout_s=15)
        return self._home(user)  # type: ignore[return-value]

    def _home(self, user: str) -> dict[str, Any] | None:
        found = [one for one in self.seen if one.get("t") == "home" and one.get("user") == user]
        return found[-1].get("view") if found else None

    def submit(self, user: str, values: dict[str, Any]) -> None:
        self.connection.send(json.dumps({"t": "view_submit", "user": user, "values": values}))
