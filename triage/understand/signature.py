"""Where does a mail's text end and its signature, disclaimer or device footer begin?"""

from __future__ import annotations

import re

# A signature is short, and stands at the end.
SIGNATURE_LINES = 15
SIGNATURE_WORDS = 6

_DEVICE = re.compile(
    r"^(?:sent from (?:my |the |a )?\w|von meinem \w+ gesendet|gesendet von \w|envoyé (?:de|depuis) mon |"
    r"enviado desde (?:mi|el) |verzonden (?:vanaf|met) |"
    r"get outlook for |outlook für (?:ios|android) (?:beziehen|herunterladen))[^\n,;]{0,60}$",
    re.IGNORECASE,
)
_STANDARD_DELIMITER = re.compile(r"^--$")  # RFC 3676, section 4.3; the blank after it is gone by now
_RULE = re.compile(r"^(?:_{2,}|-{3,}|\*{3,}|={3,})$")
_GREETING = re.compile(
    r"^(?:(?:kind|best|warm|many|with kind|with best)\s+)?regards\b|"
    r"^(?:best|cheers|thanks|many thanks|thank you|thx|rgds|br|"
    r"sincerely|yours \w+|mit freundlichen grüßen|mit freundlichen gruessen|viele grüße|freundliche grüße|beste grüße|"
    r"liebe grüße|gruß|vg|lg|mfg|cordialement|bien à vous|bien cordialement|merci d.avance|merci|un saludo|saludos|"
    r"saludos cordiales|atentamente|gracias|met vriendelijke groet|groeten|mvg)\b"
    r"[\s,.!–-]*(?:\w[\w .'-]{0,40})?[,.!]*$",
    re.IGNORECASE,
)
_LISTED = re.compile(r"^(?:\d+[.)]|[-*•])\s")
_CONTACT = re.compile(r"@|\bext\.?\s*\d|\+?\d[\d ()/.-]{6,}\d|https?://|www\.|\|", re.IGNORECASE)
_DISCLAIMER = re.compile(
    r"^[^\n]{0,40}?\b(?:this (?:e-?mail|message|communication)|the information (?:contained )?in this|"
    r"confidentiality (?:notice|note)|disclaimer|diese (?:e-?mail|nachricht)|ce (?:message|courriel|mail)|"
    r"este (?:mensaje|correo)|le informazioni contenute|dit (?:bericht|e-?mail))\b",
    re.IGNORECASE | re.MULTILINE,
)
# "This email is stuck in my outbox" is a ticket; a disclaimer soon speaks of secrets and of whom it is meant for.
_SECRECY = re.compile(
    r"confidential|privileged|intended (?:solely|only|recipient|for)|vertraulich|rechtlich geschützt|"
    r"confidentiel|destinataire|confidencial|destinatario|riservat|vertrouwelijk",
    re.IGNORECASE,
)
SECRECY_WITHIN = 300  # characters from the disclaimer's beginning


def without_signature(lines: list[str]) -> list[str]:
    """The lines without signature, disclaimer and device footer at their end; the first line always stays."""
    lines = _without_disclaimer("\n".join(lines)).strip().split("\n")
    for number in range(max(1, len(lines) - SIGNATURE_LINES), len(lines)):
        line, tail = lines[number], lines[number + 1 :]
        ends = _RULE.match(line) or _GREETING.match(line)
        if _STANDARD_DELIMITER.match(line) or _DEVICE.match(line) or (ends and _is_signature(tail)):
            return lines[:number]
    return lines


def _without_disclaimer(text: str) -> str:
    for found in _DISCLAIMER.finditer(text):
        if found.start() and _SECRECY.search(text[found.start() : found.start() + SECRECY_WITHIN]):
            return text[: found.start()]
    return text


def _is_signature(lines: list[str]) -> bool:
    """Whether these lines are a name, a job and contacts, and not the ticket going on."""
    return all(
        (len(line.split()) <= SIGNATURE_WORDS or _CONTACT.search(line)) and not _LISTED.match(line) for line in lines
    )
