"""How is the REST API put together?"""

from __future__ import annotations

import threading
from typing import Any

import structlog
from fastapi import FastAPI
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from triage import __version__
from triage.channels.registry import NO_CHANNELS, Channels
from triage.desk import Desk
from triage.errors import Misconfigured
from triage.intake import JobQueue
from triage.settings import Settings
from triage.tickets.keys import count_keys
from triage.web import codes, health, knowledge, letters, tickets, webhooks
from triage.web.context import Context
from triage.web.errors import MEDIA_TYPE, add_handlers
from triage.web.limits import Limits
from triage.web.schemas import Problem

__all__ = ["create_app"]

# Of the 40 threads that FastAPI answers with, so many may stand waiting for results.
MOST_WAITING = 16
DESCRIPTION = """Hand tickets in, read what was decided and why, ask the knowledge base.

Errors are `application/problem+json` (RFC 9457) with a stable `code`. Calls need `Authorization: Bearer trg_…` once
a key was made (`triage keys create NAME`); before that the API is open to this machine only."""
TAGS = [
    {"name": "tickets", "description": "Hand tickets in, read their stories, correct what was decided."},
    {"name": "knowledge", "description": "Ask the knowledge base and keep its articles."},
    {"name": "channels", "description": "What other systems bring in, and what is sent to them."},
    {"name": "models", "description": "What is in use, and what it is certified for."},
    {"name": "operation", "description": "For monitors and orchestrators; needs no key."},
]

COMPONENTS = "#/components/schemas/"
KEY = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key of this API, `trg_…`, made with `triage keys create NAME`; none while it runs open.",
}

log = structlog.get_logger(__name__)


class _Api(FastAPI):
    """Adds to the OpenAPI document what handlers do not return: the shape of problems, and how calls are signed."""

    def openapi(self) -> dict[str, Any]:  # Any: as FastAPI declares it
        """The document; made once."""
        if self.openapi_schema is None:
            document = super().openapi()
            problem = Problem.model_json_schema(ref_template=f"{COMPONENTS}{{model}}")
            document["components"]["schemas"] |= {**problem.pop("$defs"), "Problem": problem}
            document["components"]["securitySchemes"] = {"key": KEY}
            for path, operations in document["paths"].items():
                needs_key = path.startswith("/v1/") and not path.startswith(webhooks.PREFIX)
                for operation in operations.values() if needs_key else ():
                    operation["security"] = [{"key": []}]
        return super().openapi()


def create_app(
    *,
    settings: Settings,
    engine: Engine,
    sessions: sessionmaker[Session],
    desk: Desk,
    jobs: JobQueue,
    channels: Channels = NO_CHANNELS,
    stopping: threading.Event | None = None,
) -> FastAPI:
    """The REST API on parts that are open already.

    Whoever runs it sets ``stopping`` as soon as it shall end: requests that wait for a result then answer with
    what there is, instead of holding the process until their time is out.
    Raises ``Misconfigured`` where it would be reachable from elsewhere without any key.
    """
    waiting = threading.BoundedSemaphore(MOST_WAITING)
    context = Context(settings, engine, sessions, desk, jobs, waiting, stopping or threading.Event(), channels)
    _refuse_open_door(context)
    app = _Api(
        title="triage",
        version=__version__,
        description=DESCRIPTION,
        openapi_tags=TAGS,
        openapi_url="/v1/openapi.json",
        docs_url=None,  # the page loads its scripts from elsewhere; nothing here needs a network
        redoc_url=None,
        responses={
            "4XX": _problems(f"The request cannot be met:\n\n{codes.in_words(400, 499)}"),
            "5XX": _problems(f"Something is wrong here:\n\n{codes.in_words(500, 599)}"),
        },
    )
    app.state.context = context
    routers = (tickets.router, knowledge.router, health.models_router, letters.router, webhooks.router)
    for router in routers:
        app.include_router(router, prefix="/v1")
    app.include_router(health.router)
    add_handlers(app, [*routers, health.router])
    app.add_middleware(Limits, max_body_bytes=settings.max_body_bytes, timeout_s=settings.request_timeout_s)
    return app


def _refuse_open_door(context: Context) -> None:
    if context.runs_open():
        log.warning("the API runs open: no key was made, so everybody on this machine may do everything")
        return
    with context.sessions() as session:
        if count_keys(session) == 0:
            raise Misconfigured(
                f"The API would listen on {context.settings.host}, where others can reach it, without any key. "
                "Make one first: triage keys create NAME"
            )


def _problems(description: str) -> dict[str, object]:
    return {"description": description, "content": {MEDIA_TYPE: {"schema": {"$ref": f"{COMPONENTS}Problem"}}}}
