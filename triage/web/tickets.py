"""``/v1/tickets`` and ``/v1/triage``: how do tickets come in, and how are their stories read?"""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from sqlalchemy.exc import IntegrityError

from triage import telemetry
from triage.errors import BadInput, Conflict
from triage.pipeline import accept, assess
from triage.tickets import store
from triage.tickets.feedback import add_feedback
from triage.tickets.keys import Scope
from triage.tickets.model import AnswerFeedback, Correction, IncomingTicket, TicketState
from triage.tickets.views import Json, assessment_view, correction_view, feedback_view, story_view, without_titles
from triage.web.context import Caller, Context, allowed
from triage.web.paging import cursor_after, id_in, next_link, readable
from triage.web.requests import CorrectionIn, FeedbackIn, TicketIn
from triage.web.schemas import AssessmentOut, CorrectionOut, FeedbackOut, TicketOut, TicketPage

router = APIRouter(tags=["tickets"])

Writer = Annotated[Caller, Depends(allowed(Scope.TICKETS_WRITE))]
Reader = Annotated[Caller, Depends(allowed(Scope.TICKETS_READ))]
Asker = Annotated[Caller, Depends(allowed(Scope.ANSWERS))]

# The first look comes soon, for a ticket takes some 20 ms; later ones spare the database.
FIRST_LOOK_S, LONGEST_PAUSE_S = 0.02, 0.25

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="A name of your own for this request: repeating it with the same content does nothing twice.",
        max_length=200,
        pattern=r"^[\x21-\x7e]+$",
    ),
]


class KeyReused(Conflict):
    """An idempotency key came with other content than before."""

    code = "idempotency-key-reused"
    status = 422  # as draft-ietf-httpapi-idempotency-key-header asks, section 2.7


@router.post(
    "/tickets",
    summary="Hand a ticket in",
    status_code=202,
    responses={
        202: {"model": TicketOut, "description": "Stored and queued; Location says where its story is."},
        200: {"model": TicketOut, "description": "Finished within `wait` seconds."},
    },
)
def post_ticket(
    ticket: TicketIn,
    caller: Writer,
    wait: Annotated[float, Query(ge=0, le=300, description="Seconds to wait for the result.")] = 0,
    idempotency_key: Key = None,
) -> JSONResponse:
    """Store and queue a ticket in one transaction; the 2xx is sent after the commit, so it cannot be lost."""
    incoming = IncomingTicket(
        subject=ticket.subject,
        body=ticket.body,
        requester=ticket.requester,
        channel=ticket.channel,
        source=f"rest:{caller.key_id}",
        delivery_id=idempotency_key,
        features=ticket.features,
    )
    try:
        with caller.here.sessions.begin() as session:
            acceptance = accept(session, caller.here.jobs, incoming, mask_stored=caller.here.settings.mask_stored)
    except Conflict as error:
        raise KeyReused(str(error)) from error
    if acceptance.is_new:
        telemetry.TICKETS_ACCEPTED.labels("rest").inc()
    finished = (
        wait_for(caller.here, acceptance.ticket_id, min(wait, caller.here.settings.max_wait_s)) if wait else False
    )
    with caller.here.sessions() as session:
        story = story_view(store.find_ticket(session, acceptance.ticket_id))
    headers = {"Location": f"/v1/tickets/{acceptance.ticket_id}"}
    return JSONResponse(jsonable_encoder(story), 200 if finished else 202, headers)


