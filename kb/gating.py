"""How likely is it that the first article answers the question?

A logistic model over what the search saw, fitted on questions that the knowledge base answers and on questions that it
cannot answer, made by taking the right article away.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel

from kb.errors import SnapshotDamaged
from kb.lexical import words_of
from kb.retrieval import Ranked, Retriever, Scores

FOLDER = "gates"
CURRENT = "CURRENT"
# Of the penalty on the squared weights, for features of unit variance: .3 to 3 differ by .002 in the area under the
# ROC curve on OfficeDocs and StackFAQ.
PENALTY = 3.0
STEPS = 50
# What tells right from wrong on any knowledge base. Margins between the first two articles mislead from one to the
# next (area under the curve .78 instead of .89), so only a gate fitted on a desk's own questions uses those.
PORTABLE = (
    "passage_cosine", "article_cosine", "cosine_above_ten", "title_asked_for", "asked_in_title", "asked_in_article",
    "rare_in_article", "lexical_strength", "lexical_lead", "chance",
)  # fmt: skip
OWN = (*PORTABLE, "passage_margin", "article_margin", "score_margin", "unknown_words")

Features = Mapping[str, float]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a gate said of n questions that it had not been fitted on, and whether the first article was right: (n,)."""

    probability: Scores
    right: Flags


NOT_CHECKED = Checked(np.empty(0), np.empty(0, dtype=np.bool_))


@dataclass(frozen=True, slots=True)
class Gate:
    """A logistic model of whether the first article is right: arrays are (f,), one number a feature.

    ``threshold`` is the least probability at which an answer is given where nothing was checked on the desk's own
    questions; ``checked`` are those questions. ``name`` is empty for the gate that ships.
    """

    names: tuple[str, ...]
    mean: Scores
    scale: Scores
    weights: Scores
    bias: float
    threshold: float
    checked: Checked = NOT_CHECKED
    name: str = ""
    date: str = ""
    # How likely the right article is among the first three: for offering a choice.
    among: Gate | None = None

    def probability(self, seen: Features) -> float:
        """The calibrated probability (0..1) for one question."""
        return float(self.probabilities([seen])[0])

    def probabilities(self, seen: Sequence[Features]) -> Scores:
        """(n,) calibrated probabilities (0..1)."""
        values = (_matrix(seen, self.names) - self.mean) / self.scale
        return _logistic(values @ self.weights + self.bias)


@cache
def shipped_gate() -> Gate:
    """The gate that ships: fitted by ``bench/fit_gate.py``, whose figures stand in the file."""
    return _Stored.model_validate_json(files("kb").joinpath("gate.json").read_bytes()).gate()


def fit_gate(
    seen: Sequence[Features], right: Flags, *, names: Sequence[str] = PORTABLE, threshold: float = 1.0
) -> Gate:
    """Fit by penalised maximum likelihood (Newton's method) on n questions; ``right`` is (n,).

    With no right or no wrong ones the gate says that rate (never quite 0 or 1) of every question.
    """
    values = _matrix(seen, names)
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    design = np.column_stack([(values - mean) / scale, np.ones(len(right))])
    penalty = np.diag([PENALTY] * len(names) + [1e-3])
    weights = np.zeros(design.shape[1])
    for _ in range(STEPS):
        said = _logistic(design @ weights)
        slope = design.T @ (said - right) + penalty @ weights
        bend = (design * (said * (1 - said))[:, None]).T @ design + penalty
        step = np.linalg.solve(bend, slope)
        weights -= step
        if np.abs(step).max() < 1e-9:
            break
    return Gate(tuple(names), mean, scale, weights[:-1], float(weights[-1]), threshold)


def features(retriever: Retriever, query: str, ranked: Ranked) -> dict[str, float]:
    """What tells right from wrong first articles, free of the size and the topic of the knowledge base.

    The margins and the words that stand in no article are for gates fitted on a desk's own questions.
    """
    row = int(ranked.rows[0])
    article = retriever.articles[row]
    asked, title = words_of(query), words_of(article.title)
    words = title | _words_of_article(article.text)
    rarity = retriever.rarity
    rare = {word for word in asked if retriever.is_rare(word)}
    asked_weight = sum(map(rarity, asked)) or 1.0
    title_weight = sum(map(rarity, title)) or 1.0
    ten = np.sort(ranked.passage_cosine)[::-1][1:10]
    lexical = float(ranked.lexical[0])
    next_lexical = float(ranked.lexical[1:].max()) if len(ranked) > 1 else 0.0
    return {
        "passage_cosine": float(ranked.passage_cosine[0]),
        "article_cosine": float(ranked.article_cosine[0]),
        "cosine_above_ten": float(ranked.passage_cosine[0] - ten.mean()) if len(ten) else 0.0,
        "title_asked_for": sum(map(rarity, asked & title)) / title_weight,
        "asked_in_title": sum(map(rarity, asked & title)) / asked_weight,
        "asked_in_article": sum(map(rarity, asked & words)) / asked_weight,
        "rare_in_article": len(rare & words) / len(rare) if rare else 0.5,
        "lexical_strength": lexical / asked_weight,
        "lexical_lead": math.log((lexical + 1) / (next_lexical + 1)),
        "passage_margin": _margin(ranked.passage_cosine),
        "article_margin": _margin(ranked.article_cosine),
        "score_margin": _margin(ranked.fused),
        "chance": float(ranked.fused[0]),
        "unknown_words": sum(not retriever.knows(word) for word in asked) / (len(asked) or 1),
    }


