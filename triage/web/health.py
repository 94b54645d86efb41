"""``/healthz``, ``/readyz``, ``/metrics`` and ``/v1/models``: how is it, and what is in use?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy.exc import SQLAlchemyError

from kb import KnowledgeError
from triage import __version__
from triage.channels.states import states
from triage.db.upgrade import check_database
from triage.desk import doubts
from triage.errors import TriageError
from triage.learning.registry import champion, list_models
from triage.tickets.keys import Scope
from triage.understand.clearance import clearance_view
from triage.web.context import Caller, Context, allowed, context_of
from triage.web.errors import NO_DATABASE
from triage.web.schemas import ModelsOut, ReadyOut

router = APIRouter(tags=["operation"])
models_router = APIRouter(tags=["models"])

log = structlog.get_logger(__name__)


@router.get("/", include_in_schema=False)
def index(request: Request) -> dict[str, object]:
    """What this is, and where to read on."""
    return {
        "name": "triage",
        "version": __version__,
        "openapi": "/v1/openapi.json",
        "access": _access(context_of(request)),
    }


@router.get("/healthz", summary="Is the process alive?", response_class=PlainTextResponse)
def healthz() -> PlainTextResponse:
    """Answers as long as the process does."""
    return PlainTextResponse("ok")


@router.get(
    "/readyz",
    summary="Can it do its work?",
    responses={200: {"model": ReadyOut}, 503: {"model": ReadyOut, "description": "A part of it is not usable."}},
)
def readyz(request: Request) -> JSONResponse:
    """Each part with its state in words; 503 where one of them is not usable. A desk without a model is ready."""
    here = context_of(request)
    parts = {
        "database": _state(lambda: _database(here)),
        "encoder": _state(lambda: _encoder(here)),
        "knowledge_base": _state(lambda: _knowledge_base(here)),
        "model": _state(lambda: _model(here)),
        "past_tickets": _state(lambda: here.desk.past),
    }
    ready = all(part["ready"] for part in parts.values())
    # A channel that cannot be used is said here and keeps nothing else from working: the others go on.
    channels = _channels(here)
    return JSONResponse({"ready": ready, "access": _access(here), **parts, "channels": channels}, 200 if ready else 503)


@router.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse)
def metrics() -> Response:
    """Counters and histograms in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@models_router.get("/models", summary="List models", responses={200: {"model": ModelsOut}})
def get_models(caller: Annotated[Caller, Depends(allowed(Scope.MODELS_READ))]) -> JSONResponse:
    """All models with their figures, and what the one in use may apply by itself."""
    folder = caller.here.settings.models_folder
    used = champion(folder)
    clearance = {name: clearance_view(one) for name, one in caller.here.desk.current().clearance.fields.items()}
    cards = [card.as_json() for card in list_models(folder)]
    return JSONResponse({"champion": used.name if used else None, "models": cards, "clearance": clearance})


def _state(check: Callable[[], str]) -> dict[str, object]:
    try:
        return {"ready": True, "says": check()}
    except (TriageError, KnowledgeError, OSError) as error:
        return {"ready": False, "says": str(error)}
    except SQLAlchemyError as error:
        log.error("database", error=type(error).__name__)
        return {"ready": False, "says": NO_DATABASE}


def _database(here: Context) -> str:
    check_database(here.engine)
    return f"{here.engine.dialect.name}, reachable and up to date"


def _encoder(here: Context) -> str:
    return f"loaded: {here.desk.encoder.dimension} dimensions, fingerprint {here.desk.encoder.fingerprint[:12]}"


def _knowledge_base(here: Context) -> str:
    knowledge = here.desk.knowledge
    knowledge.refresh()
    if not knowledge.articles():
        return "empty, so nothing is answered; fill it with `triage kb sync PATH`"
    return f"{len(knowledge.articles()):,} articles, {knowledge.passages:,} passages, snapshot {knowledge.snapshot}"


def _model(here: Context) -> str:
    """The model and the policy that it decides by."""
    loaded = here.desk.current()
    classifier = loaded.classifier
    if classifier is None:
        return "no model yet, so only rules decide; train one with `triage train`"
    if here.desk.refusal:
        return here.desk.refusal
    said = f"model {classifier.model_id} predicts {', '.join(classifier.fields)}"
    return " ".join([said, *(f"– {sentence}" for sentence in doubts(classifier, loaded.policy))])


def _channels(here: Context) -> dict[str, dict[str, object]]:
    said: dict[str, dict[str, object]] = {
        name: {"ready": False, "says": says} for name, says in here.channels.broken.items()
    }
    try:
        with here.sessions() as session:
            troubles = {name: row.trouble for name, row in states(session).items()}
    except SQLAlchemyError:
        troubles = {}
    for name, channel in here.channels.open.items():
        trouble = troubles.get(name, "")
        says = f"{channel.kind}, policy {channel.policy.mode}" + (f"; last trouble: {trouble}" if trouble else "")
        said[name] = {"ready": not trouble, "says": says}
    return said


def _access(here: Context) -> str:
    try:
        is_open = here.runs_open()
    except SQLAlchemyError:
        return "unknown: the database with the keys does not answer"
    if is_open:
        return "open: no key was made and only this machine can reach the server; `triage keys create` closes it"
    return "by key: Authorization: Bearer trg_…"
