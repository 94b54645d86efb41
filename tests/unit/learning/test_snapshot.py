import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.desks import small_desk
from tests.unit.kb.doubles import WordEncoder
from tests.unit.learning.conftest import SmallHome
from triage.errors import BadInput, DatasetDamaged, NotFound
from triage.learning.dataset import LabelledTickets, combine
from triage.learning.snapshot import (
    Remembering,
    dataset_folder,
    list_datasets,
    read_dataset,
    read_dataset_card,
    write_dataset,
)
from triage.understand.classifier import read_card


def keep(folder: Path, tickets: LabelledTickets) -> str:
    vectors = Remembering(WordEncoder(), folder).encode(tickets.texts)
    folds = np.arange(len(tickets), dtype=np.int64) % 3
    return write_dataset(folder, tickets, vectors, folds, encoder_fingerprint="words")


def test_dataset_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    tickets = small_desk(12)
    found, vectors = read_dataset(tmp_path, keep(tmp_path, tickets))
    assert found == tickets
    assert np.allclose(vectors, WordEncoder().encode(tickets.texts), atol=1e-3)


def test_lines_say_text_labels_fold_source_and_key_in_the_order_of_the_vectors(tmp_path: Path) -> None:
    tickets = small_desk(12)
    folder = tmp_path / keep(tmp_path, tickets)
    lines = [json.loads(line) for line in (folder / "tickets.jsonl").read_text().splitlines()]
    assert lines[4] == {
        "text": tickets.texts[4],
        "labels": {"queue": "printing"},
        "features": {},
        "at": None,
        "fold": 1,
        "source": "file",
        "key": "4",
        "author": None,
    }
    assert np.load(folder / "vectors.npy").shape == (12, 64)
    assert np.load(folder / "vectors.npy").dtype == np.float16


def test_same_tickets_are_kept_once_and_others_are_another_dataset(tmp_path: Path) -> None:
    first = keep(tmp_path, small_desk(12))
    assert keep(tmp_path, small_desk(12)) == first
    assert keep(tmp_path, small_desk(12, wrong=[3])) != first
    assert len(list_datasets(tmp_path)) == 2


def test_card_counts_what_there_is(tmp_path: Path) -> None:
    twice = combine(small_desk(12), small_desk(12, wrong=[0], name="again.csv"))
    card = read_dataset_card(tmp_path / keep(tmp_path, twice))
    assert (card.name, card.tickets, card.folds) == ("desk.csv + again.csv", 24, 3)
    assert card.labels == {"queue": {"printing": 9, "access": 8, "network": 7}}
    assert (card.exact_copies, card.near_copies, card.contradictions) == (12, 0, {"queue": 1})
    assert sum(card.languages.values()) == card.languages_of == 24
    assert len(card.warnings) == 2


def test_each_text_is_embedded_once(small_home: SmallHome) -> None:
    small_home.train(small_desk(30))
    assert len(small_home.encoder.encoded) == 30
    small_home.train(small_desk(30, wrong=[1]))
    assert len(small_home.encoder.encoded) == 30
    small_home.train(small_desk(36))
    assert len(small_home.encoder.encoded) == 36


def test_vectors_of_another_encoder_or_of_a_damaged_dataset_are_not_used(tmp_path: Path) -> None:
    tickets = small_desk(12)
    folder = tmp_path / keep(tmp_path, tickets)
    other = WordEncoder("another")
    Remembering(other, tmp_path).encode(tickets.texts)
    assert len(other.encoded) == 12
    content = (folder / "vectors.npy").read_bytes()
    (folder / "vectors.npy").write_bytes(content[:-2] + b"\xff\xff")
    same = WordEncoder()
    Remembering(same, tmp_path).encode(tickets.texts)
    assert len(same.encoded) == 12


def test_model_names_its_dataset(small_home: SmallHome) -> None:
    card = read_card(small_home.models / small_home.train())
    dataset = read_dataset_card(dataset_folder(small_home.datasets, card.dataset_id))
    assert dataset.digest == card.dataset_digest


def test_tickets_that_cannot_be_learned_from_leave_no_dataset(small_home: SmallHome) -> None:
    with pytest.raises(BadInput):
        small_home.train(small_desk(6))
    assert list_datasets(small_home.datasets) == []


def test_labels_that_vanished_since_the_champion_are_said_on_the_card(small_home: SmallHome) -> None:
    from triage.learning.registry import promote

    promote(small_home.models, small_home.train())
    tickets = small_desk(90)
    gone = tuple("network" if label == "access" else label for label in tickets.labels["queue"])
    card = read_card(small_home.models / small_home.train(replace(tickets, labels={"queue": gone})))
    (said,) = read_dataset_card(small_home.datasets / card.dataset_id).warnings
    assert "“access” had tickets before" in said


@pytest.mark.parametrize("name", ["tickets.jsonl", "vectors.npy"])
def test_altered_dataset_is_refused(tmp_path: Path, name: str) -> None:
    dataset_id = keep(tmp_path, small_desk(12))
    path = tmp_path / dataset_id / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DatasetDamaged, match="triage train"):
        read_dataset(tmp_path, dataset_id)


@pytest.mark.parametrize("name", ["d-none", "../models", ""])
def test_unknown_dataset_is_explained(tmp_path: Path, name: str) -> None:
    with pytest.raises(NotFound, match="triage datasets list"):
        read_dataset(tmp_path, name)
