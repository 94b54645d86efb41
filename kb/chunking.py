"""Where are an article's passages?"""

from __future__ import annotations

import re
from collections.abc import Iterator

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
    for offset, chunk in splitter.chunk_indices(section):
        piece = chunk.strip()
        if piece:
            yield offset + chunk.index(piece), piece


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
