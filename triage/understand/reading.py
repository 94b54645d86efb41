"""How is a ticket understood? Clean, tell the language, embed once, predict every field."""

from __future__ import annotations

from collections.abc import Sequence

from kb import Encoder
from triage.tickets.model import IncomingTicket, Understanding
from triage.understand.classifier import Classifier
from triage.understand.cleaning import clean
from triage.understand.descriptions import DescribedField, predict_described
from triage.understand.language import language_of
from triage.understand.similar import PastTickets, similar


def understand(
    ticket: IncomingTicket,
    *,
    encoder: Encoder,
    classifier: Classifier | None,
    described: Sequence[DescribedField] = (),
    past: Sequence[PastTickets] = (),
    ticket_id: str | None = None,
) -> Understanding:
    """Read a ticket; the vector serves the search too.

    Fields that the classifier does not know are predicted by the nearest description where their values have any.
    ``past`` are searched for similar tickets, the one with this ``ticket_id`` left out.
    """
    text = clean(ticket.subject, ticket.body)
    vectors = encoder.encode([text])
    predictions = classifier.predict([text], vectors, [ticket.known_features()])[0] if classifier else ()
    known = classifier.fields if classifier else ()
    nearest = predict_described(described, vectors[0], known=known)
    near = similar(past, vectors[0], without=ticket_id)
    return Understanding(text, language_of(text), vectors[0], (*predictions, *nearest), near)
