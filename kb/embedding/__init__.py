"""How does text become vectors?"""

from collections.abc import Sequence
from typing import Protocol

from kb.articles import FloatArray, Progress
from kb.embedding.card import EncoderCard
from kb.embedding.preparing import prepare_encoder
from kb.embedding.serving import ServingEncoder, load_encoder

__all__ = ["Encoder", "EncoderCard", "ServingEncoder", "load_encoder", "prepare_encoder"]


class Encoder(Protocol):
    """What the knowledge base and the classifier ask of an encoder."""

    @property
    def dimension(self) -> int:
        """Length d of a vector."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what determines the vectors; vectors of two fingerprints must not be compared."""

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> FloatArray:
        """Texts → (n, d) float32, C-contiguous, rows of unit length, in the order given."""
