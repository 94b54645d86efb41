"""A language model's endpoint that does what its address says, also what no mock server does on purpose."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def chunk(text: str | None, finish: str | None = None) -> bytes:
    """One event of a stream, as OpenAI sends it."""
    delta = {} if text is None else {"content": text}
    event = {"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(event).encode() + b"\n\n"


class LlmServer:
    """Replies with ``text``, in the way that the first part of the path names; keeps what it was sent."""

    def __init__(self) -> None:
        self.text = "Open FennGate and choose Leeds. [1]"
        self.requests: list[dict[str, object]] = []
        self.keys: list[str | None] = []
        self.stopping = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.requests.append(json.loads(body) | {"path": self.path})
                server.keys.append(self.headers.get("Authorization"))
                with suppress(BrokenPipeError, ConnectionResetError):  # the client has gone, as it should
                    BEHAVIOURS[self.path.split("/")[1]](server, self)

            def log_message(self, *_: object) -> None:
                pass

            def begin(self, kind: str = "text/event-stream", status: int = 200, **headers: str) -> None:
                self.send_response(status)
                for name, value in {"Content-Type": kind, **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))

    def url(self, behaviour: str = "well") -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/{behaviour}/v1"

    def sent(self) -> str:
        """All that the last request held."""
        return json.dumps(self.requests[-1], ensure_ascii=False)

    @contextmanager
    def running(self) -> Iterator[LlmServer]:
        self._thread.start()
        try:
            yield self
        finally:
            self.stopping.set()
            self._http.shutdown()
            self._http.server_close()
            self._thread.join()


Handler = BaseHTTPRequestHandler
Behaviour = Callable[[LlmServer, "Handler"], None]


def _well(server: LlmServer, to: Handler) -> None:
    to.begin()
    to.wfile.write(b": a comment\n\n" + chunk(""))
    encoded = [chunk(server.text[i : i + 7]) for i in range(0, len(server.text), 7)]
    stream = b"".join(encoded) + chunk(None, "stop") + b"data: [DONE]\n\n"
    for i in range(0, len(stream), 33):  # events do not end where packets do
        to.wfile.write(stream[i : i + 33])
        to.wfile.flush()


def _whole(server: LlmServer, to: Handler) -> None:
    to.begin("application/json; charset=utf-8")
    message = {"role": "assistant", "content": server.text}
    to.wfile.write(json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode())


def _status(status: int, **headers: str) -> Behaviour:
    def behave(_: LlmServer, to: Handler) -> None:
        to.begin("application/json", status, **headers)
        to.wfile.write(b'{"error": {"message": "no"}}')

    return behave


def _sends(*parts: bytes, kind: str = "text/event-stream") -> Behaviour:
    def behave(_: LlmServer, to: Handler) -> None:
        to.begin(kind)
        for part in parts:
            to.wfile.write(part)

    return behave


def _drip(server: LlmServer, to: Handler) -> None:
    to.begin()
    while not server.stopping.wait(0.1):
        to.wfile.write(chunk("x"))
        to.wfile.flush()


def _drip_headers(server: LlmServer, to: Handler) -> None:
    to.wfile.write(b"HTTP/1.1 200 OK\r\n")
    while not server.stopping.wait(0.1):
        to.wfile.write(b"X: y\r\n")
        to.wfile.flush()


def _silent(server: LlmServer, _: Handler) -> None:
    server.stopping.wait(30)


def _endless(server: LlmServer, to: Handler) -> None:
    to.begin()
    while not server.stopping.is_set():
        to.wfile.write(b": " + b"x" * 60_000 + b"\n")


def _talkative(server: LlmServer, to: Handler) -> None:
    to.begin()
    for _ in range(400):
        to.wfile.write(chunk("blah " * 100))


def _reset(_: LlmServer, to: Handler) -> None:
    to.begin()
    to.wfile.write(chunk("Open Fenn"))
    to.wfile.flush()
    time.sleep(0.05)
    to.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    to.connection.close()


BEHAVIOURS: dict[str, Behaviour] = {
    "well": _well,
    "whole": _whole,
    "400": _status(400),
    "401": _status(401),
    "404": _status(404),
    "429": _status(429),
    "429-later": _status(429, Retry_After="120"),
    "500": _status(500),
    "503": _status(503),
    "redirect": _status(307, Location="http://127.0.0.1:1/"),
    "cut": _sends(chunk("Open FennGate and choose Leeds. [1]")),
    "length": _sends(chunk("Open FennGate. [1]"), chunk(None, "length"), b"data: [DONE]\n\n"),
    "error": _sends(chunk("Open"), b'data: {"error": {"message": "overloaded"}}\n\n'),
    "html": _sends(b"<html><body>Log in</body></html>", kind="text/html"),
    "html-as-json": _sends(b"<html>", kind="application/json"),
    "other-json": _sends(b'{"hello": "world"}', kind="application/json"),
    "list-json": _sends(b"[1, 2]", kind="application/json"),
    "no-text": _sends(b'{"choices": [{"message": {"content": {"a": 1}}}]}', kind="application/json"),
    "broken-event": _sends(b'data: {"choices": [{"del\n\n', b"data: [DONE]\n\n"),
    "deep-event": _sends(b"data: " + b"[" * 200_000 + b"\n\n"),
    "not-utf8": _sends(b"data: \xff\xfe\n\n"),
    "packed": _sends(b"\x1f\x8b", kind="text/event-stream\r\nContent-Encoding: gzip"),
    "empty": _sends(),
    "reset": _reset,
    "drip": _drip,
    "drip-headers": _drip_headers,
    "silent": _silent,
    "endless": _endless,
    "talkative": _talkative,
}
