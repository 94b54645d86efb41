"""Where is something personal in a text, and what is put in its place?"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from triage.privacy.addresses import emails, ip_addresses
from triage.privacy.checksums import cards, ibans
from triage.privacy.folding import FOUND, fold
from triage.privacy.names import name_pattern
from triage.privacy.passwords import passwords
from triage.privacy.phones import phones
from triage.privacy.tokens import tokens


class Kind(StrEnum):
    """What was found; the placeholder is the kind in square brackets."""

    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    IBAN = "iban"
    IP = "ip"
    TOKEN = "token"
    PASSWORD = "password"
    NAME = "name"


@dataclass(frozen=True, slots=True)
class Span:
    """Something personal: ``text[start:end]`` of the original."""

    start: int
    end: int
    kind: Kind


Stretches = Iterable[tuple[int, int]]
# The order matters: what is found first is out of reach for the next. A password may look like an address or a
# number, a card like a phone number.
_FINDERS: tuple[tuple[Kind, Callable[[str], Stretches]], ...] = (
    (Kind.TOKEN, tokens),
    (Kind.PASSWORD, passwords),
    (Kind.EMAIL, emails),
    (Kind.IBAN, ibans),
    (Kind.CARD, cards),
    (Kind.IP, ip_addresses),
    (Kind.PHONE, phones),
)
_PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(Kind)})\]")
# Without any of these no rule can match, and most lines of a log end here.
_TRACE = re.compile(r"[0-9@:=\"'-]|\(at\)|\[at\]|pass|pw|kennwort|mdp|contrase|clave|pin|bearer", re.IGNORECASE)


# What was hidden by its neighbour is seen when that one is gone: "+49 171 1234567+49 171 1234568".
_ROUNDS = 4


def find_personal(text: str, names: Sequence[str] = ()) -> tuple[Span, ...]:
    """What is personal in a text, in order and without overlaps; time linear in its length."""
    folded = fold(text)
    plain = _PLACEHOLDER.sub(lambda found: FOUND * len(found[0]), folded.text)
    finders = list(_FINDERS) if _TRACE.search(plain) else []
    if names:
        finders.append((Kind.NAME, lambda rest: (found.span() for found in name_pattern(tuple(names)).finditer(rest))))
    spans: list[Span] = []
    for _ in range(_ROUNDS):
        known = len(spans)
        for kind, find in finders:
            stretches = list(find(plain))
            spans += [Span(*folded.original(start, end), kind) for start, end in stretches]
            plain = _without(plain, stretches)
        if len(spans) == known:
            break
    return tuple(sorted(spans, key=lambda span: span.start))


def mask(text: str, *, names: Sequence[str] = ()) -> str:
    """The text with ``[email]``, ``[phone]`` and so on instead of what is personal; masking twice changes nothing.

    ``names`` are those of the requester, as ``names_of`` gives them.
    """
    parts = []
    done = 0
    for span in find_personal(text, names):
        parts += [text[done : span.start], f"[{span.kind}]"]
        done = span.end
    return "".join([*parts, text[done:]])


def _without(text: str, stretches: Sequence[tuple[int, int]]) -> str:
    parts = []
    done = 0
    for start, end in stretches:
        parts += [text[done:start], FOUND * (end - start)]
        done = end
    return "".join([*parts, text[done:]]) if stretches else text
