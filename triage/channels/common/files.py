"""Which files go along with the words that are carried from one place of a ticket to the other?

A message names its files in its text, so that they are known of where they cannot be had; what holds them is fetched
only when it is carried on, and kept nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog

from triage.channels.common.values import DeliveryFailed

# More, or larger ones, stay where they are; their names and addresses stand in the text.
MOST_FILES = 10
MOST_BYTES = 10_000_000
MOST_BYTES_TOGETHER = 20_000_000
# So long is a file as base64 in JSON (RFC 4648).
MOST_ENCODED = MOST_BYTES * 4 // 3 + 10_000
LONGEST_NAME = 200
_NO_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f/\\\u2028\u2029]")
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)
_NAMED = re.compile(r"\[attached: [^\]\n]")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class File:
    """A file of a message: its name, its media type (RFC 6838), what it holds.

    Whatever people have called it, its name is one of a file, on one line.
    """

    name: str
    media_type: str
    content: bytes

    def __post_init__(self) -> None:
        whole = self.name.encode("utf-8", "replace").decode()  # halves of surrogate pairs are in no name
        name = _NO_NAME.sub("_", whole).strip()[-LONGEST_NAME:] or "file"
        media_type = self.media_type if _MEDIA_TYPE.fullmatch(self.media_type) else "application/octet-stream"
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "media_type", media_type)


# Of a place's ticket and message, by their ids there, one after the other as each is fetched; the empty id is that of
# the message that opened the ticket.
FilesOf = Callable[[str, str], Iterable[File]]


def named(names: Iterable[str]) -> str:
    """How a message's text names its files; empty where it has none."""
    shown = ", ".join(name.replace("[", "(").replace("]", ")") for name in names)
    return f"[attached: {shown}]" if shown else ""


def with_names(text: str, names: Iterable[str]) -> str:
    """A message's text with the names of its files."""
    return "\n".join(part for part in (text, named(names)) if part)


def fetched(files_of: FilesOf | None, text: str, remote_id: str, message_id: str, *, is_repeat: bool) -> list[File]:
    """The files that a message of that text has, as far as they can be had.

    Raises ``DeliveryFailed`` where they may be had later; in a repeat the words go without them.
    """
    if files_of is None or not _NAMED.search(text):
        return []
    found: list[File] = []
    try:
        for one in files_of(remote_id, message_id):
            if sum(len(each.content) for each in (*found, one)) > MOST_BYTES_TOGETHER:
                log.warning("files left where they are", message=message_id, reason="Together they are too large.")
                break
            found.append(one)
    except DeliveryFailed as error:
        if error.retryable_later and not is_repeat:
            # What is told is well, so its pause must not be that of a system that is away.
            raise DeliveryFailed(f"The files of a message could not be fetched: {error}") from error
        log.warning("words go without some files", message=message_id, reason=str(error))
    return found
