"""Which past tickets does a dataset give to those who look for similar ones?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from kb import FloatArray
from triage.errors import DatasetDamaged
from triage.learning.folders import is_intact
from triage.tickets.model import LabelOrigin, PastLabel, PastSource
from triage.understand.similar import PastTicket, PastTickets

# Here and not with those who write them: that would bring SciPy's sparse matrices into every server.
TICKETS, VECTORS, CARD = "tickets.jsonl", "vectors.npy", "card.json"
CORRECTION = "correction"


def read_past(folder: Path, *, encoder_fingerprint: str) -> PastTickets:
    """The tickets of a dataset, searchable; raises ``DatasetDamaged``.

    It is refused whole where its vectors are of another encoder.
    """
    if not is_intact(folder):
        raise DatasetDamaged(f"The dataset in {folder} is missing, cut short or altered.")
    try:
        made_by = json.loads((folder / CARD).read_text(encoding="utf-8"))["encoder_fingerprint"]
        vectors: FloatArray = np.load(folder / VECTORS, allow_pickle=False).astype(np.float32)
        with (folder / TICKETS).open(encoding="utf-8") as file:
            tickets = [_past(json.loads(line)) for line in file]
        if len(tickets) != len(vectors):
            raise DatasetDamaged(f"The dataset in {folder} has {len(tickets)} tickets and {len(vectors)} vectors.")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetDamaged(f"The dataset in {folder} cannot be read: {error}") from error
    if made_by != encoder_fingerprint:
        raise DatasetDamaged(f"The dataset in {folder} has the vectors of another encoder than the one in use.")
    past = PastTickets(PastSource.TRAINING, vectors.shape[1])
    past.add(tickets, vectors)
    past.settle()
    return past


def _past(row: dict[str, Any]) -> PastTicket:  # Any: parsed JSON, written by `triage.learning.snapshot`
    labels = tuple(PastLabel(name, value, LabelOrigin.LABELLED) for name, value in row["labels"].items() if value)
    return PastTicket.of(row["text"], labels, row["key"] if row["source"] == CORRECTION else None)
