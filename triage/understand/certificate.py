"""From which probability on has a decision been measured to be right often enough?

The threshold is found by a walk down from the surest tickets while, at each look, the exact binomial bound of Clopper
and Pearson (1934) says that the target holds: fixed-sequence testing, which pays for many looks by stopping at the
first that fails (Angelopoulos et al. 2021, "Learn then Test", section 3.2). A long walk is begun at two places, each
with half of the error allowed, and one that arrives at the other's beginning hands its half on (Bretz et al. 2009,
"A graphical approach to sequentially rejective multiple test procedures").
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv  # scipy.stats would cost 65 MB and .8 s in every serving process

# Looks at most, as shares of the tickets covered: fixed, chosen before looking at which tickets were right. A hundred
# cover three points more tickets than forty; a thousand no more.
LOOKS = 100
# The walk begins with this share of the tickets: where it began with the fewest that could pass, one early error
# would end it although the tickets after that are right.
FIRST_LOOK = 0.1
# The second beginning. It helps where one early error meets few tickets (BANKING77, 800 checked tickets at 95/95: .92
# of the tickets covered, .85 without it) and costs little elsewhere.
SECOND_LOOK = 0.4
# Fewer tickets than so many times the least are walked from one beginning: 59 without an error must be enough.
LONG_WALK = 10

Floats = npt.NDArray[np.floating]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a certificate was made of: the model that was judged, its training tickets, and when (ISO 8601, UTC)."""

    model: str = ""
    dataset: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class Promise:
    """At least ``target`` of the decisions about a field are right, said with ``confidence``.

    It is about ``value``, or where that is None about all values that have no promise of their own. ``choices`` is 1,
    or 3 where tickets are asked about: there "right" means that the true value is among the two or three offered. The
    confidence holds for all promises of a field together; ``alpha`` is the chance of error left for this one.
    """

    field: str
    value: str | None
    choices: int
    target: float
    confidence: float
    alpha: float

    def __post_init__(self) -> None:
        for name, share in (("target", self.target), ("confidence", self.confidence)):
            if not 0 < share < 1:
                raise ValueError(
                    f"a {name} of {share} cannot be shown on any number of tickets; give one within 0 and 1"
                )


@dataclass(frozen=True, slots=True)
class Certificate(Promise):
    """A promise that was shown: of ``n`` checked tickets at or above ``threshold``, ``errors`` were wrong.

    ``lower_bound`` is the share that was shown to be right, ``coverage`` the share of the tickets in question that are
    at or above the threshold.
    """

    threshold: float
    n: int
    errors: int
    lower_bound: float
    coverage: float
    evidence: Evidence

    @property
    def says(self) -> str:
        """The certificate in words."""
        of = f" for {self.value}" if self.value is not None else ""
        right = f"{self.n - self.errors:,} of {self.n:,} checked tickets"
        if self.choices > 1:
            return (
                f"The right one was among the values offered for {right}: for at least {self.target:.0%} it is, "
                f"with {self.confidence:.0%} confidence."
            )
        return (
            f"From {percent(self.threshold)} on{of}, {right} were right: at least {self.target:.0%} are, "
            f"with {self.confidence:.0%} confidence."
        )


@dataclass(frozen=True, slots=True)
class Shortfall(Promise):
    """A promise that cannot be made: ``missing`` more checked tickets without an error would do.

    ``n`` are the surest checked tickets that were looked at first, ``errors`` those among them that were wrong.
    """

    n: int
    errors: int
    missing: int

    @property
    def says(self) -> str:
        """What is missing, in words."""
        of = f" for {self.value}" if self.value is not None else ""
        checked = f"{self.errors} of the {self.n:,} surest checked tickets{of} were wrong"
        if self.n and self.errors / self.n > 1 - self.target:
            return f"Not certified for {self.target:.0%}: {checked}; more tickets of that kind would not change it."
        if not self.errors:
            checked = f"{self.n:,} checked ticket{'' if self.n == 1 else 's'}{of}"
        return f"Not certified: {checked}; {self.missing:,} more without an error certify {self.target:.0%}."


class Look(NamedTuple):
    """What is seen from one threshold: ``n`` tickets at or above it, ``errors`` wrong ones among them."""

    threshold: float
    n: int
    errors: int


class Walk(NamedTuple):
    """The last look that passed, or None; and whether the walk came to its end."""

    passed: Look | None
    finished: bool


