"""Which of a mail's parts are its text, and which hang on it?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message

from triage.channels.common.text import MOST_CHARACTERS, plain_text
from triage.channels.mail.charsets import decode, decode_header

MOST_ATTACHMENTS = 100
LONGEST_NAME = 150
# More bytes of a text are not decoded: what they say is cut anyway.
MOST_BYTES = 4 * MOST_CHARACTERS
# Some programs put such a sentence where the text should be, and all of it into the HTML.
_STUB = re.compile(r"html|mime|browser", re.IGNORECASE)
_LONGEST_STUB = 300

_WINMAIL = "(The text of this mail is in winmail.dat, a format of Outlook's own that is not read here.)"
_ENCRYPTED = "(This mail is encrypted and cannot be read here.)"
_SIGNED_CLOSED = "(This mail is signed in a way that hides its text: S/MIME, opaque. It is not read here.)"


@dataclass(frozen=True, slots=True)
class Attachment:
    """What hangs on a mail: its name, its kind, its size in bytes. Its content is not kept."""

    name: str
    content_type: str
    size: int


@dataclass(frozen=True, slots=True)
class Body:
    """The text for people, what hangs on it, and the Message-ID that a report is about."""

    text: str
    attachments: tuple[Attachment, ...] = ()
    about_id: str = ""


@dataclass(slots=True)
class _Found:
    texts: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    forwarded: list[str] = field(default_factory=list)
    about_id: str = ""


def body_of(message: Message) -> Body:
    """The text of all parts that are one; where there is none, that of a mail which was forwarded as a whole."""
    found = _Found()
    _read(message, found, is_top=True)
    texts = found.texts or found.forwarded or found.notes
    text = "\n\n".join(texts)[:MOST_CHARACTERS]
    return Body(text, tuple(found.attachments[:MOST_ATTACHMENTS]), found.about_id)


def _read(part: Message, found: _Found, *, is_top: bool = False) -> None:
    kind = part.get_content_type()
    match kind:
        case "multipart/alternative":
            _read_alternative(part, found)
        case "multipart/encrypted":
            found.notes.append(_ENCRYPTED)
        case "message/rfc822" | "message/global":
            _read_forwarded(part, found)
        case "message/delivery-status" | "message/disposition-notification":
            found.about_id = found.about_id or _original_id(part)
        case "text/rfc822-headers" | "message/rfc822-headers":
            found.about_id = found.about_id or _header(_text_of(part), "message-id")
        case _ if part.is_multipart():
            for child in _children(part):
                _read(child, found)
        case "text/plain" | "text/html" if not _hangs_on(part, is_top):
            _add(found.texts, plain_text(_text_of(part), is_html=kind == "text/html"))
        case _:
            _read_other(part, kind, found)


def _read_alternative(part: Message, found: _Found) -> None:
    """The plain text of them, unless it is empty or only says that there is more in the HTML."""
    plain, rich = _Found(), _Found()
    for child in _children(part):
        is_plain = child.get_content_type() == "text/plain"
        _read(child, plain if is_plain else rich)
    said, shown = "\n\n".join(plain.texts), "\n\n".join(rich.texts)
    is_stub = len(said) < _LONGEST_STUB and len(shown) > len(said) and _STUB.search(said)
    _add(found.texts, shown if not said or is_stub else said)
    for one in (plain, rich):
        found.attachments += one.attachments
        found.forwarded += one.forwarded
        found.notes += one.notes
        found.about_id = found.about_id or one.about_id


def _read_forwarded(part: Message, found: _Found) -> None:
    inner = next(iter(_children(part)), None)
    if inner is None:
        return
    subject = decode_header(str(inner.get("subject", "")))
    found.about_id = found.about_id or str(inner.get("message-id", ""))
    body = body_of(inner)
    found.attachments.append(Attachment((subject or "a mail")[:LONGEST_NAME], "message/rfc822", len(body.text)))
    _add(found.forwarded, "\n\n".join(one for one in (subject, body.text) if one))


def _read_other(part: Message, kind: str, found: _Found) -> None:
    if kind in ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"):
        return
    if kind in ("application/pkcs7-mime", "application/x-pkcs7-mime"):
        is_signed = "signed" in str(part.get_param("smime-type", "")).lower()
        found.notes.append(_SIGNED_CLOSED if is_signed else _ENCRYPTED)
    name = _name(part)
    if kind == "application/ms-tnef" or name.lower() == "winmail.dat":
        found.notes.append(_WINMAIL)
    found.attachments.append(Attachment(name or f"unnamed {kind}"[:LONGEST_NAME], kind, _size(part)))


def _hangs_on(part: Message, is_top: bool) -> bool:
    return not is_top and (part.get_content_disposition() == "attachment" or bool(_name(part)))


def _children(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    if isinstance(payload, list):
        yield from (child for child in payload if isinstance(child, Message))


def _text_of(part: Message) -> str:
    content = part.get_payload(decode=True)
    return decode(content[:MOST_BYTES], part.get_content_charset()) if isinstance(content, bytes) else ""


def _size(part: Message) -> int:
    """In bytes, near enough without decoding it."""
    payload = part.get_payload()
    length = len(payload) if isinstance(payload, str) else 0
    is_base64 = str(part.get("content-transfer-encoding", "")).strip().lower() == "base64"
    return length * 3 // 4 if is_base64 else length


def _name(part: Message) -> str:
    return decode_header(str(part.get_filename() or ""))[:LONGEST_NAME]


def _original_id(part: Message) -> str:
    """RFC 8098 names the mail in Original-Message-ID; delivery reports do so in the copy that they hang on."""
    for block in _children(part):
        if value := block.get("original-message-id"):
            return str(value)
    return ""


def _header(text: str, name: str) -> str:
    found = re.search(rf"^{name}:\s*(\S+)", text, re.IGNORECASE | re.MULTILINE)
    return found[1] if found else ""


def _add(texts: list[str], text: str) -> None:
    if text.strip():
        texts.append(text.strip())
