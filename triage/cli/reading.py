"""How are tickets read from a file or from standard input?"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from triage.errors import BadInput
from triage.tickets.model import IncomingTicket

# What other systems call the parts of a ticket; the first name found is taken.
SUBJECT_KEYS = ("subject", "title", "summary", "short_description")
BODY_KEYS = ("body", "text", "description", "message")
REQUESTER_KEYS = ("requester", "caller", "from", "email")
MAX_FILE_BYTES = 200_000_000


def read_incoming(path: str, *, source: str = "cli") -> list[IncomingTicket]:
    """Tickets of a file, or of standard input for ``-``: JSON, JSON Lines, or plain text as one ticket.

    Raises ``BadInput`` saying what is wrong and where.
    """
    text = _decode(_read(path), path)
    if not text.strip():
        raise BadInput(f"{_name(path)} is empty: write a ticket into it, as plain text or as JSON.")
    if text.lstrip()[0] not in "{[":
        return [IncomingTicket(subject="", body=text, channel="cli", source=source)]
    return [_ticket(record, place, source) for record, place in _records(text, path)]


def _name(path: str) -> str:
    return "Standard input" if path == "-" else path


def _read(path: str) -> bytes:
    if path == "-":
        return sys.stdin.buffer.read(MAX_FILE_BYTES)
    try:
        if Path(path).stat().st_size > MAX_FILE_BYTES:
            raise BadInput(f"{path} is larger than {MAX_FILE_BYTES // 1_000_000} MB: split it.")
        return Path(path).read_bytes()
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error


def _decode(content: bytes, path: str) -> str:
    if b"\0" in content[:4096]:
        raise BadInput(f"{_name(path)} is not text (it has NUL bytes): give a text, JSON or JSON Lines file.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadInput(
            f"{_name(path)} is not UTF-8 (line {line}, byte {error.start}): convert it, "
            "for example with `iconv -f cp1252 -t utf-8`."
        ) from error


def _records(text: str, path: str) -> Iterator[tuple[object, str]]:
    """The JSON values of a document or of JSON Lines, with the place of each for error messages."""
    try:
        whole = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        whole = None
    if whole is not None:
        many = whole if isinstance(whole, list) else [whole]
        yield from ((record, f"{_name(path)}, ticket {number}") for number, record in enumerate(many, 1))
        return
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        place = f"{_name(path)}, line {number}"
        try:
            yield json.loads(line), place
        except (json.JSONDecodeError, RecursionError) as error:
            raise BadInput(f"{place} is not JSON ({error}); each line must be one ticket.") from error


def _ticket(record: object, place: str, source: str) -> IncomingTicket:
    if not isinstance(record, dict):
        raise BadInput(f'{place} is not an object: a ticket looks like {{"subject": …, "body": …}}.')
    values = {str(key): _as_text(value) for key, value in record.items()}
    used = [_first(values, keys) for keys in (SUBJECT_KEYS, BODY_KEYS, REQUESTER_KEYS)]
    subject, body, requester = (values.get(key, "") if key else "" for key in used)
    if not (subject.strip() or body.strip()):
        raise BadInput(
            f"{place} has no text: give it a `subject` or a `body` (it has {', '.join(values) or 'nothing'})."
        )
    taken = {*used, "id", "channel"}
    return IncomingTicket(
        subject=subject,
        body=body,
        requester=requester,
        channel=values.get("channel") or "cli",
        source=source,
        delivery_id=values.get("id"),
        features={key: value for key, value in values.items() if key not in taken and value}
        | ({used[2]: requester} if used[2] and used[2] != "requester" else {}),
    )


def _first(values: dict[str, str], keys: tuple[str, ...]) -> str | None:
    return next((key for key in keys if key in values), None)


def _as_text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
