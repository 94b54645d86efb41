"""Which past tickets are nearest to this one?"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from kb import FloatArray, GrowingIndex
from triage.tickets.model import PastLabel, PastSource, SimilarTicket
from triage.understand.copies import form_of

SHOWN = 3
# Of two real IT tickets taken at random 95 % are further apart; what is further than that says nothing.
LEAST_COSINE = 0.4
# From here on two tickets are told apart by a code or a name at most, and one of them is enough to show.
SAME_COSINE = 0.95
# So many more than are shown are looked at, and more again where they turn out to be copies of one another.
AT_FIRST, AT_MOST = 8 * SHOWN, 1_536
TITLE_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class PastTicket:
    """A ticket of the past as it is held in memory; ``form`` is shared by texts equal but for digits."""

    ticket_id: str | None
    title: str
    form: int
    labels: tuple[PastLabel, ...]

    @classmethod
    def of(cls, text: str, labels: tuple[PastLabel, ...], ticket_id: str | None = None) -> PastTicket:
        """The past ticket with this cleaned text."""
        return cls(ticket_id, title_of(text), form_of(text), labels)


@dataclass(frozen=True, slots=True)
class _Found:
    ticket: PastTicket
    source: PastSource
    cosine: float
    vector: FloatArray

    def is_same(self, other: _Found) -> bool:
        """Whether showing both would be showing one thing twice."""
        if self.ticket.form == other.ticket.form:
            return True
        return float(self.vector @ other.vector) >= SAME_COSINE


class PastTickets:
    """The past tickets of one source, searched by their vectors. Safe to use from several threads."""

    def __init__(self, source: PastSource, dimension: int) -> None:
        self.source = source
        self._index = GrowingIndex(dimension)
        self._tickets: list[PastTicket | None] = []  # None: replaced by a later row
        self._row_of: dict[str, int] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many vectors there are, those of replaced tickets among them."""
        return len(self._index)

    def add(self, tickets: Sequence[PastTicket], vectors: FloatArray) -> None:
        """Add n tickets with their (n, d) unit vectors; one with a known id takes the place of the former."""
        with self._lock:
            for row, ticket in enumerate(tickets, len(self._tickets)):
                if ticket.ticket_id is not None:
                    if (former := self._row_of.get(ticket.ticket_id)) is not None:
                        self._tickets[former] = None
                    self._row_of[ticket.ticket_id] = row
                self._tickets.append(ticket)
            self._index.add(vectors)

    def relabel(self, ticket_id: str, labels: tuple[PastLabel, ...]) -> None:
        """Give a ticket other labels; one that is not there is left to be added."""
        with self._lock:
            row = self._row_of.get(ticket_id)
            ticket = None if row is None else self._tickets[row]
            if row is not None and ticket is not None:
                self._tickets[row] = replace(ticket, labels=labels)

    def settle(self) -> None:
        """Keep searches quick after much was added; may take long, so not for a request to do."""
        self._index.settle()

    def nearest(self, vector: FloatArray, k: int, *, without: str | None) -> list[_Found]:
        """At most ``k`` tickets, the nearest first."""
        rows, cosines, vectors = self._index.nearest(vector, k)
        found = zip(rows.tolist(), cosines.tolist(), vectors, strict=True)
        return [
            _Found(ticket, self.source, cosine, near)
            for row, cosine, near in found
            if cosine >= LEAST_COSINE
            and (ticket := self._tickets[row]) is not None
            and (without is None or ticket.ticket_id != without)
        ]


def similar(
    past: Sequence[PastTickets], vector: FloatArray, *, limit: int = SHOWN, without: str | None = None
) -> tuple[SimilarTicket, ...]:
    """The nearest past tickets of all sources to a (d,) unit vector, of near-copies only the nearest.

    ``without`` is the id of the ticket itself.
    """
    k = max(AT_FIRST, 8 * limit)
    while True:
        found = [one for part in past for one in part.nearest(vector, k, without=without)]
        found.sort(key=lambda one: -one.cosine)
        shown = _without_copies(found, limit)
        if len(shown) == limit or k >= AT_MOST or all(k >= len(part) for part in past):
            return tuple(_shown(one) for one in shown)
        k *= 4


def title_of(text: str) -> str:
    """The beginning of a text, on one line."""
    return " ".join(text[: 4 * TITLE_CHARACTERS].split())[:TITLE_CHARACTERS]


def _without_copies(found: Sequence[_Found], limit: int) -> list[_Found]:
    shown: list[_Found] = []
    for one in found:
        if len(shown) == limit:
            break
        if not any(one.is_same(other) for other in shown):
            shown.append(one)
    return shown


def _shown(one: _Found) -> SimilarTicket:
    cosine = float(np.clip(one.cosine, -1, 1))
    return SimilarTicket(one.ticket.ticket_id, one.ticket.title, one.ticket.labels, cosine, one.source)
