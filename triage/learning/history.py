"""Which labelled tickets do the agents' corrections make?"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from sqlalchemy import select
from sqlalchemy.orm import Session

from triage.db.tables import CorrectionRow, TicketRow
from triage.learning.dataset import LabelledTickets, Origin, Source
from triage.tickets.store import as_incoming
from triage.understand.cleaning import clean

TEXT_COLUMNS = ("subject", "body")


def read_corrections(session: Session, *, labels: Sequence[str] = (), features: Sequence[str] = ()) -> LabelledTickets:
    """Every stored ticket that an agent has corrected, oldest first; each field as the last correction says.

    A decision that nobody has corrected is no label: that it stood does not mean that somebody has looked. With
    ``labels`` only those fields count. Metadata that a ticket lacks is empty.
    """
    query = select(TicketRow, CorrectionRow).join(CorrectionRow, CorrectionRow.ticket_id == TicketRow.id)
    query = query.order_by(TicketRow.id, CorrectionRow.id)
    if labels:
        query = query.where(CorrectionRow.field.in_(labels))
    texts: list[str] = []
    finals: list[dict[str, str]] = []
    known: list[dict[str, str]] = []
    origins: list[Origin] = []
    for ticket, pairs in groupby(session.execute(query), key=lambda pair: pair[0]):
        corrections = [correction for _, correction in pairs]
        metadata = as_incoming(ticket).known_features()
        texts.append(clean(ticket.subject, ticket.body))
        finals.append({correction.field: correction.value for correction in corrections})
        known.append({name: str(metadata.get(name, "")) for name in features})
        origins.append(Origin(Source.CORRECTION, ticket.id, ticket.received_at.isoformat(), corrections[-1].author))
    fields = labels or sorted({name for final in finals for name in final})
    return LabelledTickets(
        name=f"{len(texts)} corrected tickets",
        texts=tuple(texts),
        labels={name: tuple(final.get(name) for final in finals) for name in fields},
        features=tuple(known),
        text_columns=TEXT_COLUMNS,
        feature_columns=tuple(features),
        origins=tuple(origins),
    )
