"""Which lines of a mail are older than the mail itself?

A reply's history goes. A forward is the ticket, so it stays, without the mail headers above it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from triage.understand.signature import without_signature

# Stands before what HTML marks as a quotation; also what Outlook writes into plain text.
QUOTE_DIVIDER = "-----Original Message-----"
# A forward of a forward of a forward: deeper threads are history to anybody.
MOST_FORWARDS = 4
# Mail programs break the line above a quotation into three at most.
ATTRIBUTION_LINES = 3
ATTRIBUTION_CHARACTERS = 400
LEAST_HEADERS = 3
# Own words above a history so few that, with one of the words below, they only point at it.
MOST_POINTING_WORDS = 12

_FORWARD_SUBJECT = re.compile(r"^\s*(?:fwd?|wg|tr|rv|enc|doorst|vs)\s*:", re.IGNORECASE)
_FORWARD_DIVIDER = re.compile(
    r"^-*\s*(?:begin forwarded message|forwarded message|anfang der weitergeleiteten (?:nachricht|e-?mail)|"
    r"weitergeleitete nachricht|message transféré|début du message (?:réexpédié|transféré)|mensaje reenviado|"
    r"inicio del mensaje reenviado|doorgestuurd bericht)[\s:-]*$",
    re.IGNORECASE,
)
_REPLY_DIVIDER = re.compile(
    r"^-{2,}\s*(?:original message|original appointment|ursprüngliche nachricht|originalnachricht|"
    r"message d.origine|mensaje original|oorspronkelijk bericht|messaggio originale|mensagem original|"
    r"reply above this line|please type your reply above this line)\s*-*$|^_{20,}$",
    re.IGNORECASE,
)
# "On Tue, 3 Mar 2026 at 10:12, Ana <ana@x> wrote:" in the languages of mail programs' own texts.
_VERBS = (
    r"(?:wrote|writes|schrieb|geschrieben|a écrit|escribió|schreef|ha scritto|escreveu|skrev|kirjoitti|napisał\w*|"
    r"написал\w*|пишет)"
)
_ATTRIBUTION = re.compile(
    r"^(?:-{2,}\s*)?(?:on|am|le|el|op|il|in data|em|den|w dniu|dnia|kl|pe|ti|ma|ke|to|la|su)\b.{4,350}?"
    rf"{_VERBS}\b.{{0,80}}?(?::|-{{2,}})$|"
    r"^\d.{6,120}?<?\S+@[^\s<>]+>?\s*:$",
    re.IGNORECASE,
)
_SHORT_ATTRIBUTION = re.compile(rf"^.{{0,120}}?\S@\S+\s+{_VERBS}\s*:?$", re.IGNORECASE)
_VERB = re.compile(rf"{_VERBS}|@", re.IGNORECASE)
_HEADER = re.compile(
    r"^\*?(?P<name>from|von|de|van|da|från|fra|od|от|sent|gesendet|envoyé|enviado|verzonden|inviato|skickat|отправлено|"
    r"date|datum|fecha|data|дата|to|an|à|para|aan|till|til|кому|cc|cci|kopie|subject|betreff|objet|asunto|onderwerp|"
    r"oggetto|assunto|ämne|тема|reply-to|organi[sz]ation|importance|priority)\s?:\*?(?P<value>.*)$",
    re.IGNORECASE,
)
_SENDER = frozenset(("from", "von", "de", "van", "da", "från", "fra", "od", "от"))
_SUBJECT = frozenset(("subject", "betreff", "objet", "asunto", "onderwerp", "oggetto", "assunto", "ämne", "тема"))
_POINTING = re.compile(
    r"\b(?:fyi|fya|below|forward\w*|see (?:this|attached|thread)|unten|siehe|weiterleit\w*|zur (?:info|kenntnis)|"
    r"ci-dessous|voir|transf\w*|abajo|adjunto|reenv\w*|please (?:handle|help|assist|check|advise|look|take|see)|"
    r"can (?:you|someone|anyone|we)|could you|bitte|merci de|pouvez-vous|por favor|pueden|hieronder)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Mark:
    """Where older text begins: own lines end at ``start``, the older text begins at ``end``."""

    start: int
    end: int
    is_forward: bool
    subject: str = ""


def is_forward_subject(subject: str) -> bool:
    """Whether a mail program put “Fwd:” or its like before the subject."""
    return bool(_FORWARD_SUBJECT.match(subject))


def without_history(lines: list[str], *, forwarded: bool = False) -> list[str]:
    """The lines written now, and those of a forwarded mail where that is what the ticket is about, all unsigned.

    Answers between or below quoted lines stay. ``forwarded`` says that the subject calls it a forward.
    Takes time linear in the lines.
    """
    kept: list[str] = []
    for _ in range(MOST_FORWARDS):
        mark = _first_mark(lines)
        if mark is None:
            return kept + _own(lines)
        older = lines[mark.end :]
        if not (mark.subject or mark.is_forward) and _next_is_quoted(older):
            return kept + _own(lines[: mark.start] + older)
        own = _own(lines[: mark.start])
        kept += own
        said = " ".join(own).strip()
        if said and not (forwarded or mark.is_forward or _only_points(said)):
            return kept
        kept += ["", mark.subject] if mark.subject else [""]
        lines, forwarded = older, False
    return kept


def unquoted(lines: list[str]) -> list[str]:
    """A text that is all quote, without its quote marks and dividers."""
    bare = [re.sub(r"^(?:>\s?)+", "", line) for line in lines]
    return [line for line in bare if line != QUOTE_DIVIDER]


def _own(lines: list[str]) -> list[str]:
    return without_signature([line for line in lines if not line.startswith(">")])


def _next_is_quoted(lines: list[str]) -> bool:
    return next((line.startswith(">") for line in lines if line), False)


def _only_points(said: str) -> bool:
    return len(said.split()) <= MOST_POINTING_WORDS and bool(_POINTING.search(said))


def _first_mark(lines: list[str]) -> _Mark | None:
    for row, line in enumerate(lines):
        if not line or line.startswith(">"):
            continue
        if _FORWARD_DIVIDER.match(line) or _REPLY_DIVIDER.match(line):
            headers = _headers(lines, row + 1)
            end, subject = (headers.end, headers.subject) if headers else (row + 1, "")
            return _Mark(row, end, bool(_FORWARD_DIVIDER.match(line)), subject)
        if mark := _headers(lines, row) or _attribution(lines, row):
            return mark
    return None


def _attribution(lines: list[str], row: int) -> _Mark | None:
    """“On … wrote:” in up to three lines; it names a day or an address, and no blank line breaks it."""
    if _SHORT_ATTRIBUTION.match(lines[row][:ATTRIBUTION_CHARACTERS]):
        return _Mark(row, row + 1, is_forward=False)
    joined = ""
    for end in range(row, min(row + ATTRIBUTION_LINES, len(lines))):
        if not lines[end] or lines[end].startswith(">"):
            return None
        joined = f"{joined} {lines[end]}".strip()
        if len(joined) > ATTRIBUTION_CHARACTERS:
            return None
        if _VERB.search(joined) and any(c.isdigit() or c == "@" for c in joined) and _ATTRIBUTION.match(joined):
            return _Mark(row, end + 1, is_forward=False)
    return None


def _headers(lines: list[str], row: int) -> _Mark | None:
    """From, sent, to, subject in any order, as programs write them above what they quote; blanks may part them."""
    found: set[str] = set()
    subject, end, stray = "", row, 0
    for number in range(row, len(lines)):
        line = lines[number]
        match = _HEADER.match(line)
        if match and match["name"].lower() not in found:
            name = match["name"].lower()
            found.add(name)
            subject = match["value"].strip(" *") if name in _SUBJECT else subject
            end, stray = number + 1, 0
        elif not found or (line and (stray := stray + 1) > 1) or number - end > 2:
            break  # one line may be the rest of a long header
    if len(found) < LEAST_HEADERS or not found & _SENDER:
        return None
    return _Mark(row, end, is_forward=False, subject=subject)