@router.get("/tickets", summary="List tickets", responses={200: {"model": TicketPage}})
def get_tickets(
    caller: Reader,
    cursor: Annotated[str | None, Query(max_length=100, description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    state: TicketState | None = None,
) -> JSONResponse:
    """Tickets with their stories, newest first."""
    before = _ticket_in(cursor) if cursor else None
    with caller.here.sessions() as session:
        rows = store.list_tickets(session, before=before, limit=limit + 1, state=state)
        stories = [story_view(row) for row in rows[:limit]]
    following = cursor_after(rows[limit - 1].id) if len(rows) > limit else None
    link = next_link("/v1/tickets", {"limit": limit, "state": state}, following)
    return JSONResponse(jsonable_encoder({"tickets": stories, "next": following}), headers=link)


@router.get("/tickets/{ticket_id}", summary="Read a ticket's whole story", responses={200: {"model": TicketOut}})
def get_ticket(ticket_id: str, caller: Reader) -> JSONResponse:
    """Every prediction, decision, reason, answer, citation, delivery and correction."""
    with caller.here.sessions() as session:
        return JSONResponse(jsonable_encoder(story_view(store.find_ticket(session, readable(ticket_id)))))


@router.post(
    "/tickets/{ticket_id}/corrections",
    summary="Correct a field",
    status_code=201,
    responses={201: {"model": CorrectionOut}},
)
def post_correction(
    ticket_id: str,
    correction: CorrectionIn,
    caller: Writer,
    idempotency_key: Key = None,
) -> JSONResponse:
    """Record what a field should have been; the next model learns from it."""
    given = Correction(**correction.model_dump(), idempotency_key=idempotency_key)
    try:
        view = _correct(caller.here, readable(ticket_id), given)
    except IntegrityError:  # the same key came twice at once, and the other was first: now it can be read
        view = _correct(caller.here, readable(ticket_id), given)
    return JSONResponse(jsonable_encoder(view), 201)


@router.post(
    "/tickets/{ticket_id}/feedback",
    summary="Judge the answer",
    status_code=201,
    responses={201: {"model": FeedbackOut}},
)
def post_feedback(ticket_id: str, feedback: FeedbackIn, caller: Writer, idempotency_key: Key = None) -> JSONResponse:
    """Record whether the answer solved it; `triage kb calibrate --from-feedback` learns from it."""
    given = AnswerFeedback(**feedback.model_dump(), idempotency_key=idempotency_key)
    try:
        view = _judge(caller.here, readable(ticket_id), given)
    except IntegrityError:  # as for a correction
        view = _judge(caller.here, readable(ticket_id), given)
    return JSONResponse(jsonable_encoder(view), 201)


@router.post("/triage", summary="Preview a ticket", responses={200: {"model": AssessmentOut}})
def post_triage(ticket: TicketIn, caller: Asker) -> JSONResponse:
    """What would be decided and answered; nothing is stored.

    The beginnings of similar tickets are shown to keys that may read tickets.
    """
    if not (ticket.subject.strip() or ticket.body.strip()):
        raise BadInput("The ticket has no text: give it a subject or a body.")
    incoming = IncomingTicket(ticket.subject, ticket.body, ticket.requester, ticket.channel, features=ticket.features)
    view = assessment_view(incoming, assess(incoming, caller.here.desk.current()))
    if not caller.may(Scope.TICKETS_READ):
        view["similar"] = without_titles(view["similar"])
    return JSONResponse(view)


def wait_for(here: Context, ticket_id: str, seconds: float) -> bool:
    """Wait until the ticket is finished; False where time runs out, or where too many wait already."""
    if not here.waiting.acquire(blocking=False):
        return False
    try:
        deadline = time.monotonic() + seconds
        pause = FIRST_LOOK_S
        while True:
            with here.sessions() as session:
                if store.ticket_state(session, ticket_id) != TicketState.ACCEPTED:
                    return True
            if time.monotonic() + pause > deadline:
                return False
            if here.stopping.wait(pause):
                return False
            pause = min(pause * 1.5, LONGEST_PAUSE_S)
    finally:
        here.waiting.release()


def _correct(here: Context, ticket_id: str, given: Correction) -> Json:
    try:
        with here.sessions.begin() as session:
            return correction_view(store.add_correction(session, ticket_id, given))
    except Conflict as error:
        raise KeyReused(str(error)) from error


def _judge(here: Context, ticket_id: str, given: AnswerFeedback) -> Json:
    try:
        with here.sessions.begin() as session:
            return feedback_view(add_feedback(session, ticket_id, given))
    except Conflict as error:
        raise KeyReused(str(error)) from error


def _ticket_in(cursor: str) -> str:
    ticket_id = id_in(cursor)
    if readable(ticket_id) != ticket_id:
        raise BadInput("The cursor is none of this list; take `next` of the page before.")
    return ticket_id
