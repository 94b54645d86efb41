"""What may be done about a field on the strength of its checked tickets?

Values with enough checked tickets get a certificate of their own, all others one together. The chance of error is
shared out by their numbers of tickets; a value whose walk came to its end hands its share on to the others, as Holm's
procedure does (Bretz et al. 2009). So with the stated confidence *all* certificates of a field hold.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

import numpy as np
import numpy.typing as npt

from triage.understand.certificate import (
    Certificate,
    Evidence,
    Look,
    Promise,
    Shortfall,
    certify,
    found,
    least_look,
    sizes_of_looks,
    walk_down,
)

Found = Certificate | Shortfall
NOTHING = Evidence()
Rows = npt.NDArray[np.int64]

OTHERS = -1  # the group of all labels without one of their own

# A value has tickets enough when it has so many times the least that could pass with its share of the error: below
# that, it covers more tickets to be certified together with others.
ENOUGH = 8
MOST_CHOICES = 3


@dataclass(frozen=True, slots=True)
class Checked:
    """n tickets that the model had not seen when it judged them.

    ``guess`` (n,) is the row of the first label, ``mass`` (n, 3) the probability of the first one, two and three labels
    together, ``place`` (n,) where among the labels the true one came: 0 is first; ``truth`` (n,) its probability, 0
    where the model did not know it.
    """

    guess: Rows
    mass: npt.NDArray[np.float64]
    place: Rows
    truth: npt.NDArray[np.float64]

    @property
    def probability(self) -> npt.NDArray[np.float64]:
        """(n,) probability of the first label."""
        return self.mass[:, 0]

    @property
    def correct(self) -> npt.NDArray[np.bool_]:
        """(n,) whether the first label was the true one."""
        correct: npt.NDArray[np.bool_] = self.place == 0
        return correct

    def __len__(self) -> int:
        return len(self.guess)

    def rows(self, chosen: npt.NDArray[np.bool_] | Rows) -> Checked:
        """Some of the tickets."""
        return Checked(self.guess[chosen], self.mass[chosen], self.place[chosen], self.truth[chosen])


def check(probabilities: npt.NDArray[np.float64], target: Rows) -> Checked:
    """(n, c) probabilities of tickets that the model had not seen and their true columns, -1 where it has none."""
    order = np.argsort(-probabilities, axis=1, kind="stable")
    mass = np.cumsum(np.take_along_axis(probabilities, order[:, :MOST_CHOICES], axis=1), axis=1)
    mass = np.pad(mass, ((0, 0), (0, MOST_CHOICES - mass.shape[1])), mode="edge")
    known = target >= 0
    place = np.where(known, (order == target[:, None]).argmax(axis=1), probabilities.shape[1])
    truth = np.where(known, probabilities[np.arange(len(target)), np.maximum(target, 0)], 0.0)
    return Checked(order[:, 0], mass, place, truth)


@dataclass(frozen=True, slots=True)
class Aim:
    """What an operator wants to be certified of a field, ``confidence`` sure.

    ``target`` of the applied values are right; without ``by_value`` all values share one certificate, which covers more
    tickets and says nothing of a single value. ``ask_target`` of the questions offer the right value.
    """

    target: float = 0.95
    confidence: float = 0.95
    ask_target: float = 0.90
    by_value: bool = True


@dataclass(frozen=True, slots=True)
class FieldClearance:
    """What a field's predictions have been measured to be worth.

    ``values`` have a certificate, or a lack of one, of their own; ``others`` is about all the rest; ``ask`` says from
    which probability on two or three labels together hold the true one, among the tickets that are not applied.
    """

    values: Mapping[str, Found]
    others: Found
    ask: Found

    def of(self, label: str) -> Found:
        """What counts for a ticket whose first label this is."""
        return self.values.get(label, self.others)

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """All certificates for applying, the common one last."""
        return tuple(found for found in (*self.values.values(), self.others) if isinstance(found, Certificate))

    @property
    def shortfalls(self) -> tuple[Shortfall, ...]:
        """What is missing for applying, where anything is."""
        return tuple(found for found in (*self.values.values(), self.others) if isinstance(found, Shortfall))

    def applies(self, label: str, probability: float) -> bool:
        """Whether a ticket with this first label and its probability may be applied."""
        found = self.of(label)
        return isinstance(found, Certificate) and probability >= found.threshold

    def choices(self, masses: npt.NDArray[np.float64]) -> int:
        """How many of the first labels to ask about, given the probability of the first one, two, three together.

        0 where no so small set is certified to hold the true one, or where the first alone is as probable.
        """
        if not isinstance(self.ask, Certificate) or masses[0] >= self.ask.threshold:
            return 0
        return next((k for k in range(2, MOST_CHOICES + 1) if masses[k - 1] >= self.ask.threshold), 0)


def clear_field(
    field: str, checked: Checked, labels: tuple[str, ...], aim: Aim, evidence: Evidence = NOTHING
) -> FieldClearance:
    """Certify a field from its checked tickets, for applying and for asking.

    The two are separate promises, each with the stated confidence.
    """
    groups = _groups(checked, aim.target, 1 - aim.confidence) if aim.by_value else []
    certified = _certify_groups(field, checked, labels, groups, aim, evidence)
    cleared = FieldClearance({labels[row]: certified[row] for row in groups}, certified[OTHERS], certified[OTHERS])
    rest = checked.rows(~applied(cleared, checked, labels))
    question = Promise(field, None, MOST_CHOICES, aim.ask_target, aim.confidence, 1 - aim.confidence)
    return replace(cleared, ask=certify_choices(question, rest, evidence))


def conformal_quantile(truth: npt.NDArray[np.float64], target: float) -> float:
    """How improbable a label may be and still belong to the set that holds the truth for ``target`` of all tickets.

    From the (n,) probabilities of the true labels of unseen tickets: split conformal prediction with the score 1 - p
    (Sadinle et al. 2019); 1 where there are too few tickets, so that the set has every label.
    """
    place = math.ceil((len(truth) + 1) * target)
    if place > len(truth):
        return 1.0
    return float(np.sort(1 - truth)[place - 1])


def clearance_view(cleared: FieldClearance) -> dict[str, object]:
    """What a field is cleared for, ready for JSON: ``apply`` by value with the others last, and ``ask``."""
    return {
        "apply": [_found_view(one) for one in (*cleared.values.values(), cleared.others)],
        "ask": _found_view(cleared.ask),
    }


def _found_view(one: Found) -> dict[str, object]:
    return {"certified": isinstance(one, Certificate), **asdict(one), "says": one.says}


def applied(cleared: FieldClearance, checked: Checked, labels: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """(n,) which of the tickets would be applied."""
    found = [cleared.of(label) for label in labels]
    thresholds = np.array([one.threshold if isinstance(one, Certificate) else np.inf for one in found])
    covered: npt.NDArray[np.bool_] = checked.probability >= thresholds[checked.guess]
    return covered


def certify_choices(promise: Promise, checked: Checked, evidence: Evidence = NOTHING) -> Found:
    """From which probability on does the smallest set of two or three first labels hold the true one?

    ``checked`` are the tickets that would be asked about: those that are not applied. That they were chosen by the same
    checked tickets errs to the safe side, as the walk that ended leaves the unlucky tickets to them.
    """
    least = least_look(len(checked), promise.target, promise.alpha)
    widest = np.sort(checked.mass[:, -1])[::-1]
    looks = [_look(checked, float(widest[size - 1])) for size in sizes_of_looks(widest, least)]
    looks = [look for look in looks if look.n >= least]
    walk = walk_down(looks, promise.target, promise.alpha, total=len(checked))
    return found(promise, walk, looks[0] if looks else _look(checked, 0.0), len(checked), evidence)


def _look(checked: Checked, threshold: float) -> Look:
    """How often the true label is not among the fewest, two or three, that reach the threshold.

    Where one label reaches it alone, nobody is asked: it is suggested.
    """
    asked = (checked.mass[:, -1] >= threshold) & (checked.mass[:, 0] < threshold)
    enough = np.where(checked.mass[:, 1] >= threshold, 2, MOST_CHOICES)
    return Look(threshold, int(asked.sum()), int((asked & (checked.place >= enough)).sum()))


def _groups(checked: Checked, target: float, alpha: float) -> list[int]:
    """The labels with tickets enough for a certificate of their own; chosen without looking at which were right."""
    counts = np.bincount(checked.guess, minlength=1)
    enough = []
    for row in np.argsort(-counts, kind="stable"):
        share = counts[row] / len(checked) if len(checked) else 0.0
        if not share or counts[row] < ENOUGH * least_look(int(counts[row]), target, alpha * share):
            break
        enough.append(int(row))
    return enough


def _certify_groups(
    field: str, checked: Checked, labels: tuple[str, ...], groups: list[int], aim: Aim, evidence: Evidence
) -> dict[int, Found]:
    waiting = {row: checked.guess == row for row in groups}
    waiting[OTHERS] = ~np.isin(checked.guess, groups)
    weights = {row: max(int(mask.sum()), 1) for row, mask in waiting.items()}
    shares = {row: (1 - aim.confidence) * weight / sum(weights.values()) for row, weight in weights.items()}
    certified: dict[int, Found] = {}
    while True:
        finished: list[int] = []
        for row, mask in waiting.items():
            value = None if row == OTHERS else labels[row]
            promise = Promise(field, value, 1, aim.target, aim.confidence, shares[row])
            certified[row], is_finished = certify(promise, checked.probability[mask], checked.correct[mask], evidence)
            if is_finished:
                finished.append(row)
        for row in finished:
            del waiting[row]
        if not finished or not waiting:
            return certified
        handed_on = sum(shares[row] for row in finished)
        left = sum(shares[row] for row in waiting)
        shares |= {row: shares[row] * (1 + handed_on / left) for row in waiting}
