"""How are rows named so that their names sort by age?"""

import secrets
import time
from datetime import datetime
from uuid import UUID


def new_id() -> str:
    """A UUIDv7: 48 bits of milliseconds since 1970, then 74 random bits (RFC 9562, section 5.7)."""
    milliseconds = time.time_ns() // 1_000_000
    high = (milliseconds << 16) | (0x7 << 12) | secrets.randbits(12)
    low = (0b10 << 62) | secrets.randbits(62)
    return str(UUID(int=(high << 64) | low))


def earliest_id(moment: datetime) -> str:
    """What sorts before every id that was made at that moment or later."""
    return str(UUID(int=int(moment.timestamp() * 1000) << 80))
