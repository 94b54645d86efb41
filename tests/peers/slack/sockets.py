"""Socket Mode as Slack speaks it, on connections that break where a test wants them to."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tests.processes import until

# Any: envelopes are plain dictionaries.
Json = dict[str, Any]


@dataclass
class Sockets:
    """``opened`` are the connections, oldest first; ``acknowledged`` the envelopes that were answered."""

    port: int = 0
    opened: list[ServerConnection] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/"

    def push(self, payload: Json, envelope_id: str, *, retry: int = 0) -> None:
        """Deliver an event over the newest connection."""
        self.opened[-1].send(envelope(payload, envelope_id, retry))

    def push_half(self, payload: Json, envelope_id: str) -> None:
        """Send the first half of a message, then cut the connection."""
        text = envelope(payload, envelope_id, 0).encode()
        assert 125 < len(text) < 65_536
        frame = b"\x81\x7e" + len(text).to_bytes(2, "big") + text
        self.opened[-1].socket.sendall(frame[: len(frame) // 2])
        self.cut()

    def cut(self) -> None:
        """Break the newest connection without a word."""
        with suppress(OSError):
            self.opened[-1].socket.shutdown(socket.SHUT_RDWR)

    def another(self, before: int) -> None:
        """Wait for a connection beyond those that there were."""
        until(lambda: len(self.opened) > before, what="a new connection")


def envelope(payload: Json, envelope_id: str, retry: int) -> str:
    more = {"retry_attempt": retry, "retry_reason": "timeout"} if retry else {}
    kind = {"type": "events_api", "envelope_id": envelope_id, "accepts_response_payload": False}
    return json.dumps({**kind, **more, "payload": payload})


@contextmanager
def sockets() -> Iterator[Sockets]:
    """Listen until the block is left."""
    kept = Sockets()

    def hold(connection: ServerConnection) -> None:
        connection.send(json.dumps({"type": "hello", "num_connections": 1}))
        kept.opened.append(connection)
        with suppress(ConnectionClosed):
            for message in connection:
                kept.acknowledged.append(str(json.loads(message).get("envelope_id")))

    with serve(hold, "127.0.0.1", 0) as server:
        kept.port = server.socket.getsockname()[1]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield kept
        for _ in kept.opened:
            kept.cut()
        server.shutdown()
        thread.join(5)
