"""Does a sentence say nothing that its span lacks?

Words, not meanings, are compared: what can be checked without a model is checked strictly, and a good sentence that is
dropped costs little, for the span itself is always shown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from triage.privacy import Kind, find_personal
from triage.reword.sentences import span_sentences
from triage.reword.words import NUMBER_OF, OPENERS, SECRETS, UNIT_OF, negations, stems_of


class Fault(StrEnum):
    """Why a sentence is dropped."""

    EMPTY = "empty"
    UNCITED = "uncited"
    UNKNOWN_CITATION = "unknown_citation"
    TOO_LONG = "too_long"
    CHARACTERS = "characters"
    CODE = "code"
    TECHNICAL = "technical"
    NUMBER = "number"
    NAME = "name"
    NEGATION = "negation"
    SECRET = "secret"
    PERSONAL = "personal"
    UNSUPPORTED = "unsupported"


SAID = {
    Fault.EMPTY: "nothing in it",
    Fault.UNCITED: "no citation",
    Fault.UNKNOWN_CITATION: "a citation that does not exist",
    Fault.TOO_LONG: "too long for a sentence",
    Fault.CHARACTERS: "signs that its passage does not have",
    Fault.CODE: "a command or code that is not word for word in its passage",
    Fault.TECHNICAL: "a link, path, option or code that its passage does not have",
    Fault.NUMBER: "a number or unit that its passage does not have",
    Fault.NAME: "a name that its passage does not have",
    Fault.NEGATION: "a negation more or less than its passage",
    Fault.SECRET: "a password or card that its passage does not speak of",
    Fault.PERSONAL: "something personal that its passage does not have",
    Fault.UNSUPPORTED: "too few words of its passage",
}

LONGEST = 600  # characters
# Of the words that carry the meaning, so many have to be in the span where both are of one language: of 59 sentences
# written by hand (tests/quality/rewordings.tsv) the honest ones share half and more.
LEAST_SUPPORT = 0.5
# Below this share of common words, no sentence of the span is what was reworded.
LEAST_LIKENESS = 0.2

_ALWAYS_FINE = frozenset(".,;:!?'’\"“”„«»()-–—…¿¡/ \u00a0\u202f")
_APART = re.compile(r"[\s\"“”„«»()\[\]{}<>*|,;`]+")
_CODE = re.compile(r"`+([^`\n]+)`+")
_DIGITS = re.compile(r"\d+(?:[.,:]\d+)*")
# A number in digits or in letters, and the word behind it.
_MEASURE = re.compile(r"(\d++(?:[.,:]\d++)*+|[^\W\d_]++)[\s\u00a0\u202f-]?(?=(%|[^\W\d_]+))")
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_PLACEHOLDER = re.compile(rf"\[(?:{'|'.join(Kind)})\]")
_FINE_WITH_A_SLASH = frozenset({"and/or", "und/oder", "et/ou", "y/o"})
_ENDINGS = ("", "s", "es", "e", "n", "en", "er", "'s", "’s")


def _pieces(text: str) -> list[str]:
    return [piece for piece in (raw.strip(".:!?'’…–—") for raw in _APART.split(text)) if piece]


@dataclass(frozen=True, slots=True)
class Passage:
    """A span as sentences are compared with it; all of it derives from ``text``."""

    text: str
    pieces: frozenset[str] = field(init=False)
    numbers: frozenset[str] = field(init=False)
    words: frozenset[str] = field(init=False)
    sentences: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        text = unicodedata.normalize("NFC", self.text)
        words = frozenset(_WORD.findall(text))
        spelled = {NUMBER_OF[word.casefold()] for word in words if word.casefold() in NUMBER_OF}
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "pieces", frozenset(_pieces(text)))
        object.__setattr__(self, "numbers", frozenset(_DIGITS.findall(text)) | spelled)
        object.__setattr__(self, "words", words)
        object.__setattr__(self, "sentences", tuple(span_sentences(text)))


def fault_of(sentence: str, passage: Passage, *, same_language: bool) -> Fault | None:
    """The first check that the sentence does not pass, or None.

    Where sentence and passage are of two languages, common words say nothing, and all but that check is made.
    """
    sentence = unicodedata.normalize("NFC", sentence)
    for check, fault in _CHECKS:
        if check(sentence, passage):
            return fault
    if same_language and _support(sentence, passage) < LEAST_SUPPORT:
        return Fault.UNSUPPORTED
    return None


def _is_empty(sentence: str, _passage: Passage) -> bool:
    return not any(character.isalpha() for character in sentence)


def _is_too_long(sentence: str, _passage: Passage) -> bool:
    return len(sentence) > LONGEST


def _has_strange_characters(sentence: str, passage: Passage) -> bool:
    """Signs of markup and code and invisible characters, unless the passage has them; words of two alphabets."""
    strange = {c for c in sentence if not (c.isalnum() or c in _ALWAYS_FINE or c == "`")}
    return not strange <= set(passage.text) or any(map(_mixes_alphabets, _WORD.findall(sentence)))


def _mixes_alphabets(word: str) -> bool:
    """Whether a word only looks like what it says: Latin letters with Cyrillic or Greek ones among them."""
    return not word.isascii() and len({unicodedata.name(c, "").partition(" ")[0] for c in word if c.isalpha()}) > 1


def _alters_code(sentence: str, passage: Passage) -> bool:
    return sentence.count("`") % 2 == 1 or not all(_stands_in(code, passage.text) for code in _CODE.findall(sentence))


def _stands_in(code: str, text: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(code.strip())}(?![\w-])", text) is not None


def _alters_something_technical(sentence: str, passage: Passage) -> bool:
    """Whatever is no plain word: links, paths, options, keys, file names, versions, e-mail addresses."""
    return any(
        piece not in passage.pieces and piece.lower() not in _FINE_WITH_A_SLASH and not _is_measure(piece)
        for piece in _pieces(sentence)
        if not _is_plain(piece)
    )


def _is_plain(piece: str) -> bool:
    letters = piece.replace("'", "").replace("’", "").replace("–", "").replace("—", "")
    return all(part.isalpha() for part in letters.split("-")) or not any(c.isalnum() for c in piece)


def _is_measure(piece: str) -> bool:
    """A number, with its unit or without, which is looked at on its own."""
    match = re.fullmatch(r"(\d+(?:[.,:]\d+)*)-?(%|[^\W\d_]*)", piece)
    return match is not None and (not match[2] or match[2].lower() in UNIT_OF)


def _alters_a_number(sentence: str, passage: Passage) -> bool:
    words = (word.casefold() for word in _WORD.findall(sentence))
    spelled = {NUMBER_OF[word] for word in words if word in NUMBER_OF}
    if not {*_DIGITS.findall(sentence), *spelled} <= passage.numbers:
        return True
    return not _measures(sentence) <= _measures(passage.text)


def _measures(text: str) -> set[tuple[str, str]]:
    found = ((number.casefold(), UNIT_OF.get(unit.casefold(), "")) for number, unit in _MEASURE.findall(text))
    return {(NUMBER_OF.get(n, n), unit) for n, unit in found if unit and (n[0].isdigit() or n in NUMBER_OF)}


def _alters_a_name(sentence: str, passage: Passage) -> bool:
    small = {word.casefold() for word in passage.words}
    for place, word in enumerate(_WORD.findall(_PLACEHOLDER.sub(" ", sentence))):
        if word.islower() or word in passage.words or (place == 0 and word.casefold() in OPENERS):
            continue
        if word.isdigit() or (word == "I" and "I" in passage.words):
            continue
        is_plain_word = word[1:].islower() and word.isalpha()
        if not (is_plain_word and _is_inflected(word.casefold(), small)):
            return True
    return False


def _is_inflected(word: str, known: set[str]) -> bool:
    """Whether the word is a known one but for its ending: Einstellung, Einstellungen."""
    stems = {word.removesuffix(ending) for ending in _ENDINGS}
    return any(len(stem) >= 3 and stem + ending in known for stem in stems for ending in _ENDINGS)


def _alters_a_negation(sentence: str, passage: Passage) -> bool:
    denied = negations(sentence)
    nearest, likeness = _nearest(sentence, passage)
    if likeness >= LEAST_LIKENESS:
        return denied != negations(nearest)
    return denied > negations(passage.text)


def _nearest(sentence: str, passage: Passage) -> tuple[str, float]:
    """The sentence of the passage, or the two neighbours, that have most in common with this one (0..1)."""
    stems = stems_of(sentence)
    pairs = [" ".join(pair) for pair in zip(passage.sentences, passage.sentences[1:], strict=False)]
    best, most = "", 0.0
    for candidate in (*passage.sentences, *pairs):
        others = stems_of(candidate)
        likeness = len(stems & others) / ((len(stems) * len(others)) ** 0.5 or 1)
        if likeness > most:
            best, most = candidate, likeness
    return best, most


def _asks_for_a_secret(sentence: str, passage: Passage) -> bool:
    return SECRETS.search(sentence) is not None and SECRETS.search(passage.text) is None


def _holds_something_personal(sentence: str, passage: Passage) -> bool:
    """The passage was masked before it left: an address in the sentence is invented, as is another placeholder."""
    invented = set(_PLACEHOLDER.findall(sentence)) - set(_PLACEHOLDER.findall(passage.text))
    found = {sentence[one.start : one.end] for one in find_personal(sentence)}
    return bool(invented) or any(one not in passage.text for one in found)


def _support(sentence: str, passage: Passage) -> float:
    """The share (0..1) of the sentence's meaningful words that its passage has too."""
    stems = stems_of(sentence)
    return len(stems & stems_of(passage.text)) / len(stems) if stems else 1.0


_CHECKS: tuple[tuple[Callable[[str, Passage], bool], Fault], ...] = (
    (_is_empty, Fault.EMPTY),
    (_is_too_long, Fault.TOO_LONG),
    (_holds_something_personal, Fault.PERSONAL),
    (_has_strange_characters, Fault.CHARACTERS),
    (_alters_code, Fault.CODE),
    (_alters_something_technical, Fault.TECHNICAL),
    (_alters_a_number, Fault.NUMBER),
    (_alters_a_name, Fault.NAME),
    (_asks_for_a_secret, Fault.SECRET),
    (_alters_a_negation, Fault.NEGATION),
)
