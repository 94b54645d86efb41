"""By which names may the requester be recognised in the own ticket?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product

from triage.privacy.words import EVERYDAY, NAME_RECORDS, ROLES

_MOST_CHARACTERS = 200
_MOST_WORDS = 6
_ADDRESS = re.compile(r"([\w.%+'-]{1,64})@[\w.-]{1,255}")
_SHORTEST_ALONE = 3
_SHORTEST_LOWER = 4  # in lower case, three letters are too often a word of some language

_TRANSLITERATIONS = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ø": "oe", "å": "aa", "æ": "ae", "ñ": "n", "ł": "l"}
_BACK = {"ae": "ä", "oe": "ö", "ue": "ü"}


def names_of(requester: str, features: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """The names that the requester's own record gives, longest first, in all usual spellings.

    From "Ana Müller <ana.mueller@x>": "Ana Müller", "Ana Mueller", "Ana Muller", the same turned round, "Müller",
    "Mueller", "Muller", "Ana". Names of one or two letters never stand alone.
    """
    records = [requester, *(value for key, value in (features or {}).items() if key.lower() in NAME_RECORDS)]
    names: dict[str, None] = {}
    for record in records:
        for words in _people_in(unicodedata.normalize("NFC", record[:_MOST_CHARACTERS])):
            names |= dict.fromkeys(_written_ways(words))
    return tuple(sorted(names, key=lambda name: (-len(name), name)))


def _people_in(record: str) -> Iterator[list[str]]:
    """Each way in which the record names a person: as words in their order, the family name last."""
    address = _ADDRESS.search(record)
    if address:
        yield from _people_in_account(address[1])
        record = record[: address.start()] + record[address.end() :]
    record = re.sub(r"\([^()]*\)|[<>\[\]\"()]", " ", record)
    family, comma, given = record.partition(",")
    words = _words(f"{given} {family}" if comma else record)
    if len(words) == 1:
        yield from _people_in_account(words[0])
    elif words:
        yield words


def _people_in_account(account: str) -> Iterator[list[str]]:
    """ "ana.mueller2" → Ana Mueller; "amueller" → itself, for it stands in paths and logins."""
    words = _words(re.sub(r"[._+\d]", " ", account))
    if words:
        yield [word.capitalize() for word in words] if len(words) > 1 else words


def _words(written: str) -> list[str]:
    words = [word.strip(".'-_") for word in re.split(r"[\s;/|]+", written)][:_MOST_WORDS]
    return [word for word in words if word and word.lower() not in ROLES and any(c.isalpha() for c in word)]


def _written_ways(words: list[str]) -> Iterator[str]:
    wholes = [words, [words[0], words[-1]]] if len(words) > 1 else []
    for whole in wholes:
        for variant in product(*(_spellings(word) for word in whole[:4])):
            yield " ".join(variant)
            yield f"{variant[-1]}, {' '.join(variant[:-1])}"
            yield f"{variant[-1]} {' '.join(variant[:-1])}"
            yield ".".join(variant)
    for word in words:
        if len(word) >= _SHORTEST_ALONE:
            yield from _spellings(word)


def _spellings(word: str) -> list[str]:
    """Müller → Müller, Mueller, Muller; Mueller → Mueller, Müller."""
    spellings = {
        word: None,
        _replaced(word, _TRANSLITERATIONS): None,
        _without_accents(word): None,
        _replaced(word, _BACK): None,
    }
    return list(spellings)


def _replaced(word: str, table: Mapping[str, str]) -> str:
    for old, new in table.items():
        word = word.replace(old, new).replace(old.capitalize(), new.capitalize())
    return word


def _without_accents(word: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


@lru_cache(maxsize=256)
def name_pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    """Finds the names at the borders of words; "müller_ana" and "Müllers" count, "Hanalei" does not.

    A name that is an everyday word ("Will", "May", "Post") counts only within the full name, or alone in a line, as
    people sign.
    """
    wholes: list[str] = []
    singles: list[str] = []
    for name in sorted({" ".join(name.split()) for name in names if name.strip()}, key=len, reverse=True):
        (wholes if re.search(r"[\s.]", name) else singles).append(name)
    pattern = "|".join([_whole(name) for name in wholes] + [_single(name) for name in singles]) or r"(?!)"
    return re.compile(rf"(?<![^\W_])(?:{pattern})(?:'?s)?(?![^\W_])")


def _whole(name: str) -> str:
    words = [word for word in re.split("[ .,]+", name) if word]
    part = r"[ .,_]{1,2}".join(map(re.escape, words))
    if {word.lower() for word in words} <= EVERYDAY:  # Will Post: "the post will come"
        return f"{part}|{part.upper()}"
    return f"(?i:{part})"


def _single(name: str) -> str:
    if name.lower() in EVERYDAY:
        return rf"(?im:^[ >-]{{0,4}}{re.escape(name)}(?=[ .!,]{{0,3}}$))"
    ways: Sequence[str] = [name, name.capitalize(), name.upper()]
    if len(name) >= _SHORTEST_LOWER:
        return f"(?i:{re.escape(name)})"
    return "|".join(map(re.escape, dict.fromkeys(ways)))
