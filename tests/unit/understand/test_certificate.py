import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mapie.risk_control import FWERFixedSequenceTesting, control_fwer, methods
from scipy.stats import binomtest

from triage.understand.certificate import (
    Certificate,
    Evidence,
    Promise,
    Shortfall,
    certify,
    least_look,
    looks_at,
    lower_bound,
    needed,
)

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Flags = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


def found(probability: Floats, correct: Flags, target: float = 0.95) -> Certificate | Shortfall:
    return certify(Promise("queue", None, 1, target, 0.95, 0.05), probability, correct, Evidence())[0]


@pytest.mark.parametrize(("errors", "tickets"), [(0, 59), (1, 93), (2, 124)])
def test_so_many_checked_tickets_show_ninety_five_percent(errors: int, tickets: int) -> None:
    assert needed(errors, 0.95, 0.05) == tickets


@given(st.integers(0, 300), st.floats(0.5, 0.99), st.floats(0.0001, 0.4))
@settings(deadline=None)
def test_needed_is_the_least_number_that_shows_the_target(errors: int, target: float, alpha: float) -> None:
    n = needed(errors, target, alpha)
    assert lower_bound(n, errors, alpha) >= target
    assert lower_bound(n - 1, errors, alpha) < target


@pytest.mark.parametrize(("n", "errors"), [(59, 0), (120, 3), (1000, 60), (10, 9)])
def test_bound_is_the_exact_one_of_clopper_and_pearson(n: int, errors: int) -> None:
    exact = binomtest(n - errors, n, alternative="greater").proportion_ci(confidence_level=0.95, method="exact").low
    assert lower_bound(n, errors, 0.05) == pytest.approx(exact)


@pytest.mark.parametrize("n", [150, 400, 3000])
def test_certificates_hold_as_often_as_they_say(n: int) -> None:
    # 1,000 desks whose tickets are right exactly as often as their probability says: of them at most 5 % may have a
    # certificate that promises more than is true. Three standard deviations of chance are allowed on top.
    random = np.random.default_rng(7)
    broken = promised = 0
    for _ in range(1000):
        probability = random.uniform(0.5, 1, n)
        one = found(probability, random.random(n) < probability, target=0.9)
        promised += isinstance(one, Certificate)
        broken += isinstance(one, Certificate) and (1 + one.threshold) / 2 < 0.9
    assert promised > 50
    assert broken / 1000 <= 0.05 + 3 * (0.05 * 0.95 / 1000) ** 0.5


@pytest.mark.parametrize("seed", range(20))
def test_threshold_is_the_one_that_mapie_finds(seed: int) -> None:
    # The same looks in the same order, by MAPIE's p-values and its fixed-sequence testing. It rounds n x risk up, so
    # that a risk a hair above e / n counts as e + 1 errors: hence the hair less.
    random = np.random.default_rng(seed)
    probability = random.uniform(0.5, 1, 580)
    correct = random.random(580) < probability**0.3
    looks = looks_at(probability, ~correct, least=least_look(580, 0.95, 0.05))
    risks = np.array([max(look.errors / look.n - 1e-12, 0) for look in looks])
    n = np.array([look.n for look in looks])
    p_values = methods.compute_hoeffding_bentkus_p_value(risks, n, 0.05, binary=True).ravel()
    passed = control_fwer(p_values, 0.05, FWERFixedSequenceTesting(n_starts=1))
    ours = found(probability, correct)
    theirs = [looks[row].threshold for row in passed]
    assert not theirs if isinstance(ours, Shortfall) else ours.threshold == min(theirs)


def test_too_few_tickets_are_told_how_many_are_missing() -> None:
    one = found(np.full(31, 0.9), np.ones(31, dtype=np.bool_))
    assert isinstance(one, Shortfall)
    assert (one.n, one.errors, one.missing) == (31, 0, 28)
    assert one.says == "Not certified: 31 checked tickets; 28 more without an error certify 95%."


def test_where_too_much_is_wrong_more_tickets_are_not_promised_to_help() -> None:
    one = found(np.full(100, 0.9), np.arange(100) < 80)
    assert isinstance(one, Shortfall)
    assert "more tickets of that kind would not change it" in one.says


def test_threshold_never_parts_tickets_of_equal_probability() -> None:
    probability = np.array([0.9] * 100 + [0.8] * 100)
    one = found(probability, np.array([True] * 100 + [False] * 100))
    assert isinstance(one, Certificate)
    assert (one.threshold, one.n, one.errors) == (0.9, 100, 0)


def test_no_tickets_at_all_certify_nothing() -> None:
    assert isinstance(found(np.empty(0), np.empty(0, dtype=np.bool_)), Shortfall)


@pytest.mark.parametrize("impossible", [0.0, 1.0, 1.5, -0.1])
def test_certainty_cannot_be_certified(impossible: float) -> None:
    with pytest.raises(ValueError, match="cannot be shown"):
        Promise("queue", None, 1, impossible, 0.95, 0.05)
