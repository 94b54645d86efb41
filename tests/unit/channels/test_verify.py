"""Signatures of real vendors' schemes, made here with the standard library, and what must not pass."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from standardwebhooks import Webhook as StandardWebhook

from triage.channels.common.values import Webhook
from triage.channels.common.verify import NotVerified, Verifier, VerifyTable, open_verifier
from triage.channels.webhook import signed
from triage.errors import Misconfigured

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BODY = '{"subject": "VPN – früh"}'.encode()
STANDARD = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


def verifier(secrets: dict[str, str], **table: object) -> Verifier:
    table = {"secrets": [f"env:{name}" for name in secrets], **table}
    return open_verifier(TypeAdapter(VerifyTable).validate_python(table), secrets)


def webhook(body: bytes = BODY, secret: str = "", **headers: str) -> Webhook:
    return Webhook({name.replace("_", "-").lower(): value for name, value in headers.items()}, body, NOW, secret)


def hexed(key: str, content: bytes, algorithm: str = "sha256") -> str:
    return hmac.new(key.encode(), content, algorithm).hexdigest()


def test_github_style() -> None:
    scheme = verifier({"S": "s3cret"}, scheme="hmac", header="X-Hub-Signature-256", prefix="sha256=")
    scheme.check(webhook(X_Hub_Signature_256="sha256=" + hexed("s3cret", BODY)))
    for wrong in ("", "sha256=", hexed("s3cret", BODY), "sha256=" + hexed("other", BODY), "sha256=ü"):
        with pytest.raises(NotVerified):
            scheme.check(webhook(X_Hub_Signature_256=wrong))
    with pytest.raises(NotVerified):
        scheme.check(webhook(BODY + b" ", X_Hub_Signature_256="sha256=" + hexed("s3cret", BODY)))


def test_zendesk_style_signs_the_moment_too() -> None:
    scheme = verifier(
        {"S": "s3cret"},
        scheme="hmac",
        header="X-Zendesk-Webhook-Signature",
        timestamp_header="X-Zendesk-Webhook-Signature-Timestamp",
        signs="{timestamp}{body}",
        encoding="base64",
    )
    for stamp, fine in [
        ("2026-11-23T12:00:00Z", True),
        ("2026-11-23T11:54:59Z", False),
        ("2026-11-23T12:05:01Z", False),
        ("2026-11-23T13:00:30+01:00", True),
        ("yesterday", False),
        ("", False),
        ("9" * 400, False),
    ]:
        sent = base64.b64encode(hmac.new(b"s3cret", stamp.encode() + BODY, hashlib.sha256).digest()).decode()
        given_webhook = webhook(X_Zendesk_Webhook_Signature=sent, X_Zendesk_Webhook_Signature_Timestamp=stamp)
        if fine:
            scheme.check(given_webhook)
        else:
            with pytest.raises(NotVerified):
                scheme.check(given_webhook)


def test_a_moment_that_is_not_signed_counts_for_nothing() -> None:
    with pytest.raises(ValidationError, match="belong together"):
        verifier({"S": "s"}, scheme="hmac", header="X-Sig", timestamp_header="X-Time")


def test_slack_style_with_a_literal_before_the_moment() -> None:
    scheme = verifier(
        {"S": "s3cret"},
        scheme="hmac",
        header="X-Slack-Signature",
        timestamp_header="X-Slack-Request-Timestamp",
        signs="v0:{timestamp}:{body}",
        prefix="v0=",
    )
    stamp = str(int(NOW.timestamp()))
    sent = "v0=" + hexed("s3cret", b"v0:" + stamp.encode() + b":" + BODY)
    scheme.check(webhook(X_Slack_Signature=sent, X_Slack_Request_Timestamp=stamp))
    old = str(int((NOW - timedelta(minutes=6)).timestamp()))
    with pytest.raises(NotVerified, match="replay"):
        scheme.check(
            webhook(
                X_Slack_Signature="v0=" + hexed("s3cret", b"v0:" + old.encode() + b":" + BODY),
                X_Slack_Request_Timestamp=old,
            )
        )


def test_both_secrets_are_valid_while_one_is_changed() -> None:
    scheme = verifier({"NEW": "new", "OLD": "old"}, scheme="hmac", header="X-Sig")
    for secret in ("new", "old"):
        scheme.check(webhook(X_Sig=hexed(secret, BODY)))
        scheme.check(webhook(X_Sig=hexed(secret, BODY).upper()))
    with pytest.raises(NotVerified):
        scheme.check(webhook(X_Sig=hexed("older", BODY)))


def test_token_basic_and_path() -> None:
    verifier({"S": "t0ken"}, scheme="header", header="Authorization", prefix="Bearer ").check(
        webhook(Authorization="Bearer t0ken")
    )
    basic = verifier({"S": "user:pä:ss"}, scheme="basic")
    basic.check(webhook(Authorization="Basic " + base64.b64encode("user:pä:ss".encode()).decode()))
    for wrong in ("", "Basic", "Basic !!!", "Bearer x", "Basic " + base64.b64encode(b"user:no").decode()):
        with pytest.raises(NotVerified):
            basic.check(webhook(Authorization=wrong))
    path = verifier({"S": "longandrandom"}, scheme="path")
    path.check(webhook(secret="longandrandom"))
    for wrong in ("", "longandrando", "ü"):
        with pytest.raises(NotVerified):
            path.check(webhook(secret=wrong))


def test_our_standard_webhooks_verify_with_the_reference_implementation_and_with_ours() -> None:
    keys = (base64.b64decode(STANDARD.removeprefix("whsec_")),)
    headers = signed("msg_1", BODY, keys)
    StandardWebhook(STANDARD).verify(BODY.decode(), headers)
    ours = verifier({"S": STANDARD}, scheme="standard")
    ours.check(Webhook({name.lower(): value for name, value in headers.items()}, BODY, datetime.now(UTC)))
    with pytest.raises(NotVerified):
        ours.check(Webhook({**headers, "webhook-id": "msg_2"}, BODY, datetime.now(UTC)))
    with pytest.raises(NotVerified):
        ours.check(Webhook({}, BODY, datetime.now(UTC)))


def test_secrets_that_are_missing_or_of_the_wrong_shape_are_told_at_the_start() -> None:
    with pytest.raises(Misconfigured, match="env:S is empty"):
        verifier({"S": ""}, scheme="path")
    with pytest.raises(Misconfigured, match="whsec_"):
        verifier({"S": "whsec_?"}, scheme="standard")
    with pytest.raises(Misconfigured, match="user:password"):
        verifier({"S": "nocolon"}, scheme="basic")
    with pytest.raises(ValidationError, match="not the secret itself"):
        TypeAdapter(VerifyTable).validate_python({"scheme": "path", "secrets": ["hunter2"]})


@given(st.text(max_size=60), st.text(max_size=60), st.binary(max_size=60))
def test_no_header_and_no_body_upsets_a_verifier(signature: str, stamp: str, body: bytes) -> None:
    scheme = verifier({"S": "s"}, scheme="hmac", header="X-Sig", timestamp_header="X-Time", signs="{timestamp}.{body}")
    with pytest.raises(NotVerified):
        scheme.check(webhook(body, X_Sig=signature, X_Time=stamp))
