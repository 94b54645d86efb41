import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.learning.calibration import calibrate, calibration_error, fit_curve, fit_sharpness, log_loss, reliability
from triage.understand.sharpness import Calibration, Sharpness

Margins = npt.NDArray[np.float64]
Right = npt.NDArray[np.int64]


def drawn(sharpness: Sharpness, tickets: int = 4000, labels: int = 5, seed: int = 0) -> tuple[Margins, Right]:
    """Margins, and labels drawn with the probabilities that the sharpness gives them."""
    random = np.random.default_rng(seed)
    margins = random.normal(-0.5, 0.6, (tickets, labels))
    p = sharpness.probabilities(margins)
    return margins, (random.random((tickets, 1)) > p.cumsum(axis=1)).sum(axis=1).clip(max=labels - 1)


def error_of(sharpness: Sharpness, margins: Margins, right: Right) -> float:
    p = sharpness.probabilities(margins)
    return calibration_error(p.max(axis=1), p.argmax(axis=1) == right)


@pytest.mark.parametrize("truth", [Sharpness(1.0), Sharpness(1.4, -0.7, 0.1, 0.3), Sharpness(0.5, 0.5, -0.3, 0.0)])
def test_fitted_probabilities_are_honest_on_tickets_they_were_not_fitted_on(truth: Sharpness) -> None:
    fitted = fit_sharpness(*drawn(truth))
    unseen = drawn(truth, seed=1)
    assert error_of(fitted, *unseen) < 0.03
    best = log_loss(truth.probabilities(unseen[0]), unseen[1])
    assert log_loss(fitted.probabilities(unseen[0]), unseen[1]) < best + 0.01


def test_one_temperature_would_not_do_where_sureness_varies() -> None:
    truth = Sharpness(1.4, -0.9, 0.0, 0.6)
    margins, right = drawn(truth)
    one = min(
        (Sharpness(base) for base in np.linspace(-1, 3, 41)), key=lambda s: log_loss(s.probabilities(margins), right)
    )
    assert error_of(fit_sharpness(margins, right), margins, right) < error_of(one, margins, right)


def test_few_tickets_do_not_bend_the_curve() -> None:
    margins, right = drawn(Sharpness(1.0), tickets=20)
    fitted = fit_sharpness(margins, right)
    assert max(abs(fitted.top), abs(fitted.gap), abs(fitted.square)) < 3


def test_tickets_whose_label_has_no_column_are_left_out() -> None:
    margins, right = drawn(Sharpness(1.0), tickets=200)
    more = np.concatenate([margins, margins]), np.concatenate([right, np.full(200, -1)])
    assert fit_sharpness(*more) == fit_sharpness(margins, right)
    assert fit_sharpness(margins, np.full(200, -1)) == Sharpness()


def test_calibration_error_is_the_mean_gap_between_said_and_true() -> None:
    said = np.array([0.9] * 10 + [0.5] * 10)
    correct = np.array([True] * 8 + [False] * 2 + [True] * 5 + [False] * 5)
    assert calibration_error(said, correct) == pytest.approx(0.05)


def test_label_without_a_column_costs_a_bounded_loss() -> None:
    assert log_loss(np.array([[0.5, 0.5]]), np.array([-1])) == pytest.approx(-np.log(1e-12))


def test_no_ticket_is_calibrated_by_its_own_label() -> None:
    # Turning one label round may change the probabilities of the other parts, never those of its own.
    margins, right = drawn(Sharpness(1.0), tickets=300)
    parts = np.arange(300) % 3
    _, before = calibrate(margins, right, parts)
    turned = right.copy()
    turned[parts == 0] = (turned[parts == 0] + 1) % 5
    _, after = calibrate(margins, turned, parts)
    np.testing.assert_allclose(before[parts == 0], after[parts == 0])
    assert not np.allclose(before[parts == 1], after[parts == 1])


def test_isotonic_curve_is_taken_where_a_temperature_cannot_bend_so() -> None:
    # Right half of the time whatever the margin says, but always above a margin of 2.
    random = np.random.default_rng(0)
    margins = np.zeros((6000, 3))
    margins[:, 0] = random.uniform(0.2, 3, 6000)
    wrong = (margins[:, 0] < 2) & (random.random(6000) < 0.5)
    calibration, p = calibrate(margins, np.where(wrong, 1, 0), np.arange(6000) % 3)
    assert calibration.curve
    correct = p.argmax(axis=1) == np.where(wrong, 1, 0)
    assert calibration_error(p.max(axis=1), correct) < 0.03
    assert not calibrate(*drawn(Sharpness(1.0)), np.arange(4000) % 3)[0].curve


@given(st.integers(2, 6), st.integers(0, 1000))
@settings(deadline=None, max_examples=50)
def test_calibrated_probabilities_add_up_and_keep_the_first_label(labels: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    margins = random.normal(0, 2, (50, labels))
    right = random.integers(0, labels, 50)
    curve = fit_curve(Sharpness().probabilities(margins), right)
    p = Calibration(Sharpness(), curve).probabilities(margins)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    rows = np.arange(50)
    assert (p[rows, margins.argmax(axis=1)] >= p.max(axis=1) - 1e-9).all()
    assert (p >= 0).all()


def test_bins_of_reliability_hold_every_ticket() -> None:
    bins = reliability(np.array([0.0, 0.5, 0.99, 1.0]), np.array([False, True, True, True]))
    assert sum(n for _, _, n in bins) == 4
    assert bins[0] == (0.0, 0.0, 1)
