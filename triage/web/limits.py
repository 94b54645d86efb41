"""What may a request cost? Pure ASGI, before any parsing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from secrets import token_hex

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from triage import telemetry
from triage.web.errors import problem, shown_path, unexpected

WEBHOOKS = "/v1/webhooks/"
METHODS_WITH_BODY = {"POST", "PUT", "PATCH"}


class _Refused(Exception):
    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail, self.headers = status, code, detail, headers


class Limits:
    """Reads the body within its limits, names the request, answers for what nobody expected, and counts it all.

    Bodies must be JSON by their type, which a page of another origin cannot send without asking (CSRF).
    """

    def __init__(self, app: ASGIApp, *, max_body_bytes: int, timeout_s: float) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes
        self._timeout_s = timeout_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = scope["request_id"] = token_hex(8)
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            body = await self._body(scope, receive)
            await self._app(scope, _replay(body, receive), sending)
        except _Refused as refused:
            answer = problem(refused.status, refused.code, refused.detail, request_id, headers=refused.headers)
            await answer(scope, receive, sending)
        except Exception as error:  # the edge of the request: nothing inside may reach the client
            if status:
                raise
            await unexpected(request_id, shown_path(scope["path"]), error)(scope, receive, sending)
        finally:
            seconds = telemetry.seconds_since(began)
            telemetry.REQUEST_SECONDS.labels(scope["method"], _template(scope), str(status or 500)).observe(seconds)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        if scope["method"] not in METHODS_WITH_BODY:
            return b""
        media_type = headers.get(b"content-type", "").split(";")[0].strip().lower()
        if headers.get(b"content-encoding", "identity").strip().lower() not in ("", "identity"):
            # Unpacking is what lets a small request cost much.
            raise _Refused(415, "unsupported-media-type", "Send the body as it is, without a Content-Encoding.")
        # Webhooks come as their senders like, and are signed instead.
        if media_type != "application/json" and not scope["path"].startswith(WEBHOOKS):
            raise _Refused(415, "unsupported-media-type", "Send the body as application/json.")
        declared = headers.get(b"content-length", "0")
        if declared.isdigit() and int(declared) > self._max_body_bytes:
            raise self._too_large()
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._read(receive)
        except TimeoutError as error:
            detail = f"The body did not arrive within {self._timeout_s:g} s."
            # Else the rest of the body could keep the connection for as long as it likes to trickle in.
            raise _Refused(408, "request-timeout", detail, {"Connection": "close"}) from error

    async def _read(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Refused(400, "disconnected", "The client went away before the body had arrived.")
            body += message.get("body", b"")
            if len(body) > self._max_body_bytes:
                raise self._too_large()
            if not message.get("more_body"):
                return bytes(body)

    def _too_large(self) -> _Refused:
        return _Refused(413, "body-too-large", f"The body may have {self._max_body_bytes:,} bytes at most.")


def _template(scope: Scope) -> str:
    """The route as it is written in the code: a path is different each time, and a series of its own each time."""
    route: str | None = getattr(scope.get("route"), "path", None)
    if route is None:
        return "unknown"
    # A router's own prefix is not part of its template.
    return f"/v1{route}" if scope["path"].startswith("/v1/") and not route.startswith("/v1") else route


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
