from dataclasses import replace

import numpy as np

from kb import Abstention, AbstentionReason
from tests.factories import incoming, prediction
from triage.cli.ask import masked_assessment
from triage.tickets.model import Assessment, Provenance, Understanding


def test_reasons_of_a_masked_preview_name_nobody() -> None:
    told = replace(
        prediction(network=0.9, email=0.1),
        evidence=("Müller", "vpn"),
        change="Without “Müller”, “vpn” it would be email.",
    )
    ticket = incoming("Ana Müller here", requester="Ana Müller <ana@example.com>")
    assessment = Assessment(
        understanding=Understanding("Ana Müller here", "en", np.zeros(3, dtype=np.float32), (told,)),
        decisions=(),
        answer=Abstention(AbstentionReason.NOTHING_FOUND, "Nothing.", None, (), "snapshot"),
        provenance=Provenance(None, "", "", "", "", ""),
        seconds=0.0,
    )
    _, shown = masked_assessment(ticket, assessment)
    (one,) = shown.understanding.predictions
    assert one.evidence == ("[name]", "vpn")
    assert one.change == "Without “[name]”, “vpn” it would be email."
