"""From which probability on has a field been measured to be right often enough?

The threshold is the lowest that a walk down from the surest ticket reaches while, at each step, the exact
binomial bound says that the target holds: fixed-sequence testing, which pays for looking at many thresholds by
stopping at the first that fails (Angelopoulos et al. 2021, "Learn then Test", section 3.2). The bound is that of
Clopper and Pearson (1934).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv  # scipy.stats would cost 65 MB and .8 s in every serving process

# Thresholds that are tried, as shares of the tickets covered. A fixed grid, chosen before looking at the data.
COVERAGES = 40
# The walk begins with this share of the tickets: where it began with the fewest that could pass, one early error
# would end it although the tickets after that are right.
FIRST_LOOK = 0.1


@dataclass(frozen=True, slots=True)
class Certificate:
    """Of ``n`` held-out tickets at or above ``threshold``, ``errors`` were wrong.

    With the stated confidence at least ``target`` of all such tickets are right; ``lower_bound`` is what was
    shown, ``coverage`` the share of tickets that are above the threshold.
    """

    field: str
    target: float
    confidence: float
    threshold: float
    n: int
    errors: int
    lower_bound: float
    coverage: float

    @property
    def sentence(self) -> str:
        """The certificate in words."""
        return (
            f"From {self.threshold:.0%} on, {self.n - self.errors} of {self.n} checked tickets were right: "
            f"at least {self.target:.0%} are, with {self.confidence:.0%} confidence."
        )


@dataclass(frozen=True, slots=True)
class Shortfall:
    """No threshold can be certified: ``missing`` more checked tickets without an error would do."""

    field: str
    target: float
    confidence: float
    n: int
    errors: int
    missing: int

    @property
    def explanation(self) -> str:
        """What is missing, in words."""
        return (
            f"Not certified for {self.target:.0%}: {self.n} of the surest checked tickets had "
            f"{self.errors} errors; {self.missing} more without an error would certify it."
        )


def certify(
    field: str,
    probability: npt.NDArray[np.floating],
    correct: npt.NDArray[np.bool_],
    *,
    target: float = 0.95,
    confidence: float = 0.95,
) -> Certificate | Shortfall:
    """Certify a field from its (n,) probabilities and whether each was right, on tickets it had not seen."""
    order = np.argsort(-probability, kind="stable")
    sure, right = probability[order], correct[order]
    least = max(needed(0, target, confidence), int(FIRST_LOOK * len(sure)))
    passed: Certificate | None = None
    first_n, first_errors = min(least, len(sure)), 0
    for n in _steps(sure, least):
        errors = int(n - right[:n].sum())
        bound = lower_bound(n, errors, confidence)
        if passed is None:
            first_n, first_errors = n, errors
        if bound < target:
            break
        passed = Certificate(field, target, confidence, float(sure[n - 1]), n, errors, bound, n / len(sure))
    if passed:
        return passed
    if len(sure) < least:
        first_errors = int(len(sure) - right.sum())
    return Shortfall(
        field, target, confidence, first_n, first_errors, needed(first_errors, target, confidence) - first_n
    )


def lower_bound(n: int, errors: int, confidence: float) -> float:
    """The exact one-sided lower bound of the share that is right (Clopper and Pearson)."""
    return float(betaincinv(n - errors, errors + 1, 1 - confidence)) if n > errors else 0.0


def needed(errors: int, target: float, confidence: float) -> int:
    """How many checked tickets with so many errors show the target: 59, 93, 124 for 0, 1, 2 at 95/95."""
    n = max(errors + 1, math.ceil(math.log(1 - confidence) / math.log(target)))
    while lower_bound(n, errors, confidence) < target:
        n += 1
    return n


def _steps(sure: npt.NDArray[np.floating], least: int) -> list[int]:
    """How many of the surest tickets each step looks at: none below what could pass, whole runs of equals."""
    sizes = np.unique(np.linspace(min(least, len(sure)), len(sure), COVERAGES).astype(int))
    whole = {int(np.searchsorted(-sure, -sure[size - 1], side="right")) for size in sizes if size >= least}
    return sorted(whole)
