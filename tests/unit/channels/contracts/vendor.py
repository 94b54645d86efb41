"""A real HTTP server in the place of a vendor's: routes in a table, state in the test's hands, faults on a word."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import policy
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

# Any: bodies are plain JSON.
Json = Any


class Refused(Exception):
    """The vendor answers with that status, body and headers."""

    def __init__(self, status: int, body: Json = None, **headers: str) -> None:
        super().__init__(status)
        self.status, self.body = status, body
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass
class Call:
    """One request: what the route's groups matched, the query, the headers, the body's value."""

    method: str
    path: str
    groups: tuple[str, ...]
    query: dict[str, str]
    headers: dict[str, str]
    body: Json


@dataclass
class Vendor:
    """``routes`` are tried in order; ``faults`` are raised first, one for each call; ``calls`` is what came."""

    routes: list[tuple[str, str, Callable[[Call], Json]]]
    check: Callable[[Call], None]
    faults: list[Refused | float | bytes] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answer(
        self, method: str, target: str, headers: dict[str, str], raw: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        split = urlsplit(target)
        try:
            body = _body(headers.get("content-type", ""), raw)
            call = Call(method, split.path, (), dict(parse_qsl(split.query)), headers, body)
            self.calls.append(call)
            if self.faults:
                fault = self.faults.pop(0)
                if isinstance(fault, Refused):
                    raise fault
                if isinstance(fault, bytes):
                    return 200, {"Content-Type": "text/html"}, fault
                time.sleep(fault)
            self.check(call)
            for wanted, pattern, handler in self.routes:
                match = re.fullmatch(pattern, split.path)
                if match and wanted == method:
                    call.groups = match.groups()
                    answer = handler(call)
                    if isinstance(answer, bytes):
                        return 200, {"Content-Type": "application/octet-stream"}, answer
                    return 200, {"Content-Type": "application/json"}, json.dumps(answer).encode()
            raise Refused(404, {"error": "RecordNotFound"})
        except Refused as refused:
            return refused.status, refused.headers, json.dumps(refused.body).encode()


def _body(kind: str, raw: bytes) -> Json:
    """JSON as its value, a form as its fields with a list of names and contents for files, else bytes as they are."""
    if not raw or kind.startswith("application/json"):
        return json.loads(raw) if raw else None
    if not kind.startswith("multipart/form-data"):
        return raw
    message = BytesParser(policy=policy.HTTP).parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + raw)
    form: dict[str, Json] = {}
    for part in message.iter_parts():
        name, content = part.get_param("name", header="content-disposition"), part.get_payload(decode=True)
        if part.get_filename() is None:
            form[str(name)] = content.decode()
        else:
            form.setdefault(str(name), []).append((part.get_filename(), content))
    return form


@contextmanager
def serving(vendor: Vendor) -> Iterator[Vendor]:
    """Listen until the block is left."""

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, more, content = vendor.answer(self.command, self.path, headers, raw)
            self.send_response(status)
            for name, value in more.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    vendor.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield vendor
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def misbehaviour() -> list[tuple[str, list[Refused | float | bytes]]]:
    """What every vendor does sometimes, and what must become of it: a delivery that can be tried again."""
    return [
        ("too many", [Refused(429, {"error": "TooManyRequests"}, Retry_After="7")]),
        ("a page for people", [b"<html><body>We are down for maintenance.</body></html>"]),
        ("broken", [Refused(500, None)]),
        ("away", [Refused(503, None)]),
        ("hanging", [1.5]),
    ]
