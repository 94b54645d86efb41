"""How is another system called over HTTP so that it can neither hold us up nor fool us?"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Self

import httpx

from triage import __version__
from triage.channels.common.values import DeliveryFailed, Gone
from triage.privacy import mask

# No answer that we read is longer; an error page that is longer says nothing more.
MOST_BYTES = 2_000_000
MOST_WORDS = 300
# A system may ask to be left alone for so long; more is taken for a mistake.
MOST_WAIT_S = 6 * 3600.0
# The request itself is wrong, so the same again will fail again.
HOPELESS = {400, 405, 406, 413, 414, 415, 422, 501}
GONE = {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}
# It is ours to read again and to try again, the system as such is well.
CROSSED = {HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.TOO_EARLY}


@dataclass(frozen=True, slots=True)
class Reply:
    """A 2xx answer: its body, and the validator for If-Match where it gave one."""

    status: int
    body: bytes
    etag: str | None

    def json(self) -> object:
        """The body's value; a page for people instead of JSON is a failure of the system, whatever its status."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise DeliveryFailed(f"It answered {self.status} with something that is not JSON.", faulty=True) from error


class TooLong(DeliveryFailed):
    """The answer is longer than is read."""


class Caller:
    """Calls one system; redirects are not followed, so that secrets go nowhere else."""

    def __init__(
        self,
        base: str,
        *,
        timeout_s: float,
        auth: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self._timeout_s = timeout_s
        self._most_bytes = most_bytes
        self._client = httpx.Client(
            base_url=base,
            auth=auth,
            headers={"User-Agent": f"triage/{__version__}", **(headers or {})},
            timeout=timeout_s,
            follow_redirects=False,
        )

    def call(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        most_bytes: int | None = None,
    ) -> Reply:
        """The answer where it is 2xx; raises ``DeliveryFailed`` that says whether to try again, and when.

        Raises ``TooLong`` beyond ``most_bytes``, which is as for the caller where it is None.
        """
        deadline = time.monotonic() + self._timeout_s
        try:
            with self._client.stream(method, path, content=content, headers=headers, params=query) as response:
                body = self._read(response, deadline, most_bytes or self._most_bytes)
        except httpx.TimeoutException as error:
            raise self._too_slow() from error
        except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL) as error:
            raise DeliveryFailed(f"It cannot be reached: {type(error).__name__}.", faulty=True) from error
        if response.status_code in GONE:
            raise Gone(f"It answered {response.status_code} {_phrase(response.status_code)}.")
        if not response.is_success:
            raise failure(response.status_code, response.headers, datetime.now(UTC), body)
        return Reply(response.status_code, body, response.headers.get("etag"))

    def send_json(self, method: str, path: str, value: object, *, headers: Mapping[str, str] | None = None) -> Reply:
        """Call with a JSON body."""
        content = json.dumps(value).encode()
        return self.call(method, path, content=content, headers={"Content-Type": "application/json", **(headers or {})})

    def send_form(
        self, path: str, fields: Mapping[str, str], files: Sequence[tuple[str, tuple[str, bytes, str]]]
    ) -> Reply:
        """POST a form (RFC 7578); each file as its field, its name, what it holds and its media type."""
        form = self._client.build_request("POST", path, data=fields, files=list(files))
        return self.call("POST", path, content=form.read(), headers={"Content-Type": form.headers["Content-Type"]})

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, response: httpx.Response, deadline: float, most_bytes: int) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes(65_536):
            body += chunk
            if len(body) > most_bytes:
                raise TooLong(f"Its answer is longer than {most_bytes:,} bytes.", faulty=True)
            # A time-out of httpx is one of each read, which an answer that trickles in never reaches.
            if time.monotonic() > deadline:
                raise self._too_slow()
        return bytes(body)

    def _too_slow(self) -> DeliveryFailed:
        return DeliveryFailed(f"It did not answer within {self._timeout_s:g} s.", faulty=True)


def failure(status: int, headers: Mapping[str, str], now: datetime, body: bytes = b"") -> DeliveryFailed:
    """What an answer that is not 2xx means for the delivery and for its channel, with what it said of a 4xx."""
    said = f"It answered {status} {_phrase(status)}".rstrip()
    words = _words(body) if status < HTTPStatus.INTERNAL_SERVER_ERROR else ""
    said += f": {words}" if words else "."
    if status in HOPELESS:
        return DeliveryFailed(said, retryable=False)
    wait_s = retry_after_s(headers.get("retry-after", ""), now)
    if wait_s is None and headers.get("x-ratelimit-remaining") == "0":
        wait_s = reset_s(headers.get("x-ratelimit-reset", ""), now)
    limited = status == HTTPStatus.FORBIDDEN and wait_s is not None
    if limited or status in CROSSED or status == HTTPStatus.TOO_MANY_REQUESTS:
        return DeliveryFailed(said, wait_s=wait_s)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        said += " Check the credentials and what they allow."
    return DeliveryFailed(said, faulty=True, wait_s=wait_s)


def retry_after_s(value: str, now: datetime) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110, section 10.2.3): a number or a date; None where it is none."""
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,12}", value):
        return min(float(value), MOST_WAIT_S)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), MOST_WAIT_S)


def reset_s(value: str, now: datetime) -> float | None:
    """Seconds until a limit that is used up begins anew: a moment in Unix seconds.

    So GitHub tells it, with 403 or 429: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
    """
    if not re.fullmatch(r"[0-9]{10}", value.strip()):
        return None
    return min(max(float(value) - now.timestamp(), 0.0), MOST_WAIT_S)


def _words(body: bytes) -> str:
    """The beginning of what was said, on one line and without what is personal; of a page for people nothing."""
    text = " ".join(body[:4_000].decode("utf-8", "replace").split())
    if text.startswith("<"):
        return ""
    words = mask(text)
    return words if len(words) <= MOST_WORDS else f"{words[:MOST_WORDS]}…"


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
