"""Which part of a ticket did its writer write just now?

HTML becomes text; quoted history, signatures and device footers go. The original is kept with the ticket.
"""

from __future__ import annotations

import re
import unicodedata

from selectolax.lexbor import LexborHTMLParser

# What follows in a body this long is a log or a quoted history; the encoder reads a thousand characters.
MAX_CHARACTERS = 50_000
MAX_LINES = 2_000
# A signature is short, and stands at the end.
SIGNATURE_LINES = 15

_HTML = re.compile(r"<(?:html|body|div|p|br|table|span|blockquote|font|ul|ol)\b[^<>]{0,500}>", re.IGNORECASE)
_BLOCKS = {"p", "div", "br", "tr", "li", "table", "ul", "ol", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "blockquote"}
_SPACES = re.compile(r"[ \t\f\v\u00a0\u200b\ufeff]+")
_BLANK_LINES = re.compile(r"\n{3,}")

# "On Tue, 3 Mar 2026 at 10:12, Ana <ana@x> wrote:" in the languages of mail programs' own texts.
_WROTE = re.compile(
    r"^[>\s]*(?:on|am|le|el|op|il|em|den|w dniu)\b.{6,300}?"
    r"(?:wrote|schrieb|a écrit|escribió|schreef|ha scritto|escreveu|skrev|napisał)[^\n]{0,80}:\s*$",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
_DIVIDER = re.compile(
    r"^[>\s]*(?:-{2,}\s*(?:original message|ursprüngliche nachricht|message d.origine|mensaje original|"
    r"forwarded message|weitergeleitete nachricht|message transféré|mensaje reenviado|oorspronkelijk bericht)"
    r"\s*-{0,}|_{20,})\s*$",
    re.IGNORECASE | re.MULTILINE,
)
# A block of mail headers inside a text, as Outlook writes it above what it quotes.
_HEADERS = re.compile(
    r"^[>\s*]*(?:from|von|de|van|da)\s?:\*?[^\n]{1,300}\n"
    r"(?:[>\s*]*(?:sent|gesendet|envoyé|enviado|verzonden|date|datum|fecha|to|an|à|para|aan|cc|subject|betreff|"
    r"objet|asunto|onderwerp)\s?:\*?[^\n]{0,300}\n?){2,}",
    re.IGNORECASE | re.MULTILINE,
)
_DEVICE = re.compile(
    r"^(?:sent from (?:my |the )?\w|von meinem \w+ gesendet|gesendet von \w|envoyé (?:de|depuis) mon |"
    r"enviado desde mi |"
    r"verzonden (?:vanaf|met) |get outlook for |outlook für (?:ios|android) (?:beziehen|herunterladen))[^\n]{0,80}$",
    re.IGNORECASE,
)
_DELIMITER = re.compile(r"^--\s?$|^_{3,}$|^-{3,}$")
_GREETING = re.compile(
    r"^(?:(?:kind|best|warm|many|with kind|with best)\s+)?regards\b|"
    r"^(?:best|cheers|thanks|many thanks|thank you|thx|rgds|br|"
    r"sincerely|yours \w+|mit freundlichen grüßen|mit freundlichen gruessen|viele grüße|freundliche grüße|beste grüße|"
    r"liebe grüße|gruß|vg|lg|mfg|cordialement|bien à vous|bien cordialement|merci d.avance|merci|un saludo|saludos|"
    r"saludos cordiales|atentamente|gracias|met vriendelijke groet|groeten|mvg)\b"
    r"[\s,.!–-]*(?:\w[\w .'-]{0,40})?[,.!]*$",
    re.IGNORECASE,
)
_CONTACT = re.compile(r"@|\bext\.?\s*\d|\+?\d[\d ()/.-]{6,}\d|https?://|www\.|\|", re.IGNORECASE)
_DISCLAIMER = re.compile(
    r"^[^\n]{0,40}(?:this (?:e-?mail|message)(?: and any| is| contains| may)|confidentiality notice|"
    r"diese e-?mail (?:enthält|kann|ist)|ce (?:message|courriel)(?: et| est| contient)|"
    r"este (?:mensaje|correo) (?:y|es|puede|contiene))",
    re.IGNORECASE | re.MULTILINE,
)


def clean(subject: str, body: str) -> str:
    """Subject and body as one text, without what mail programs and signatures add.

    Never empty where the ticket has any word: a body that is nothing but a quote or a forward keeps it. Takes
    time linear in the size, of which only the first 50,000 characters count.
    """
    subject = _tidy(subject[:MAX_CHARACTERS])
    whole = _tidy(_text_of(body[: 4 * MAX_CHARACTERS])[:MAX_CHARACTERS])
    written = _without_signature(_without_history(whole)).strip()
    if not _has_words(written):
        written = _unquoted(whole)
    return "\n".join(part for part in (subject, written) if part)


def _text_of(body: str) -> str:
    """HTML → text with a line for each block; other text as it is."""
    if not _HTML.search(body):
        return body
    tree = LexborHTMLParser(body)
    tree.strip_tags(["script", "style", "head", "title"])
    for node in tree.css(",".join(sorted(_BLOCKS))):
        node.insert_before("\n")
        if node.tag == "blockquote" or "gmail_quote" in (node.attributes.get("class") or ""):
            node.insert_before("\n-----Original Message-----\n")
    return tree.text() if tree.body else body


def _tidy(text: str) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cs"))
    lines = [_SPACES.sub(" ", line).strip() for line in text.split("\n")[:MAX_LINES]]
    return _BLANK_LINES.sub("\n\n", "\n".join(lines)).strip()


def _without_history(text: str) -> str:
    """Cut at the first mark of quoted history, and drop quoted lines."""
    starts = [found.start() for pattern in (_WROTE, _DIVIDER, _HEADERS) if (found := pattern.search(text))]
    kept = text[: min(starts)] if starts else text
    return "\n".join(line for line in kept.split("\n") if not line.startswith(">"))


def _unquoted(text: str) -> str:
    """A text that is all quote, without its quote marks."""
    return "\n".join(re.sub(r"^(?:>\s?)+", "", line) for line in text.split("\n")).strip()


def _without_signature(text: str) -> str:
    """Cut the signature, disclaimer and device footer at the end, never the first line."""
    if disclaimer := _DISCLAIMER.search(text):
        text = text[: disclaimer.start()] if disclaimer.start() else text
    lines = text.rstrip().split("\n")
    earliest = max(1, len(lines) - SIGNATURE_LINES)
    for number in range(earliest, len(lines)):
        line = lines[number].strip()
        tail = lines[number + 1 :]
        if _DELIMITER.match(line) or _DEVICE.match(line) or (_GREETING.match(line) and _is_signature(tail)):
            return "\n".join(lines[:number]).rstrip()
    return "\n".join(lines)


def _is_signature(lines: list[str]) -> bool:
    """Whether these lines after a greeting are a name, a job and contacts, and not the ticket going on."""
    said = [line for line in lines if line]
    return all(len(line.split()) <= 6 or _CONTACT.search(line) for line in said)


def _has_words(text: str) -> bool:
    return any(character.isalnum() for character in text)
