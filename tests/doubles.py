"""Which parts of the application do tests stand in for?"""

from sqlalchemy.orm import Session


class NoJobs:
    """A queue that nobody works off: the test does by itself what is queued, which is kept in ``queued``."""

    def __init__(self) -> None:
        self.queued: list[tuple[str, str, int, float]] = []

    def enqueue_triage(self, session: Session, ticket_id: str, number: int) -> None:
        self.queued.append(("triage", ticket_id, number, 0))

    def enqueue_delivery(
        self, session: Session, channel: str, delivery_id: str, number: int, *, delay_s: float = 0
    ) -> None:
        self.queued.append(("delivery", delivery_id, number, delay_s))

    def enqueue_received(self, session: Session, received_id: str, number: int, *, delay_s: float = 0) -> None:
        self.queued.append(("received", received_id, number, delay_s))
