"""Which reply templates of the agents fit a ticket, and how do they read with its values filled in?"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from zipfile import BadZipFile

import numpy as np
import yaml
from selectolax.lexbor import LexborHTMLParser

from kb import Article, Encoder, FloatArray
from triage.errors import Misconfigured
from triage.tickets.model import Decision, IncomingTicket, MacroVariable, Outcome, SuggestedMacro

MOST = 3
# Cosine below which nothing is suggested. On the sample desk (18 macros, 488 tickets, `python -m bench.macros`) 26 % of
# the tickets are suggested something then, 67 % of them one of the right queue first; at .35 it is 42 and 62 %, at .45
# 16 and 79 %.
LEAST_COSINE = 0.4

# Zendesk (https://support.zendesk.com/hc/en-us/articles/4408886858138) and Freshdesk (https://support.freshdesk.com,
# "Understanding Dynamic content and Placeholders") both write {{ticket.requester.name}}; Zendesk's may carry Liquid
# filters and {% blocks %}, which are not computed here but shown as unknown.
_VARIABLE = re.compile(r"\{\{\s*([^{}|\s]+)\s*(\|[^{}]*)?\}\}|(\{%[^{}]{0,300}%\})")
_ADDRESS = re.compile(r"[\w.%+'-]{1,64}@[\w.-]{1,255}")
_NAMES = ("requester_name", "caller_name", "full_name", "display_name", "displayname", "name")
_FIRST_NAMES = ("first_name", "firstname", "given_name")


@dataclass(frozen=True, slots=True)
class Macro:
    """A reply template; ``text`` holds variables such as ``{{ticket.requester.name}}``."""

    id: str
    title: str
    text: str
    language: str | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of what its vectors depend on."""
        return hashlib.sha256(f"{self.title}\n{self.text}".encode("utf-8", "replace")).hexdigest()


class MacroShelf:
    """Macros with their vectors; those that ``known`` has by digest are not embedded again."""

    def __init__(
        self, macros: Sequence[Macro], encoder: Encoder, known: Mapping[str, FloatArray] | None = None
    ) -> None:
        self.macros = tuple(macros)
        new = {macro.digest: macro for macro in macros if macro.digest not in (known or {})}
        # As one text: title and text apart, or the better of both, found the right queue less often.
        texts = [f"{macro.title}\n{_VARIABLE.sub(' ', macro.text)}" for macro in new.values()]
        fresh = dict(zip(new, encoder.encode(texts), strict=True)) if new else {}
        every = {**(known or {}), **fresh}
        self.vectors = {macro.digest: every[macro.digest] for macro in macros}
        self._matrix = np.array([self.vectors[macro.digest] for macro in macros])  # (n, d), rows of unit length

    def nearest(
        self, vector: FloatArray, *, language: str | None = None, limit: int = MOST
    ) -> list[tuple[float, Macro]]:
        """The macros nearest to a ticket's vector (d,), best first, each with its cosine.

        A macro of another language than the ticket's is left out, and so is what scores below ``LEAST_COSINE``.
        """
        if not self.macros:
            return []
        scores = self._matrix @ vector
        ranked = ((float(scores[i]), self.macros[i]) for i in np.argsort(-scores, kind="stable"))
        fitting = [
            (score, macro)
            for score, macro in ranked
            if score >= LEAST_COSINE and (None in (language, macro.language) or language == macro.language)
        ]
        return fitting[:limit]


def read_vectors(file: Path) -> dict[str, FloatArray]:
    """Vectors of macros by digest, as ``write_vectors`` left them; none where they cannot be read: they can be made."""
    try:
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as stored:
            return dict(zip(stored["digests"].tolist(), np.asarray(stored["vectors"], np.float32), strict=True))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return {}


