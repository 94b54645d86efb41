import numpy as np
import pytest

from kb import vectors as module
from kb.vectors import VectorIndex, kind_for


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
