"""Which addresses stand in a header, and can one be written to?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import getaddresses
from fnmatch import fnmatchcase

from triage.channels.mail.charsets import decode_words

# Plainer than RFC 5321 allows: what is quoted or not ASCII before the @ cannot be written to everywhere.
_PLAIN = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[^\s@<>()\[\],;:\"\\\x00-\x1f\x7f]{1,253}")
# Beyond this a header names a crowd, not a person.
MOST_CHARACTERS = 20_000
MOST_COMMENTS = 50


@dataclass(frozen=True, slots=True)
class Person:
    """Who stands in a header: an address, small letters as written, and a name which may be empty."""

    address: str
    name: str = ""

    @property
    def key(self) -> str:
        """What spellings of the same address have in common."""
        return self.address.lower()


NOBODY = Person("")


def people(values: Iterable[str]) -> tuple[Person, ...]:
    """Everybody in headers as they came, in order. Names are decoded after the parsing, so none adds an address."""
    pairs = getaddresses([_shallow(value[:MOST_CHARACTERS]) for value in values])
    return tuple(Person(address.strip(), decode_words(name)) for name, address in pairs if "@" in address)


def _shallow(value: str) -> str:
    """Without its brackets where it has more than people write: the parser follows them one into another."""
    return re.sub(r"[()]", " ", value) if value.count("(") > MOST_COMMENTS else value


def is_address(value: str) -> bool:
    """Whether a mail can be sent there."""
    return _PLAIN.fullmatch(value) is not None and ascii_address(value) is not None


def ascii_address(value: str) -> str | None:
    """The address with its domain as the DNS knows it; None where it has none such."""
    local, _, domain = value.rpartition("@")
    try:
        return f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError:
        return None


def domain_of(address: str) -> str:
    """The part behind the @, as the DNS knows it."""
    return (ascii_address(address) or address).rpartition("@")[2].lower()


def is_one_of(address: str, patterns: Iterable[str]) -> bool:
    """Whether it fits a pattern such as ``*@desk.example.com``, whatever its case."""
    return any(fnmatchcase(address.lower(), pattern.lower()) for pattern in patterns)
