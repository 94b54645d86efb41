"""The middleware by itself: what a slow, cut-off or endless sender meets, and what becomes of a fault of ours."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.types import Message, Receive, Scope, Send

from triage.web.limits import Limits

Inner = Callable[[Scope, Receive, Send], Any]


async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
    body = (await receive())["body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RuntimeError("the secret recipe")


def call(*parts: Message, app: Inner = echo, pause_s: float = 0, headers: dict[bytes, bytes] | None = None) -> Any:
    """Send the parts of a body, ``pause_s`` before each; returns (status, headers, body)."""
    sent: list[Message] = []
    waiting = list(parts)

    async def receive() -> Message:
        await asyncio.sleep(pause_s)
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    given = {b"content-type": b"application/json", **(headers or {})}
    scope = {"type": "http", "method": "POST", "path": "/v1/x", "headers": list(given.items())}
    asyncio.run(Limits(app, max_body_bytes=10, timeout_s=0.1)(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_body_in_parts_arrives_as_one() -> None:
    status, headers, body = call(part(b"01234", more=True), part(b"56789"))
    assert (status, body) == (200, b"0123456789")
    assert len(headers[b"x-request-id"]) == 16


@pytest.mark.parametrize(
    ("parts", "pause_s", "status", "code"),
    [
        ([part(b"0", more=True)] * 5, 0.06, 408, "request-timeout"),
        ([part(b"0123", more=True)] * 5, 0, 413, "body-too-large"),
        ([part(b"0", more=True)], 0, 400, "disconnected"),
    ],
)
def test_body_that_costs_too_much_or_breaks_off_is_a_problem(
    parts: list[Message], pause_s: float, status: int, code: str
) -> None:
    got, headers, body = call(*parts, pause_s=pause_s)
    assert (got, json.loads(body)["code"]) == (status, code)
    assert headers[b"content-type"] == b"application/problem+json"


def test_slow_sender_loses_its_connection() -> None:
    _, headers, _ = call(part(b"0", more=True), part(b"0", more=True), pause_s=0.06)
    assert headers[b"connection"] == b"close"


def test_declared_length_is_believed_before_anything_is_read() -> None:
    status, _, _ = call(part(b"0"), headers={b"content-length": b"11"})
    assert status == 413


def test_fault_of_ours_is_a_problem_that_says_nothing_but_where_the_log_has_it() -> None:
    status, headers, body = call(part(b"0"), app=broken)
    said = json.loads(body)
    assert (status, said["code"]) == (500, "internal-error")
    assert said["request_id"].encode() == headers[b"x-request-id"]
    assert b"secret" not in body


def test_what_was_refused_before_its_route_was_known_is_counted_under_one_name() -> None:
    labels = {"method": "POST", "path": "unknown", "status": "413"}
    before = REGISTRY.get_sample_value("triage_request_seconds_count", labels) or 0
    call(part(b"0" * 11))
    assert REGISTRY.get_sample_value("triage_request_seconds_count", labels) == before + 1
