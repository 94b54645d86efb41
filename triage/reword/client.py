"""What does an OpenAI-compatible endpoint say to a prompt, within a deadline?"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import httpx

from triage.reword.failures import LlmFailed, LlmFailure
from triage.reword.stream import MOST_BYTES, Completion, whole_text

Message = Mapping[str, str]

MOST_TOKENS = 1_500  # an answer has about 1,200 characters; a thinking model needs some more than it says


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the model is asked; ``url`` ends before ``/chat/completions``, ``timeout_s`` is for the whole exchange."""

    url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 10.0

    @property
    def completions(self) -> str:
        """The full address that prompts are posted to."""
        return f"{self.url.rstrip('/')}/chat/completions"


def complete(endpoint: Endpoint, messages: Sequence[Message]) -> str:
    """The model's reply, asked for once; raises ``LlmFailed`` with what went wrong in words.

    Nothing is tried again: the verbatim answer is at hand, and whoever is overloaded is not helped by more requests.
    """
    # The only event loop of the program: of httpx's timeouts none bounds the whole exchange, and a server that sends a
    # byte a second would hold a worker for hours. Cancelling does.
    return asyncio.run(_complete(endpoint, messages))


async def _complete(endpoint: Endpoint, messages: Sequence[Message]) -> str:
    try:
        async with asyncio.timeout(endpoint.timeout_s):
            return await _exchange(endpoint, messages)
    except (TimeoutError, httpx.TimeoutException) as error:
        raise LlmFailed(LlmFailure.TIMEOUT, f"it did not finish within {endpoint.timeout_s:g} seconds") from error
    except httpx.ConnectError as error:
        raise LlmFailed(LlmFailure.UNREACHABLE, f"it cannot be reached ({error})") from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise LlmFailed(LlmFailure.UNREACHABLE, f"its address cannot be used ({error})") from error
    except httpx.TransportError as error:
        what = str(error) or type(error).__name__
        raise LlmFailed(LlmFailure.TRUNCATED, f"the connection broke off ({what})") from error


async def _exchange(endpoint: Endpoint, messages: Sequence[Message]) -> str:
    async with (
        httpx.AsyncClient(timeout=endpoint.timeout_s, verify=_tls(), follow_redirects=False) as client,
        client.stream(
            "POST", endpoint.completions, json=_body(endpoint, messages), headers=_headers(endpoint)
        ) as reply,
    ):
        _check_status(reply)
        kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/event-stream":
            return await _streamed(reply)
        if kind == "application/json":
            return await _in_one_piece(reply)
        raise LlmFailed(LlmFailure.NOT_A_MODEL, f"it sent {kind or 'something without a type'} instead of a completion")


def _body(endpoint: Endpoint, messages: Sequence[Message]) -> dict[str, object]:
    return {
        "model": endpoint.model,
        "messages": list(messages),
        "stream": True,
        "temperature": 0,
        "max_tokens": MOST_TOKENS,
    }


def _headers(endpoint: Endpoint) -> dict[str, str]:
    # Unpacked, a small reply could fill the memory before it is counted.
    headers = {"Accept": "text/event-stream, application/json", "Accept-Encoding": "identity"}
    return headers | ({"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {})


def _check_status(reply: httpx.Response) -> None:
    status = reply.status_code
    if reply.headers.get("content-encoding", "identity") != "identity":
        raise LlmFailed(LlmFailure.MALFORMED, "its reply is packed, which was not asked for")
    if status == httpx.codes.OK:
        return
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise LlmFailed(LlmFailure.RATE_LIMITED, "it refuses further requests for now (429)", _retry_after_s(reply))
    if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        raise LlmFailed(LlmFailure.REFUSED, f"it does not accept the key in TRIAGE_LLM_API_KEY ({status})")
    if status == httpx.codes.NOT_FOUND:
        raise LlmFailed(LlmFailure.REFUSED, "it knows no such address or model (404): see TRIAGE_LLM_URL and _MODEL")
    if reply.is_redirect:
        raise LlmFailed(LlmFailure.REFUSED, f"it points elsewhere ({status}); set TRIAGE_LLM_URL to the final address")
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise LlmFailed(LlmFailure.SERVER_ERROR, f"it failed ({status})", _retry_after_s(reply))
    raise LlmFailed(LlmFailure.REFUSED, f"it refused the request ({status})")


def _retry_after_s(reply: httpx.Response) -> float | None:
    """The pause that the server asks for; a date instead of seconds (RFC 9110, 10.2.3) is not read."""
    value = reply.headers.get("retry-after", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) <= 6 else None


async def _streamed(reply: httpx.Response) -> str:
    completion = Completion()
    async for piece in reply.aiter_raw():
        completion.feed(piece)
        if completion.is_done:
            break
    return completion.text()


async def _in_one_piece(reply: httpx.Response) -> str:
    body = b""
    async for piece in reply.aiter_raw():
        body += piece
        if len(body) > MOST_BYTES:
            raise LlmFailed(LlmFailure.TOO_LONG, f"its reply was larger than {MOST_BYTES:,} bytes")
    return whole_text(body)


@cache
def _tls() -> ssl.SSLContext:
    """Made once: reading the certificates of the world takes tens of milliseconds."""
    return httpx.create_ssl_context()
