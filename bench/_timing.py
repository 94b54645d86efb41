"""How long does a call take, again and again?"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np


def timed(call: Callable[[], object], times: int) -> np.ndarray:
    """Milliseconds of each call."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return np.array(taken)


def quantiles(milliseconds: np.ndarray) -> dict[str, float]:
    """p50 and p99."""
    return {
        "p50_ms": round(float(np.median(milliseconds)), 2),
        "p99_ms": round(float(np.quantile(milliseconds, 0.99)), 2),
    }
