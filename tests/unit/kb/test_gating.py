import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from kb.errors import SnapshotDamaged
from kb.gating import PENALTY, Checked, Gate, current_gate, drop_gate, fit_gate, keep_gate, load_gate, shipped_gate

NAMES = ("a", "b", "c")


def made_up(n: int = 400) -> tuple[list[dict[str, float]], np.ndarray]:
    random = np.random.default_rng(7)
    values = random.normal(size=(n, 3)) * [1, 5, 0.1]
    right = values @ [1.5, 0.4, 2.0] + random.logistic(size=n) > 0
    return [dict(zip(NAMES, row.tolist(), strict=True)) for row in values], right


def test_gate_is_the_penalised_logistic_regression() -> None:
    seen, right = made_up()
    gate = fit_gate(seen, right, names=NAMES)
    values = np.array([list(one.values()) for one in seen])
    model = LogisticRegression(C=1 / PENALTY, tol=1e-10, max_iter=10_000)
    scaled = StandardScaler().fit_transform(values)
    expected = model.fit(scaled, right).predict_proba(scaled)[:, 1]
    assert np.abs(gate.probabilities(seen) - expected).max() < 1e-3


@pytest.mark.parametrize("outcome", [True, False])
def test_questions_of_one_kind_only_give_neither_certainty_nor_an_error(outcome: bool) -> None:
    seen, right = made_up(60)
    said = fit_gate(seen, np.full_like(right, outcome), names=NAMES).probabilities(seen)
    assert np.all((said > 0) & (said < 1))
    assert np.all((said > 0.9) == outcome)


def kept(folder: Path) -> Gate:
    seen, right = made_up()
    gate = fit_gate(seen, right, names=NAMES)
    checked = Checked(gate.probabilities(seen), right)
    return keep_gate(folder, Gate(gate.names, gate.mean, gate.scale, gate.weights, gate.bias, 0.9, checked))


def test_kept_gate_is_read_back_to_the_bit_and_can_be_dropped(tmp_path: Path) -> None:
    assert load_gate(tmp_path, current_gate(tmp_path)) is shipped_gate()
    gate = kept(tmp_path)
    assert current_gate(tmp_path) == gate.name
    seen, right = made_up()
    again = load_gate(tmp_path, gate.name)
    assert np.array_equal(again.probabilities(seen), gate.probabilities(seen))
    assert np.array_equal(again.checked.right, right)
    assert kept(tmp_path).name == gate.name
    drop_gate(tmp_path)
    assert current_gate(tmp_path) == ""


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", json.dumps({"features": []}).encode(), b"\xff\xfe"])
def test_damaged_gate_is_refused_with_the_command_that_helps(tmp_path: Path, damage: bytes) -> None:
    name = kept(tmp_path).name
    (tmp_path / "gates" / f"{name}.json").write_bytes(damage)
    with pytest.raises(SnapshotDamaged, match="triage kb calibrate"):
        load_gate(tmp_path, name)


def test_missing_gate_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SnapshotDamaged, match="missing"):
        load_gate(tmp_path, "12345678")