# Of the articles that come first often; what 500 of them hold takes a few MB.
_words_of_article = lru_cache(500)(words_of)


def as_json(gate: Gate) -> bytes:
    """The content of a gate's file."""
    return _Stored.of(gate).model_dump_json(indent=1).encode()


def keep_gate(folder: Path, gate: Gate) -> Gate:
    """Put a gate in force in the knowledge base of this folder; earlier ones stay, to replay answers with."""
    content = as_json(gate)
    name = hashlib.sha256(content).hexdigest()[:8]
    gates = folder / FOLDER
    gates.mkdir(parents=True, exist_ok=True)
    _write(gates / f"{name}.json", content)
    _write(gates / CURRENT, name.encode())
    return load_gate(folder, name)


def current_gate(folder: Path) -> str:
    """The name of the gate in force: empty for the one that ships."""
    try:
        return (folder / FOLDER / CURRENT).read_text(encoding="utf-8").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""


def drop_gate(folder: Path) -> None:
    """Put the gate that ships in force again."""
    (folder / FOLDER / CURRENT).unlink(missing_ok=True)


def load_gate(folder: Path, name: str) -> Gate:
    """Read one gate, checking that it is what its name says; raises ``SnapshotDamaged``, which names what helps."""
    if not name:
        return shipped_gate()
    path = folder / FOLDER / f"{name}.json"
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest()[:8] != name:
            raise ValueError("not the file that was written")
        return _Stored.model_validate_json(content).gate(name)
    except (OSError, ValueError) as error:
        raise SnapshotDamaged(
            f"The answer gate {path} is missing, damaged or of another version. Make it anew with "
            f"`triage kb calibrate`, or remove {path.parent / CURRENT} to use the gate that ships."
        ) from error


def _margin(scores: Scores) -> float:
    return float(scores[0] - scores[1:].max()) if len(scores) > 1 else 1.0


def _matrix(seen: Sequence[Features], names: Sequence[str]) -> Scores:
    return np.array([[one[name] for name in names] for one in seen], dtype=np.float64).reshape(len(seen), len(names))


def _logistic(logit: Scores) -> Scores:
    said: Scores = 1 / (1 + np.exp(-np.clip(logit, -50, 50)))
    return said


class _StoredChecked(BaseModel):
    probability: list[float] = []
    right: list[bool] = []


class _Stored(BaseModel):
    """A gate as it stands in its file."""

    format: Literal[1] = 1
    features: tuple[str, ...]
    mean: list[float]
    scale: list[float]
    weights: list[float]
    bias: float
    threshold: float
    date: str = ""
    checked: _StoredChecked = _StoredChecked()
    among: _Stored | None = None

    @classmethod
    def of(cls, gate: Gate) -> _Stored:
        checked = _StoredChecked(probability=gate.checked.probability.tolist(), right=gate.checked.right.tolist())
        return cls(
            features=gate.names,
            mean=gate.mean.tolist(),
            scale=gate.scale.tolist(),
            weights=gate.weights.tolist(),
            bias=gate.bias,
            threshold=gate.threshold,
            date=gate.date,
            checked=checked,
            among=cls.of(gate.among) if gate.among else None,
        )

    def gate(self, name: str = "") -> Gate:
        checked = Checked(np.array(self.checked.probability), np.array(self.checked.right, dtype=np.bool_))
        return Gate(
            names=self.features,
            mean=np.array(self.mean),
            scale=np.array(self.scale),
            weights=np.array(self.weights),
            bias=self.bias,
            threshold=self.threshold,
            checked=checked,
            name=name,
            date=self.date,
            among=self.among.gate(name) if self.among else None,
        )


def _write(path: Path, content: bytes) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with scratch.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
