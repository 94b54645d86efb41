"""How is a ticket written where a system knows no optimistic locking?"""

from __future__ import annotations

from collections.abc import Callable

from triage.channels.common.values import DeliveryFailed, RemoteTicket


def refuse_changed(ticket: RemoteTicket, version_now: Callable[[], str]) -> None:
    """Raise ``DeliveryFailed`` where the ticket has another version now than when it was read.

    Between this look and the write a person may still be faster, for some milliseconds instead of minutes.
    """
    now = version_now()
    if ticket.version and now != ticket.version:
        raise DeliveryFailed(f"The ticket was changed since it was read ({ticket.version}, now {now}).")
