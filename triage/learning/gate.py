"""May a candidate take over from the champion?

Both are compared on the same tickets, of which each was judged by a model that had not seen them. The candidate
passes a field where the lower end of the paired bootstrap interval (Efron and Tibshirani 1993, section 13.3) of its
accuracy minus the champion's is not below minus the margin. McNemar's exact test (1947) is shown beside it: it asks
whether there is any difference, not whether the candidate may be worse by more than the margin.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import bdtr, ndtri  # scipy.stats would cost every command .8 s

MARGIN = 0.01
CONFIDENCE = 0.95
RESAMPLES = 10_000
# The certified coverage moves by about so much between two halves of one history. Holding a certificate for a far
# smaller share of the tickets would pass for "held" and hand most of the work back to the agents.
COVERAGE_LOSS = 0.05

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Paired:
    """Two models on the same ``n`` tickets: accuracies, on how many only one is right, and the difference.

    ``difference`` is first minus second, ``interval`` its paired bootstrap interval at 95 %, over whole groups of
    near-copies; ``p_value`` McNemar's exact, two-sided.
    """

    n: int
    first: float
    second: float
    only_first: int
    only_second: int
    difference: float
    interval: tuple[float, float]
    p_value: float


@dataclass(frozen=True, slots=True)
class Compared:
    """One field of the candidate and of what it is measured against.

    ``paired`` is None where there is nothing to compare, for the reason ``why_not``. ``coverage`` and
    ``champion_coverage`` are the shares of tickets that each is certified to decide alone, 0 without a certificate.
    """

    field: str
    paired: Paired | None
    coverage: float = 0.0
    champion_coverage: float = 0.0
    why_not: str = "no ticket was judged"


@dataclass(frozen=True, slots=True)
class FieldVerdict:
    """Whether one field passes, and why, in a sentence."""

    field: str
    passed: bool
    sentence: str
    paired: Paired | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a candidate may take over. ``champion`` is None for the first model (or where that one is unusable)."""

    candidate: str
    champion: str | None
    margin: float
    passed: bool
    fields: tuple[FieldVerdict, ...]
    note: str = ""

    @property
    def sentence(self) -> str:
        """The verdict in words, without its fields."""
        if not self.fields and not self.passed:
            return f"{self.candidate} was not judged. {self.note}"
        against = f"the champion {self.champion}" if self.champion else "always guessing the most frequent label"
        said = "passed" if self.passed else "did not pass"
        return " ".join(part for part in (f"{self.candidate} {said} the gate against {against}.", self.note) if part)

    def as_json(self) -> dict[str, object]:
        """Ready for JSON."""
        return {**asdict(self), "sentence": self.sentence}


def compare(first: Bools, second: Bools, groups: npt.NDArray[np.uint64], *, seed: int = 0) -> Paired:
    """Compare two models by whether each was right about n tickets; equal ``groups`` are near-copies."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    apart = only_first + only_second
    return Paired(
        n=len(first),
        first=float(first.mean()),
        second=float(second.mean()),
        only_first=only_first,
        only_second=only_second,
        difference=float(first.mean() - second.mean()),
        interval=_interval(first.astype(int) - second.astype(int), groups, seed),
        p_value=min(1.0, 2 * float(bdtr(min(only_first, only_second), apart, 0.5))),
    )


def judge_candidate(
    candidate: str, champion: str | None, fields: Mapping[str, Compared], *, margin: float = MARGIN, note: str = ""
) -> Verdict:
    """The verdict over all fields of both models.

    Against a champion every field must pass. Without one, one field that beats the plain guess is enough: nothing is
    in use that could become worse, and a field that does not beat it will be suggested at most, never applied.
    """
    if champion is None:
        verdicts = tuple(_first(one) for one in fields.values())
        return Verdict(candidate, None, margin, any(one.passed for one in verdicts), verdicts, note)
    verdicts = tuple(_against(one, margin) for one in fields.values())
    return Verdict(candidate, champion, margin, all(one.passed for one in verdicts), verdicts, note)


def judge_new_fields(fields: Mapping[str, Compared]) -> tuple[FieldVerdict, ...]:
    """What is to be said of fields that the champion does not predict: they take nothing from anybody."""
    return tuple(_first(one) for one in fields.values())


def _interval(difference: npt.NDArray[np.int64], groups: npt.NDArray[np.uint64], seed: int) -> tuple[float, float]:
    """Near-copies are drawn together: they are right and wrong together, and would narrow the interval falsely."""
    _, number = np.unique(groups, return_inverse=True)
    sizes = np.bincount(number)
    sums = np.bincount(number, weights=difference, minlength=len(sizes))
    # Groups alike in size and sum are interchangeable, so drawing how often each kind comes is drawing the groups.
    kinds, counts = np.unique(np.stack([sizes, sums], axis=1), axis=0, return_counts=True)
    drawn = np.random.default_rng(seed).multinomial(len(sizes), counts / counts.sum(), size=RESAMPLES)
    differences = (drawn @ kinds[:, 1]) / (drawn @ kinds[:, 0])
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(differences, [tail, 1 - tail])
    return float(low), float(high)


def _first(one: Compared) -> FieldVerdict:
    if one.paired is None:
        return FieldVerdict(one.field, False, f"{one.field}: {one.why_not}.", None)
    p = one.paired
    passed = p.first > p.second
    said = (
        f"{one.field}: right about {p.first:.1%} of {p.n:,} tickets it had not seen; always guessing the most frequent "
        f"label is right about {p.second:.1%}."
    )
    if not passed:
        said += " It is of no use for this field so far: give more tickets, or leave the column out."
    return FieldVerdict(one.field, passed, said, p)


def _against(one: Compared, margin: float) -> FieldVerdict:
    if one.paired is None:
        return FieldVerdict(one.field, False, f"{one.field}: {one.why_not}.", None)
    p = one.paired
    low, high = p.interval
    said = (
        f"{one.field}: right about {p.first:.1%} where the champion is about {p.second:.1%}, on the same {p.n:,} "
        f"tickets (difference {_points(p.difference)}, 95 % interval {_points(low)} to {_points(high)}; "
        f"McNemar p = {p.p_value:.2g})."
    )
    accurate = low >= -margin
    if not accurate:
        said += f" It may be worse by more than the margin of {margin * 100:g} points.{_wanting(p, margin)}"
    covers = one.champion_coverage == 0 or one.coverage >= max(one.champion_coverage - COVERAGE_LOSS, 1e-9)
    if not covers:
        said += (
            f" The champion is certified to decide {one.champion_coverage:.0%} of the tickets alone, the candidate "
            f"{one.coverage:.0%}."
        )
    return FieldVerdict(one.field, accurate and covers, said, p)


def _wanting(p: Paired, margin: float) -> str:
    """How many tickets would settle it, where the two are about equal and only the number is wanting."""
    if p.difference < -margin / 2:
        return ""
    z = float(ndtri((1 + CONFIDENCE) / 2))
    spread = (p.only_first + p.only_second) / p.n - p.difference**2
    wanted = math.ceil(z**2 * spread / (margin + min(p.difference, 0.0)) ** 2)
    return f" So few tickets cannot tell: about {wanted:,} would." if wanted > p.n else ""


def _points(share: float) -> str:
    return f"{share * 100:+.1f}"
