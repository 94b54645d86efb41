"""How is a model written so that it is whole or not there at all?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kb import FloatArray
from triage.learning.folders import digest_of, publish, scratch_folder, write_manifest
from triage.learning.judged import JUDGED, Judged, write_judged
from triage.learning.terms import Vocabulary
from triage.understand.card import ModelCard
from triage.understand.classifier import ARRAYS, CARD, FORMAT, TERMS, FieldModel, read_card


def save(
    folder: Path,
    card: ModelCard,
    vocabulary: Vocabulary,
    models: Mapping[str, FieldModel],
    judged: Mapping[str, Judged],
    seen: FloatArray,
) -> ModelCard:
    """Write the model to ``folder/<id>`` and return its card with id and date.

    The id is made from the content of all files, and the date stands beside them in the manifest, so the same
    training gives the same model; where that is there already, it stays as it is, with the date of its making.
    """
    terms = {"words": vocabulary.words, "pieces": vocabulary.pieces, "values": vocabulary.values}
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "rarity": vocabulary.rarity,
        "seen": seen.astype(np.float16),  # half a byte of a cosine does not tell friend from stranger
    }
    for number, model in enumerate(models.values()):
        arrays |= _field_arrays(number, model)
    with scratch_folder(folder) as scratch:
        (scratch / TERMS).write_text(json.dumps(terms, ensure_ascii=False), encoding="utf-8")
        np.savez(scratch / ARRAYS, allow_pickle=False, **arrays)
        write_judged(scratch, judged)
        bare = replace(card, model_id="", created_at="").as_json()
        (scratch / CARD).write_text(json.dumps(bare, indent=1, ensure_ascii=False), encoding="utf-8")
        model_id = f"m-{digest_of({}, *(scratch / name for name in (TERMS, ARRAYS, JUDGED, CARD)))[:12]}"
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_manifest(scratch, {"format": FORMAT, "model_id": model_id, "created_at": now})
        publish(scratch, folder / model_id)
    return read_card(folder / model_id)


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
