"""How does Markdown, with the dirt of real documentation, become text that reads well as an answer?

What is meant for a renderer goes (comments, image paths, link targets inside the docs, emphasis); what is meant
for people stays: headings, lists, tables, code, the alternative text of images, and notes.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator

Include = Callable[[str], str | None]
"""Relative path → the text of that file, or None where there is none."""

# A line of ```code``` opens nothing: no backtick may follow on it
# (https://spec.commonmark.org/0.31.2/#info-string).
_FENCE = re.compile(r"^ {0,12}(?:>[ \t]*)?(`{3,}(?=[^`\n]*$)|~{3,})", re.MULTILINE)
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
# No pattern here may look past the next bracket or mark of its own kind: what scans on takes hours for 2 MB of `![`.
INCLUDE = re.compile(r"\[!INCLUDE\s*\[[^\[\]]*\]\(([^)\s]+)\)\]", re.IGNORECASE)
# Microsoft's docs-authoring extension: https://learn.microsoft.com/contribute/content/markdown-reference#images
_DOCS_IMAGE = re.compile(r":::image\b([^\n]*?):::", re.IGNORECASE)
_DOCS_ALT = re.compile(r'alt-text="([^"]*)"', re.IGNORECASE)
_DOCS_BLOCK = re.compile(r"^[ \t>]*(?::::.*|\[!div\b[^\n\]]*\][ \t]*)$", re.MULTILINE | re.IGNORECASE)
_VIDEO = re.compile(r"^[ \t>]*\[!VIDEO\s+([^\]\s]+)\]", re.IGNORECASE | re.MULTILINE)
_ADMONITION = re.compile(r"^([ \t]*)((?:>[ \t]?)+)\[!(\w+)\][ \t]*\n?(?:[ \t]*(?:>[ \t]?)+)?", re.MULTILINE)
_QUOTE = re.compile(r"^([ \t]*)(?:>[ \t]?)+", re.MULTILINE)
_IMAGE = re.compile(r"!\[([^\[\]]*)\]\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)")
_LINK = re.compile(
    r"(?<!!)\[((?:[^\[\]\n]|\[[^\[\]\n]*\])+)\]\(([^()\s]*(?:\([^()\s]*\)[^()\s]*)*)(?:\s+\"[^\"\n]*\")?\)"
)
_AUTOLINK = re.compile(r"<(https?://[^>\s]+|[\w.+-]+@[\w.-]+)>")
_BREAK = re.compile(r"(?:</?br\s*/?>)+", re.IGNORECASE)
# Only these: "<username>" in a command is meant to be read.
_TAG = re.compile(
    r"</?(?:a|abbr|b|center|code|dd|del|details|div|dl|dt|em|font|h[1-6]|hr|i|iframe|img|ins|kbd|li|mark|ol|p|pre|q|s|"
    r"small|span|strike|strong|sub|summary|sup|table|tbody|td|tfoot|th|thead|tr|tt|u|ul|video)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
# A span ends with its paragraph: a stray backtick must not turn the rest of the article into code.
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)((?:(?!\n[ \t]*\n).)+?)(?<!`)\1(?!`)", re.DOTALL)
_HIDDEN = re.compile(r"\0(\d+)\0")
# Also `**Finder **>`, which renderers show with its stars and authors mean as bold.
_BOLD = re.compile(r"(\*\*)(?=\S)((?:(?!\*\*).)+)\*\*|(__)(?=\S)((?:(?!__).)+)(?<=\S)__")
_ITALIC = re.compile(r"(?<![\w*])([*_])(?=[^\s*_])([^*_\n]*[^\s*_])\1(?![\w*])")
_ESCAPE = re.compile(r"\\([\\`*_{}\[\]()#+\-.!<>|&$:\"])")
_TRAILING = re.compile(r"[ \t]+$", re.MULTILINE)
_BLANKS = re.compile(r"\n{3,}")


def readable(markdown: str, include: Include) -> str:
    """Markdown as written → Markdown as read; code blocks stay as they are."""
    text = markdown.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    text = INCLUDE.sub(lambda found: include(found.group(1)) or "", _outside_fences(text, _drop_comments))
    text = _outside_fences(text, _clean_prose)
    return _BLANKS.sub("\n\n", _TRAILING.sub("", text)).strip("\n")


def _outside_fences(text: str, change: Callable[[str], str]) -> str:
    return "".join(part if is_code else change(part) for part, is_code in split_fences(text))


def split_fences(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, each with whether it is a fenced code block; together they are the text."""
    position = 0
    while opening := _FENCE.search(text, position):
        if opening.start() > position:
            yield text[position : opening.start()], False
        mark = opening.group(1)
        closing = re.compile(rf"^[ \t>]*{re.escape(mark[0])}{{{len(mark)},}}[ \t]*$", re.MULTILINE)
        found = closing.search(text, opening.end())
        end = found.end() if found else len(text)
        yield text[opening.start() : end], True
        position = end
    if position < len(text):
        yield text[position:], False


def _drop_comments(text: str) -> str:
    return _COMMENT.sub("", text)


def _clean_prose(text: str) -> str:
    text = _DOCS_IMAGE.sub(_docs_image, text)
    text = _DOCS_BLOCK.sub("", text)
    text = _VIDEO.sub(r"Video: \1", text)
    text = _ADMONITION.sub(lambda found: f"{found.group(1)}{found.group(3).capitalize()}: ", text)
    text = _QUOTE.sub(r"\1", text)
    text = _IMAGE.sub(lambda found: _image(found.group(1)), text)
    text = _LINK.sub(_link, text)
    return _outside_code_spans(text, _clean_inline)


def _outside_code_spans(text: str, change: Callable[[str], str]) -> str:
    # The spans wait behind numbers between NULs, which no text has: **`bold code`** is seen whole.
    spans: list[str] = []

    def hidden(span: re.Match[str]) -> str:
        spans.append(span.group())
        return f"\0{len(spans) - 1}\0"

    changed = change(_CODE_SPAN.sub(hidden, text))
    return _HIDDEN.sub(lambda found: spans[int(found.group(1))], changed)


def _clean_inline(text: str) -> str:
    text = _AUTOLINK.sub(r"\1", text)
    text = _BREAK.sub(" ", text)
    text = _TAG.sub("", text)
    text = _ITALIC.sub(r"\2", _BOLD.sub(r"\2\4", text))
    return html.unescape(_ESCAPE.sub(r"\1", text)).replace("\N{NO-BREAK SPACE}", " ")


def _docs_image(found: re.Match[str]) -> str:
    alternative = _DOCS_ALT.search(found.group(1))
    return _image(alternative.group(1)) if alternative else ""


def _image(alternative: str) -> str:
    words = " ".join(alternative.split())
    return f"(Image: {words.rstrip('.')})" if words else ""


def _link(found: re.Match[str]) -> str:
    words, target = found.group(1), found.group(2)
    address = target.removeprefix("mailto:").strip("<>")
    is_absolute = target.startswith(("http://", "https://", "mailto:"))
    if not is_absolute or address in words or words in address:
        return words
    return f"{words} ({address})"
