"""How do labelled tickets become a dataset and a candidate?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from kb import Encoder, Progress
from triage.errors import ModelError
from triage.learning.dataset import LabelledTickets
from triage.learning.folders import clean_scratch
from triage.learning.registry import champion
from triage.learning.snapshot import Remembering, write_dataset
from triage.learning.training import Training, train_classifier
from triage.understand.card import ModelCard
from triage.understand.classifier import read_card


def make_candidate(
    tickets: LabelledTickets,
    encoder: Encoder,
    *,
    models: Path,
    datasets: Path,
    progress: Progress | None = None,
    seed: int = 0,
) -> ModelCard:
    """Keep the tickets as a dataset, train on them, and return the candidate's card; the champion stays.

    Stopped at any moment it leaves a whole dataset or none, a whole model or none; what else it leaves is removed by
    the next call. Raises ``BadInput`` where there is too little to learn from.
    """
    for folder in (models, datasets):
        clean_scratch(folder)
    before = labels_in_use(models)

    def keep(training: Training) -> str:
        return write_dataset(
            datasets, tickets, training.vectors, training.part, encoder_fingerprint=encoder.fingerprint, before=before
        )

    remembering = Remembering(encoder, datasets)
    return train_classifier(tickets, remembering, models, progress=progress, seed=seed, keep=keep)


def labels_in_use(models: Path) -> Mapping[str, Sequence[str]] | None:
    """The labels of each field of the champion, or None without a readable one."""
    with suppress(ModelError):
        folder = champion(models)
        return {name: field.labels for name, field in read_card(folder).fields.items()} if folder else None
    return None
