from pathlib import Path

import pytest

from tests.desks import small_desk
from tests.unit.learning.conftest import SmallHome
from triage.errors import Conflict, ModelDamaged, NotFound
from triage.learning.registry import HISTORY, How, champion, champion_id, history, lineage, promote, rollback


@pytest.fixture
def three(small_home: SmallHome) -> tuple[str, str, str]:
    first, second, third = (small_home.train(small_desk(30 + 3 * step)) for step in range(3))
    return first, second, third


def test_promotions_are_written_down(small_home: SmallHome, three: tuple[str, str, str]) -> None:
    for model_id in three:
        promote(small_home.models, model_id, how=How.GATE)
    entries = history(small_home.models)
    assert [(one.model_id, one.previous) for one in entries] == [
        (three[0], None),
        (three[1], three[0]),
        (three[2], three[1]),
    ]
    assert all(one.by and one.at.endswith("+00:00") for one in entries)


def test_rollback_goes_back_step_by_step_and_then_refuses(small_home: SmallHome, three: tuple[str, str, str]) -> None:
    for model_id in three:
        promote(small_home.models, model_id)
    assert [rollback(small_home.models), rollback(small_home.models)] == [three[1], three[0]]
    assert champion(small_home.models) == small_home.models / three[0]
    with pytest.raises(Conflict, match="nothing to go back to"):
        rollback(small_home.models)
    assert champion_id(small_home.models) == three[0]


def test_promotion_after_a_rollback_goes_back_to_where_it_came_from(
    small_home: SmallHome, three: tuple[str, str, str]
) -> None:
    promote(small_home.models, three[0])
    promote(small_home.models, three[1])
    rollback(small_home.models)
    promote(small_home.models, three[2])
    assert lineage(small_home.models) == [three[0], three[2]]


def test_promoting_the_champion_again_is_no_step(small_home: SmallHome, three: tuple[str, str, str]) -> None:
    promote(small_home.models, three[0])
    promote(small_home.models, three[0])
    assert len(history(small_home.models)) == 1


def test_champion_of_before_the_history_was_kept_can_be_gone_back_to(
    small_home: SmallHome, three: tuple[str, str, str]
) -> None:
    (small_home.models / "champion").write_text(three[0] + "\n")
    promote(small_home.models, three[1])
    assert rollback(small_home.models) == three[0]


def test_line_that_was_cut_short_by_a_crash_loses_nothing_else(
    small_home: SmallHome, three: tuple[str, str, str]
) -> None:
    promote(small_home.models, three[0])
    promote(small_home.models, three[1])
    path = small_home.models / HISTORY
    path.write_text(path.read_text()[:-30])
    promote(small_home.models, three[2])
    assert lineage(small_home.models) == list(three)


def test_rollback_to_a_damaged_model_is_refused_and_the_champion_stays(
    small_home: SmallHome, three: tuple[str, str, str]
) -> None:
    promote(small_home.models, three[0])
    promote(small_home.models, three[1])
    (small_home.models / three[0] / "arrays.npz").write_bytes(b"")
    with pytest.raises(ModelDamaged):
        rollback(small_home.models)
    assert champion_id(small_home.models) == three[1]


def test_damaged_model_is_not_promoted(small_home: SmallHome, three: tuple[str, str, str]) -> None:
    promote(small_home.models, three[0])
    (small_home.models / three[1] / "judged.npz").write_bytes(b"")
    with pytest.raises(ModelDamaged):
        promote(small_home.models, three[1])
    assert champion_id(small_home.models) == three[0]


def test_model_under_another_name_is_foreign(small_home: SmallHome, three: tuple[str, str, str]) -> None:
    (small_home.models / three[0]).rename(small_home.models / "m-mine")
    with pytest.raises(ModelDamaged, match="holds another model"):
        promote(small_home.models, "m-mine")


@pytest.mark.parametrize("name", ["m-none", "../datasets", "", "a/b"])
def test_unknown_model_is_explained(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound, match="triage models list"):
        promote(tmp_path, name)


@pytest.mark.parametrize("content", ["m-gone\n", "", "../..", "a/b"])
def test_pointer_to_nowhere_is_explained(tmp_path: Path, content: str) -> None:
    (tmp_path / "champion").write_text(content)
    with pytest.raises(ModelDamaged, match="triage models rollback"):
        champion(tmp_path)
