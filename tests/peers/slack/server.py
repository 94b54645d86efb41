"""What local-slack lacks: the assistant's and streaming methods, 429, and events sent as Slack sends them.

It answers each Web API method as Slack's page on it says, and keeps what was called.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import httpx

# Any: bodies of the Web API are plain dictionaries.
Json = dict[str, Any]


@dataclass
class SlackServer:
    """``calls`` are the methods with their arguments; ``tired`` is how often each method answers 429 first.

    ``errors`` are what a method answers, everywhere (by its name) or in one channel (by its name and the channel's id).
    """

    port: int = 0
    calls: list[tuple[str, Json]] = field(default_factory=list)
    tired: dict[str, int] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    messages: list[Json] = field(default_factory=list)
    guests: set[str] = field(default_factory=set)
    written: list[Json] = field(default_factory=list)  # what people have written in every thread
    held: dict[str, bytes] = field(default_factory=dict)  # what files hold, by their names in addresses
    socket_url: str = ""
    scopes: str | None = None  # what the token was granted, which Slack tells in a header of each answer
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    def called(self, method: str) -> list[Json]:
        return [arguments for name, arguments in self.calls if name == method]

    def answer(self, method: str, given: Json) -> tuple[int, dict[str, str], Json]:
        with self.lock:
            self.calls.append((method, given))
            if self.tired.get(method, 0) > 0:
                self.tired[method] -= 1
                return 429, {"Retry-After": "1"}, {"ok": False, "error": "ratelimited"}
            error = self.errors.get(method) or self.errors.get(f"{method} {given.get('channel')}")
            if error:
                return 200, {}, {"ok": False, "error": error}
            headers = {"X-OAuth-Scopes": self.scopes} if self.scopes else {}
            return 200, headers, {"ok": True} | self._answer(method, given)

    def _answer(self, method: str, given: Json) -> Json:
        if method == "files.completeUploadExternal":
            named = [{"id": one["id"], "name": one["title"]} for one in given["files"]]
            self._post({"channel": given["channel_id"], "thread_ts": given.get("thread_ts"), "files": named})
            return {"files": named}
        if method in ("chat.postMessage", "chat.startStream"):
            return self._post(given)
        user, ts = str(given.get("user")), given.get("ts")
        profile = {"email": f"{user.lower()}@fennvale.example", "display_name": user}
        there = [{"ts": ts, "user": "U1", "text": "VPN drops"}, *self.written]
        there += [one for one in self.messages if one["thread_ts"] == ts]
        begin = int(given.get("cursor") or 0)
        page = {"messages": there[begin : begin + int(given.get("limit") or 100)]}
        if begin + len(page["messages"]) < len(there):
            page |= {"has_more": True, "response_metadata": {"next_cursor": str(begin + len(page["messages"]))}}
        answers: dict[str, Json] = {
            "auth.test": {"user": "triage", "team": "Fennvale", "user_id": "U0BOT", "bot_id": "B0BOT", "team_id": "T1"},
            "users.info": {
                "user": {
                    "id": user,
                    "name": user,
                    "locale": "en-US",
                    "profile": profile,
                    "is_restricted": user in self.guests,
                }
            },
            "conversations.replies": page,
            "conversations.history": {
                "messages": [one for one in self.messages if one["channel"] == given.get("channel")]
            },
            "chat.getPermalink": {"permalink": f"https://slack.example/{given.get('message_ts')}"},
            "usergroups.users.list": {"users": ["U2"] if given.get("usergroup") == "S0DESK" else []},
            "apps.connections.open": {"url": self.socket_url},
            "conversations.open": {"channel": {"id": "D1"}},
            "files.getUploadURLExternal": {"file_id": "F1", "upload_url": f"{self.api}/upload/F1"},
        }
        return answers.get(method, {"ts": "1.1", "channel": given.get("channel", "")})

    def _post(self, given: Json) -> Json:
        ts = f"{time.time():.6f}"
        message = {"ts": ts, "thread_ts": given.get("thread_ts"), "bot_id": "B0BOT", "user": "U0BOT"}
        more = {name: given.get(name) for name in ("channel", "blocks", "files")}
        self.messages.append({**message, **more})
        return {"ts": ts, "channel": given["channel"], "message": message}


@contextmanager
def slack_server() -> Iterator[SlackServer]:
    """Listen until the block is left."""
    server = SlackServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind, name = self.path.rsplit("/", 2)[1:]
            if kind == "upload":
                server.held[name] = content
                self._tell(200, b"OK", {"Content-Type": "text/plain"})
                return
            if kind == "files":
                server.calls.append(("file", {"name": name, "token": self.headers.get("Authorization")}))
                self._tell(200 if name in server.held else 404, server.held.get(name, b""), {})
                return
            raw = content.decode()
            if "json" in self.headers.get("Content-Type", ""):
                given = json.loads(raw or "{}")
            else:
                given = {name: _value(values[0]) for name, values in parse_qs(raw).items()}
            status, headers, body = server.answer(self.path.rsplit("/", 1)[1], given)
            self._tell(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})

        def _tell(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST

        def log_message(self, *_: object) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.port = listener.server_port
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join(5)


def _value(text: str) -> object:
    """Slack's libraries put JSON into forms."""
    if text[:1] in "[{":
        return json.loads(text)
    return text


def event(kind: Json, event_id: str) -> Json:
    """An event in its envelope."""
    return {
        "type": "event_callback",
        "team_id": "T1",
        "api_app_id": "A1",
        "event_id": event_id,
        "event_time": int(time.time()),
        "event": kind,
        "authorizations": [{"team_id": "T1", "user_id": "U0BOT", "is_bot": True}],
    }


def send(url: str, secret: str, body: Json, *, retry: int = 0, age_s: float = 0) -> httpx.Response:
    """Deliver an event as Slack does, signed; ``retry`` is the number of the redelivery."""
    raw = json.dumps(body)
    stamp = str(int(time.time() - age_s))
    signature = hmac.new(secret.encode(), f"v0:{stamp}:{raw}".encode(), hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={signature}",
    }
    if retry:
        headers |= {"X-Slack-Retry-Num": str(retry), "X-Slack-Retry-Reason": "http_timeout"}
    return httpx.post(url, content=raw, headers=headers, timeout=20)
