"""How are labelled tickets read from a file, whatever is wrong with it?"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import zip_longest
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from triage.errors import BadInput
from triage.learning.moments import read_moments
from triage.understand.cleaning import clean

# A cell holds a mail with its history, at most; the limit of the csv module, 131,072, is less than that.
MAX_CELL_CHARACTERS = 10_000_000
DELIMITERS = (",", ";", "\t", "|")
LEAST_TICKETS = 10
# More would need gigabytes, and so many labels are a name or a number rather than a place to send a ticket to.
MOST_LABELS = 1_000
Record = Mapping[str, str]


class Source(StrEnum):
    """Where the labels of a ticket come from."""

    FILE = "file"
    CORRECTION = "correction"
    HISTORY = "history"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a labelled ticket comes from.

    ``key`` is its id there: the file's ``id`` column or the number of its row, or the id of the stored ticket.
    ``at`` is when it came in (ISO), ``author`` who corrected it.
    """

    source: Source
    key: str
    at: str | None = None
    author: str | None = None

    @property
    def moment(self) -> datetime | None:
        """When it came in."""
        return datetime.fromisoformat(self.at) if self.at else None


@dataclass(frozen=True, slots=True)
class LabelledTickets:
    """n tickets: cleaned texts, per field the label or None, and metadata; ``digest`` is of all that is learned from.

    ``times`` and ``threads`` are (n,) or empty where the file has no such column. ``origins`` are
    one for each ticket, or none at all where nobody will ask.
    """

    name: str
    texts: tuple[str, ...]
    labels: Mapping[str, tuple[str | None, ...]]
    features: tuple[Record, ...]
    text_columns: tuple[str, ...]
    feature_columns: tuple[str, ...]
    times: tuple[datetime | None, ...] = ()
    threads: tuple[str, ...] = ()
    origins: tuple[Origin, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def digest(self) -> str:
        """SHA-256 of all that is learned from, in its order."""
        content: list[object] = [self.texts, {k: list(v) for k, v in self.labels.items()}, [*map(dict, self.features)]]
        if self.times or self.threads:
            content += [[str(time) for time in self.times], self.threads]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def masked(self) -> list[str]:
        """(n,) texts with case, spacing and digits taken out: near-copies are equal."""
        return [mask_digits(text) for text in self.texts]

    def groups(self) -> npt.NDArray[np.int64]:
        """(n,) numbers that near-copies and tickets of one thread share: they must stay on one side of a split."""
        # As objects: numpy's own strings all take the room of the longest, 12 GB for 100,000 long tickets.
        _, copies = np.unique(np.array(self.masked(), dtype=object), return_inverse=True)
        if not any(self.threads):
            return copies.astype(np.int64)
        names = [thread or f"\0{row}" for row, thread in enumerate(self.threads)]
        _, threads = np.unique(np.array(names, dtype=object), return_inverse=True)
        # Two kinds of nodes, joined by the tickets: what hangs together is one group.
        nodes = int(copies.max()) + 1, int(threads.max()) + 1
        edges = coo_matrix((np.ones(len(self)), (copies, nodes[0] + threads)), shape=(sum(nodes), sum(nodes)))
        _, component = connected_components(edges, directed=False)
        return np.asarray(component[copies], dtype=np.int64)

    def rows(self, chosen: Sequence[int]) -> LabelledTickets:
        """Some of the tickets, in the given order."""
        return replace(
            self,
            texts=tuple(self.texts[row] for row in chosen),
            labels={name: tuple(values[row] for row in chosen) for name, values in self.labels.items()},
            features=tuple(self.features[row] for row in chosen),
            times=tuple(self.times[row] for row in chosen) if self.times else (),
            threads=tuple(self.threads[row] for row in chosen) if self.threads else (),
            origins=tuple(self.origins[row] for row in chosen) if self.origins else (),
        )


def mask_digits(text: str) -> str:
    """The text with case, spacing and digits taken out."""
    return re.sub(r"\d", "0", " ".join(text.lower().split()))


def read_tickets(  # one name per kind of column
    path: Path,
    *,
    text: Sequence[str],
    labels: Sequence[str],
    features: Sequence[str] = (),
    time: str | None = None,
    thread: str | None = None,
    ticket: str | None = None,
) -> LabelledTickets:
    """Labelled tickets of a CSV (comma, semicolon, tab or bar) or JSON Lines file, either may be .gz.

    The text columns are put together and cleaned as a ticket is: the first is the subject where there are several.
    Rows without any text are left out; a label that is empty is missing. The ``time`` column says when a ticket was
    made, ``thread`` what tickets of one conversation share. Rows with the same ``ticket`` are the history of one, in
    the order of their times or of the file: its first text and its last label count. Raises ``BadInput`` with the line
    or the column that is wrong.
    """
    if doubled := sorted(set(labels) & {*text, *features}):
        raise BadInput(f"The column {doubled[0]} cannot be what is predicted and what it is predicted from.")
    columns = [*text, *labels, *features, *(name for name in (time, thread, ticket) if name is not None)]
    records = [record for record in _records(path, columns) if any(record[c].strip() for c in text)]
    if not records:
        raise BadInput(f"{path} has no ticket with any text in {', '.join(text)}.")
    times = read_moments(time, [record[time] for record in records]) if time else ()
    if ticket is None:
        _refuse_repeated_ids(path, records)
    else:
        records, times = _last_labels(records, times, labels, ticket)
    return LabelledTickets(
        name=path.name,
        texts=tuple(_text(record, text) for record in records),
        labels={name: tuple(record[name].strip() or None for record in records) for name in labels},
        features=tuple({name: record[name] for name in features} for record in records),
        text_columns=tuple(text),
        feature_columns=tuple(features),
        times=times,
        threads=tuple(record[thread].strip() for record in records) if thread else (),
        origins=tuple(
            Origin(Source.FILE, record.get(ticket or "id", "").strip() or str(row))
            for row, record in enumerate(records, 1)
        ),
    )


def combine(first: LabelledTickets, second: LabelledTickets) -> LabelledTickets:
    """Both together, the tickets of the first before those of the second; a field that one lacks is unlabelled."""
    fields = list(dict.fromkeys([*first.labels, *second.labels]))
    return replace(
        first,
        name=f"{first.name} + {second.name}",
        texts=first.texts + second.texts,
        labels={
            name: tuple(label for part in (first, second) for label in part.labels.get(name, (None,) * len(part)))
            for name in fields
        },
        features=first.features + second.features,
        times=first.times + tuple(origin.moment for origin in second.origins) if first.times else (),
        threads=first.threads + ("",) * len(second) if first.threads else (),
        origins=first.origins + second.origins,
    )


def _last_labels(
    records: Sequence[Record], times: Sequence[datetime | None], labels: Sequence[str], ticket: str
) -> tuple[list[dict[str, str]], tuple[datetime | None, ...]]:
    """One record per ticket: what it said at first, and what its fields were at last."""
    histories: dict[str, list[int]] = {}
    for row, record in enumerate(records):
        histories.setdefault(record[ticket].strip() or f"\0{row}", []).append(row)
    if times:
        earliest = datetime.min.replace(tzinfo=UTC)
        for rows in histories.values():
            rows.sort(key=lambda row: times[row] or earliest)
    final = [
        {
            **records[rows[0]],
            **{
                name: next((records[row][name] for row in reversed(rows) if records[row][name].strip()), "")
                for name in labels
            },
        }
        for rows in histories.values()
    ]
    return final, tuple(times[rows[0]] for rows in histories.values()) if times else ()


def refuse_untrainable(tickets: LabelledTickets) -> None:
    """Raise ``BadInput`` unless every field has two labels and there are tickets enough to measure anything."""
    if len(tickets) < LEAST_TICKETS:
        raise BadInput(f"{tickets.name} has {len(tickets)} tickets; {LEAST_TICKETS} are the least to learn from.")
    if len(set(tickets.masked())) < 2:
        raise BadInput(f"All tickets of {tickets.name} say the same; nothing can be learned from them.")
    for name, values in tickets.labels.items():
        counts = Counter(value for value in values if value is not None)
        column = f"The column {name} of {tickets.name}"
        if len(counts) < 2:
            said = f"only the label “{next(iter(counts))}”" if counts else "no label at all"
            raise BadInput(f"{column} has {said}; a classifier needs at least two.")
        if max(counts.values()) < 2:
            raise BadInput(f"{column} has a label of its own for every ticket. If it is no id, label a second one.")
        if len(counts) > MOST_LABELS:
            raise BadInput(f"{column} has {len(counts)} labels; {MOST_LABELS} are the most. Put rare ones together.")


def _text(record: Record, columns: Sequence[str]) -> str:
    if len(columns) == 1:
        return clean("", record[columns[0]])
    return clean(record[columns[0]], "\n".join(record[column] for column in columns[1:]))


def _records(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    content = _decode(path)
    if content.lstrip()[:1] == "[":
        raise BadInput(f"{path} is one JSON list. Give one ticket per line; `jq -c '.[]' {path.name}` does that.")
    rows = list(_json_lines(path, content) if content.lstrip()[:1] == "{" else _csv_rows(path, content, columns))
    known = dict.fromkeys(name for row in rows for name in row)
    missing = [column for column in columns if column not in known]
    if rows and missing:
        raise BadInput(f"{path} has no column {', '.join(missing)}; it has {', '.join(known) or 'none'}.")
    return [{name: row.get(name, "") for name in known} for row in rows]


def _decode(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror or error}.") from error
    except (EOFError, zlib.error) as error:
        raise BadInput(f"{path} is a damaged gzip file.") from error
    if content[:4] == b"PK\x03\x04":
        raise BadInput(f"{path} is an Excel or zip file. Save it as CSV (UTF-8) and give that.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        likely = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "cp1252"
        raise BadInput(
            f"{path} is not UTF-8 (line {line}, byte {error.start}). Convert it, for example with "
            f"`iconv -f {likely} -t utf-8 {path.name}`."
        ) from error
    if "\0" in text:
        raise BadInput(f"{path} is not a text file (it has NUL bytes). Give a CSV or JSON Lines file.")
    if not text.strip():
        raise BadInput(f"{path} is empty.")
    return text


def _json_lines(path: Path, content: str) -> Iterator[dict[str, str]]:
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        place = f"Line {number} of {path}"
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:  # ValueError: also a number of more than 4,300 digits
            raise BadInput(f"{place} is not JSON; each line must be one ticket.") from error
        if not isinstance(record, dict):
            raise BadInput(f"{place} is not a JSON object; each line must be one ticket.")
        yield {str(key): _cell(value) for key, value in record.items()}


def _csv_rows(path: Path, content: str, columns: Sequence[str]) -> Iterator[dict[str, str]]:
    csv.field_size_limit(MAX_CELL_CHARACTERS)
    headings = {delimiter: _heading(content, delimiter) for delimiter in DELIMITERS}
    delimiter = max(DELIMITERS, key=lambda one: (len(set(columns) & set(headings[one])), len(headings[one])))
    heading = headings[delimiter]
    if repeated := [column for column in columns if heading.count(column) > 1]:
        raise BadInput(f"{path} has the column {repeated[0]} twice; rename one of them.")
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    try:
        next(reader)
        for row in reader:
            if len(row) > len(heading):
                place = f"Line {reader.line_num} of {path}"
                raise BadInput(f"{place} has more cells than the heading; a text with a {delimiter!r} needs quotes.")
            if row:
                yield dict(zip_longest(heading, row, fillvalue=""))
    except csv.Error as error:
        raise BadInput(f"Line {reader.line_num} of {path} is not CSV ({error}); look for a quote too many.") from error


def _heading(content: str, delimiter: str) -> list[str]:
    try:
        row = next(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter), [])
    except csv.Error:  # a cell beyond the limit: this delimiter is not the one
        return []
    return [name.strip() for name in row]


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.encode("utf-8", "replace").decode()  # JSON may hold half a character, which no file can


def _refuse_repeated_ids(path: Path, records: Sequence[Record]) -> None:
    seen: set[str] = set()
    for record in records:
        ticket_id = record.get("id", "")
        if ticket_id and ticket_id in seen:
            raise BadInput(
                f"{path} has the id {ticket_id} twice. If its rows are the history of one ticket, give `--ticket id`: "
                "then the last row tells the label."
            )
        seen.add(ticket_id)
