"""Which models are there, which is in use, and which was before?"""

from __future__ import annotations

import getpass
import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from triage.errors import Conflict, ModelDamaged, ModelError, NotFound
from triage.learning.folders import locked, write_whole
from triage.understand.card import ModelCard
from triage.understand.classifier import Classifier, read_card

CHAMPION = "champion"
HISTORY = "history.jsonl"


class How(StrEnum):
    """By what a model became the champion."""

    GATE = "gate"
    FORCE = "force"
    ROLLBACK = "rollback"


@dataclass(frozen=True, slots=True)
class Promotion:
    """One line of the history: which model took over from which, how, when (ISO, UTC) and by whose hand."""

    model_id: str
    previous: str | None
    how: How
    by: str
    at: str


def champion(models: Path) -> Path | None:
    """The folder of the model in use, or None before the first; raises ``ModelDamaged`` where it has gone."""
    name = champion_id(models)
    if name is None:
        return None
    if not name or Path(name).name != name or not (models / name).is_dir():
        raise ModelDamaged(
            f"The model in use, {name!r}, is not in {models}. Go back with `triage models rollback`, choose another "
            "with `triage models promote`, or train again with `triage train`."
        )
    return models / name


def champion_id(models: Path) -> str | None:
    """What the pointer names, whether it is there or not; None before the first."""
    try:
        return (models / CHAMPION).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelDamaged(
            f"The pointer {models / CHAMPION} cannot be read: choose with `triage models promote`."
        ) from error


def model_folder(models: Path, model_id: str) -> Path:
    """The folder of a model; raises ``NotFound``."""
    if Path(model_id).name != model_id or not (models / model_id / "card.json").exists():
        raise NotFound(f"There is no model {model_id}; `triage models list` shows those there are.")
    return models / model_id


def promote(models: Path, model_id: str, *, how: How = How.FORCE) -> None:
    """Put a model to use, in one step; running processes take it over with their next ticket.

    Raises ``ModelDamaged`` or ``NotFound`` where it cannot be used; the champion stays.
    """
    folder = model_folder(models, model_id)
    Classifier.load(folder)
    with locked(models):
        _point(models, model_id, how)


def rollback(models: Path) -> str:
    """Go back to the model that was champion before, and return its id; a second time goes back further.

    Raises ``Conflict`` where there was none before, ``ModelDamaged`` or ``NotFound`` where that one is no more.
    """
    with locked(models):
        line = lineage(models)
        if len(line) < 2:
            raise Conflict("There was no champion before this one, so there is nothing to go back to.")
        Classifier.load(model_folder(models, line[-2]))
        _point(models, line[-2], How.ROLLBACK)
    return line[-2]


def lineage(models: Path) -> list[str]:
    """The champions that a rollback goes back through, oldest first; the last is the one in use."""
    line: list[str] = []
    for promotion in history(models):
        if promotion.previous and line[-1:] != [promotion.previous]:
            line.append(promotion.previous)
        if promotion.how is How.ROLLBACK and line[-2:-1] == [promotion.model_id]:
            line.pop()
        else:
            line.append(promotion.model_id)
    # The pointer is the truth: a process may have died between writing it and noting so.
    now = champion_id(models)
    if now and line[-1:] != [now]:
        line.append(now)
    return line


def history(models: Path) -> list[Promotion]:
    """All promotions, oldest first; a last line that was cut short is left out."""
    try:
        lines = (models / HISTORY).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    promotions = []
    for line in lines:
        with suppress(ValueError, TypeError, KeyError):
            entry = json.loads(line)
            promotions.append(Promotion(**{**entry, "how": How(entry["how"])}))
    return promotions


def list_models(models: Path) -> list[ModelCard]:
    """The cards of all models that this version can read, oldest first; one that is damaged is left out."""
    cards: list[ModelCard] = []
    for folder in models.glob("[!.]*") if models.is_dir() else ():
        with suppress(ModelError):
            cards.append(read_card(folder))
    return sorted(cards, key=lambda card: (card.created_at, card.model_id))


def whoever() -> str:
    """Who runs this, as the system knows them."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user often has a number only
        return f"uid {os.getuid()}"


def _point(models: Path, model_id: str, how: How) -> None:
    previous = champion_id(models)
    write_whole(models / CHAMPION, model_id + "\n")  # also where it is the same: its files may have been mended
    if previous == model_id:
        return
    at = datetime.now(UTC).isoformat(timespec="seconds")
    _append(models / HISTORY, json.dumps(asdict(Promotion(model_id, previous, how, whoever(), at))))


def _append(path: Path, line: str) -> None:
    with path.open("a+b") as file:
        # A line that was cut short by a crash must not swallow this one.
        size = file.tell()
        file.seek(max(0, size - 1))
        joint = b"" if size == 0 or file.read(1) == b"\n" else b"\n"
        file.write(joint + line.encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
