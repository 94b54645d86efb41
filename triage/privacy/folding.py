"""How does a text read to somebody who is not fooled by invisible characters and foreign digits?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

# Stands for what is found already; no rule matches it. Category So, neither word, space nor punctuation.
FOUND = "\N{OBJECT REPLACEMENT CHARACTER}"

# Formatting characters (category Cf), combining accents, variation selectors and the keycap.
_INVISIBLE = re.compile(
    "[\u00ad\u0300-\u036f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\u20e3\ufe00-\ufe0f\ufeff\U000e0000-\U000e007f]"
)
_ALIKE = {FOUND: " ", "\N{MINUS SIGN}": "-", "\N{HYPHEN BULLET}": "-"}
_ALIKE |= dict.fromkeys("“”„«»″", '"') | dict.fromkeys("‘’‚′", "'")


class _Folding(dict[int, str]):
    """For ``str.translate``: each character to the plain one it stands for, always one to one."""

    def __missing__(self, code: int) -> str:
        self[code] = plain = _plain(chr(code))
        return plain


def _plain(character: str) -> str:
    digit = unicodedata.digit(character, None)
    if digit is not None:
        return str(digit)
    if "\uff01" <= character <= "\uff5e":  # the full-width forms of ASCII
        return chr(ord(character) - 0xFEE0)
    category = unicodedata.category(character)
    if category == "Pd":
        return "-"
    return " " if category == "Zs" else _ALIKE.get(character, character)


_FOLDING = _Folding()


@dataclass(frozen=True, slots=True)
class Folded:
    """A plain text, and where each of its characters stands in the original (None: at the same place)."""

    text: str
    places: Sequence[int] | None
    original_size: int

    def original(self, start: int, end: int) -> tuple[int, int]:
        """The stretch of the original, with the invisible characters in and behind it."""
        if self.places is None:
            return start, end
        return self.places[start], self.places[end] if end < len(self.places) else self.original_size


def fold(text: str) -> Folded:
    """Digits of all scripts, full-width forms, dashes, spaces and quotes made plain; invisible characters left out."""
    if text.isascii():
        return Folded(text, None, len(text))
    if not _INVISIBLE.search(text):
        return Folded(text.translate(_FOLDING), None, len(text))
    places = [place for place, character in enumerate(text) if not _INVISIBLE.match(character)]
    return Folded("".join([text[place] for place in places]).translate(_FOLDING), places, len(text))
