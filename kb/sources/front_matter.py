"""What does the head of a Markdown file say about its article?"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

import yaml

from kb.articles import ARTICLE, INTERNAL, KINDS, PUBLIC
from kb.sources.html import Page

Note = Callable[[str], None]
"""Takes a sentence on what is wrong."""
# YAML's keys may be of any type.
Front = Mapping[Any, object]

_FRONT_MATTER = re.compile(r"\A\s*---[ \t]*\n(.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
_UNCLOSED = re.compile(r"\A\s*---[ \t]*\n(.*?)(?:^[ \t]*\n|\Z)", re.DOTALL | re.MULTILINE)
# Open Graph (https://ogp.me/#type_article) and Dublin Core, before the plain names.
_UPDATED = ("article:modified_time", "dcterms.modified", "updated", "last-modified", "date")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:")
_SALVAGED = re.compile(r"^[ \t]*(title|audience|kind)[ \t]*:[ \t]*(.+?)[ \t]*$", re.MULTILINE | re.IGNORECASE)


def read_front_matter(content: str, note: Note) -> tuple[Front, str]:
    """(keys and values, the text below them). Of a broken head, title, audience and kind are read all the same.

    Without that, a typing mistake would show an internal article to everybody.
    """
    content = content.replace("\r\n", "\n")
    found = _FRONT_MATTER.match(content)
    if not found:
        unclosed = _UNCLOSED.match(content)
        salvaged = _salvaged(unclosed.group(1)) if unclosed else {}
        if salvaged:
            note("Line 1: the front matter is not closed by a line of ---; it is read as text.")
        return salvaged, content
    head, body = found.group(1), content[found.end() :]
    try:
        front = yaml.safe_load(head.replace("\t", "  "))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"Line {mark.line + 2}: " if mark else ""
        note(f"{where}The front matter is not valid YAML; of it, only title, audience and kind are used.")
        return _salvaged(head), body
    if front is None or isinstance(front, dict):
        return front or {}, body
    note("Line 2: the front matter is not made of `key: value` lines; the article is read without it.")
    return {}, body


def text_of(value: object) -> str:
    """A single value as one line; a list or a mapping is none."""
    return " ".join(str(value).split()) if isinstance(value, str | int | float | date) else ""


def tags_of(front: Front) -> tuple[str, ...]:
    """``tags``, as a list or between commas."""
    value = front.get("tags")
    many = value if isinstance(value, list) else text_of(value).split(",")
    return tuple(tag for item in many if (tag := text_of(item)))


def language_of(front: Front) -> str | None:
    """``language`` or ``lang``, without the region."""
    return text_of(front.get("language") or front.get("lang")).split("-")[0].lower() or None


def page_front(page: Page) -> Front:
    """What the head of an HTML page says, under the keys of front matter."""
    named = {key: page.meta[key] for key in ("audience", "kind", "product", "review_by") if page.meta.get(key)}
    updated = next((page.meta[key] for key in _UPDATED if page.meta.get(key)), "")
    return named | {
        "title": page.title,
        "language": page.language,
        "url": page.url,
        "tags": page.meta.get("keywords"),
        "updated": updated,
    }


def kind_of(front: Front, note: Note, default: str = ARTICLE) -> str:
    """``kind``; one that there is not is noted and taken for the default."""
    name = text_of(front.get("kind")).casefold()
    if name and name not in KINDS:
        note(f"There is no kind `{name[:40]}`, only {', '.join(KINDS)}; it is read as `{default}`.")
    return name if name in KINDS else default


def audience_of(front: Front, note: Note) -> str:
    """``audience``; what cannot be understood is for nobody but agents."""
    value = front.get("audience")
    name = text_of(value)
    if name.casefold() in (PUBLIC, INTERNAL):
        return name.casefold()
    if value and not name:
        note(f"`audience` must be one name; the article is `{INTERNAL}` until it is.")
        return INTERNAL
    # Microsoft's docs (known by their ms.* keys) name the reader's trade there, such as ITPro, not who may read:
    # https://learn.microsoft.com/contribute/content/metadata
    is_microsoft = any(str(key).startswith("ms.") for key in front)
    return PUBLIC if is_microsoft or not name else name


def date_of(front: Front, note: Note, *keys: str) -> date | None:
    """The first of the keys that holds a date."""
    for key in keys:
        value = front.get(key)
        if isinstance(value, datetime):
            return value.date()
        if isinstance(value, date):
            return value
        if parsed := _parse_date(text_of(value)):
            return parsed
        if value:
            note(f"`{key}: {text_of(value)[:40]}` is not a date; write it as 2026-11-23.")
    return None


def _salvaged(head: str) -> dict[object, object]:
    return {key.lower(): value.strip("\"'") for key, value in _SALVAGED.findall(head)}


def _parse_date(value: str) -> date | None:
    if _TIME.match(value):
        value = value[:10]
    for form in ("%Y-%m-%d", "%m/%d/%Y"):  # the second as in Microsoft's ms.date
        try:
            return datetime.strptime(value.strip(), form).date()  # noqa: DTZ007  # a calendar day has no zone
        except ValueError:
            continue
    return None
