"""``/v1/deliveries`` and ``/v1/received``: what is on its way, what was given up, and once more, please."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse

from triage.channels import inbox, outbox
from triage.channels.views import delivery_view, received_view
from triage.tickets.keys import Scope
from triage.web.context import Caller, allowed
from triage.web.paging import readable
from triage.web.schemas import LetterOut, LetterPage, ReceivedOut, ReceivedPage

router = APIRouter(tags=["channels"])

Reader = Annotated[Caller, Depends(allowed(Scope.TICKETS_READ))]
Writer = Annotated[Caller, Depends(allowed(Scope.TICKETS_WRITE))]
Limit = Annotated[int, Query(ge=1, le=200)]
ChannelName = Annotated[str | None, Query(max_length=100)]


@router.get("/deliveries", summary="List what is sent to channels", responses={200: {"model": LetterPage}})
def get_deliveries(
    caller: Reader,
    state: Literal["pending", "sending", "delivered", "dead"] | None = None,
    channel: ChannelName = None,
    limit: Limit = 50,
) -> JSONResponse:
    """Newest first; `state=dead` are those that were given up."""
    with caller.here.sessions() as session:
        rows = outbox.listed(session, state=state, channel=channel, limit=limit)
        return JSONResponse(jsonable_encoder({"deliveries": [delivery_view(row) for row in rows]}))


@router.get("/deliveries/{delivery_id}", summary="Read a delivery", responses={200: {"model": LetterOut}})
def get_delivery(delivery_id: str, caller: Reader) -> JSONResponse:
    """What was tried, what is done of it, and what the system said."""
    with caller.here.sessions() as session:
        return JSONResponse(jsonable_encoder(delivery_view(outbox.find(session, readable(delivery_id)))))


@router.post(
    "/deliveries/{delivery_id}/retry",
    summary="Send a dead letter again",
    status_code=202,
    responses={202: {"model": LetterOut}},
)
def post_retry(delivery_id: str, caller: Writer) -> JSONResponse:
    """Only what was not done yet is done."""
    with caller.here.sessions.begin() as session:
        row = outbox.retry(session, caller.here.jobs, readable(delivery_id))
        return JSONResponse(jsonable_encoder(delivery_view(row)), 202)


@router.get("/received", summary="List what channels brought", responses={200: {"model": ReceivedPage}})
def get_received(
    caller: Reader,
    state: Literal["pending", "done", "ignored", "dead"] | None = None,
    channel: ChannelName = None,
    limit: Limit = 50,
) -> JSONResponse:
    """Newest first; `state=dead` is what could not be worked on."""
    with caller.here.sessions() as session:
        rows = inbox.listed(session, state=state, channel=channel, limit=limit)
        return JSONResponse(jsonable_encoder({"received": [received_view(row) for row in rows]}))


@router.post(
    "/received/{received_id}/retry",
    summary="Work on it again",
    status_code=202,
    responses={202: {"model": ReceivedOut}},
)
def post_received_retry(received_id: str, caller: Writer) -> JSONResponse:
    """Queue what was given up once more."""
    with caller.here.sessions.begin() as session:
        row = inbox.retry(session, caller.here.jobs, readable(received_id))
        return JSONResponse(jsonable_encoder(received_view(row)), 202)
