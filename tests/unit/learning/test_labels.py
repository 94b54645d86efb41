import numpy as np

from triage.learning.labels import NOBODY_JUDGED, FieldStanding, Standing, label_standing
from triage.understand.clearance import Aim, Checked

LABELS = ("hardware", "network")


def checked(**right_and_wrong: tuple[int, int]) -> Checked:
    """So many tickets of each label at .9 that were right, and wrong."""
    guess = [LABELS.index(label) for label, counts in right_and_wrong.items() for _ in range(sum(counts))]
    place = [row for right, wrong in right_and_wrong.values() for row in [0] * right + [1] * wrong]
    return Checked(
        guess=np.array(guess, dtype=np.int64),
        mass=np.tile([0.9, 1.0, 1.0], (len(guess), 1)),
        place=np.array(place, dtype=np.int64),
        truth=np.full(len(guess), 0.9),
    )


def stand(given: Checked, labels: tuple[str, ...] = LABELS, target: float = 0.95, **known: object) -> FieldStanding:
    said = {"labelled": {}, "corrected": {}, **known}
    return label_standing("queue", labels, given, Aim(target=target), **said)  # type: ignore[arg-type]


def one(standing: FieldStanding, value: str) -> Standing:
    return next(each for each in standing.values if each.value == value)


def test_31_checked_tickets_lack_28_more() -> None:
    hardware = one(stand(checked(hardware=(31, 0))), "hardware")
    assert (hardware.checked, hardware.errors, hardware.certified_by, hardware.missing) == (31, 0, None, 28)
    assert "28 more without an error certify 95%" in hardware.says


def test_errors_cost_more_tickets() -> None:
    network = one(stand(checked(hardware=(10, 0), network=(30, 1))), "network")
    assert (network.checked, network.errors, network.missing) == (31, 1, 93 - 31)


def test_values_that_are_certified_together_lack_nothing() -> None:
    found = stand(checked(hardware=(40, 0), network=(40, 0)))
    assert [(each.certified_by, each.missing) for each in found.values] == [("together", 0), ("together", 0)]
    assert "40 of its 40 reach that" in found.values[0].says


def test_value_with_tickets_enough_is_certified_by_itself() -> None:
    found = stand(checked(hardware=(900, 0), network=(5, 30)))
    assert one(found, "hardware").certified_by == "itself"
    assert one(found, "network").certified_by is None


def test_good_value_among_bad_ones_is_told_what_it_takes_to_stand_alone() -> None:
    hardware = one(stand(checked(hardware=(100, 0), network=(60, 60))), "hardware")
    assert hardware.certified_by is None
    assert hardware.missing > 300
    assert "a certificate of its own" in hardware.says


def test_before_a_model_every_described_or_corrected_value_lacks_them_all() -> None:
    found = stand(NOBODY_JUDGED, labels=(), described=("network",), corrected={"printing": 3})
    assert not found.measured
    assert [(each.value, each.corrected, each.missing) for each in found.values] == [
        ("network", 0, 59),
        ("printing", 3, 59),
    ]


def test_lower_target_needs_fewer() -> None:
    assert one(stand(NOBODY_JUDGED, labels=(), target=0.8, described=("network",)), "network").missing == 14
