"""How does what another system calls text read as text?"""

from __future__ import annotations

from selectolax.lexbor import LexborHTMLParser

BLOCKS = "p, div, li, tr, h1, h2, h3, h4, h5, h6, blockquote, pre, table, ul, ol"
# Longer ones are cut: nobody reads them, and an index does not need them.
MOST_CHARACTERS = 200_000


def plain_text(text: str, *, is_html: bool = False) -> str:
    """The text without markup, lines kept; at most so many characters."""
    if is_html and text.strip():
        tree = LexborHTMLParser(text[: MOST_CHARACTERS * 5])
        tree.strip_tags(["script", "style", "head", "template"])
        for node in tree.css("br"):
            node.replace_with("\n")
        for node in tree.css(BLOCKS):
            node.insert_after("\n")
        text = tree.body.text() if tree.body else ""
        text = "\n".join(line.strip() for line in text.replace("\xa0", " ").splitlines())
    return text.replace("\r\n", "\n").strip()[:MOST_CHARACTERS]
