from dataclasses import replace
from pathlib import Path

import pytest

from tests.desks import small_desk
from tests.unit.learning.conftest import SmallHome
from triage.learning.folders import sha256
from triage.learning.release import settle
from triage.learning.report import write_report
from triage.policy import FieldPolicy, Policy

PNG = b"\x89PNG\r\n\x1a\n"


def report(home: SmallHome, model_id: str, *, target: float = 0.8) -> str:
    return write_report(home.models / model_id, home.datasets, Policy(otherwise=FieldPolicy(target=target))).read_text()


def test_card_says_what_the_model_is_made_of_worth_and_how_it_was_promoted(small_home: SmallHome) -> None:
    model_id = small_home.train()
    settle(small_home.models, small_home.judge(model_id))
    page = report(small_home, model_id)
    assert page.startswith(f"# Model {model_id}\n")
    for words in (
        "90 tickets of `desk.csv`, dataset `d-",
        "| queue | 90 | 3 |",
        "95% confidence",
        "Promoted by the gate",
    ):
        assert words in page
    assert "always guessing the most frequent label" in page


def test_every_picture_that_the_card_shows_is_there(small_home: SmallHome) -> None:
    model_id = small_home.train()
    page = report(small_home, model_id)
    names = [line.rpartition("(")[2].rstrip(")") for line in page.splitlines() if line.startswith("![")]
    assert len(names) == 3
    assert all((small_home.models / model_id / name).read_bytes().startswith(PNG) for name in names)


def test_same_model_gives_the_same_bytes(small_home: SmallHome) -> None:
    folder = small_home.models / small_home.train()
    report(small_home, folder.name)
    before = {path.name: sha256(path) for path in folder.iterdir()}
    report(small_home, folder.name)
    assert {path.name: sha256(path) for path in folder.iterdir()} == before


def test_card_leaves_the_model_as_it_was(small_home: SmallHome) -> None:
    model_id = small_home.train()
    report(small_home, model_id)
    assert small_home.train() == model_id
    assert small_home.judge(model_id).passed


def test_missing_certificate_is_explained(small_home: SmallHome) -> None:
    page = report(small_home, small_home.train(small_desk(12)), target=0.99)
    assert "certified to decide 0% of the tickets alone" in page and "Not certified" in page


@pytest.mark.parametrize("name", ["Art des | Problems", "../x", "$cost$", "日本語", "[a](b)"])
def test_strange_names_of_fields_and_labels_do_no_harm(small_home: SmallHome, name: str, tmp_path: Path) -> None:
    tickets = small_desk(60)
    labels = tuple(f"{name} {label}" for label in tickets.labels["queue"])
    page = report(small_home, small_home.train(replace(tickets, labels={name: labels})))
    assert page.count("![") == 3
    assert not list(tmp_path.glob("*.png"))


def test_only_the_largest_labels_are_drawn(small_home: SmallHome) -> None:
    tickets = small_desk(150)
    labels = tuple(f"label {row % 25}" for row in range(150))
    page = report(small_home, small_home.train(replace(tickets, labels={"queue": labels})))
    assert "(largest 20 of 25 labels)" in page
