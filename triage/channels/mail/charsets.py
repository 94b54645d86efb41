"""Which text do bytes mean, whatever charset they claim to be in?"""

from __future__ import annotations

import base64
import binascii
import codecs
import quopri
import re

# As browsers read them: what these names promise is nearly always the larger set (https://encoding.spec.whatwg.org).
_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
}
# Names of Python's that are no charsets of texts, and slow or surprising on hostile bytes.
_NO_CHARSETS = ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem")
_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?\s]*)\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)\s+(?==\?[^?\s]{1,60}\?[bBqQ]\?)")


def decode(content: bytes, charset: str | None) -> str:
    """The text: by the charset it claims, else as UTF-8, else as Windows-1252 where nothing is ever lost but marks."""
    for name in (_known(charset), "utf-8"):
        try:
            if name:
                return content.decode(name)
        except (UnicodeError, LookupError, ValueError):
            continue
    return content.decode("cp1252", "replace")


def decode_header(raw: str) -> str:
    """A header as the parser gives it (bytes beyond ASCII as surrogates), with encoded words read, on one line."""
    text = raw.encode("utf-8", "surrogateescape")
    return " ".join(_visible(decode_words(decode(text, None))).split())


def decode_words(text: str) -> str:
    """With the encoded words of RFC 2047 read. Neighbours are joined first: some cut in the middle of a character."""
    text = _BETWEEN_WORDS.sub(r"\1", text)
    parts: list[str] = []
    pending, charset, end = b"", "", 0
    for word in _WORD.finditer(text):
        if pending and (word.start() != end or word[1].lower() != charset):
            parts.append(decode(pending, charset))
            pending = b""
        if word.start() != end:
            parts.append(text[end : word.start()])
        pending += _bytes_of(word[2], word[3])
        charset, end = word[1].lower(), word.end()
    if pending:
        parts.append(decode(pending, charset))
    return _visible("".join((*parts, text[end:])))


def _bytes_of(kind: str, payload: str) -> bytes:
    content = payload.encode("utf-8", "surrogateescape")
    if kind in "qQ":
        return quopri.decodestring(content, header=True)
    try:
        return base64.b64decode(content + b"=" * (-len(content) % 4))
    except (binascii.Error, ValueError):
        return content


def _known(charset: str | None) -> str | None:
    # RFC 2231 lets a language stand behind the charset: utf-8*en.
    name = (charset or "").partition("*")[0].strip("\"' ").lower()
    if not name:
        return None
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        return None
    return None if found in _NO_CHARSETS else _MEANT.get(found, found)


def _visible(text: str) -> str:
    """Without control characters, so that nothing decoded can begin a line of its own."""
    return "".join(" " if ord(c) < 32 or ord(c) == 127 or c in "\u2028\u2029\u0085" else c for c in text)
