"""How does a failure look to a client? ``application/problem+json`` (RFC 9457) with a stable code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus

import structlog
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from kb import KnowledgeError, SourceUnreadable
from triage.errors import TriageError

MEDIA_TYPE = "application/problem+json"
# `.invalid` never resolves (RFC 2606): the address is a name, not a page.
TYPE_ROOT = "https://triage.invalid/problems/"
# A body of 1 MB can be wrong in 30,000 places; a person reads the first few.
MOST_ERRORS, LONGEST_PLACE = 20, 100
RETRY_AFTER_S = 5
NO_DATABASE = "The database does not answer. Try again soon, with the same Idempotency-Key; GET /readyz says more."

log = structlog.get_logger(__name__)


def problem(
    status: int,
    code: str,
    detail: str,
    request_id: str,
    *,
    errors: Sequence[Mapping[str, object]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The response for one problem."""
    body: dict[str, object] = {
        "type": TYPE_ROOT + code,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    if errors is not None:
        body["errors"] = list(errors)
    challenge = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else {}
    # ASCII, so that half a surrogate pair in an echoed name cannot break the encoding.
    return Response(json.dumps(body), status, {**challenge, **(headers or {})}, MEDIA_TYPE)


def add_handlers(app: FastAPI, routers: Iterable[APIRouter]) -> None:
    """Turn every expected exception into a problem; the limits middleware does so with the rest."""
    app.state.methods = _methods(routers)
    app.add_exception_handler(TriageError, _known)
    app.add_exception_handler(KnowledgeError, _knowledge)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    for error in (OperationalError, InterfaceError, PoolTimeout):
        app.add_exception_handler(error, _database)


def _methods(routers: Iterable[APIRouter]) -> dict[str, str]:
    """The methods of each path template; the framework itself names only those of the first route that matches."""
    found: dict[str, set[str]] = {}
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute):
                found.setdefault(route.path, set()).update(route.methods or ())
    return {path: ", ".join(sorted(methods)) for path, methods in found.items()}


def unexpected(request_id: str, path: str, error: Exception) -> Response:
    """The response for a fault of ours: what it was stands in the log only."""
    log.error("request failed", request=request_id, path=path, exc_info=error)
    detail = f"Something went wrong here; the log has it under request {request_id}."
    return problem(500, "internal-error", detail, request_id)


def shown_path(path: str) -> str:
    """The path as it may be logged and shown: what follows a channel's name may be its secret."""
    parts = path.split("/")
    return "/".join([*parts[:4], "…"]) if parts[1:3] == ["v1", "webhooks"] and len(parts) > 4 else path


def _request_id(request: Request) -> str:
    """The id that the limits middleware gave the request."""
    return str(request.scope.get("request_id", ""))


def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, TriageError)
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request failed", request=_request_id(request), path=shown_path(request.url.path), error=str(error))
    return problem(error.status, error.code, str(error), _request_id(request))


def _knowledge(request: Request, error: Exception) -> Response:
    if isinstance(error, SourceUnreadable):
        return problem(422, "bad-input", str(error), _request_id(request))
    log.error("knowledge base", error=str(error), request=_request_id(request))
    return problem(503, "knowledge-base-unusable", str(error), _request_id(request))


def _database(request: Request, error: Exception) -> Response:
    # The driver's own words only: SQLAlchemy's hold the statement and with it what people wrote.
    says = str(getattr(error, "orig", error)).strip()
    log.error("database", request=_request_id(request), path=shown_path(request.url.path), error=says)
    retry = {"Retry-After": str(RETRY_AFTER_S)}
    return problem(503, "database-unavailable", NO_DATABASE, _request_id(request), headers=retry)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    wrong = error.errors()
    found = [{"at": [str(part)[:LONGEST_PLACE] for part in i["loc"]], "says": i["msg"]} for i in wrong[:MOST_ERRORS]]
    if any(item["type"] == "json_invalid" for item in wrong):
        return problem(400, "malformed-json", "The body is not valid JSON.", _request_id(request), errors=found)
    first = found[0] if found else {"at": [], "says": "invalid"}
    place = ".".join(first["at"]) or "the request"
    more = f" ({len(wrong) - 1:,} more)" if len(wrong) > 1 else ""
    return problem(422, "invalid-request", f"{place}: {first['says']}{more}.", _request_id(request), errors=found)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail if isinstance(error.detail, str) else HTTPStatus(error.status_code).phrase
    headers = error.headers
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            code = "not-found"
            detail = (
                f"There is nothing at {shown_path(request.url.path)[:200]}; GET /v1/openapi.json lists what there is."
            )
        case HTTPStatus.METHOD_NOT_ALLOWED:
            code = "method-not-allowed"
            template = getattr(request.scope.get("route"), "path", "")
            headers = {"Allow": request.app.state.methods.get(template, (headers or {}).get("Allow", ""))}
        case HTTPStatus.BAD_REQUEST:  # the body could not be read at all
            code, detail = "malformed-json", "The body is not valid JSON in UTF-8."
        case _:
            code = "bad-request"
    return problem(error.status_code, code, detail, _request_id(request), headers=headers)
