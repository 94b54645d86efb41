"""How is a model written so that it is whole or not there at all?"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kb import FloatArray
from triage.learning.terms import Counts, Weighing
from triage.understand.card import ModelCard
from triage.understand.classifier import ARRAYS, CARD, FORMAT, MANIFEST, TERMS, FieldModel, sha256_of


def save(
    folder: Path,
    card: ModelCard,
    counts: Counts,
    weighing: Weighing,
    models: Mapping[str, FieldModel],
    seen: FloatArray,
) -> ModelCard:
    """Write the model to ``folder/<id>``, its id made from its content, and return the card with that id."""
    folder.mkdir(parents=True, exist_ok=True)
    terms = {
        "words": [counts.word_terms[row] for row in weighing.words],
        "pieces": [counts.piece_terms[row] for row in weighing.pieces],
        "values": [counts.value_terms[row] for row in weighing.values],
    }
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "rarity": np.concatenate([weighing.word_rarity, weighing.piece_rarity]),
        "seen": seen.astype(np.float16),  # half a byte of a cosine does not tell friend from stranger
    }
    for number, model in enumerate(models.values()):
        arrays |= _field_arrays(number, model)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as name:
        scratch = Path(name)
        (scratch / TERMS).write_text(json.dumps(terms, ensure_ascii=False), encoding="utf-8")
        np.savez(scratch / ARRAYS, allow_pickle=False, **arrays)
        model_id = _model_id(card, sha256_of(scratch / TERMS), arrays)
        card = replace(card, model_id=model_id)
        (scratch / CARD).write_text(json.dumps(card.as_json(), indent=1, ensure_ascii=False), encoding="utf-8")
        files = {file: sha256_of(scratch / file) for file in (TERMS, ARRAYS, CARD)}
        (scratch / MANIFEST).write_text(json.dumps({"format": FORMAT, "files": files}, indent=1), encoding="utf-8")
        _put_in_place(scratch, folder / model_id)
    return card


def _field_arrays(number: int, model: FieldModel) -> dict[str, npt.NDArray[np.generic]]:
    values: dict[str, npt.NDArray[np.generic]] = {
        "term_weights": model.term_weights.astype(np.float16),
        "votes": model.votes.astype(np.float16),
        "bias": model.bias,
        "moments": np.array([model.certainty, model.nearness]),
        "familiar": model.familiar,
        "guess": model.checked.guess.astype(np.int32),
        "mass": model.checked.mass,
        "place": model.checked.place.astype(np.int32),
        "truth": model.checked.truth,
    }
    return {f"{number}_{name}": value for name, value in values.items()}


def _model_id(card: ModelCard, terms: str | None, arrays: Mapping[str, npt.NDArray[np.generic]]) -> str:
    digest = hashlib.sha256(f"{card.dataset_digest} {card.encoder_fingerprint} {terms}".encode())
    for name in sorted(arrays):
        digest.update(arrays[name].tobytes())
    return f"m-{digest.hexdigest()[:12]}"


def _put_in_place(scratch: Path, place: Path) -> None:
    for path in scratch.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    finished = place.with_name(f".{place.name}-{os.getpid()}")
    shutil.copytree(scratch, finished)
    if place.exists():
        shutil.rmtree(place)  # the same content, trained again
    os.replace(finished, place)
