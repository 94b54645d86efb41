import numpy as np
import pytest
from scipy.stats import binomtest

from triage.understand.certificate import Certificate, Shortfall, certify, lower_bound, needed


@pytest.mark.parametrize(("errors", "tickets"), [(0, 59), (1, 93), (2, 124)])
def test_so_many_checked_tickets_show_ninety_five_percent(errors: int, tickets: int) -> None:
    assert needed(errors, 0.95, 0.95) == tickets


@pytest.mark.parametrize(("n", "errors"), [(59, 0), (120, 3), (1000, 60), (10, 9)])
def test_bound_is_the_exact_one_of_clopper_and_pearson(n: int, errors: int) -> None:
    exact = binomtest(n - errors, n, alternative="greater").proportion_ci(confidence_level=0.95, method="exact").low
    assert lower_bound(n, errors, 0.95) == pytest.approx(exact)


def test_certificates_hold_as_often_as_they_say() -> None:
    # 1,000 desks whose tickets are right exactly as often as their probability says: at most 5 % of the
    # certificates may promise more than is true. Three standard deviations of chance are allowed on top.
    random = np.random.default_rng(7)
    promised, broken = 0, 0
    for _ in range(1000):
        probability = random.uniform(0.5, 1, 400)
        found = certify("queue", probability, random.random(400) < probability, target=0.9)
        if isinstance(found, Certificate):
            promised += 1
            broken += (1 + found.threshold) / 2 < 0.9
    assert promised > 200
    assert broken / promised <= 0.05 + 3 * (0.05 * 0.95 / promised) ** 0.5


def test_too_few_tickets_are_told_how_many_are_missing() -> None:
    found = certify("queue", np.full(31, 0.9), np.ones(31, dtype=np.bool_))
    assert isinstance(found, Shortfall)
    assert (found.n, found.errors, found.missing) == (31, 0, 28)


def test_threshold_never_parts_tickets_of_equal_probability() -> None:
    probability = np.array([0.9] * 100 + [0.8] * 100)
    found = certify("queue", probability, np.array([True] * 100 + [False] * 100))
    assert isinstance(found, Certificate)
    assert (found.threshold, found.n, found.errors) == (0.9, 100, 0)


def test_no_tickets_at_all_certify_nothing() -> None:
    assert isinstance(certify("queue", np.empty(0), np.empty(0, dtype=np.bool_)), Shortfall)
