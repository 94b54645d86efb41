"""Which open ticket of the same requester says what this one says?"""

from __future__ import annotations

from collections.abc import Sequence

from kb import Encoder
from triage.tickets.model import EarlierTicket, IncomingTicket
from triage.understand.cleaning import clean
from triage.understand.copies import is_near_copy


def original_of(ticket: IncomingTicket, earlier: Sequence[EarlierTicket], encoder: Encoder) -> str | None:
    """The id of the first of the ``earlier`` tickets that says the same, or of the one that it is a duplicate of."""
    if not earlier:
        return None
    text = clean(ticket.subject, ticket.body)
    for candidate in earlier:
        other = clean(candidate.subject, candidate.body) if candidate.text is None else candidate.text
        if is_near_copy(text, other, lambda other=other: _cosine(text, other, encoder)):  # type: ignore[misc]
            return candidate.original
    return None


def _cosine(text: str, other: str, encoder: Encoder) -> float:
    mine, theirs = encoder.encode([text, other])
    return float(mine @ theirs)
