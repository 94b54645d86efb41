"""Is an answer reworded, and if not, why does its verbatim text stand alone?"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

import structlog

from kb import Answer
from triage import telemetry
from triage.reword.client import Endpoint, complete
from triage.reword.failures import LlmFailed
from triage.reword.judging import Judgement, Source, judge
from triage.reword.prompt import messages
from triage.tickets.model import Rewording

# An endpoint that failed this often in a row is left alone for a while: each further ticket would wait for nothing.
FAILURES_IN_A_ROW = 3
REST_S = 60.0
LONGEST_REST_S = 600.0

log = structlog.get_logger(__name__)


class Reworder:
    """Asks one endpoint to reword answers. Safe to use from several threads; never raises because of the endpoint."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._lock = threading.Lock()
        self._failures = 0
        self._resting_until = 0.0

    def reword(self, answer: Answer, language: str | None, names: Sequence[str] = ()) -> Rewording:
        """The answer's spans in other words, checked; ``names`` are those of the requester, masked in what is sent."""
        rest_s = self._resting_until - time.monotonic()
        if rest_s > 0:
            telemetry.REWORDINGS.labels("resting").inc()
            return self._without(f"The language model failed before and is left alone for {rest_s:.0f} s more.")
        sources = [Source.of(citation.text, names) for citation in answer.citations]
        try:
            reply = complete(self.endpoint, messages([source.passage.text for source in sources], language))
        except LlmFailed as error:
            self._note_failure(error)
            telemetry.REWORDINGS.labels(error.failure.value).inc()
            log.warning("answer not reworded", failure=error.failure.value, reason=str(error))
            return self._without(str(error))
        self._failures = 0
        return self._judged(judge(reply, sources, language))

    def _judged(self, judgement: Judgement) -> Rewording:
        telemetry.REWORDINGS.labels(judgement.lack.value if judgement.lack else "reworded").inc()
        telemetry.REWORDED_SENTENCES.labels("kept").inc(len(judgement.sentences))
        for fault, number in judgement.dropped.items():
            telemetry.REWORDED_SENTENCES.labels(fault.value).inc(number)
        return Rewording(judgement.sentences, self.endpoint.model, judgement.note)

    def _note_failure(self, error: LlmFailed) -> None:
        with self._lock:
            self._failures += 1
            if error.retry_after_s is not None or self._failures >= FAILURES_IN_A_ROW:
                rest_s = min(error.retry_after_s or REST_S, LONGEST_REST_S)
                self._resting_until = time.monotonic() + rest_s
                self._failures = 0

    def _without(self, note: str) -> Rewording:
        return Rewording((), self.endpoint.model, note)
