import numpy as np
import pytest

from triage.understand.sharpness import Sharpness


def test_probabilities_add_up_and_keep_the_order_of_the_margins() -> None:
    margins = np.random.default_rng(0).normal(size=(50, 6))
    p = Sharpness(1.2, -0.4, -0.1, 0.2).probabilities(margins)
    assert p.sum(axis=1) == pytest.approx(1)
    assert (np.argsort(p, axis=1) == np.argsort(margins, axis=1)).all()


def test_without_features_it_is_one_temperature_for_all() -> None:
    p = Sharpness(base=np.log(2)).probabilities(np.array([[1.0, 0.0]]))
    assert p[0, 0] == pytest.approx(1 / (1 + np.exp(-2)))


@pytest.mark.parametrize("margins", [[[1e6, -1e6]], [[0.0, 0.0]], [[-1e6, -1e6, -1e6]]])
def test_extreme_margins_give_finite_probabilities(margins: list[list[float]]) -> None:
    p = Sharpness(3, 1, 1, 1).probabilities(np.array(margins))
    assert np.isfinite(p).all()
    assert p.sum() == pytest.approx(1)
