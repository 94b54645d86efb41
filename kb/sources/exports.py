"""How does one exported file, of any of the known shapes, become articles?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from kb.articles import ARTICLE, INTERNAL, KINDS, MACRO, SOLVED, Article, Problem
from kb.errors import SourceUnreadable
from kb.sources.folder import MAX_BYTES
from kb.sources.front_matter import audience_of, date_of, language_of, tags_of, text_of
from kb.sources.html import looks_like_html
from kb.sources.markdown import readable
from kb.sources.records import Record, read_values
from kb.sources.vendors import BadRecord, Side, Unpublished, html_text, reader_for, zammad_articles

# What other systems call the parts of an article; the first name that a record has is taken.
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "_id", "article_id", "number", "key", "ticket_id"),
    "title": ("title", "subject", "name", "short_description", "summary"),
    "text": ("text", "body", "content", "html", "article", "answer"),
    "question": ("question", "description", "problem", "request"),
    "resolution": ("resolution", "solution", "close_notes", "resolution_notes"),
    "url": ("url", "link", "html_url", "permalink"),
    "audience": ("audience", "visibility", "access"),
    "language": ("language", "lang", "locale"),
    "updated": ("updated", "updated_at", "modified", "modified_at", "solved_at", "closed_at", "resolved_at", "date"),
    "review_by": ("review_by", "review_date", "valid_to"),
    "tags": ("tags", "labels", "label_names", "keywords"),
    "product": ("product",),
    "kind": ("kind",),
    "status": ("status", "state", "workflow_state"),
}
_MACRO_KEYS = {"id", "title", "name", "text", "language", "tags", "product", "kind"}
_FENCE_LINE = re.compile(r"^[ \t>]*(?:`{3,}|~{3,}).*$", re.MULTILINE)
_HEADING_MARK = re.compile(r"^ {0,3}#{1,6}[ \t]+", re.MULTILINE)
_ZAMMAD = "KnowledgeBaseAnswerTranslation"
_SIDE = ("user_segments", "folders")
_UNPUBLISHED = {"draft": Unpublished.DRAFT, "archived": Unpublished.ARCHIVED, "retired": Unpublished.ARCHIVED}
TITLE_CHARACTERS = 100

Outcome = Article | Unpublished


def read_export(path: Path) -> tuple[list[Article], list[Problem]]:
    """The articles, solved tickets or macros of a file, and what was left out; ids are ``solved/…`` and so on.

    Raises ``SourceUnreadable`` where the file cannot be read as a whole or has no record of a known shape.
    """
    problems: list[Problem] = []
    collected = _Collected(path, problems)
    side: Side = {}
    assets: Side = {}
    records: list[tuple[str, Record, bool]] = []
    for place, value in read_values(path, problems):
        records += _records(place, value, side, assets)
    for place, record, is_listed in records:
        collected.take(place, partial(_article, record, side, is_listed=is_listed))
    for place, outcome in zammad_articles(assets):
        collected.take(f"{path.name}, {place}", partial(_checked, outcome))
    collected.close()
    return collected.articles, problems


def _records(place: str, value: object, side: Side, assets: Side) -> Iterator[tuple[str, Record, bool]]:
    """The records of a value, each with whether it stands in a bare list; what else it says goes to the side."""
    if isinstance(value, list):
        for number, item in enumerate(value, 1):
            yield from _page(f"{place}, item {number}", item, side, assets, is_listed=True)
    else:
        yield from _page(place, value, side, assets, is_listed=False)


def _page(
    place: str, value: object, side: Side, assets: Side, *, is_listed: bool
) -> Iterator[tuple[str, Record, bool]]:
    if not isinstance(value, dict):
        return
    inner = value.get("assets")
    bundle: Record = inner if isinstance(inner, dict) else value
    if _ZAMMAD in bundle:
        for name, table in bundle.items():
            _add(assets, name, table.values() if isinstance(table, dict) else table)
        return
    for name in _SIDE:
        _add(side, name, value.get(name, ()))
    for name in ("articles", "macros", "article", "macro"):
        inside = value.get(name)
        many = inside if isinstance(inside, list) else [inside]
        if name in value and all(isinstance(record, dict) for record in many):
            yield from ((f"{place}, {name} {number}", record, "macro" in name) for number, record in enumerate(many, 1))
            return
    if not any(name in value for name in _SIDE):
        yield place, {str(key).strip().lower(): item for key, item in value.items()}, is_listed


def _add(tables: Side, name: str, records: object) -> None:
    for record in records if not isinstance(records, str | None) and hasattr(records, "__iter__") else ():
        if isinstance(record, dict) and "id" in record:
            tables.setdefault(name, {})[text_of(record["id"])] = record


class _Collected:
    """Gathers the articles of one file and tells of the others."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self._path = path
        self._problems = problems
        self._by_id: dict[str, Article] = {}
        self._unpublished: Counter[Unpublished] = Counter()

    @property
    def articles(self) -> list[Article]:
        return list(self._by_id.values())

    def take(self, place: str, read: Callable[[], Outcome]) -> None:
        try:
            outcome = read()
            if isinstance(outcome, Unpublished):
                self._unpublished[outcome] += 1
                return
            article = _whole(outcome, self._path.name)
            if article.id in self._by_id:
                raise BadRecord(f"The id {article.id} is another record's already; this one is left out.")
        except BadRecord as error:
            self._problems.append(Problem(place, str(error)))
            return
        self._by_id[article.id] = article

    def close(self) -> None:
        """Say once for the whole file what was left out; a file without any article must not empty the source."""
        for reason, count in self._unpublished.items():
            self._problems.append(Problem(self._path.name, f"{count} {reason} left out."))
        restricted = sum(a.id.startswith("freshdesk/") and a.audience == INTERNAL for a in self.articles)
        if restricted:
            said = (
                f"{restricted} articles are for agents only: their folders are not in the file, or not for everybody."
            )
            self._problems.append(Problem(self._path.name, said))
        if not self._by_id and not self._unpublished:
            first = next((f" {problem.path}: {problem.sentence}" for problem in self._problems), "")
            raise SourceUnreadable(f"{self._path} has no record that could be an article.{first}")


