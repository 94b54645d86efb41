"""In which ways does a language model give nothing that can be used?"""

from __future__ import annotations

from enum import StrEnum


class LlmFailure(StrEnum):
    """What went wrong, as it is counted."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    REFUSED = "refused"
    NOT_A_MODEL = "not_a_model"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    TOO_LONG = "too_long"


class LlmFailed(Exception):
    """There is no reply; the sentence says why, ``retry_after_s`` is the pause that the server asked for, if any.

    It never leaves this package: the verbatim answer takes the reply's place.
    """

    def __init__(self, failure: LlmFailure, what: str, retry_after_s: float | None = None) -> None:
        super().__init__(f"The language model was of no use: {what}.")
        self.failure = failure
        self.retry_after_s = retry_after_s
