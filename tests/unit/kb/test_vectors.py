import threading
from pathlib import Path

import numpy as np
import pytest

from kb import vectors as module
from kb.vectors import GrowingIndex, VectorIndex, kind_for


def unit_rows(count: int, *, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, 16)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_index_is_exact_while_small_and_in_cells_above() -> None:
    assert kind_for(50_000) == "Flat"
    assert kind_for(100_000).startswith("IVF1264")
    assert kind_for(1_000_000).startswith("IVF8000")


@pytest.fixture(params=["exact", "in cells"])
def rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """So many vectors, for an index of either kind."""
    monkeypatch.setattr(module, "EXACT_UP_TO", 100 if request.param == "in cells" else 50_000)
    return unit_rows(4000)


def test_nearest_row_comes_first(rows: np.ndarray) -> None:
    index = VectorIndex(rows)
    assert [index.search(rows[row], 3)[0] for row in range(0, 4000, 97)] == list(range(0, 4000, 97))


def test_removed_row_is_found_no_more_and_added_one_is(rows: np.ndarray) -> None:
    index = VectorIndex(rows[:3000])
    changed = index.changed(removed=np.array([7, 9]), added=rows[3000:3010])
    again = changed.changed(removed=np.array([3004]), added=rows[3010:3011])
    assert 7 not in changed.search(rows[7], 3000)
    assert 3004 in changed.search(rows[3004], 3)
    assert 3004 not in again.search(rows[3004], 3000)
    assert again.search(rows[3010], 1).tolist() == [3010]
    assert (len(index), len(changed), len(again)) == (3000, 3010, 3011)
    assert index.search(rows[7], 1).tolist() == [7]  # who began with it keeps it


def test_changed_exact_index_finds_what_one_built_anew_finds() -> None:
    rows = unit_rows(500)
    changed = VectorIndex(rows[:400]).changed(removed=np.arange(0, 400, 3), added=rows[400:])
    kept = np.setdiff1d(np.arange(500), np.arange(0, 400, 3))
    built = VectorIndex(rows[kept])
    for query in unit_rows(20, seed=1):
        assert changed.search(query, 10).tolist() == kept[built.search(query, 10)].tolist()


def test_search_among_some_rows_finds_the_nearest_of_them(rows: np.ndarray) -> None:
    index = VectorIndex(rows[:3900]).changed(removed=np.array([3, 3901]), added=rows[3900:])
    few = np.array([3, 11, 500, 3899, 3901, 3950])
    for query in unit_rows(5, seed=1):
        wanted = sorted(set(few) - {3, 3901}, key=lambda row: -float(rows[row] @ query))
        found = index.search(query, 10, few).tolist()
        assert found == wanted if index.is_exact else set(found) == set(wanted)  # cells round the cosines
    assert len(index.search(rows[0], 5, few[:0])) == 0


def test_index_of_which_all_was_removed_finds_nothing(rows: np.ndarray) -> None:
    index = VectorIndex(rows).changed(removed=np.arange(4000), added=rows[:0])
    assert len(index.search(rows[0], 5)) == 0


def test_written_index_finds_the_same_when_it_is_read(rows: np.ndarray, tmp_path: Path) -> None:
    index = VectorIndex(rows)
    index.write(tmp_path / "index")
    read = VectorIndex.read(tmp_path / "index")
    assert read.kind == index.kind
    for query in unit_rows(20, seed=1):
        assert read.search(query, 10).tolist() == index.search(query, 10).tolist()
    changed = read.changed(removed=np.array([7]), added=rows[7:8])
    assert changed.search(rows[7], 1).tolist() == [4000]


@pytest.mark.parametrize("content", [b"", b"IxFI", b"no index"])
def test_file_that_is_no_index_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "index").write_bytes(content)
    with pytest.raises(ValueError, match="no index of vectors"):
        VectorIndex.read(tmp_path / "index")


def test_cells_are_lent_until_they_are_outgrown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT_UP_TO", 100)
    rows = unit_rows(4000)
    small = VectorIndex(rows[:400])
    lent = VectorIndex(rows[:1500], like=small)
    assert lent.kind == small.kind != VectorIndex(rows[:1500]).kind
    assert lent.search(rows[1400], 1).tolist() == [1400]
    assert VectorIndex(rows, like=lent).kind == kind_for(4000)
    assert VectorIndex(rows[:50], like=small).is_exact


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
