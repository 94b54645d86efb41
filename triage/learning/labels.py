"""How far is each value of a field from a certificate?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from triage.understand.certificate import Certificate, Promise, certify, least_look
from triage.understand.clearance import ENOUGH, NOTHING, Aim, Checked, FieldClearance, clear_field

NOBODY_JUDGED = Checked(
    guess=np.zeros(0, dtype=np.int64), mass=np.zeros((0, 3)), place=np.zeros(0, dtype=np.int64), truth=np.zeros(0)
)


@dataclass(frozen=True, slots=True)
class Standing:
    """One value of a field.

    ``labelled`` tickets taught it to the model, ``corrected`` tickets were given it by people since. Of ``checked``
    tickets, which the model gave this value without having seen them, ``errors`` were of another. ``certified_by`` is
    "itself", "together" (with all values that have no certificate of their own) or None; then ``missing`` more checked
    tickets without an error are needed. ``says`` is that in words.
    """

    value: str
    labelled: int
    corrected: int
    checked: int
    errors: int
    certified_by: str | None
    missing: int
    says: str


@dataclass(frozen=True, slots=True)
class FieldStanding:
    """A field's values in order of their names; ``measured`` is False before a model knows the field."""

    field: str
    target: float
    confidence: float
    measured: bool
    together: str
    values: tuple[Standing, ...]


def label_standing(
    field: str,
    labels: tuple[str, ...],
    checked: Checked,
    aim: Aim,
    *,
    labelled: Mapping[str, int],
    corrected: Mapping[str, int],
    described: tuple[str, ...] = (),
) -> FieldStanding:
    """Where every value of a field stands: the model's ``labels``, those described and those that people gave.

    ``checked`` are the model's judgements of tickets that it had not seen, ``guess`` in the order of ``labels``.
    """
    cleared = clear_field(field, checked, labels, aim)
    row = {label: number for number, label in enumerate(labels)}
    values = tuple(
        _standing(value, checked.rows(checked.guess == row.get(value, -1)), len(checked), cleared, labelled, corrected)
        for value in sorted({*labels, *described, *corrected})
    )
    others = cleared.others
    together = others.says
    return FieldStanding(field, aim.target, aim.confidence, bool(labels), together, values)


def _standing(
    value: str,
    own: Checked,
    total: int,
    cleared: FieldClearance,
    labelled: Mapping[str, int],
    corrected: Mapping[str, int],
) -> Standing:
    certified_by, missing, says = _verdict(value, own.probability, own.correct, total, cleared)
    return Standing(
        value=value,
        labelled=labelled.get(value, 0),
        corrected=corrected.get(value, 0),
        checked=len(own),
        errors=int((~own.correct).sum()),
        certified_by=certified_by,
        missing=missing,
        says=says,
    )


def _verdict(
    value: str,
    probability: npt.NDArray[np.float64],
    correct: npt.NDArray[np.bool_],
    total: int,
    cleared: FieldClearance,
) -> tuple[str | None, int, str]:
    found = cleared.of(value)
    if isinstance(found, Certificate):
        reached = int((probability >= found.threshold).sum())
        return (
            "itself" if value in cleared.values else "together",
            0,
            f"{found.says} {reached:,} of its {len(probability):,} reach that.",
        )
    promise = Promise(found.field, value, 1, found.target, found.confidence, found.alpha)
    alone, _ = certify(promise, probability, correct, NOTHING)
    if isinstance(alone, Certificate):
        enough = ENOUGH * least_look(len(correct), found.target, found.alpha * len(correct) / total)
        missing = max(1, enough - len(correct))
        return (
            None,
            missing,
            (
                f"Right often enough by itself, but judged together with values that are not; with {missing:,} more "
                "checked tickets it gets a certificate of its own."
            ),
        )
    return None, alone.missing, alone.says
