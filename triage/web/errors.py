"""How does a failure look to a client? ``application/problem+json`` (RFC 9457) with a stable code."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from kb import KnowledgeError, SourceUnreadable
from triage.errors import TriageError

MEDIA_TYPE = "application/problem+json"
# `.invalid` never resolves (RFC 2606): the address is a name, not a page.
TYPE_ROOT = "https://triage.invalid/problems/"
CODES = {404: "not-found", 405: "method-not-allowed"}

log = structlog.get_logger(__name__)


def problem(
    status: int, code: str, detail: str, request_id: str, errors: Sequence[Mapping[str, object]] | None = None
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
    headers = {"WWW-Authenticate": "Bearer"} if status == HTTPStatus.UNAUTHORIZED else None
    # ASCII, so that half a surrogate pair in an echoed name cannot break the encoding.
    return Response(json.dumps(body), status_code=status, media_type=MEDIA_TYPE, headers=headers)


def add_handlers(app: FastAPI) -> None:
    """Turn every exception into a problem."""
    app.add_exception_handler(TriageError, _known)
    app.add_exception_handler(KnowledgeError, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def request_id(request: Request) -> str:
    """The id that the limits middleware gave the request."""
    return str(request.scope.get("request_id", ""))


def _known(request: Request, error: Exception) -> Response:
    if isinstance(error, TriageError):
        return problem(error.status, error.code, str(error), request_id(request))
    status, code = (422, "bad-input") if isinstance(error, SourceUnreadable) else (503, "knowledge-base-unusable")
    log.error("knowledge base", error=str(error), request=request_id(request))
    return problem(status, code, str(error), request_id(request))


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = [{"at": [str(part) for part in item["loc"]], "says": item["msg"]} for item in error.errors()]
    if any(item["type"] == "json_invalid" for item in error.errors()):
        return problem(400, "malformed-json", "The body is not valid JSON.", request_id(request), found)
    first = found[0] if found else {"at": [], "says": "invalid"}
    place = ".".join(first["at"]) or "the request"
    return problem(422, "invalid-request", f"{place}: {first['says']}.", request_id(request), found)


def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = CODES.get(error.status_code, "bad-request")
    detail = error.detail if isinstance(error.detail, str) else HTTPStatus(error.status_code).phrase
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"There is nothing at {request.url.path[:200]}; GET /v1/openapi.json lists what there is."
    if error.status_code == HTTPStatus.BAD_REQUEST:  # the body could not be read at all
        code, detail = "malformed-json", "The body is not valid JSON in UTF-8."
    return problem(error.status_code, code, detail, request_id(request))


def _unexpected(request: Request, error: Exception) -> Response:
    log.error("request failed", request=request_id(request), path=request.url.path, exc_info=error)
    detail = f"Something went wrong here; the log has it under request {request_id(request)}."
    return problem(500, "internal-error", detail, request_id(request))
