"""How does what another system calls text read as text?"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser

BLOCKS = "p, div, li, tr, h1, h2, h3, h4, h5, h6, blockquote, pre, table, ul, ol"
# Longer ones are cut: nobody reads them, and an index does not need them.
MOST_CHARACTERS = 200_000
# The parser takes time quadratic in the depth of nesting: 10,000 open tags cost .2 s, 60,000 cost 9 s. What is beyond
# so many is read without its markup.
MOST_TAGS = 10_000
_TAG = re.compile(r"<[^<>]{1,2000}>")


def plain_text(text: str, *, is_html: bool = False) -> str:
    """The text without markup, lines kept; at most so many characters."""
    if is_html and text.strip():
        head, tail = _within_tags(text[: MOST_CHARACTERS * 5])
        tree = LexborHTMLParser(head)
        tree.strip_tags(["script", "style", "head", "template"])
        for node in tree.css("br"):
            node.replace_with("\n")
        for node in tree.css(BLOCKS):
            node.insert_after("\n")
        text = (tree.body.text() if tree.body else "") + tail
        text = "\n".join(line.strip() for line in text.replace("\xa0", " ").splitlines())
    return text.replace("\r\n", "\n").strip()[:MOST_CHARACTERS]


def _within_tags(text: str) -> tuple[str, str]:
    """The part that is cheap to parse, and the text of the rest."""
    for number, tag in enumerate(_TAG.finditer(text)):
        if number == MOST_TAGS:
            return text[: tag.start()], _TAG.sub(" ", text[tag.start() :])
    return text, ""
