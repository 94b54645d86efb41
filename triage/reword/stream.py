"""What text does a streamed chat completion hold, and is it all there?

The format: https://platform.openai.com/docs/api-reference/chat-streaming, sent as server-sent events
(https://html.spec.whatwg.org/multipage/server-sent-events.html).
"""

from __future__ import annotations

import codecs
import json

from triage.reword.failures import LlmFailed, LlmFailure

# An answer is about a screen of a chat: whoever sends more than this is not rewording it.
MOST_BYTES = 1_000_000
MOST_CHARACTERS = 20_000
DONE = "[DONE]"


class Completion:
    """The text of one completion, read from the pieces of its stream as they come."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="strict")
        self._rest = ""
        self._bytes = 0
        self._parts: list[str] = []
        self._characters = 0
        self._finish: str | None = None
        self.is_done = False

    def feed(self, piece: bytes) -> None:
        """Take a piece of the body; raises ``LlmFailed`` at the first that is no part of a completion."""
        self._bytes += len(piece)
        if self._bytes > MOST_BYTES:
            raise LlmFailed(LlmFailure.TOO_LONG, f"its reply was larger than {MOST_BYTES:,} bytes")
        try:
            self._rest += self._decoder.decode(piece)
        except UnicodeDecodeError as error:
            raise LlmFailed(LlmFailure.MALFORMED, "its stream is not UTF-8") from error
        *lines, self._rest = self._rest.split("\n")
        for line in lines:
            self._take(line.rstrip("\r"))

    def text(self) -> str:
        """The whole text; raises ``LlmFailed`` where the stream ended before the text did."""
        if self._rest:
            self._take(self._rest)
        if self._finish not in (None, "stop"):
            raise LlmFailed(LlmFailure.TRUNCATED, f"its text was not finished ({self._finish[:40]})")
        if not self.is_done and self._finish is None:
            raise LlmFailed(LlmFailure.TRUNCATED, "its stream broke off")
        return "".join(self._parts)

    def _take(self, line: str) -> None:
        field, _, value = line.partition(":")
        if field != "data" or self.is_done:  # comments, names of events and pauses between them
            return
        value = value.strip()
        if value == DONE:
            self.is_done = True
        elif value:
            self._add(_chunk(value))

    def _add(self, chunk: dict[str, object]) -> None:
        text, finish = content_of(chunk, "delta")
        self._finish = finish or self._finish
        self._characters += len(text)
        if self._characters > MOST_CHARACTERS:
            raise LlmFailed(LlmFailure.TOO_LONG, f"its text was longer than {MOST_CHARACTERS:,} characters")
        self._parts.append(text)


def whole_text(body: bytes) -> str:
    """The text of a completion that came in one piece, from a server that does not stream."""
    text, finish = content_of(_chunk(body.decode("utf-8", "replace")), "message")
    if finish not in (None, "stop"):
        raise LlmFailed(LlmFailure.TRUNCATED, f"its text was not finished ({finish[:40]})")
    return text


def content_of(chunk: dict[str, object], part: str) -> tuple[str, str | None]:
    """The text in the first choice of a chunk (``part`` is "delta") or a whole reply ("message"), and why it ended."""
    if chunk.get("error"):
        raise LlmFailed(LlmFailure.SERVER_ERROR, "it reported an error in the middle of its stream")
    choices = chunk.get("choices")
    if choices == [] and part == "delta":  # the last chunk may count tokens only
        return "", None
    first = choices[0] if isinstance(choices, list) and choices else None
    said = first.get(part) if isinstance(first, dict) else None
    if not isinstance(first, dict) or not isinstance(said, dict):
        raise LlmFailed(LlmFailure.MALFORMED, "its reply is JSON, but no chat completion")
    text, finish = said.get("content"), first.get("finish_reason")
    if not (text is None or isinstance(text, str)) or not (finish is None or isinstance(finish, str)):
        raise LlmFailed(LlmFailure.MALFORMED, "its reply holds something else than text")
    return text or "", finish


def _chunk(value: str) -> dict[str, object]:
    try:
        chunk = json.loads(value)
    except (ValueError, RecursionError) as error:
        raise LlmFailed(LlmFailure.MALFORMED, "a part of its reply is not JSON") from error
    if not isinstance(chunk, dict):
        raise LlmFailed(LlmFailure.MALFORMED, "its reply is JSON, but no chat completion")
    return chunk
