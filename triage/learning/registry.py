"""Which models are there, and which is in use?"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from triage.errors import ModelDamaged, ModelError, NotFound
from triage.understand.card import ModelCard
from triage.understand.classifier import read_card

CHAMPION = "champion"


def champion(models: Path) -> Path | None:
    """The folder of the model in use, or None before the first; raises ``ModelDamaged`` where it has gone."""
    try:
        name = (models / CHAMPION).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    if not (models / name).is_dir():
        raise ModelDamaged(
            f"The model in use, {name}, is not in {models}. Choose another with `triage models promote`, "
            "or train again with `triage train`."
        )
    return models / name


def promote(models: Path, model_id: str) -> None:
    """Put a model to use, in one step; running processes take it over with their next ticket."""
    if not (models / model_id / "card.json").exists():
        raise NotFound(f"There is no model {model_id}; `triage models list` shows those there are.")
    pointer = models / f".{CHAMPION}-{os.getpid()}"
    with pointer.open("w", encoding="utf-8") as file:
        file.write(model_id + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(pointer, models / CHAMPION)


def list_models(models: Path) -> list[ModelCard]:
    """The cards of all models that this version can read, oldest first; one that is damaged is left out."""
    cards: list[ModelCard] = []
    for folder in models.glob("[!.]*") if models.is_dir() else ():
        with suppress(ModelError):
            cards.append(read_card(folder))
    return sorted(cards, key=lambda card: (card.created_at, card.model_id))
