"""The desk shows tickets of the dataset that the model in use was trained on, and goes on without where it cannot."""

from pathlib import Path

import pytest
import structlog

from kb import KnowledgeBase
from tests.desks import small_desk
from tests.factories import incoming
from tests.unit.learning.conftest import SmallHome
from triage.desk import Desk
from triage.learning.registry import promote
from triage.pipeline import assess
from triage.understand.classifier import read_card

TEXT = small_desk().texts[4]


@pytest.fixture
def small_home(tmp_path: Path) -> SmallHome:
    from tests.unit.kb.doubles import WordEncoder

    return SmallHome(tmp_path, WordEncoder())


def desk_of(home: SmallHome) -> Desk:
    return Desk(
        home.encoder,
        KnowledgeBase.open(home.folder / "kb", home.encoder),
        models=home.models,
        policy_file=home.folder / "policy.toml",
        datasets=home.datasets,
    )


def similar_to(desk: Desk) -> list[tuple[str, str]]:
    read = assess(incoming(TEXT, subject=""), desk.current()).understanding
    return [(one.source.value, one.labels[0].value) for one in read.similar]


def test_similar_tickets_come_from_the_dataset_of_the_model_in_use(small_home: SmallHome) -> None:
    desk = desk_of(small_home)
    assert similar_to(desk) == []
    assert desk.past == "none of the training data, none of this desk"
    promote(small_home.models, small_home.train())
    assert similar_to(desk)[0] == ("training", "printing")
    assert desk.past == "90 tickets of the training data, none of this desk"


def test_new_model_brings_its_own_dataset(small_home: SmallHome) -> None:
    promote(small_home.models, small_home.train())
    desk = desk_of(small_home)
    similar_to(desk)
    promote(small_home.models, small_home.train(small_desk(60, start=200)))
    similar_to(desk)
    assert desk.past.startswith("60 tickets")


def test_missing_dataset_stops_nothing_and_is_said_once(small_home: SmallHome) -> None:
    model_id = small_home.train()
    promote(small_home.models, model_id)
    dataset_id = read_card(small_home.models / model_id).dataset_id
    (small_home.datasets / dataset_id / "vectors.npy").unlink()
    desk = desk_of(small_home)
    with structlog.testing.capture_logs() as logged:
        assert similar_to(desk) == similar_to(desk) == []
    assert [entry["event"] for entry in logged].count("no similar tickets from the training data") == 1
    assert dataset_id in desk.past
    assert "none of the training data" in desk.past
