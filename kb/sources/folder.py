"""How does a folder of Markdown become articles?"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

import yaml

from kb.articles import PUBLIC, Article, Problem
from kb.errors import SourceUnreadable
from kb.sources.markdown import readable

# A manual printed to one file is a megabyte; more is a mistake, such as a log or an export.
MAX_BYTES = 2_000_000
SKIPPED_FOLDERS = {"node_modules", "includes", "_includes", "__pycache__"}
MAX_INCLUDE_DEPTH = 3

_FRONT_MATTER = re.compile(r"\A\s*---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)
_FIRST_HEADING = re.compile(r"\A\s*#[ \t]+([^\n]+?)[ \t#]*(?:\n|\Z)")


def read_folder(root: Path) -> tuple[list[Article], list[Problem]]:
    """All ``*.md`` and ``*.markdown`` below ``root`` as articles, and what could not be read.

    An article's id is its path without the ending. Front matter may give title, audience, language, updated (or
    ``ms.date``), review_by, tags and url. Raises ``SourceUnreadable`` where the folder itself is not there.
    """
    root = root.resolve()
    if not root.is_dir():
        raise SourceUnreadable(f"{root} is not a folder. Name the folder that holds the Markdown articles.")
    problems: list[Problem] = []
    articles: list[Article] = []
    for path in _markdown_files(root):
        article = _Reader(root, path, problems).article()
        if article:
            articles.append(article)
    if not articles:
        problems.append(Problem(str(root), "There is no Markdown article in this folder (*.md)."))
    return articles, problems


def _markdown_files(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):  # does not follow links to folders, so no loops
        names[:] = sorted(name for name in names if name not in SKIPPED_FOLDERS and not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith((".md", ".markdown")) and not name.startswith("."):
                yield Path(folder, name)


class _Reader:
    """Reads one file and notes what is wrong with it."""

    def __init__(self, root: Path, path: Path, problems: list[Problem]) -> None:
        self._root = root
        self._path = path
        self._name = path.relative_to(root).as_posix()
        self._problems = problems
        self._depth = 0

    def article(self) -> Article | None:
        content = self._read(self._path)
        if content is None:
            return None
        front, body = self._front_matter(content)
        text = readable(body, self._include)
        heading = _FIRST_HEADING.match(text)
        title = _as_text(front.get("title")) or (heading.group(1) if heading else "") or self._path.stem
        if heading and _same(heading.group(1), title):
            text = text[heading.end() :].strip("\n")
        if not text.strip():
            self._note("The article has no text; it is left out.")
            return None
        return Article(
            id=self._name.rsplit(".", 1)[0],
            title=title,
            text=text,
            url=_as_text(front.get("url")) or None,
            audience=_as_text(front.get("audience")) if _is_audience(front) else PUBLIC,
            language=_language(front),
            updated=self._date(front, "updated", "ms.date", "date"),
            review_by=self._date(front, "review_by"),
            tags=_as_tags(front.get("tags")),
            source=self._root.name,
        )

    def _read(self, path: Path) -> str | None:
        try:
            if not path.resolve().is_relative_to(self._root):
                self._note("The file is a link to outside the folder; it is left out.")
                return None
            size = path.stat().st_size
            content = path.read_bytes() if size <= MAX_BYTES else b""
        except OSError as error:
            self._note(f"The file cannot be read ({error.strerror}); it is left out.")
            return None
        if size > MAX_BYTES:
            self._note(f"The file has {size:,} bytes, {MAX_BYTES:,} are the most; it is left out. Split it.")
            return None
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            self._note(f"The file is not UTF-8 (line {line}); it is left out. Save it as UTF-8.")
            return None
        if "\0" in text:
            self._note("The file is not text (it has NUL bytes); it is left out.")
            return None
        return text

    def _front_matter(self, content: str) -> tuple[Mapping[object, object], str]:
        found = _FRONT_MATTER.match(content)
        if not found:
            if content.lstrip().startswith("---\n"):
                self._note("The front matter is not closed by a line of ---; it is read as text.")
            return {}, content
        body = content[found.end() :]
        try:
            front = yaml.safe_load(found.group(1).replace("\t", "  "))
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            where = f", line {mark.line + 2}" if mark else ""
            self._note(f"The front matter is not valid YAML{where}; the article is read without it.")
            return {}, body
        if front is None or isinstance(front, dict):
            return front or {}, body
        self._note("The front matter is not a list of `key: value` lines; the article is read without it.")
        return {}, body

    def _include(self, target: str) -> str | None:
        path = (self._path.parent / target).resolve()
        if self._depth >= MAX_INCLUDE_DEPTH or not path.is_relative_to(self._root) or not path.is_file():
            self._note(f"The include {target} is not in the folder; the article is read without it.")
            return None
        content = self._read(path)
        if content is None:
            return None
        self._depth += 1
        try:
            return readable(self._front_matter(content)[1], self._include)
        finally:
            self._depth -= 1

    def _date(self, front: Mapping[object, object], *keys: str) -> date | None:
        for key in keys:
            value = front.get(key)
            if isinstance(value, datetime):
                return value.date()
            if isinstance(value, date):
                return value
            if isinstance(value, str) and (parsed := _parse_date(value)):
                return parsed
            if value:
                self._note(f"`{key}: {value}` is not a date; write it as 2026-11-23.")
        return None

    def _note(self, sentence: str) -> None:
        self._problems.append(Problem(self._name, sentence))


def _parse_date(value: str) -> date | None:
    for form in ("%Y-%m-%d", "%m/%d/%Y"):  # the second as in Microsoft's ms.date
        try:
            return datetime.strptime(value.strip(), form).date()  # noqa: DTZ007  # a calendar day has no zone
        except ValueError:
            continue
    return None


def _as_text(value: object) -> str:
    return " ".join(str(value).split()) if isinstance(value, str | int | float | date) else ""


def _as_tags(value: object) -> tuple[str, ...]:
    many = value if isinstance(value, list) else str(value).split(",") if value else []
    return tuple(tag for item in many if (tag := _as_text(item)))


def _is_audience(front: Mapping[object, object]) -> bool:
    # Microsoft's docs (known by their ms.* keys) name the reader's trade there, such as ITPro, not who may read:
    # https://learn.microsoft.com/contribute/content/metadata
    is_microsoft = any(str(key).startswith("ms.") for key in front)
    return not is_microsoft and bool(_as_text(front.get("audience")))


def _language(front: Mapping[object, object]) -> str | None:
    value = _as_text(front.get("language") or front.get("lang"))
    return value.split("-")[0].lower() or None


def _same(heading: str, title: str) -> bool:
    return "".join(filter(str.isalnum, heading.casefold())) == "".join(filter(str.isalnum, title.casefold()))
