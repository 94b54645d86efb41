from pathlib import Path

import numpy as np
import pytest

from triage.errors import ModelDamaged
from triage.learning.judged import JUDGED, judged_of, keys_of, read_judged, write_judged

PROBABILITIES = np.array([[0.2, 0.8], [0.4, 0.6]])


def test_guesses_come_back_as_they_were_written(tmp_path: Path) -> None:
    judged = judged_of(["a", "b", "c"], np.array([1, 0, 0]), np.array([True, True, False]), PROBABILITIES)
    write_judged(tmp_path, {"queue": judged, "Art des Problems": judged})
    found = read_judged(tmp_path)
    assert list(found) == ["queue", "Art des Problems"]
    assert found["queue"].guess.tolist() == [1, 1, -1] and found["queue"].truth.tolist() == [1, 0, 0]
    assert found["queue"].probability.tolist() == [0.8, 0.6, 0]
    assert found["queue"].keys.tolist() == keys_of(["a", "b", "c"]).tolist()
    assert found["queue"].without_unjudged().keys.tolist() == keys_of(["a", "b"]).tolist()


def test_same_guesses_give_the_same_bytes(tmp_path: Path) -> None:
    judged = judged_of(["a", "b"], np.array([0, 1]), np.array([True, True]), PROBABILITIES)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_judged(tmp_path / name, {"queue": judged})
    assert (tmp_path / "one" / JUDGED).read_bytes() == (tmp_path / "two" / JUDGED).read_bytes()


def test_key_is_the_first_eight_bytes_of_the_sha_256_of_the_text() -> None:
    assert keys_of(["abc"]).tolist() == [0xBA7816BF8F01CFEA]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", b"no archive"])
def test_damaged_guesses_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / JUDGED).write_bytes(content)
    with pytest.raises(ModelDamaged, match=JUDGED):
        read_judged(tmp_path)
