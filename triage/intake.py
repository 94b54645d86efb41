"""How does a ticket come in so that it can never be lost or taken twice?"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import select

from triage.db.engine import insert_unless_there
from triage.db.tables import TicketRow
from triage.errors import Conflict, TicketRefused
from triage.privacy import mask, names_of
from triage.tickets.ids import new_id
from triage.tickets.model import IncomingTicket, TicketState, requester_key

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

# A mail with its quoted history is rarely over 100 kB; ten times that is a file pasted by mistake.
MAX_TEXT_CHARACTERS = 1_000_000
MAX_NAME_CHARACTERS = 200
MAX_FEATURES = 50


class JobQueue(Protocol):
    """Where a job is put in the caller's own transaction."""

    def enqueue_triage(self, session: Session, ticket_id: str, number: int) -> None:
        """Queue pass ``number`` of the ticket; the same pair is queued once."""

    def enqueue_delivery(
        self, session: Session, channel: str, delivery_id: str, number: int, *, delay_s: float = 0
    ) -> None:
        """Queue try ``number`` of the delivery, not before ``delay_s`` seconds; the same pair is queued once."""

    def enqueue_received(self, session: Session, received_id: str, number: int, *, delay_s: float = 0) -> None:
        """Queue try ``number`` to work on what came in; the same pair is queued once."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The ticket's id, and whether this call made it (False: it had come before)."""

    ticket_id: str
    is_new: bool


def accept(session: Session, jobs: JobQueue, incoming: IncomingTicket, *, mask_stored: bool = False) -> Acceptance:
    """Store the ticket and queue its triage in the caller's transaction; the caller commits, then says 2xx.

    A repeat of (source, delivery_id) with the same content returns the first ticket. Raises ``TicketRefused``
    where there is no text or too much of it, ``Conflict`` where the id came before with other content.
    With ``mask_stored`` subject and body are stored without what is personal in them.
    """
    _refuse_unusable(incoming)
    ticket_id = new_id()
    row = _row(ticket_id, incoming)
    if mask_stored:
        row |= _masked_texts(incoming)  # the digest stays that of the original, by which a repeat is known
    if not _insert_once(session, row):
        return _repeated(session, incoming, row["digest"])
    jobs.enqueue_triage(session, ticket_id, 1)
    return Acceptance(ticket_id, is_new=True)


def _refuse_unusable(incoming: IncomingTicket) -> None:
    if not (incoming.subject.strip() or incoming.body.strip()):
        raise TicketRefused("The ticket has no text: give it a subject or a body.")
    size = len(incoming.subject) + len(incoming.body)
    if size > MAX_TEXT_CHARACTERS:
        raise TicketRefused(
            f"The ticket has {size:,} characters of text, {MAX_TEXT_CHARACTERS:,} are the most that is read: "
            "cut it, or send the long part as an attachment of the original system."
        )
    names = {
        "source": incoming.source,
        "channel": incoming.channel,
        "delivery_id": incoming.delivery_id or "",
    }
    for name, value in names.items():
        if len(value) > MAX_NAME_CHARACTERS:
            raise TicketRefused(f"`{name}` has {len(value)} characters, {MAX_NAME_CHARACTERS} are the most.")
    if len(incoming.features) > MAX_FEATURES:
        raise TicketRefused(f"The ticket has {len(incoming.features)} features, {MAX_FEATURES} are the most.")


def _row(ticket_id: str, incoming: IncomingTicket) -> dict[str, object]:
    # Postgres cannot store NUL in text; nobody can see one either.
    content = {
        "channel": incoming.channel.replace("\0", ""),
        "requester": incoming.requester.replace("\0", ""),
        "subject": _without_nul(incoming.subject),
        "body": _without_nul(incoming.body),
        "features": {key.replace("\0", ""): value.replace("\0", "") for key, value in incoming.features.items()},
    }
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return {
        **content,
        "id": ticket_id,
        "source": incoming.source,
        "delivery_id": incoming.delivery_id,
        "requester_key": requester_key(incoming.requester.replace("\0", "")),
        "digest": hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest(),
        "state": TicketState.ACCEPTED.value,
        "attempts": 1,
        "received_at": datetime.now(UTC),
    }


def _without_nul(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _masked_texts(incoming: IncomingTicket) -> dict[str, object]:
    names = names_of(incoming.requester, incoming.features)
    return {
        "subject": _without_nul(mask(incoming.subject, names=names)),
        "body": _without_nul(mask(incoming.body, names=names)),
    }


def _insert_once(session: Session, row: dict[str, object]) -> bool:
    return session.scalar(insert_unless_there(session, TicketRow, row).returning(TicketRow.id)) is not None


def _repeated(session: Session, incoming: IncomingTicket, digest: object) -> Acceptance:
    known = session.scalars(
        select(TicketRow).where(TicketRow.source == incoming.source, TicketRow.delivery_id == incoming.delivery_id)
    ).one()
    if known.digest != digest:
        raise Conflict(
            f"`{incoming.delivery_id}` was used before for ticket {known.id} with other content: "
            "send the same content again, or use a new key."
        )
    return Acceptance(known.id, is_new=False)
