"""How are labelled tickets read from a file, whatever is wrong with it?"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from triage.errors import BadInput
from triage.understand.cleaning import clean

# A cell holds a mail with its history, at most; the limit of the csv module, 131,072, is less than that.
MAX_CELL_CHARACTERS = 10_000_000
LEAST_TICKETS = 10
Record = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LabelledTickets:
    """n tickets: cleaned texts, per field the label or None, and metadata; ``digest`` is of all of it."""

    name: str
    texts: tuple[str, ...]
    labels: Mapping[str, tuple[str | None, ...]]
    features: tuple[Record, ...]
    text_columns: tuple[str, ...]
    feature_columns: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def digest(self) -> str:
        """SHA-256 of texts, labels and metadata, in their order."""
        content = [self.texts, {k: list(v) for k, v in self.labels.items()}, [dict(f) for f in self.features]]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_tickets(
    path: Path, *, text: Sequence[str], labels: Sequence[str], features: Sequence[str] = ()
) -> LabelledTickets:
    """Labelled tickets of a CSV (comma, semicolon or tab) or JSON Lines file, either may be .gz.

    The ``text`` columns are put together and cleaned as a ticket is: the first is the subject where there are
    several. Rows without any text are left out; a label that is empty is missing. Raises ``BadInput`` with the
    line or the column that is wrong.
    """
    records = [record for record in _records(path, [*text, *labels, *features]) if any(record[c].strip() for c in text)]
    if not records:
        raise BadInput(f"{path} has no ticket with any text in {', '.join(text)}.")
    _refuse_repeated_ids(path, records)
    return LabelledTickets(
        name=path.name,
        texts=tuple(_text(record, text) for record in records),
        labels={name: tuple(record[name].strip() or None for record in records) for name in labels},
        features=tuple({name: record[name] for name in features} for record in records),
        text_columns=tuple(text),
        feature_columns=tuple(features),
    )


def refuse_untrainable(tickets: LabelledTickets) -> None:
    """Raise ``BadInput`` unless every field has two labels and there are tickets enough to measure anything."""
    if len(tickets) < LEAST_TICKETS:
        raise BadInput(f"{tickets.name} has {len(tickets)} tickets; {LEAST_TICKETS} are the least to learn from.")
    for name, values in tickets.labels.items():
        known = {value for value in values if value is not None}
        if len(known) < 2:
            said = f"only the label “{known.pop()}”" if known else "no label at all"
            raise BadInput(f"The column {name} of {tickets.name} has {said}; a classifier needs at least two.")


def _text(record: Record, columns: Sequence[str]) -> str:
    if len(columns) == 1:
        return clean("", record[columns[0]])
    return clean(record[columns[0]], "\n".join(record[column] for column in columns[1:]))


def _records(path: Path, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    content = _decode(path)
    rows = _json_lines(path, content) if content.lstrip()[:1] == "{" else _csv_rows(path, content)
    for row, place in rows:
        missing = [column for column in columns if column not in row]
        if missing:
            raise BadInput(f"{place} has no column {', '.join(missing)}; it has {', '.join(row) or 'none'}.")
        yield row


def _decode(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error
    except (EOFError, zlib.error) as error:
        raise BadInput(f"{path} is a damaged gzip file.") from error
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadInput(
            f"{path} is not UTF-8 (line {line}, byte {error.start}). Convert it, for example with "
            f"`iconv -f cp1252 -t utf-8 {path.name}`."
        ) from error
    if "\0" in text:
        raise BadInput(f"{path} is not a text file (it has NUL bytes). Give a CSV or JSON Lines file.")
    if not text.strip():
        raise BadInput(f"{path} is empty.")
    return text


def _json_lines(path: Path, content: str) -> Iterator[tuple[dict[str, str], str]]:
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        place = f"Line {number} of {path}"
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise BadInput(f"{place} is not JSON; each line must be one ticket.") from error
        if not isinstance(record, dict):
            raise BadInput(f"{place} is not a JSON object; each line must be one ticket.")
        yield {str(key): _cell(value) for key, value in record.items()}, place


def _csv_rows(path: Path, content: str) -> Iterator[tuple[dict[str, str], str]]:
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    heading = content.split("\n", 1)[0]
    delimiter = max(",;\t", key=heading.count)
    reader = csv.DictReader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    try:
        for row in reader:
            place = f"Line {reader.line_num} of {path}"
            if None in row:
                raise BadInput(f"{place} has more cells than the heading; a text with a {delimiter!r} needs quotes.")
            yield {key: value or "" for key, value in row.items()}, place
    except csv.Error as error:
        raise BadInput(f"Line {reader.line_num} of {path} is not CSV ({error}).") from error


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _refuse_repeated_ids(path: Path, records: Sequence[Record]) -> None:
    seen: set[str] = set()
    for record in records:
        ticket_id = record.get("id", "")
        if ticket_id and ticket_id in seen:
            raise BadInput(f"{path} has the id {ticket_id} twice; each ticket may be there once.")
        seen.add(ticket_id)
