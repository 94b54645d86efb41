"""What is logged and counted, and how?"""

from __future__ import annotations

import io
import logging
import sys
import time
from collections.abc import Mapping
from typing import TextIO, cast

import structlog
from prometheus_client import Counter, Histogram

from triage.privacy import mask

TICKETS_ACCEPTED = Counter("triage_tickets_accepted", "Tickets stored and queued.", ["channel"])
TICKETS_TRIAGED = Counter("triage_tickets_triaged", "Tickets taken through the whole journey.")
TICKETS_FAILED = Counter("triage_tickets_failed", "Tickets whose job gave up.")
RECEIVED = Counter("triage_received", "Messages that channels brought, by what became of them.", ["channel", "state"])
WEBHOOK_SECONDS = Histogram(
    "triage_webhook_seconds",
    "Seconds to verify and store a webhook.",
    ["channel"],
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1, 3),
)
DELIVERIES = Counter("triage_deliveries", "Tries to deliver a result, by how they ended.", ["channel", "outcome"])
ASSESSMENT_SECONDS = Histogram(
    "triage_assessment_seconds",
    "Seconds to read, route and answer one ticket.",
    buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5),
)
REQUEST_SECONDS = Histogram(
    "triage_request_seconds", "Seconds to answer a request of the REST API.", ["method", "path", "status"]
)

REWORDINGS = Counter(
    "triage_rewordings",
    "Answers that a language model was to reword: reworded, or why the verbatim answer stands alone.",
    ["outcome"],
)
REWORDED_SENTENCES = Counter(
    "triage_reworded_sentences",
    "Sentences that a language model wrote: kept, or the check that dropped them.",
    ["verdict"],
)


class _Stderr(io.TextIOBase):
    """Standard error as it is at the moment of writing: whoever replaces it for a while may have closed it since."""

    def write(self, text: str) -> int:
        """Write to it."""
        return sys.stderr.write(text)

    def flush(self) -> None:
        """Flush it."""
        sys.stderr.flush()


def set_up_logging(level: str = "info", *, as_json: bool = False) -> None:
    """Log to stderr, so that stdout holds nothing but results; call once per process."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    renderer = (
        structlog.processors.JSONRenderer()
        if as_json
        # Plain: the default shows every local variable, and with them API keys and what people wrote; 12 s and 1 MB
        # for one error of the REST API.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.format_exc_info,  # before masking, for what is in an exception is logged too
        mask_event,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Stderr())),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared)
    handler = logging.StreamHandler(_Stderr())
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, logging.WARNING))  # libraries: only what needs attention


def mask_event(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """A step of structlog: every value without what is personal or secret; the keys stay as they are."""
    # Keys with an underscore are structlog's own and never printed.
    return {key: value if key.startswith("_") else _masked(value) for key, value in event.items()}


def _masked(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {_masked(key): _masked(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(item) for item in value]
    # Both renderers print other values as their repr.
    written = repr(value)
    masked = mask(written)
    return value if masked == written else masked


def seconds_since(began: float) -> float:
    """Seconds since a ``time.perf_counter()`` reading."""
    return time.perf_counter() - began
