"""Which places inside the documentation does a text lead to, and which does it offer?"""

from __future__ import annotations

import re
from collections.abc import Iterable

from kb.sources.markdown import split_fences

# No pattern here may look past the next bracket or mark of its own kind, as in kb/sources/markdown.py.
_TARGET = re.compile(r"(?<!!)\[[^\[\]\n]*\]\(<?([^()\s<>]+)>?(?:[ \t]+\"[^\"\n]*\")?\)")
_ANCHOR = re.compile(r"<[a-z][a-z0-9]*\s[^<>]*?\b(?:id|name)\s*=\s*[\"']?([^\"'\s<>]+)", re.IGNORECASE)
_HEADING_ANCHOR = re.compile(r"^ {0,3}#{1,6}[ \t][^\n]*\{#([^\s{}]+)\}", re.MULTILINE)
_ABSOLUTE = re.compile(r"[a-z][a-z0-9+.-]*:|//|/", re.IGNORECASE)
# A page of thousands of links is an index made by a program; more tell nothing new.
MOST_LINKS = 2_000


def relative(targets: Iterable[str]) -> tuple[str, ...]:
    """Those of the targets that stay inside the documentation, each once, in order."""
    kept = dict.fromkeys(target for target in targets if target and not _ABSOLUTE.match(target))
    return tuple(kept)[:MOST_LINKS]


def markdown_links(markdown: str) -> tuple[str, ...]:
    """The relative targets of the links in Markdown, outside its code."""
    return relative(found for part in _prose(markdown) for found in _TARGET.findall(part))


def markdown_anchors(markdown: str) -> tuple[str, ...]:
    """The places that Markdown names itself: ``<a id="x">`` and ``{#x}``."""
    named = (name for part in _prose(markdown) for name in [*_ANCHOR.findall(part), *_HEADING_ANCHOR.findall(part)])
    return tuple(dict.fromkeys(named))[:MOST_LINKS]


def _prose(markdown: str) -> list[str]:
    return [part for part, is_code in split_fences(markdown.replace("\r\n", "\n")) if not is_code]
