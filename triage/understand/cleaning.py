"""Which part of a ticket did its writer write just now?

HTML becomes text; quoted history, signatures and device footers go. The original is kept with the ticket.
"""

from __future__ import annotations

import re
import unicodedata

from selectolax.lexbor import LexborHTMLParser

from triage.understand.quoting import QUOTE_DIVIDER, is_forward_subject, unquoted, without_history

# What follows in a body this long is a log or a quoted history; the encoder reads a thousand characters.
MAX_CHARACTERS = 50_000
MAX_LINES = 2_000
# The parser takes time quadratic in the depth of nesting: 40,000 open tags cost 1.8 s, 5,000 cost .02 s. The text of
# an HTML mail is within its first 5,000 tags; what is beyond is read without its markup.
MAX_TAGS = 5_000

_HTML = re.compile(
    r"<(?:html|body|div|p|br|table|span|blockquote|font|ul|ol|pre|h[1-6]|img|strong)\b[^<>]{0,500}>", re.IGNORECASE
)
_TAG = re.compile(r"<[^<>]{1,500}>")
_BLOCKS = "blockquote,br,div,h1,h2,h3,h4,h5,h6,hr,li,ol,p,pre,table,tr,ul"
_SPACES = re.compile(r"[ \t\f\v\u00a0\u200b\ufeff]+")
_BLANK_LINES = re.compile(r"\n{3,}")
_TERMINAL = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]")
# Soft hyphens part words invisibly; the others turn the reading direction, which serves only to deceive.
_INVISIBLE = dict.fromkeys([0x00AD, 0x2060, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])


def clean(subject: str, body: str) -> str:
    """Subject and body as one text, without what mail programs and signatures add.

    A forwarded mail stays, as it is the ticket, and so does a body that is nothing but a quote. Never empty where
    the ticket has any word. Takes time linear in the size, of which only the first 50,000 characters count.
    """
    subject = _tidy(subject[:MAX_CHARACTERS])
    whole = _tidy(_text_of(body[: 4 * MAX_CHARACTERS])[:MAX_CHARACTERS])
    lines = whole.split("\n")
    written = "\n".join(without_history(lines, forwarded=is_forward_subject(subject)))
    if not _has_words(written):
        written = "\n".join(unquoted(lines))
    return "\n".join(part for part in (subject, _BLANK_LINES.sub("\n\n", written).strip()) if part)


def _text_of(body: str) -> str:
    """HTML → text with a line for each block; other text as it is."""
    if not _HTML.search(body):
        return body
    head, tail = _within_tags(body)
    tree = LexborHTMLParser(head)
    tree.strip_tags(["script", "style", "head", "title"])
    for node in tree.css(_BLOCKS):
        node.insert_before("\n")
        if node.tag == "blockquote" or "gmail_quote" in (node.attributes.get("class") or ""):
            node.insert_before(f"\n{QUOTE_DIVIDER}\n")
    for cell in tree.css("td,th"):
        cell.insert_before(" ")
    text = tree.text() if tree.body else body
    if not _has_words(text):
        text = "\n".join(image.attributes.get("alt") or "" for image in tree.css("img[alt]"))
    return f"{text}\n{tail}" if tail else text


def _within_tags(body: str) -> tuple[str, str]:
    """The part of HTML that is cheap to parse, and the text of the rest."""
    for number, tag in enumerate(_TAG.finditer(body)):
        if number == MAX_TAGS:
            return body[: tag.start()], _TAG.sub(" ", body[tag.start() :])
    return body, ""


def _tidy(text: str) -> str:
    text = _TERMINAL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).translate(_INVISIBLE)
    text = unicodedata.normalize("NFC", text)
    text = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    lines = [_SPACES.sub(" ", line).strip() for line in text.split("\n")[:MAX_LINES]]
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def _has_words(text: str) -> bool:
    return any(character.isalnum() for character in text)
