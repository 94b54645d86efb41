"""``/v1/webhooks``: how do other systems tell what happened?"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool

from triage import telemetry
from triage.channels.common.system import Channel
from triage.channels.common.values import Received, Webhook
from triage.channels.inbox import keep_unreadable, take
from triage.errors import NotFound, TriageError
from triage.web.context import Context, context_of
from triage.web.schemas import WebhookOut

PREFIX = "/v1/webhooks/"

router = APIRouter(tags=["channels"])
log = structlog.get_logger(__name__)


@router.post(
    "/webhooks/{channel}",
    summary="Tell what happened",
    status_code=202,
    responses={202: {"model": WebhookOut, "description": "Verified and stored; it is worked on afterwards."}},
)
async def post_webhook(channel: str, request: Request) -> Response:
    """Verified on the raw bytes by the channel's scheme, stored in one transaction, answered before any work."""
    return await _receive(channel, "", request)


@router.post(
    "/webhooks/{channel}/{secret:path}",
    summary="Tell what happened, by a secret address",
    status_code=202,
    responses={202: {"model": WebhookOut, "description": "Verified and stored; it is worked on afterwards."}},
)
async def post_webhook_by_secret(channel: str, secret: str, request: Request) -> Response:
    """As above, for senders that can sign nothing: the secret is the last part of the address."""
    return await _receive(channel, secret, request)


async def _receive(name: str, secret: str, request: Request) -> Response:
    headers = {key.lower(): value for key, value in request.headers.items()}
    webhook = Webhook(headers, await request.body(), datetime.now(UTC), secret)
    return await run_in_threadpool(_take_in, context_of(request), name, webhook)


def _take_in(here: Context, name: str, webhook: Webhook) -> Response:
    began = time.perf_counter()
    channel = here.channels.find(name)
    if channel.dispatch is not None:
        answer = channel.dispatch(webhook)
        return Response(answer.body, answer.status, dict(answer.headers))
    try:
        received = _read(channel, webhook)
    except TriageError as error:
        telemetry.RECEIVED.labels(name, "refused").inc()
        log.warning("webhook refused", channel=name, reason=str(error))
        raise
    except Exception as error:  # the sender has done its part: what our own code cannot read is kept for us
        log.error("webhook not read", channel=name, exc_info=error)
        keep_unreadable(here.sessions, name, webhook.body, f"Unexpected {type(error).__name__}: see the server's log.")
        return JSONResponse({"received": True, "note": "kept to be looked at"}, 202)
    is_new = take(here.sessions, here.jobs, name, received)
    telemetry.WEBHOOK_SECONDS.labels(name).observe(telemetry.seconds_since(began))
    return JSONResponse({"received": True, "new": is_new, "event": received.event, "note": received.note}, 202)


def _read(channel: Channel, webhook: Webhook) -> Received:
    if channel.parse is None or channel.verifier is None:
        raise NotFound(f"Channel {channel.name} takes no webhooks.")
    channel.verifier.check(webhook)
    return channel.parse(webhook)
