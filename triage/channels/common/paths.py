"""Which value stands at a path in a JSON body? ``ticket.requester.email``, ``alerts[0].labels.alertname``."""

from __future__ import annotations

import json
import re
from typing import Annotated

from pydantic import AfterValidator

from triage.errors import BadInput

_STEP = re.compile(r"([^.\[\]]+)|\[(\d{1,6})\]")
_PATH = re.compile(r"[^.\[\]]+(\[\d{1,6}\])*(\.[^.\[\]]+(\[\d{1,6}\])*)*")


def _path(value: str) -> str:
    if len(value) > 200 or not _PATH.fullmatch(value):
        raise ValueError(f"{value!r} is no path such as ticket.requester.email or alerts[0].labels.alertname")
    return value


JsonPath = Annotated[str, AfterValidator(_path)]


def parse_json(body: bytes) -> object:
    """The body's value; raises ``BadInput`` for anything that is not JSON in UTF-8, however deep or odd."""
    try:
        value: object = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise BadInput("The body is not valid JSON in UTF-8.") from error
    return value


def value_at(body: object, path: str) -> object:
    """What stands there, or None."""
    for name, place in _STEP.findall(path):
        if place:
            body = body[int(place)] if isinstance(body, list) and int(place) < len(body) else None
        else:
            body = body.get(name) if isinstance(body, dict) else None
    return body


def text_at(body: object, path: str) -> str:
    """What stands there as text: a string as it is, a number or a truth value as JSON writes it, lists by commas."""
    return as_text(value_at(body, path))


def items_at(body: object, path: str) -> list[object]:
    """The list that stands there; empty where there is none."""
    value = value_at(body, path)
    return value if isinstance(value, list) else []


def as_text(value: object) -> str:
    """A JSON value as text, empty for None."""
    match value:
        case None:
            return ""
        case str():
            return value
        case list():
            return ", ".join(as_text(item) for item in value)
        case _:
            return json.dumps(value, ensure_ascii=False)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
