"""What is known of a prepared encoder, and is it still what was prepared?"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from kb.errors import ModelDamaged, ModelMissing

CARD = "card.json"
GRAPH = "encoder.onnx"
# The same graph for OpenVINO, its weights in half precision: 110 MB less memory, a cosine of .99996.
COMPACT = "encoder.xml"
COMPACT_WEIGHTS = "encoder.bin"
TOKENIZER = "tokenizer.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """Where an encoder comes from, how it reads text and how near its graph is to the original.

    ``max_difference`` is the largest absolute difference of a vector's component to sentence-transformers on
    the probe texts; ``files`` maps file names to their SHA-256.
    """

    format: int
    source: str
    weights_sha256: str
    dimension: int
    max_tokens: int
    pooling: str
    files: dict[str, str]
    max_difference: float
    versions: dict[str, str]
    prepared_at: str

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what determines the vectors, up to the rounding of the processor's arithmetic.

        OpenVINO in bf16 and onnxruntime in fp32 differ by a cosine of .00002, which neither search nor
        classifier can tell, so both count as one encoder.
        """
        parts = [self.weights_sha256, self.files[TOKENIZER], str(self.max_tokens), self.pooling]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def write_card(folder: Path, card: EncoderCard) -> None:
    """Write the card beside the files that it vouches for."""
    (folder / CARD).write_text(json.dumps(asdict(card), indent=2) + "\n", encoding="utf-8")


def read_card(folder: Path) -> EncoderCard:
    """The card of a prepared folder; raises ``ModelMissing`` or ``ModelDamaged``."""
    try:
        content = json.loads((folder / CARD).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelMissing(f"No encoder has been prepared in {folder}. Run: triage init") from error
    except (OSError, ValueError) as error:
        raise _damaged(folder, CARD) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ModelDamaged(
            f"The encoder in {folder} was prepared by another version of the program. "
            "Remove that folder and run: triage init"
        )
    try:
        return EncoderCard(**content)
    except TypeError as error:
        raise _damaged(folder, CARD) from error


def verify(folder: Path, card: EncoderCard, names: Collection[str] | None = None) -> None:
    """Raise ``ModelDamaged`` unless the files, by default all, are byte for byte what was prepared."""
    for name, digest in card.files.items():
        if (names is None or name in names) and sha256_of(folder / name) != digest:
            raise _damaged(folder, name)


def sha256_of(path: Path) -> str | None:
    """SHA-256 of a file, or None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def _damaged(folder: Path, name: str) -> ModelDamaged:
    return ModelDamaged(
        f"{name} of the encoder in {folder} is missing or not what was prepared. "
        "Remove that folder and run: triage init"
    )
