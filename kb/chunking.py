"""Where are an article's passages?"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from itertools import pairwise

from semantic_text_splitter import MarkdownSplitter

from kb.articles import Article, Passage
from kb.sources.markdown import split_fences

# Characters of a passage: 256 tokens of the encoder are about a thousand, a title and headings come on top, and
# an answer of this length still fits a chat message. Sections shorter than this stay whole: packing them together
# lost 5.7 points of nDCG.
LONGEST = 900

_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+([^\n]*?)[ \t]*#*[ \t]*$", re.MULTILINE)


def split(article: Article) -> list[Passage]:
    """The article's passages in order: exact offsets, no heading lines, no blank edges, every word in one of them."""
    splitter = MarkdownSplitter(LONGEST)
    # An article of nothing but headings is cited by them.
    sections = list(_sections(article.text)) or [((), 0, len(article.text))]
    return [
        Passage(article.id, start + offset, start + offset + len(piece), path)
        for path, start, end in sections
        for offset, piece in _pieces(splitter, article.text[start:end])
    ]


def _pieces(splitter: MarkdownSplitter, section: str) -> Iterator[tuple[int, str]]:
    borders = [offset for offset, _ in splitter.chunk_indices(section)]
    for start, end in pairwise([0, *_around_blocks(section, borders), len(section)]):
        chunk = section[start:end]
        piece = chunk.strip()
        if piece:
            yield start + chunk.index(piece), piece


def _around_blocks(section: str, borders: list[int]) -> list[int]:
    """The borders, moved out of tables and code: to their edges, or between the rows of those that are too long."""
    for start, end in _blocks(section) if borders else ():
        first, last = bisect_right(borders, start), bisect_left(borders, end)
        if first < last:
            borders[first:last] = _row_borders(section, start, end, borders[first:last])
    return borders


def _row_borders(section: str, start: int, end: int, inside: list[int]) -> Iterator[int]:
    """Where a table or code is divided: nowhere if it is short; a row that is too long itself keeps its borders."""
    yield start
    begun = position = start
    for line in section[start:end].splitlines(keepends=True) if end - start > LONGEST else ():
        if position + len(line) - begun > LONGEST and position > begun:
            yield position
            begun = position
        if len(line) > LONGEST:
            within = inside[bisect_right(inside, position) : bisect_left(inside, position + len(line))]
            yield from within
            begun = within[-1] if within else begun
        position += len(line)
    yield end


def _blocks(section: str) -> Iterator[tuple[int, int]]:
    """(start, end) of the fenced code and the tables, in order."""
    position = 0
    for part, is_code in split_fences(section):
        if is_code:
            yield position, position + len(part)
        else:
            yield from ((position + start, position + end) for start, end in _tables(part))
        position += len(part)


def _tables(prose: str) -> Iterator[tuple[int, int]]:
    """Lines with bars around or above a line of dashes: https://github.github.com/gfm/#tables-extension-."""
    start = position = 0
    has_dashes = False
    for line in [*prose.splitlines(keepends=True), ""]:
        if "|" not in line:
            if has_dashes:
                yield start, position
            start, has_dashes = position + len(line), False
        else:
            has_dashes = has_dashes or set(line.strip()) <= set("|-: \t")
        position += len(line)


def _sections(text: str) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """(headings above it, start, end) of each stretch between headings that has any text."""
    path: list[tuple[int, str]] = []
    start = 0
    for heading in _headings(text):
        if text[start : heading.start()].strip():
            yield tuple(words for _, words in path), start, heading.start()
        level = len(heading.group(1))
        path = [(depth, words) for depth, words in path if depth < level]
        path.append((level, heading.group(2)))
        start = heading.end()
    if text[start:].strip():
        yield tuple(words for _, words in path), start, len(text)


def _headings(text: str) -> Iterator[re.Match[str]]:
    position = 0
    for part, is_code in split_fences(text):
        if not is_code:
            yield from _HEADING.finditer(text, position, position + len(part))
        position += len(part)


def article_text(article: Article) -> str:
    """What is embedded for a whole article; the encoder reads as far as its token limit."""
    return f"{article.title}\n{article.text}"


def passage_text(article: Article, passage: Passage) -> str:
    """What is embedded for a passage: it is found by its title and headings too, though they are not quoted."""
    where = " > ".join(filter(None, [article.title, *passage.heading_path]))
    return f"{where}\n{article.text[passage.start : passage.end]}"
