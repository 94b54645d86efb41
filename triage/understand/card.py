"""What is known of a trained model?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldCard:
    """One field: its labels, how it was fitted, and figures on tickets the model had not seen (out of fold).

    ``accuracy_interval`` is Wilson's, at 95 %. ``vector_weight`` is the embedding's weight against the words;
    ``ece`` the expected calibration error in 15 bins, before and after calibration; ``reliability`` are its bins as
    (mean probability, share that was right, tickets). ``checked`` tickets were judged by a model that had not seen
    them. ``description_weight`` is None but where few-shot learning was chosen: on the embedding alone, each label's
    name and description counted for so many tickets. ``labelled`` says of how many tickets each label was learned.
    """

    labels: tuple[str, ...]
    tickets: int
    checked: int
    single_labels: tuple[str, ...]
    vector_weight: float
    regularisation: float
    sharpness: tuple[float, float, float, float]
    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    log_loss: float
    ece_before: float
    ece: float
    reliability: tuple[tuple[float, float, int], ...]
    curve: tuple[tuple[float, float], ...] = ()
    description_weight: float | None = None
    labelled: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model: what it was made of, when, and what it is worth."""

    model_id: str
    created_at: str
    code_version: str
    seed: int
    dataset: str
    dataset_digest: str
    tickets: int
    text_columns: tuple[str, ...]
    feature_columns: tuple[str, ...]
    encoder_fingerprint: str
    fields: Mapping[str, FieldCard]

    def as_json(self) -> dict[str, object]:
        """Ready for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ModelCard:  # Any: parsed JSON
        """The card that ``as_json`` gave; raises ``TypeError`` or ``KeyError`` where it is not one."""
        fields = {name: FieldCard(**_with_tuples(field)) for name, field in content["fields"].items()}
        return cls(**{**_with_tuples(content), "fields": fields})


def _with_tuples(content: Mapping[str, Any]) -> dict[str, Any]:  # Any: parsed JSON
    return {key: _with_tuple(value) for key, value in content.items()}


def _with_tuple(value: object) -> object:
    return tuple(_with_tuple(part) for part in value) if isinstance(value, list) else value
