"""What is a candidate article worth, given all that the search saw of it?"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kb.errors import SourceUnreadable

Scores = npt.NDArray[np.float64]

FILE = "fusion.json"
KEPT = "fusion"  # folder of all weights that were ever in force, by digest
# Cosines: each stretched to 0..1 over the candidates of a query, since their level differs by query and encoder.
STRETCHED = ("article", "passage", "company")
# Words: as they are, since a short question has little to go by and must not be stretched to say much. A tenth of a
# BM25 score is of the size of the others.
SCALE = {"body": 0.1, "pairs": 0.1, "title": 0.1}
FEATURES = (
    "article",  # the cosine of the whole article
    "passage",  # that of its best passage, by what tells the passages apart
    "company",  # its cosine with the nearest article: articles of one topic keep one another company
    "body",  # BM25 of title and text
    "pairs",  # BM25 of words that stand side by side in both
    "title",  # BM25 of the title
    "title_asked_for",  # share of the title's rarity that the query names, squared: nearly all of it tells much
    "asked_in_title",  # share of the query's rarity that the title has
    "asked_in_article",  # the same with title and text, rarities squared
    "headings_asked_for",  # share of the headings' rarity that the query names
    "passage_asked_for",  # the same of its best passage
    "code",  # 1 where it has a telling error code or name of the query
    "language",  # 1 where it is in the query's own language
)


@dataclass(frozen=True, slots=True)
class Fusion:
    """Weights of ``FEATURES``, none below 0: more of anything never makes an article worse."""

    weights: tuple[float, ...]

    def worth(self, views: Mapping[str, Scores]) -> Scores:
        """(c,) logits of c candidates: their softmax is the chance of each to be right, if one of them is."""
        return np.asarray(columns(views) @ np.array(self.weights))

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that tell these weights from others."""
        return hashlib.sha256(json.dumps(self.named()).encode()).hexdigest()[:16]

    def named(self) -> dict[str, float]:
        """The weights by feature."""
        return dict(zip(FEATURES, self.weights, strict=True))


def columns(views: Mapping[str, Scores]) -> Scores:
    """The views of c candidates as the (c, f) features that are weighed."""
    return np.stack([_feature(name, views[name]) for name in FEATURES], axis=1)


def _feature(name: str, view: Scores) -> Scores:
    if name in STRETCHED:
        return stretched(view)
    return view**2 if name == "title_asked_for" else SCALE.get(name, 1) * view


def stretched(scores: Scores) -> Scores:
    """Scores stretched so that the lowest is 0 and the highest 1."""
    low, high = scores.min(), scores.max()
    return (scores - low) / (high - low) if high > low else np.zeros_like(scores)


@cache
def shipped_fusion() -> Fusion:
    """The weights that ship: fitted by ``bench/fit_fusion.py``, whose figures stand in the file."""
    return _parsed(json.loads(files("kb").joinpath(FILE).read_text(encoding="utf-8")))


def load_fusion(folder: Path, digest: str | None = None) -> Fusion:
    """The weights tuned for the knowledge base in a folder, or those that ship where there are none.

    With a ``digest`` those of that digest, in force or not: what decided once can decide again. Raises
    ``SourceUnreadable`` where the file has been altered, or where weights of the digest are not kept.
    """
    if digest == shipped_fusion().digest:
        return shipped_fusion()
    path = folder / KEPT / f"{digest}.json" if digest else folder / FILE
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        fusion = _parsed(stored)
        if stored["digest"] != fusion.digest or digest not in (None, fusion.digest):
            raise ValueError("altered")
    except FileNotFoundError as error:
        if digest:
            raise SourceUnreadable(f"The weights {digest} of the ranking are no longer kept.") from error
        return shipped_fusion()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceUnreadable(
            f"{path} is damaged or was altered by hand. Remove it, or run: triage kb tune --queries FILE"
        ) from error
    return fusion


def save_fusion(folder: Path, fusion: Fusion, figures: Mapping[str, object]) -> None:
    """Put tuned weights, and the figures they were kept for, in force in one step; older ones stay readable."""
    stored = {"digest": fusion.digest, "weights": fusion.named(), "figures": dict(figures)}
    (folder / KEPT).mkdir(parents=True, exist_ok=True)
    for path in (folder / KEPT / f"{fusion.digest}.json", folder / FILE):
        scratch = path.with_name(f".{path.name}-{os.getpid()}")
        scratch.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
        os.replace(scratch, path)


def use_shipped(folder: Path) -> None:
    """Take tuned weights out of force."""
    (folder / FILE).unlink(missing_ok=True)


def _parsed(stored: Mapping[str, Mapping[str, float]]) -> Fusion:
    weights = stored["weights"]
    if set(weights) != set(FEATURES) or not all(0 <= weight < float("inf") for weight in weights.values()):
        raise ValueError("not the weights of this version")
    return Fusion(tuple(float(weights[name]) for name in FEATURES))