def certify(
    promise: Promise, probability: Floats, correct: Flags, evidence: Evidence
) -> tuple[Certificate | Shortfall, bool]:
    """Certify from (n,) probabilities and whether each was right, on tickets that the model had not seen.

    The second value tells whether even the least sure ticket is covered.
    """
    looks = looks_at(probability, ~correct, least=least_look(len(probability), promise.target, promise.alpha))
    walk = walk_down(looks, promise.target, promise.alpha, total=len(probability))
    seen = looks[0] if looks else Look(1.0, len(correct), int((~correct).sum()))
    return found(promise, walk, seen, len(probability), evidence), walk.finished


def found(promise: Promise, walk: Walk, seen: Look, total: int, evidence: Evidence) -> Certificate | Shortfall:
    """What a walk over ``total`` tickets came to; ``seen`` was its first look."""
    about = asdict(promise)
    if walk.passed is None:
        missing = needed(seen.errors, promise.target, promise.alpha) - seen.n
        return Shortfall(**about, n=seen.n, errors=seen.errors, missing=missing)
    threshold, n, errors = walk.passed
    return Certificate(
        **about,
        threshold=threshold,
        n=n,
        errors=errors,
        lower_bound=lower_bound(n, errors, promise.alpha),
        coverage=n / total,
        evidence=evidence,
    )


def lower_bound(n: int, errors: int, alpha: float) -> float:
    """The exact one-sided lower bound (confidence ``1 - alpha``) of the share that is right (Clopper and Pearson)."""
    return float(betaincinv(n - errors, errors + 1, alpha)) if n > errors else 0.0


def needed(errors: int, target: float, alpha: float) -> int:
    """How many checked tickets with so many errors show the target: 59, 93, 124 for 0, 1, 2 at .95 and .05."""
    low = max(errors, math.ceil(math.log(alpha) / math.log(target)) - 1)
    high = 2 * low + 2
    while lower_bound(high, errors, alpha) < target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if lower_bound(middle, errors, alpha) >= target else (middle, high)
    return high


def least_look(total: int, target: float, alpha: float) -> int:
    """With fewer of ``total`` tickets no look could pass, even without an error."""
    return needed(0, target, alpha / _beginnings(total, target, alpha))


def looks_at(score: Floats, wrong: Flags, *, least: int) -> list[Look]:
    """From the surest tickets down: none with fewer than could pass, and none that parts tickets of equal score."""
    order = np.argsort(-score, kind="stable")
    sure, errors = score[order], np.cumsum(wrong[order])
    return [Look(float(sure[n - 1]), n, int(errors[n - 1])) for n in sizes_of_looks(sure, least)]


def sizes_of_looks(sure: Floats, least: int) -> list[int]:
    """How many of the tickets, scores descending, each look takes in."""
    first = max(least, int(FIRST_LOOK * len(sure)))
    if first > len(sure):
        return []
    sizes = np.unique(np.linspace(first, len(sure), LOOKS).astype(int))
    return sorted({int(np.searchsorted(-sure, -sure[size - 1], side="right")) for size in sizes})


def walk_down(looks: Sequence[Look], target: float, alpha: float, *, total: int) -> Walk:
    """Test look after look of ``total`` tickets, at the full ``alpha`` or from two beginnings with half of it each."""
    if not looks:
        return Walk(None, finished=False)
    beginnings = [0]
    if _beginnings(total, target, alpha) == 2:
        second = next((row for row, look in enumerate(looks) if look.n >= SECOND_LOOK * total), 0)
        beginnings = sorted({0, second})
    passed: Look | None = None
    handed_on = 0.0
    for begin, end in zip(beginnings, [*beginnings[1:], len(looks)], strict=True):
        spend = alpha / len(beginnings) + handed_on
        row = begin
        while row < end and lower_bound(looks[row].n, looks[row].errors, spend) >= target:
            passed = looks[row]
            row += 1
        handed_on = spend if row == end else 0.0
    return Walk(passed, finished=handed_on > 0)


def _beginnings(total: int, target: float, alpha: float) -> int:
    return 2 if total >= LONG_WALK * needed(0, target, alpha) else 1


def percent(share: float) -> str:
    """A probability for people: 97 %, but 99.8 % where 100 % would be said of something less."""
    return f"{share:.1%}" if 0.995 <= share < 1 else f"{share:.0%}"
