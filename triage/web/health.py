"""``/healthz``, ``/readyz``, ``/metrics`` and ``/v1/models``: how is it, and what is in use?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from kb import KnowledgeError
from triage import __version__
from triage.db.upgrade import check_database
from triage.errors import TriageError
from triage.learning.registry import champion, list_models
from triage.tickets.keys import Scope
from triage.understand.certificate import Certificate
from triage.web.context import Context, Here, allowed
from triage.web.schemas import ModelsOut

router = APIRouter(tags=["operation"])
models_router = APIRouter(tags=["models"])


@router.get("/", include_in_schema=False)
def index(here: Here) -> dict[str, object]:
    """What this is, and where to read on."""
    return {
        "name": "triage",
        "version": __version__,
        "openapi": "/v1/openapi.json",
        "access": _access(here),
    }


@router.get("/healthz", summary="Is the process alive?")
def healthz() -> PlainTextResponse:
    """Answers as long as the process does."""
    return PlainTextResponse("ok")


@router.get("/readyz", summary="Can it do its work?")
def readyz(here: Here) -> JSONResponse:
    """Each part with its state in words; 503 where one of them is not usable."""
    parts = {
        "database": _state(lambda: _database(here)),
        "desk": _state(lambda: _desk(here)),
    }
    ready = all(part["ready"] for part in parts.values())
    return JSONResponse({"ready": ready, "access": _access(here), **parts}, 200 if ready else 503)


@router.get("/metrics", summary="Figures for Prometheus")
def metrics() -> Response:
    """Counters and histograms in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@models_router.get("/models", summary="List models", responses={200: {"model": ModelsOut}})
def get_models(here: Here, _: Annotated[str, Depends(allowed(Scope.MODELS_READ))]) -> JSONResponse:
    """All models with their figures, and what the one in use may apply by itself."""
    folder = here.settings.models_folder
    used = champion(folder)
    clearance = {
        name: {"certified": True, **asdict(found), "says": found.sentence}
        if isinstance(found, Certificate)
        else {"certified": False, **asdict(found), "says": found.explanation}
        for name, found in here.desk.current().clearance.fields.items()
    }
    cards = [card.as_json() for card in list_models(folder)]
    return JSONResponse({"champion": used.name if used else None, "models": cards, "clearance": clearance})


def _state(check: Callable[[], str]) -> dict[str, object]:
    try:
        return {"ready": True, "says": check()}
    except (TriageError, KnowledgeError) as error:
        return {"ready": False, "says": str(error)}


def _database(here: Context) -> str:
    check_database(here.engine)
    return "reachable and up to date"


def _desk(here: Context) -> str:
    loaded = here.desk.current()
    model = f"model {loaded.classifier.model_id}" if loaded.classifier else "no model yet (run `triage train`)"
    return f"{model}; {len(loaded.knowledge.articles())} articles, snapshot {loaded.knowledge.snapshot}"


def _access(here: Context) -> str:
    if here.runs_open():
        return "open: no key was made and only this machine can reach the server; `triage keys create` closes it"
    return "by key: Authorization: Bearer trg_…"
