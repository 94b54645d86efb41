import threading

import numpy as np
import pytest

from kb import vectors as module
from kb.vectors import GrowingIndex, VectorIndex, kind_for


def unit_rows(count: int, *, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, 16)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_index_is_exact_while_small_and_in_cells_above() -> None:
    assert kind_for(50_000) == "Flat"
    assert kind_for(1_000_000).startswith("IVF4000")


@pytest.mark.parametrize("exact_up_to", [50_000, 100])
def test_nearest_rows_come_first_and_only_allowed_ones(monkeypatch: pytest.MonkeyPatch, exact_up_to: int) -> None:
    monkeypatch.setattr(module, "EXACT_UP_TO", exact_up_to)
    rows = unit_rows(4000)
    index = VectorIndex(rows)
    assert index.search(rows[7], 3)[0] == 7
    allowed = np.zeros(4000, dtype=np.bool_)
    allowed[[5, 9]] = True
    found = index.search(rows[7], 3, allowed)
    assert set(found) <= {5, 9}
    assert exact_up_to == 100 or set(found) == {5, 9}


def test_no_rows_find_nothing() -> None:
    assert len(VectorIndex(unit_rows(0)).search(unit_rows(1)[0], 3)) == 0


def test_growing_index_finds_what_was_added_last() -> None:
    rows = unit_rows(300)
    index = GrowingIndex(16)
    assert len(index.nearest(rows[0], 3)[0]) == 0
    index.add(rows[:200])
    index.add(rows[200:])
    found, cosines, vectors = index.nearest(rows[250], 3)
    assert found[0] == 250
    assert cosines[0] == pytest.approx(1, abs=1e-3)
    assert vectors[0] == pytest.approx(rows[250], abs=1e-3)
    assert list(cosines) == sorted(cosines, reverse=True)


def test_growing_index_keeps_its_numbers_when_it_is_divided_into_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROWS_EXACT_UP_TO", 1000)
    rows = unit_rows(10_000)
    index = GrowingIndex(16)
    for upto in (1000, 3000, 10_000):  # not yet, for the first time, and anew as three times as many have come
        index.add(rows[len(index) : upto])
        index.settle()
        assert len(index) == upto
        assert [index.nearest(rows[row], 1)[0][0] for row in range(0, upto, 97)] == list(range(0, upto, 97))


def test_growing_index_is_searched_and_added_to_while_it_is_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROWS_EXACT_UP_TO", 1000)
    rows = unit_rows(12_000)
    index = GrowingIndex(16)
    index.add(rows[:8000])
    settling = threading.Thread(target=index.settle)
    settling.start()
    for row in range(8000, 12_000):
        index.add(rows[row : row + 1])
        assert index.nearest(rows[row - 8000], 1)[0][0] == row - 8000
    settling.join()
    assert all(index.nearest(rows[row], 1)[0][0] == row for row in range(8000, 12_000, 41))
