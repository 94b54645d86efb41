"""How do tests make values while naming only what matters?"""

from __future__ import annotations

from collections.abc import Mapping

from triage.tickets.model import IncomingTicket, LabelProbability, Prediction


def incoming(
    body: str = "The VPN drops every ten minutes since this morning.",
    *,
    subject: str = "VPN drops",
    requester: str = "ana@example.com",
    channel: str = "email",
    delivery_id: str | None = None,
    features: Mapping[str, str] | None = None,
) -> IncomingTicket:
    """A ticket as a channel hands it over."""
    return IncomingTicket(
        subject=subject,
        body=body,
        requester=requester,
        channel=channel,
        source="test",
        delivery_id=delivery_id,
        features=features or {},
    )


def prediction(field: str = "queue", *, familiarity: float = 0.5, **probabilities: float) -> Prediction:
    """A prediction with the given labels, best first."""
    ranked = sorted(probabilities.items(), key=lambda item: -item[1])
    return Prediction(field, tuple(LabelProbability(label, p) for label, p in ranked), familiarity)
