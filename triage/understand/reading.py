"""How is a ticket understood? Clean, tell the language, embed once, predict every field."""

from __future__ import annotations

from kb import Encoder
from triage.tickets.model import IncomingTicket, Understanding
from triage.understand.classifier import Classifier
from triage.understand.cleaning import clean
from triage.understand.language import language_of


def understand(ticket: IncomingTicket, *, encoder: Encoder, classifier: Classifier | None) -> Understanding:
    """Read a ticket; without a classifier there are no predictions. The vector serves the search too."""
    text = clean(ticket.subject, ticket.body)
    vectors = encoder.encode([text])
    predictions = classifier.predict([text], vectors, [ticket.known_features()])[0] if classifier else ()
    return Understanding(text, language_of(text), vectors[0], predictions)
