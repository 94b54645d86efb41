"""Would the endpoint of the settings reword an answer, and if not, what is wrong with it?"""

from __future__ import annotations

import time
from dataclasses import dataclass

from triage.reword.client import Endpoint, complete
from triage.reword.failures import LlmFailed
from triage.reword.judging import Source, judge
from triage.reword.prompt import messages

SAMPLE = "Open the connection settings of FennGate. Choose Leeds as the site. Do not restart the computer."


@dataclass(frozen=True, slots=True)
class Finding:
    """What a round trip with a harmless passage showed: ``works`` where a rewording came back that may be shown."""

    works: bool
    says: str
    seconds: float
    reply: str = ""


def probe(endpoint: Endpoint) -> Finding:
    """Have a sample passage reworded and checked; nothing of anybody is sent."""
    began = time.perf_counter()
    source = Source.of(SAMPLE)
    try:
        reply = complete(endpoint, messages([source.passage.text], "en"))
    except LlmFailed as error:
        return Finding(False, str(error), time.perf_counter() - began)
    seconds = time.perf_counter() - began
    judgement = judge(reply, [source], "en")
    if judgement.lack:
        says = f"It answers, but what it writes would not be shown. {judgement.note}"
        return Finding(False, says, seconds, reply)
    says = f"It rewords as it should, {len(judgement.sentences)} sentences. {judgement.note}".strip()
    return Finding(True, says, seconds, reply)