def _whole(article: Article, source: str) -> Article:
    if not article.text.strip():
        raise BadRecord("The record has no text; it is left out.")
    if len(article.text) > MAX_BYTES:
        raise BadRecord(f"The text has more than {MAX_BYTES:,} characters; it is left out. Split it.")
    return replace(
        article,
        id=_utf8(article.id),
        title=_utf8(article.title) or _first_words(_utf8(article.text)),
        text=_utf8(article.text),
        url=article.url and _utf8(article.url),
        audience=_utf8(article.audience),
        tags=tuple(map(_utf8, article.tags)),
        product=article.product and _utf8(article.product),
        source=source,
    )


def _utf8(value: str) -> str:
    """Half a surrogate pair, as broken JSON has them, becomes a question mark."""
    return value.encode("utf-8", "replace").decode()


def _first_words(text: str) -> str:
    line = next(filter(None, (line.strip("#-*> \t") for line in text.splitlines())), "")
    return line if len(line) <= TITLE_CHARACTERS else line[:TITLE_CHARACTERS].rsplit(" ", 1)[0] + "…"


def _checked(outcome: Outcome | BadRecord) -> Outcome:
    if isinstance(outcome, BadRecord):
        raise outcome
    return outcome


def _article(record: Record, side: Side, *, is_listed: bool) -> Outcome:
    """A record of a vendor's shape or of the documented columns."""
    if reader := reader_for(record):
        return reader(record, side)
    front = {part: next((record[n] for n in names if record.get(n)), None) for part, names in COLUMNS.items()}
    if state := _UNPUBLISHED.get(text_of(front["status"]).casefold()):
        return state
    kind = _kind(front, record, is_listed)
    notes: list[str] = []
    if not front["id"]:
        raise BadRecord(f"The record has no id (it has {', '.join(record)[:200] or 'nothing'}); it is left out.")
    default = {ARTICLE: None, SOLVED: INTERNAL, MACRO: INTERNAL}[kind]
    return Article(
        id=text_of(front["id"]) if kind == ARTICLE else f"{kind}/{text_of(front['id'])}",
        title=text_of(front["title"]) or _first_words(str(front["question"] or "")),
        text=_text(front, record, kind),
        url=text_of(front["url"]) or None,
        audience=audience_of({"audience": front["audience"] or default}, notes.append),
        language=language_of(front),
        updated=date_of(front, notes.append, "updated"),
        review_by=date_of(front, notes.append, "review_by"),
        tags=tags_of(front),
        kind=kind,
        product=text_of(front["product"]) or None,
    )


def _kind(front: Mapping[str, object], record: Record, is_listed: bool) -> str:
    if text_of(front["kind"]).casefold() in KINDS:
        return text_of(front["kind"]).casefold()
    if front["resolution"] and (front["question"] or front["title"]):
        return SOLVED
    # A bare list of names and texts is how people keep their templates.
    return MACRO if is_listed and record.keys() <= _MACRO_KEYS else ARTICLE


def _text(front: Mapping[str, object], record: Record, kind: str) -> str:
    if kind == MACRO:
        return str(front["text"] or "").replace("\r\n", "\n").strip()
    if kind == SOLVED and front["resolution"]:
        question = _plain(front["question"] or front["text"] or front["title"])
        return f"## Question\n\n{question}\n\n## Resolution\n\n{_plain(front['resolution'])}"
    written = str(front["text"] or "")
    if not written and front["question"] and "folder_id" not in record:
        written = str(front["question"])
    return html_text(written) if looks_like_html(written) else readable(written, lambda _: None)


def _plain(value: object) -> str:
    """The words of a ticket; what looks like a heading or opens a block of code would swallow what follows."""
    written = str(value)
    text = html_text(written) if looks_like_html(written) else written.replace("\r\n", "\n").replace("\0", "")
    return _HEADING_MARK.sub("", _FENCE_LINE.sub("", text)).strip()
