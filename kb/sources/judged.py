"""How are articles and judged queries read for an evaluation?"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kb.articles import Article
from kb.errors import SourceUnreadable
from kb.sources.markdown import readable

_FIRST_HEADING = re.compile(r"\A\s*#[ \t][^\n]*\n*")


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query and the articles that are right for it, with their grades (1 and up)."""

    id: str
    text: str
    relevant: Mapping[str, int]


def read_articles(path: Path, *, titles: bool = True) -> list[Article]:
    """Articles of a JSON Lines file (may be .gz) with ``_id``, ``title`` and ``text``.

    Without ``titles`` the first-level heading that opens a text goes too: it is the title once more.
    Raises ``SourceUnreadable`` naming the line.
    """
    articles: list[Article] = []
    seen: set[str] = set()
    for record, place in _records(path):
        article_id = _required(record, "_id", place)
        if article_id in seen:
            raise SourceUnreadable(f"{place} repeats the _id {article_id}: each article needs its own.")
        seen.add(article_id)
        text = readable(_required(record, "text", place), lambda _: None)
        if not titles:
            text = _FIRST_HEADING.sub("", text) or text
        articles.append(Article(article_id, str(record.get("title") or "") if titles else "", text))
    if not articles:
        raise SourceUnreadable(f"{path} holds no articles.")
    return articles


def read_queries(path: Path, qrels: Path | None = None) -> list[JudgedQuery]:
    """Queries of a JSON Lines file with ``_id`` and ``text``; the right articles from ``doc`` or from ``qrels``.

    ``qrels`` is a TSV of query-id, corpus-id, score. Queries without a right article are left out. Raises
    ``SourceUnreadable`` naming the line.
    """
    judged = _read_qrels(qrels) if qrels else None
    queries: list[JudgedQuery] = []
    for record, place in _records(path):
        query_id = _required(record, "_id", place)
        relevant = judged.get(query_id, {}) if judged is not None else _doc(record)
        if relevant:
            queries.append(JudgedQuery(query_id, _required(record, "text", place), relevant))
    if not queries:
        needed = f"a line in {qrels}" if qrels else "a `doc`"
        raise SourceUnreadable(f"No query of {path} has a right article: each needs {needed}.")
    return queries


def read_questions(path: Path) -> list[str]:
    """The ``text`` of each line of a JSON Lines file; raises ``SourceUnreadable`` naming the line."""
    return [_required(record, "text", place) for record, place in _records(path)]


def _doc(record: Mapping[str, object]) -> dict[str, int]:
    doc = record.get("doc")
    return {str(doc): 1} if doc else {}


def _read_qrels(path: Path) -> dict[str, dict[str, int]]:
    judged: dict[str, dict[str, int]] = {}
    for number, line in enumerate(_text(path).splitlines(), 1):
        cells = line.split("\t")
        if not line.strip() or (number == 1 and not cells[-1].strip().lstrip("-").isdigit()):
            continue  # the heading
        try:
            query_id, article_id, score = cells
            grade = int(score)
        except ValueError as error:
            raise SourceUnreadable(
                f"{path}, line {number} is not query-id, corpus-id and score between tabs."
            ) from error
        if grade > 0:
            judged.setdefault(query_id, {})[article_id] = grade
    return judged


def _records(path: Path) -> Iterator[tuple[dict[str, object], str]]:
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, RecursionError) as error:
            raise SourceUnreadable(f"{place} is not JSON: each line must be one object.") from error
        if not isinstance(record, dict):
            raise SourceUnreadable(f"{place} is not a JSON object.")
        yield record, place


def _required(record: Mapping[str, object], key: str, place: str) -> str:
    if record.get(key) is None:
        raise SourceUnreadable(f"{place} has no `{key}` (it has {', '.join(record) or 'nothing'}).")
    return str(record[key])


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except OSError as error:
        raise SourceUnreadable(f"{path} cannot be read: {error.strerror or error}.") from error
    except (EOFError, zlib.error) as error:
        raise SourceUnreadable(f"{path} is a damaged gzip file.") from error
    except UnicodeDecodeError as error:
        raise SourceUnreadable(f"{path} is not UTF-8 (byte {error.start}).") from error
