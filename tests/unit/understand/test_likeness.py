import numpy as np
import pytest

from triage.understand.likeness import likeness, nearness


def test_likeness_falls_from_one_with_the_cosine() -> None:
    alike = likeness(np.array([[1.0, 0.5, -1.0]], dtype=np.float32), 2.0)
    assert alike.dtype == np.float32
    assert alike[0] == pytest.approx([1.0, np.exp(-1), np.exp(-4)])


def test_nearness_is_the_mean_of_the_five_nearest() -> None:
    cosines = np.array([[0.1, 0.9, 0.8, 0.2, 0.7, 0.6, 0.5]], dtype=np.float32)
    assert nearness(cosines) == pytest.approx([0.7])


def test_nearness_to_few_tickets_is_the_mean_of_all() -> None:
    assert nearness(np.array([[0.25, 0.75]], dtype=np.float32)) == pytest.approx([0.5])
