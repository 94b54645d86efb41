"""What is known of a trained model?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class FieldCard:
    """One field: its labels, how it was fitted, and figures on tickets the model had not seen (out of fold).

    ``accuracy_interval`` is Wilson's, at 95 %. ``term_weight`` is the words' weight against the meaning, ``steepness``
    how fast a past ticket's vote fades; ``ece`` the expected calibration error in 15 bins, before and after
    calibration; ``reliability`` are its bins as (mean probability, share that was right, tickets). ``checked`` tickets
    were judged by a model that had not seen them. ``labelled`` says how many tickets taught each label.
    """

    labels: tuple[str, ...]
    tickets: int
    checked: int
    single_labels: tuple[str, ...]
    term_weight: float
    steepness: float
    regularisation: float
    sharpness: tuple[float, float, float, float]
    accuracy: float
    accuracy_interval: tuple[float, float]
    macro_f1: float
    log_loss: float
    ece_before: float
    ece: float
    reliability: tuple[tuple[float, float, int], ...]
    curve: tuple[tuple[float, float], ...]
    labelled: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model: what it was made of, when, and what it is worth.

    ``dataset_digest`` is of the tickets alone, ``dataset_id`` names the snapshot of them that was kept (empty where
    none was).
    """

    model_id: str
    created_at: str
    code_version: str
    seed: int
    dataset: str
    dataset_digest: str
    dataset_id: str
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
