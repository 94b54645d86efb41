"""Request Tracker 5: scrips tell of changes, REST2 reads and writes.

Of https://docs.bestpractical.com/rt/5.0.3/RT/REST2.html; a PUT answers 200 with sentences even where a field was
refused, so what stands there afterwards is read back.
"""

from __future__ import annotations

from triage.channels.rt.table import RtTable, parse

__all__ = ["RtTable", "parse"]
