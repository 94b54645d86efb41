"""Which records does a file of CSV, JSON, JSON Lines or YAML hold?"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import yaml

from kb.articles import Problem
from kb.errors import SourceUnreadable

Record = dict[str, object]
ENDINGS = (".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".yaml", ".yml")
# The export of a large help centre is 100 MB; it is held in memory.
MAX_EXPORT_BYTES = 500_000_000
# YAML is read at some 1 MB in 10 s, and who writes by hand writes less.
MAX_YAML_BYTES = 2_000_000
# The longest cell of a table, in characters; the length of an article is checked later, with its name.
MAX_CELL = 100_000_000


def read_values(path: Path, problems: list[Problem]) -> Iterator[tuple[str, object]]:
    """(place, value) of each row, line or value; a line that cannot be read is a problem, and the rest goes on.

    A JSON file may hold several values one after the other, as pages of an export joined by ``cat``. Raises
    ``SourceUnreadable`` where the file cannot be read as a whole.
    """
    name = path.name.lower().removesuffix(".gz")
    text = _text(path, MAX_YAML_BYTES if name.endswith((".yaml", ".yml")) else MAX_EXPORT_BYTES)
    if name.endswith((".csv", ".tsv")):
        yield from _rows(path, text, problems)
    elif name.endswith((".jsonl", ".ndjson")):
        yield from _lines(path, text, problems)
    elif name.endswith(".json"):
        yield from _stream(path, text)
    else:
        yield path.name, _yaml(path, text)


def _rows(path: Path, text: str, problems: list[Problem]) -> Iterator[tuple[str, object]]:
    csv.field_size_limit(MAX_CELL)
    dialect = _dialect(path, text)
    reader = csv.DictReader(io.StringIO(text, newline=""), dialect=dialect, restkey="")
    try:
        for row in reader:
            place = f"{path.name}, line {reader.line_num}"
            if row.pop("", None):
                problems.append(Problem(place, "The row has more cells than the heading; it is left out."))
            else:
                yield place, {key: value for key, value in row.items() if value}
    except csv.Error as error:
        raise SourceUnreadable(f"{path}, line {reader.line_num} is not CSV ({error}). Export it again.") from error


def _dialect(path: Path, text: str) -> type[csv.Dialect]:
    """Excel's, with the separator that the heading has most of: some countries' Excel writes semicolons."""
    heading = text.split("\n", 1)[0][:10_000]

    class Chosen(csv.excel):
        delimiter = "\t" if path.name.lower().endswith((".tsv", ".tsv.gz")) else max(",;\t", key=heading.count)

    return Chosen


def _lines(path: Path, text: str, problems: list[Problem]) -> Iterator[tuple[str, object]]:
    for number, line in enumerate(io.StringIO(text), 1):
        if not line.strip():
            continue
        place = f"{path.name}, line {number}"
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            problems.append(Problem(place, "The line is not JSON; it is left out."))
            continue
        yield place, value


def _stream(path: Path, text: str) -> Iterator[tuple[str, object]]:
    decoder, position, number = json.JSONDecoder(), 0, 0
    end = len(text.rstrip())
    while position < end:
        while text[position].isspace():
            position += 1
        try:
            value, position = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            line = text.count("\n", 0, getattr(error, "pos", position)) + 1
            raise SourceUnreadable(f"{path} is not JSON (line {line}). Export it again.") from error
        number += 1
        yield f"{path.name}, value {number}", value


def _yaml(path: Path, text: str) -> object:
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise SourceUnreadable(f"{path} is not YAML{where}.") from error


def _text(path: Path, most: int) -> str:
    try:
        with path.open("rb") as file:
            is_packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            content = (gzip.GzipFile(fileobj=file) if is_packed else file).read(most + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SourceUnreadable(f"{path} is a damaged gzip file.") from error
    except OSError as error:
        raise SourceUnreadable(f"{path} cannot be read: {error.strerror or error}.") from error
    if len(content) > most:
        raise SourceUnreadable(f"{path} has more than {most:,} bytes. Split it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceUnreadable(f"{path} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from error
    if "\0" in text:
        raise SourceUnreadable(f"{path} is not text (it has NUL bytes).")
    return text
