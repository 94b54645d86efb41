"""How is a cross-encoder, which reads query and passage together, plugged in?"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from kb.errors import ModelMissing

# So many articles are read again; each costs a run of the model.
DEPTH = 20
LONGEST_TOKENS = 512


@runtime_checkable
class Reranker(Protocol):
    """Judges how well each of n passages fits a query: (n,) scores, more is better."""

    def score(self, query: str, passages: Sequence[str]) -> npt.NDArray[np.float64]:
        """Scores on any scale; only their order counts."""
        ...


class OnnxReranker:
    """A cross-encoder exported to ONNX: ``model.onnx`` and ``tokenizer.json`` in a folder. One logit for each pair."""

    def __init__(self, folder: Path) -> None:
        from onnxruntime import InferenceSession
        from tokenizers import Tokenizer

        missing = [name for name in ("model.onnx", "tokenizer.json") if not (folder / name).is_file()]
        if missing:
            raise ModelMissing(f"TRIAGE_RERANKER: {folder} has no {' and no '.join(missing)}.")
        try:
            self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])
        except Exception as error:  # both libraries raise kinds of their own, without a common root
            raise ModelMissing(f"TRIAGE_RERANKER: the cross-encoder in {folder} cannot be read: {error}") from error
        self._tokenizer.enable_truncation(LONGEST_TOKENS, strategy="only_second")
        self._tokenizer.enable_padding()
        self._inputs = {given.name for given in self._session.get_inputs()}

    def score(self, query: str, passages: Sequence[str]) -> npt.NDArray[np.float64]:
        """(n,) logits."""
        pairs = self._tokenizer.encode_batch([(query, passage) for passage in passages])
        given = {
            "input_ids": np.array([pair.ids for pair in pairs]),
            "attention_mask": np.array([pair.attention_mask for pair in pairs]),
            "token_type_ids": np.array([pair.type_ids for pair in pairs]),
        }
        [logits] = self._session.run(None, {name: given[name] for name in self._inputs})
        return np.asarray(logits, dtype=np.float64).reshape(len(passages), -1)[:, -1]


def load_reranker(setting: str) -> Reranker:
    """The cross-encoder of a folder, or the class of a dotted path (``package.module.Class``), made without arguments.

    Raises ``ModelMissing`` with the reason where it cannot be loaded.
    """
    if Path(setting).expanduser().is_dir():
        return OnnxReranker(Path(setting).expanduser())
    module, _, name = setting.rpartition(".")
    try:
        found: object = getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise ModelMissing(
            f"TRIAGE_RERANKER={setting} is neither a folder nor the dotted path of a class: {error}."
        ) from error
    if not isinstance(found, Reranker):
        raise ModelMissing(f"TRIAGE_RERANKER={setting} has no method score(query, passages).")
    return found
