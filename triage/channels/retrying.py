"""How long is it waited before something is tried again?"""

from __future__ import annotations

import random

from triage.channels.common.tables import SendingTable


def pause_s(sending: SendingTable, attempts: int) -> float:
    """Seconds after so many failed attempts: doubling up to the longest, the upper half by chance.

    The chance keeps many that failed at once from coming back at once.
    """
    full = min(sending.longest_wait_s, sending.first_wait_s * 2.0 ** min(max(attempts - 1, 0), 30))
    return full * random.uniform(0.5, 1.0)
