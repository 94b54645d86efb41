"""How is text embedded quickly, without torch?"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from kb.articles import FloatArray, Progress
from kb.embedding.card import COMPACT, COMPACT_WEIGHTS, GRAPH, TOKENIZER, EncoderCard, read_card, verify
from kb.embedding.runtime import load_openvino

TokenArray = npt.NDArray[np.int64]
Run = Callable[[TokenArray, TokenArray], FloatArray]
"""(ids, mask), both (b, s) → unit vectors (b, d)."""

BATCH = 32
# Texts of one batch are padded to a multiple of this, so that the runtime meets 32 shapes and not 256.
TOKEN_STEP = 8
# A token of ordinary text is four characters long, one of hostile text up to a hundred; what follows this
# many characters would be cut off after tokenising anyway, at a cost of seconds for a text of megabytes.
MAX_CHARACTERS = 20_000
# Texts are tokenised in chunks, so that a large corpus neither fills memory nor leaves progress standing.
CHUNK = 1024

log = logging.getLogger(__name__)

_first = threading.Lock()


class ServingEncoder:
    """A prepared encoder; safe to call from several threads.

    It runs on OpenVINO (bf16 where the processor has it: 3.3 times the texts per CPU-second of torch) or, where
    that is not installed or ``precise`` is asked for, on onnxruntime in fp32 (1.9 times).
    """

    def __init__(self, folder: Path, card: EncoderCard, *, threads: int | None = None, precise: bool = False) -> None:
        self.card = card
        self._tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
        # The file may say 128 and padding to the batch; both are set here.
        self._tokenizer.enable_truncation(card.max_tokens)
        self._tokenizer.no_padding()
        compact = None if precise or COMPACT not in card.files else _openvino(folder / COMPACT, threads)
        self._run = compact or _onnxruntime(folder / GRAPH, threads)

    @property
    def dimension(self) -> int:
        """Length d of a vector."""
        return self.card.dimension

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what determines the vectors."""
        return self.card.fingerprint

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> FloatArray:
        """Texts → (n, d) float32, C-contiguous, rows of unit length, in the order given.

        An empty text has the vector of the model's bare start and end tokens. A text beyond the token limit
        is cut there. Raises ``TypeError`` for anything that is not text.
        """
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        done = 0
        for start in range(0, len(texts), CHUNK):
            tokens = self._tokenize(texts[start : start + CHUNK])
            for rows in _length_sorted(tokens):
                vectors[rows + start] = self._run(*_padded([tokens[row] for row in rows]))
                done += len(rows)
                if progress:
                    progress(done, len(texts))
        return vectors

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        for text in texts:
            if not isinstance(text, str):
                raise TypeError(f"only text can be encoded, not {type(text).__name__}")
        encodings = self._tokenizer.encode_batch_fast([_encodable(text) for text in texts])
        return [encoding.ids for encoding in encodings]


def load_encoder(folder: Path, *, threads: int | None = None) -> ServingEncoder:
    """Load a prepared encoder, checking every file; raises ``ModelMissing`` or ``ModelDamaged``."""
    card = read_card(folder)
    needed = {TOKENIZER, GRAPH} if COMPACT not in card.files else {TOKENIZER, COMPACT, COMPACT_WEIGHTS}
    verify(folder, card, needed)
    return ServingEncoder(folder, card, threads=threads)


def _encodable(text: str) -> str:
    # Half a surrogate pair, as broken JSON escapes produce, cannot be encoded to UTF-8.
    return text[:MAX_CHARACTERS].encode("utf-8", "replace").decode("utf-8")


def _length_sorted(tokens: Sequence[Sequence[int]]) -> Iterator[npt.NDArray[np.intp]]:
    """Rows in batches of like length: padding short texts to long ones costs 1.5 to 1.75 times the work."""
    order = np.argsort([len(ids) for ids in tokens], kind="stable")
    for start in range(0, len(order), BATCH):
        yield order[start : start + BATCH]


def _padded(tokens: Sequence[Sequence[int]]) -> tuple[TokenArray, TokenArray]:
    longest = max(len(ids) for ids in tokens)
    width = -(-longest // TOKEN_STEP) * TOKEN_STEP
    ids = np.zeros((len(tokens), width), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, values in enumerate(tokens):
        ids[row, : len(values)] = values
        mask[row, : len(values)] = 1
    return ids, mask


def _openvino(graph: Path, threads: int | None) -> Run | None:
    try:
        openvino = load_openvino()
    except ImportError:
        log.warning("OpenVINO is not installed: the encoder runs on onnxruntime, at about half the speed.")
        return None
    config: dict[str, str | int] = {"PERFORMANCE_HINT": "LATENCY"}
    if threads:
        config["INFERENCE_NUM_THREADS"] = threads
    model = openvino.Core().compile_model(str(graph), "CPU", config)
    # A request holds memory and what it has learned of the shapes it met, so a few are shared by all threads: a
    # server answers from forty.
    free: SimpleQueue[Any] = SimpleQueue()  # Any: openvino ships no types that mypy can follow
    for _ in range(os.cpu_count() or 1):
        free.put(model.create_infer_request())

    def run(ids: TokenArray, mask: TokenArray) -> FloatArray:
        request = free.get()
        try:
            outputs = request.infer({"input_ids": ids, "attention_mask": mask}, share_inputs=True)
            return np.array(outputs[0], dtype=np.float32)
        finally:
            free.put(request)

    # OpenVINO's bindings make a table of number types at the first inference, holding a lock while they let others run
    # Python: two threads that begin at once would wait for each other for good. So the first is made here, alone.
    with _first:
        run(np.zeros((1, TOKEN_STEP), dtype=np.int64), np.ones((1, TOKEN_STEP), dtype=np.int64))
    return run


def _onnxruntime(graph: Path, threads: int | None) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.enable_cpu_mem_arena = False  # the arena keeps the memory of the largest batch for good
    options.log_severity_level = 3
    if threads:
        options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])

    def run(ids: TokenArray, mask: TokenArray) -> FloatArray:
        (vectors,) = session.run(None, {"input_ids": ids, "attention_mask": mask})
        return np.asarray(vectors, dtype=np.float32)

    return run
