"""Did a webhook really come from whom it says, and just now? On the raw bytes, before anything is parsed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from triage.channels.common.tables import Secret, Table
from triage.channels.common.values import Webhook
from triage.errors import Misconfigured, NotAllowed

# As Standard Webhooks, Slack and Stripe recommend: long enough for a slow clock, too short to be worth replaying.
WINDOW_S = 300.0
_PLACES = re.compile(r"\{(timestamp|id|body)\}")


class NotVerified(NotAllowed):
    """The signature, token or time of a webhook is missing or wrong."""

    code = "not-verified"
    status = 401


def _header_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}", value):
        raise ValueError(f"{value!r} is no name of a header")
    return value.lower()


def _template(value: str) -> str:
    if "{body}" not in value:
        raise ValueError("what is signed must hold {body}, or anybody could change it")
    return value


HeaderName = Annotated[str, AfterValidator(_header_name)]
Secrets = Annotated[tuple[Secret, ...], Field(min_length=1, max_length=2)]


class HmacTable(Table):
    """A signature over the body; ``signs`` is the signed string, such as ``{timestamp}.{body}``.

    A timestamp outside of the signed string proves nothing, so one is only looked at where the string holds it.
    """

    scheme: Literal["hmac"]
    secrets: Secrets
    header: HeaderName
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    signs: Annotated[str, AfterValidator(_template)] = "{body}"
    timestamp_header: HeaderName | None = None
    id_header: HeaderName | None = None

    @model_validator(mode="after")
    def _headers_for_places(self) -> HmacTable:
        if ("{timestamp}" in self.signs) != (self.timestamp_header is not None):
            raise ValueError("timestamp_header and {timestamp} in `signs` belong together")
        if ("{id}" in self.signs) != (self.id_header is not None):
            raise ValueError("id_header and {id} in `signs` belong together")
        return self


class StandardTable(Table):
    """Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md."""

    scheme: Literal["standard"]
    secrets: Secrets


class HeaderTable(Table):
    """A token in a header, for senders that sign nothing."""

    scheme: Literal["header"]
    secrets: Secrets
    header: HeaderName
    prefix: str = ""


class BasicTable(Table):
    """HTTP basic authentication; each secret is ``user:password``."""

    scheme: Literal["basic"]
    secrets: Secrets


class PathTable(Table):
    """A secret as the last part of the address, for senders that can do nothing else."""

    scheme: Literal["path"]
    secrets: Secrets


VerifyTable = Annotated[HmacTable | StandardTable | HeaderTable | BasicTable | PathTable, Field(discriminator="scheme")]


@dataclass(frozen=True, slots=True)
class Verifier:
    """A verification scheme with its secrets; the newest and the one before are both valid."""

    table: HmacTable | StandardTable | HeaderTable | BasicTable | PathTable
    secrets: tuple[bytes, ...]

    def check(self, webhook: Webhook) -> None:
        """Raises ``NotVerified`` with the reason, which never holds what should have been sent."""
        match self.table:
            case HmacTable():
                self._hmac(self.table, webhook)
            case StandardTable():
                self._standard(webhook)
            case HeaderTable():
                given = webhook.headers.get(self.table.header, "")
                if not given.startswith(self.table.prefix):
                    raise NotVerified(f"The header {self.table.header} does not begin as it should.")
                self._equal(given.removeprefix(self.table.prefix), f"the token in {self.table.header}")
            case BasicTable():
                self._equal(_basic(webhook.headers.get("authorization", "")), "user and password")
            case PathTable():
                self._equal(webhook.path_secret, "the secret in the address")

    def _equal(self, given: str, what: str) -> None:
        sent = given.encode("utf-8", "surrogateescape")
        # All are compared, so that the time tells nothing about which was near.
        if not any([hmac.compare_digest(sent, secret) for secret in self.secrets]):
            raise NotVerified(f"{what[0].upper()}{what[1:]} is missing or wrong.")

    def _hmac(self, table: HmacTable, webhook: Webhook) -> None:
        given = webhook.headers.get(table.header, "")
        if not given.startswith(table.prefix) or given == table.prefix:
            raise NotVerified(f"The header {table.header} is missing or does not begin as it should.")
        stamp = webhook.headers.get(table.timestamp_header, "") if table.timestamp_header else ""
        if table.timestamp_header:
            check_window(stamp, webhook.received_at)
        values = {
            "timestamp": stamp.encode("utf-8", "surrogateescape"),
            "id": webhook.headers.get(table.id_header, "").encode("utf-8", "surrogateescape")
            if table.id_header
            else b"",
            "body": webhook.body,
        }
        content = signed_content(table.signs, values)
        self._signed([given.removeprefix(table.prefix)], content, table.algorithm, table.encoding)

    def _standard(self, webhook: Webhook) -> None:
        name, stamp = webhook.headers.get("webhook-id", ""), webhook.headers.get("webhook-timestamp", "")
        if not name:
            raise NotVerified("The header webhook-id is missing.")
        check_window(stamp, webhook.received_at)
        kinds = [part.partition(",") for part in webhook.headers.get("webhook-signature", "").split(" ")]
        given = [value for kind, _, value in kinds if kind == "v1"]
        self._signed(given, standard_content(name, stamp, webhook.body), "sha256", "base64")

    def _signed(self, given: list[str], content: bytes, algorithm: str, encoding: str) -> None:
        # A hexadecimal signature may come in capitals.
        sent = [(one.lower() if encoding == "hex" else one).encode("utf-8", "surrogateescape") for one in given]
        right = [signature(secret, content, algorithm, encoding).encode() for secret in self.secrets]
        if not any([hmac.compare_digest(one, other) for one in sent for other in right]):
            raise NotVerified("The signature is missing or wrong: check the secret on both sides.")


def open_verifier(table: VerifyTable, environment: Mapping[str, str]) -> Verifier:
    """The scheme with its secrets read; raises ``Misconfigured``."""
    values = [secret.read(environment) for secret in table.secrets]
    if isinstance(table, StandardTable):
        return Verifier(table, tuple(standard_key(value) for value in values))
    if isinstance(table, BasicTable) and not all(":" in value for value in values):
        raise Misconfigured("A secret of the scheme `basic` must be user:password.")
    return Verifier(table, tuple(value.encode() for value in values))


def signature(key: bytes, content: bytes, algorithm: str, encoding: str) -> str:
    """The HMAC of ``content``, ``hex`` (in small letters) or ``base64``."""
    digest = hmac.new(key, content, getattr(hashlib, algorithm)).digest()
    return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()


def signed_content(template: str, values: Mapping[str, bytes]) -> bytes:
    """The signed string: the template with ``{timestamp}``, ``{id}`` and ``{body}`` replaced, each once, as bytes."""
    parts = _PLACES.split(template)
    # Every second part is the name of a place; what a value holds is not looked at again.
    return b"".join(values[part] if place % 2 else part.encode() for place, part in enumerate(parts))


def standard_content(name: str, stamp: str, body: bytes) -> bytes:
    """What Standard Webhooks sign."""
    return b".".join([name.encode("utf-8", "surrogateescape"), stamp.encode("utf-8", "surrogateescape"), body])


def standard_key(secret: str) -> bytes:
    """The bytes of a Standard Webhooks secret, ``whsec_`` and base64; raises ``Misconfigured``."""
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Misconfigured("A Standard Webhooks secret is whsec_ and base64.") from error


def check_window(stamp: str, now: datetime) -> None:
    """Raises ``NotVerified`` unless the timestamp (Unix seconds or milliseconds, or ISO 8601) is near to ``now``."""
    sent = _moment(stamp.strip())
    if sent is None:
        raise NotVerified("The timestamp is missing or cannot be read.")
    away = (now - sent).total_seconds()
    if abs(away) > WINDOW_S:
        way = "old" if away > 0 else "in the future"
        raise NotVerified(
            f"The timestamp is {abs(away):,.0f} s {way}, {WINDOW_S:.0f} s are allowed: is a clock wrong, or is this a "
            "replay?"
        )


def _moment(stamp: str) -> datetime | None:
    try:
        if re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", stamp):
            seconds = float(stamp)
            return datetime.fromtimestamp(seconds / 1_000 if seconds > 1e11 else seconds, UTC)
        moment = datetime.fromisoformat(stamp)
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _basic(value: str) -> str:
    kind, _, code = value.partition(" ")
    if kind.lower() != "basic":
        return ""
    try:
        return base64.b64decode(code.strip(), validate=True).decode("utf-8", "surrogateescape")
    except (binascii.Error, ValueError):
        return ""
