"""Are the tickets of a dataset there to be found, and is a dataset that cannot be trusted refused?"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.desks import small_desk
from tests.unit.kb.doubles import WordEncoder
from triage.errors import DatasetDamaged
from triage.learning import past, snapshot
from triage.learning.dataset import Origin, Source
from triage.learning.folders import write_manifest
from triage.learning.past import read_past
from triage.tickets.model import LabelOrigin, PastLabel
from triage.understand.similar import similar


@pytest.fixture
def encoder() -> WordEncoder:
    return WordEncoder()


@pytest.fixture
def folder(tmp_path: Path, encoder: WordEncoder) -> Path:
    tickets = small_desk(12)
    vectors = encoder.encode(tickets.texts)
    dataset_id = snapshot.write_dataset(
        tmp_path, tickets, vectors, np.zeros(12, dtype=np.int64), encoder_fingerprint=encoder.fingerprint
    )
    return tmp_path / dataset_id


def test_ticket_of_a_dataset_is_found_with_its_labels(folder: Path, encoder: WordEncoder) -> None:
    text = small_desk(12).texts[4]
    found = similar((read_past(folder, encoder_fingerprint=encoder.fingerprint),), encoder.encode([text])[0])
    assert found[0].title.split() == text.split()[: len(found[0].title.split())]
    assert found[0].labels == (PastLabel("queue", "printing", LabelOrigin.LABELLED),)
    assert (found[0].ticket_id, found[0].source) == (None, "training")


def test_names_of_the_files_are_those_that_are_written() -> None:
    assert (past.TICKETS, past.VECTORS, past.CARD) == (snapshot.TICKETS, snapshot.VECTORS, snapshot.CARD)
    assert Source.CORRECTION.value == past.CORRECTION


def test_corrected_ticket_of_this_desk_keeps_its_id(tmp_path: Path, encoder: WordEncoder) -> None:
    tickets = small_desk(12)
    tickets = replace(tickets, origins=(Origin(Source.CORRECTION, "t-1", None, "agent"), *tickets.origins[1:]))
    vectors = encoder.encode(tickets.texts)
    made = snapshot.write_dataset(
        tmp_path, tickets, vectors, np.zeros(12, dtype=np.int64), encoder_fingerprint=encoder.fingerprint
    )
    known = read_past(tmp_path / made, encoder_fingerprint=encoder.fingerprint)
    assert similar((known,), vectors[0])[0].ticket_id == "t-1"
    assert "t-1" not in {one.ticket_id for one in similar((known,), vectors[0], without="t-1")}


@pytest.mark.parametrize("name", ["tickets.jsonl", "vectors.npy", "card.json", "manifest.json"])
def test_dataset_that_lacks_a_file_is_refused(folder: Path, encoder: WordEncoder, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DatasetDamaged):
        read_past(folder, encoder_fingerprint=encoder.fingerprint)


def test_dataset_that_was_altered_is_refused(folder: Path, encoder: WordEncoder) -> None:
    text = (folder / "tickets.jsonl").read_text()
    (folder / "tickets.jsonl").write_text(text.replace("printing", "network"))
    with pytest.raises(DatasetDamaged):
        read_past(folder, encoder_fingerprint=encoder.fingerprint)


@pytest.mark.parametrize("line", ["", "{}", "[1]", "not json"])
def test_dataset_that_is_none_is_refused(folder: Path, encoder: WordEncoder, line: str) -> None:
    """A manifest that agrees with files that make no sense."""
    lines = (folder / "tickets.jsonl").read_text().splitlines()
    (folder / "tickets.jsonl").write_text("\n".join([*lines[:-1], line]))
    (folder / "manifest.json").unlink()
    write_manifest(folder, {})
    with pytest.raises(DatasetDamaged):
        read_past(folder, encoder_fingerprint=encoder.fingerprint)


def test_vectors_of_another_encoder_are_refused(folder: Path) -> None:
    with pytest.raises(DatasetDamaged, match="another encoder"):
        read_past(folder, encoder_fingerprint="another")
    assert json.loads((folder / "card.json").read_text())["encoder_fingerprint"] != "another"
