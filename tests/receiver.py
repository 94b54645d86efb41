"""A real HTTP server that keeps what it is sent and answers as it is told."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What came, oldest first; ``answers`` are given one after the other, then 204, each after ``pause_s``."""

    port: int = 0
    pause_s: float = 0.0
    at_work: int = 0
    most_at_once: int = 0
    requests: list[Sent] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def receiving(port: int = 0, *, into: Receiver | None = None) -> Iterator[Receiver]:
    """Listen until the block is left; ``into`` goes on with what another one kept."""
    receiver = into or Receiver()
    counting = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def _take(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with counting:
                receiver.requests.append(Sent(self.command, self.path, headers, body))
                receiver.at_work += 1
                receiver.most_at_once = max(receiver.most_at_once, receiver.at_work)
            time.sleep(receiver.pause_s)
            with counting:
                receiver.at_work -= 1
            status, more, answer = receiver.answers.pop(0) if receiver.answers else (204, {}, b"")
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _take

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
