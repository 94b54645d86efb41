"""What did models that had not seen a ticket guess about it?"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from triage.errors import ModelDamaged

JUDGED = "judged.npz"


@dataclass(frozen=True, slots=True)
class Judged:
    """Out-of-fold guesses about the n labelled tickets of one field.

    ``keys`` (n,) uint64 name the tickets (see ``keys_of``), ``truth`` and ``guess`` (n,) int32 are rows of the
    field's labels (-1 for a label that the model does not know), ``probability`` (n,) float64 that of the guess.
    Tickets that were only learned from, as the older ones where tickets are divided by time, have -1 as their guess.
    """

    keys: npt.NDArray[np.uint64]
    truth: npt.NDArray[np.int32]
    guess: npt.NDArray[np.int32]
    probability: npt.NDArray[np.float64]

    def without_unjudged(self) -> Judged:
        """Only the tickets that were judged."""
        rows = self.guess >= 0
        return Judged(self.keys[rows], self.truth[rows], self.guess[rows], self.probability[rows])


def keys_of(masked: Sequence[str]) -> npt.NDArray[np.uint64]:
    """(n,) the first 8 bytes of the SHA-256 of each masked text (``LabelledTickets.masked``): near-copies agree."""
    digests = b"".join(hashlib.sha256(text.encode()).digest()[:8] for text in masked)
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64)


def judged_of(
    masked: Sequence[str],
    truth: npt.NDArray[np.int64],
    is_judged: npt.NDArray[np.bool_],
    probabilities: npt.NDArray[np.floating],
) -> Judged:
    """Of n masked texts with their (n,) right columns: which of them were judged, and the (judged, c) probabilities."""
    guess, probability = np.full(len(truth), -1, dtype=np.int32), np.zeros(len(truth))
    guess[is_judged], probability[is_judged] = probabilities.argmax(axis=1), probabilities.max(axis=1)
    return Judged(keys_of(masked), truth.astype(np.int32), guess, probability)


def write_judged(folder: Path, fields: Mapping[str, Judged]) -> None:
    """Write ``judged.npz`` of all fields; the same guesses give the same bytes."""
    arrays: dict[str, npt.NDArray[np.generic]] = {"fields": np.array(list(fields), dtype=np.str_)}
    for number, one in enumerate(fields.values()):
        arrays |= {
            f"{number}_keys": one.keys,
            f"{number}_truth": one.truth,
            f"{number}_guess": one.guess,
            f"{number}_probability": one.probability,
        }
    np.savez(folder / JUDGED, allow_pickle=False, **arrays)


def read_judged(folder: Path) -> dict[str, Judged]:
    """The guesses per field; raises ``ModelDamaged``."""
    try:
        with (folder / JUDGED).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {
                str(name): Judged(
                    keys=arrays[f"{number}_keys"].astype(np.uint64),
                    truth=arrays[f"{number}_truth"].astype(np.int32),
                    guess=arrays[f"{number}_guess"].astype(np.int32),
                    probability=arrays[f"{number}_probability"].astype(np.float64),
                )
                for number, name in enumerate(arrays["fields"])
            }
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ModelDamaged(
            f"{JUDGED} of the model in {folder} is missing, cut short or altered: it cannot be compared with others."
        ) from error
