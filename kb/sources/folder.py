"""How does a folder of Markdown, HTML, PDF and Word documents become articles?"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kb.articles import Article, Problem
from kb.errors import SourceUnreadable
from kb.sources.documents import MAX_BYTES as MAX_DOCUMENT_BYTES
from kb.sources.documents import Document, read_docx, read_pdf
from kb.sources.front_matter import (
    Front,
    audience_of,
    date_of,
    kind_of,
    language_of,
    page_front,
    read_front_matter,
    tags_of,
    text_of,
)
from kb.sources.html import TooDeep, read_page
from kb.sources.links import markdown_anchors, markdown_links
from kb.sources.markdown import readable

# A manual printed to one file is a megabyte; more is a mistake, such as a log or an export. What one article
# includes is limited to as much: includes of includes multiply.
MAX_BYTES = 2_000_000
ENDINGS = (".md", ".markdown", ".html", ".htm", ".pdf", ".docx")
SKIPPED_FOLDERS = {"node_modules", "includes", "_includes", "__pycache__"}
MAX_INCLUDE_DEPTH = 3

_FIRST_HEADING = re.compile(r"\A\s*#[ \t]+([^\n]+?)[ \t#]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class _Content:
    """What a file of any format says: its head, its readable text and where that leads."""

    front: Front
    text: str
    links: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()


def read_folder(root: Path) -> tuple[list[Article], list[Problem]]:
    """All Markdown, HTML, PDF and Word files below ``root`` as articles, and what could not be read.

    An article's id is its path without the ending. Front matter (in HTML: ``<meta>``) may give title, audience, kind,
    product, language, updated (or ``ms.date``), review_by, tags and url. Raises ``SourceUnreadable`` where the folder
    is not there, or is no longer there at the end: its articles must not be taken for deleted.
    """
    root = root.resolve()
    if not root.is_dir():
        raise SourceUnreadable(f"{root} is not a folder. Name the folder that holds the articles.")
    problems: list[Problem] = []
    articles = _read_files(root, root.name, _files(root, problems), problems)
    if not root.is_dir():
        raise SourceUnreadable(f"{root} vanished while it was read; nothing was changed. Try again when it is back.")
    if not articles:
        problems.append(Problem(str(root), "There is no article in this folder (*.md, *.html, *.pdf, *.docx)."))
    return articles, problems


def read_document(path: Path) -> tuple[list[Article], list[Problem]]:
    """One such file as an article, and what was wrong with it."""
    path = path.resolve()
    problems: list[Problem] = []
    return _read_files(path.parent, path.name, [path], problems), problems


def _read_files(root: Path, source: str, paths: Iterable[Path], problems: list[Problem]) -> list[Article]:
    articles: dict[str, Article] = {}
    for path in paths:
        reader = _Reader(root, source, path, problems)
        article = reader.article()
        if article and article.id in articles:
            reader.note(f"Another file gives the article {article.id} already; this one is left out. Rename it.")
        elif article:
            articles[article.id] = article
    return list(articles.values())


def _files(root: Path, problems: list[Problem]) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        sentence = f"The folder cannot be read ({error.strerror}); its articles are left out."
        problems.append(Problem(str(error.filename), sentence))

    for folder, names, files in os.walk(root, onerror=unreadable):  # follows no link to a folder, so no loops
        names[:] = sorted(name for name in names if name not in SKIPPED_FOLDERS and not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(ENDINGS) and not name.startswith("."):
                yield Path(folder, name)


class _Reader:
    """Reads one file and notes what is wrong with it."""

    def __init__(self, root: Path, source: str, path: Path, problems: list[Problem]) -> None:
        self._root = root
        self._source = source
        self._path = path
        name = path.relative_to(root).as_posix()
        # As it is shown: a name that is not UTF-8 comes from the system with half surrogates.
        self._name = name.encode("utf-8", "replace").decode()
        self._is_named_well = self._name == name
        self._problems = problems
        self._room = MAX_BYTES

    def article(self) -> Article | None:
        if not self._is_named_well:
            self.note("The file's name is not UTF-8; it is left out. Rename it.")
            return None
        content = self._content()
        if content is None:
            return None
        front, text = content.front, content.text
        heading = _FIRST_HEADING.match(text)
        title = text_of(front.get("title")) or (heading.group(1) if heading else "") or self._path.stem
        if heading and _same(heading.group(1), title):
            text = text[heading.end() :].strip("\n")
        if not text.strip():
            self.note("The article has no text; it is left out.")
            return None
        return Article(
            id=self._name.rsplit(".", 1)[0],
            title=title,
            text=text,
            url=text_of(front.get("url")) or None,
            audience=audience_of(front, self.note),
            language=language_of(front),
            updated=date_of(front, self.note, "updated", "ms.date", "date"),
            review_by=date_of(front, self.note, "review_by"),
            tags=tags_of(front),
            source=self._source,
            kind=kind_of(front, self.note),
            product=text_of(front.get("product")) or None,
            links=content.links,
            anchors=content.anchors,
        )

    def _content(self) -> _Content | None:
        ending = self._path.suffix.lower()
        if ending in (".pdf", ".docx"):
            return self._document(read_pdf if ending == ".pdf" else read_docx)
        text = self._read(self._path)
        if text is None:
            return None
        return self._page(text) if ending in (".html", ".htm") else self._markdown(text)

    def _markdown(self, written: str) -> _Content:
        front, body = read_front_matter(written, self.note)
        text = readable(body, self._including(self._path, 1))
        return _Content(front, text, markdown_links(body), markdown_anchors(body))

    def _page(self, written: str) -> _Content | None:
        try:
            page = read_page(written)
        except TooDeep as error:
            self.note(f"The page cannot be read ({error}); it is left out.")
            return None
        return _Content(page_front(page), page.text, page.links, page.anchors)

    def _document(self, read: Callable[[bytes], Document]) -> _Content | None:
        content = self._bytes(self._path, MAX_DOCUMENT_BYTES)
        if content is None:
            return None
        document = read(content)
        if document.problem:
            self.note(document.problem)
        if len(document.text) > MAX_BYTES:
            self.note(f"The document has more than {MAX_BYTES:,} characters of text; it is left out. Split it.")
        if len(document.text) > MAX_BYTES or (document.problem and not document.text):
            return None
        front = {"title": document.title, "language": document.language, "updated": document.updated}
        # An empty document is told of by the caller.
        return _Content(front, document.text.encode("utf-8", "replace").decode())

    def note(self, sentence: str) -> None:
        self._problems.append(Problem(self._name, sentence))

    def _read(self, path: Path) -> str | None:
        content = self._bytes(path, MAX_BYTES)
        return None if content is None else self._decoded(content)

    def _bytes(self, path: Path, most: int) -> bytes | None:
        try:
            if not path.resolve().is_relative_to(self._root):
                self.note("The file is a link to outside the folder; it is left out.")
                return None
            if not path.is_file():  # a pipe would be waited for
                self.note("This is not a file, or no longer there; it is left out.")
                return None
            with path.open("rb") as file:
                content = file.read(most + 1)
        except (OSError, RuntimeError) as error:  # Python 3.11 raises RuntimeError for links that go in a circle
            self.note(f"The file cannot be read ({getattr(error, 'strerror', error)}); it is left out.")
            return None
        if len(content) > most:
            self.note(f"The file has more than {most:,} bytes; it is left out. Split it.")
            return None
        return content

    def _decoded(self, content: bytes) -> str | None:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = content[: error.start].count(b"\n") + 1
            self.note(f"Line {line}: the file is not UTF-8; it is left out. Save it as UTF-8.")
            return None
        if "\0" in text:
            self.note("The file is not text (it has NUL bytes); it is left out.")
            return None
        return text

    def _including(self, path: Path, depth: int) -> Callable[[str], str | None]:
        return partial(self._include, path.parent, depth)

    def _include(self, folder: Path, depth: int, target: str) -> str | None:
        path = self._inside(folder / target)
        if depth > MAX_INCLUDE_DEPTH or path is None:
            self.note(f"The include {target[:200]} is not in the folder; the article is read without it.")
            return None
        if self._room <= 0:
            return None
        content = self._read(path)
        if content is None:
            return None
        self._room -= len(content) + 1
        if self._room <= 0:
            self.note(f"The includes have more than {MAX_BYTES:,} characters; the article is read without the rest.")
            return None
        return readable(read_front_matter(content, self.note)[1], self._including(path, depth + 1))

    def _inside(self, path: Path) -> Path | None:
        try:
            path = path.resolve()
            return path if path.is_relative_to(self._root) and path.is_file() else None
        except (OSError, RuntimeError):  # too long a name, links in a circle
            return None


def _same(heading: str, title: str) -> bool:
    return "".join(filter(str.isalnum, heading.casefold())) == "".join(filter(str.isalnum, title.casefold()))