def write_vectors(file: Path, vectors: Mapping[str, FloatArray]) -> None:
    """Keep the vectors for other processes and the next start; the file is always whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=file.parent, suffix=".npz", delete=False) as written:
        np.savez(written, digests=np.array(list(vectors)), vectors=np.array(list(vectors.values())))
    Path(written.name).replace(file)


def suggest_macros(
    shelf: MacroShelf,
    ticket: IncomingTicket,
    vector: FloatArray,
    decisions: Iterable[Decision],
    *,
    language: str | None = None,
    ticket_id: str | None = None,
) -> tuple[SuggestedMacro, ...]:
    """At most three macros for the agent who reads the ticket, their variables filled as far as they are known."""
    found = shelf.nearest(vector, language=language)
    known = known_values(ticket, decisions, ticket_id) if found else {}
    filled = ((score, macro, *fill(macro.text, known)) for score, macro in found)
    return tuple(SuggestedMacro(one.id, one.title, text, round(s, 4), put) for s, one, text, put in filled)


def fill(text: str, known: Mapping[str, str]) -> tuple[str, tuple[MacroVariable, ...]]:
    """The text with its variables replaced, and where; what is unknown stands as ``⟨name?⟩``, for an agent to see.

    What is filled in is not looked at again: a requester named ``{{ticket.id}}`` stays that.
    """
    parts: list[str] = []
    variables: list[MacroVariable] = []
    done = length = 0
    for found in _VARIABLE.finditer(text):
        name = found[1] or found[3]
        value = known.get(name.casefold()) if found[1] and not found[2] else None
        shown = value if value is not None else f"⟨{name}?⟩"
        before = text[done : found.start()]
        start = length + len(before)
        variables.append(MacroVariable(name, value, start, start + len(shown)))
        parts += [before, shown]
        length, done = start + len(shown), found.end()
    return "".join([*parts, text[done:]]), tuple(variables)


def known_values(ticket: IncomingTicket, decisions: Iterable[Decision], ticket_id: str | None = None) -> dict[str, str]:
    """What is known of a ticket, by the names that Zendesk, Freshdesk and this desk give it, in small letters.

    Of the fields only those that are set; a suggestion is not certain enough to be said to a requester.
    """
    name, first_name, address = _requester(ticket)
    values: dict[str, str | None] = {
        "requester": ticket.requester,
        "requester.name": name,
        "ticket.requester.name": name,
        "ticket.requester.first_name": first_name,
        "ticket.requester.firstname": first_name,
        "requester.first_name": first_name,
        "ticket.requester.email": address,
        "requester.email": address,
        "ticket.id": ticket.features.get("ticket_id") or ticket_id or ticket.delivery_id,
        "ticket.subject": ticket.subject,
        "ticket.title": ticket.subject,
        "ticket.description": ticket.body,
        "ticket.channel": ticket.channel,
    }
    for feature, value in ticket.features.items():
        values |= {f"feature.{feature.casefold()}": value}
    for decision in decisions:
        if decision.outcome in (Outcome.APPLY, Outcome.LEAVE):
            values |= {f"{where}.{decision.field.casefold()}": decision.value for where in ("field", "ticket")}
    return {key: value.strip() for key, value in values.items() if value and value.strip()}


def _requester(ticket: IncomingTicket) -> tuple[str | None, str | None, str | None]:
    """Full name, first name and address as they are known; nothing is guessed from an address."""
    features = {key.casefold(): value for key, value in ticket.features.items()}
    address = _ADDRESS.search(ticket.requester)
    written = ticket.requester.replace(address[0], "") if address else ""
    written = re.sub(r"[<>\"()]|mailto:", " ", written)
    family, comma, given = written.partition(",")
    name = " ".join((f"{given} {family}" if comma else written).split())
    name = next((features[key] for key in _NAMES if features.get(key)), name)
    first = next((features[key] for key in _FIRST_NAMES if features.get(key)), name.partition(" ")[0])
    return name or None, first or None, address[0] if address else None


def macros_among(articles: Iterable[Article]) -> tuple[Macro, ...]:
    """The macros that came into the knowledge base with its articles."""
    return tuple(
        Macro(article.id, article.title, article.text, article.language)
        for article in articles
        if article.kind == "macro"
    )


def read_macros(file: Path) -> tuple[Macro, ...]:
    """The macros of a YAML or JSON file, none where there is no file; raises ``Misconfigured``.

    A list, or a list under ``macros``: ours (id, title, text, language), Zendesk's (title, actions;
    https://developer.zendesk.com/api-reference/ticketing/business-rules/macros/) or Freshdesk's canned responses
    (title, content).
    """
    try:
        read = yaml.safe_load(file.read_text(encoding="utf-8"))  # JSON is YAML
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise Misconfigured(f"The macros in {file} cannot be read: {error}") from error
    entries = read.get("macros") if isinstance(read, dict) else read
    if not isinstance(entries, list):
        raise Misconfigured(f"{file} should hold a list of macros, each with id, title and text.")
    macros = [_macro(file, number, entry) for number, entry in enumerate(entries, start=1)]
    if len({macro.id for macro in macros}) < len(macros):
        raise Misconfigured(f"Two macros in {file} have the same id.")
    return tuple(macros)


def _macro(file: Path, number: int, entry: object) -> Macro:
    if isinstance(entry, dict):
        title, text = entry.get("title"), entry.get("text") or entry.get("content") or _comment_of(entry.get("actions"))
        language = entry.get("language")
        if isinstance(title, str) and title.strip() and isinstance(text, str) and text.strip():
            known = language if isinstance(language, str) else None
            return Macro(str(entry.get("id") or title), title.strip(), text.strip(), known)
    raise Misconfigured(f"Macro {number} in {file} has no title or no text.")


def _comment_of(actions: object) -> str | None:
    """The reply among the actions of a Zendesk macro; its value may be a pair of channel and text."""
    for action in actions if isinstance(actions, list) else ():
        field, value = (action.get("field"), action.get("value")) if isinstance(action, dict) else (None, None)
        text = value[-1] if isinstance(value, list) and value else value
        if field == "comment_value" and isinstance(text, str):
            return text
        if field == "comment_value_html" and isinstance(text, str):
            return str(LexborHTMLParser(text).text(separator="\n", strip=True))
    return None
