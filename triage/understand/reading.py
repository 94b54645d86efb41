"""How is a ticket understood? Clean, tell the language, embed once, predict every field."""

from __future__ import annotations

from collections.abc import Sequence

from kb import Encoder
from triage.tickets.model import IncomingTicket, Understanding
from triage.understand.classifier import Classifier
from triage.understand.cleaning import clean
from triage.understand.descriptions import DescribedField, predict_described
from triage.understand.language import language_of


def understand(
    ticket: IncomingTicket,
    *,
    encoder: Encoder,
    classifier: Classifier | None,
    described: Sequence[DescribedField] = (),
) -> Understanding:
    """Read a ticket; the vector serves the search too.

    Fields that the classifier does not know are predicted by the nearest description where their values have any.
    """
    text = clean(ticket.subject, ticket.body)
    vectors = encoder.encode([text])
    predictions = classifier.predict([text], vectors, [ticket.known_features()])[0] if classifier else ()
    known = classifier.fields if classifier else ()
    nearest = predict_described(described, vectors[0], known=known)
    return Understanding(text, language_of(text), vectors[0], (*predictions, *nearest))
