"""How does an assessment become rows? Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from sqlalchemy.orm import Session

from kb import Abstention, Answer
from triage.db.engine import insert_unless_there
from triage.db.tables import AnswerRow, CitationRow, DecisionRow, PolicyRow, PredictionRow, RunRow
from triage.tickets.ids import new_id
from triage.tickets.model import Assessment, Decision, LabelProbability, Prediction, Rewording, Silence
from triage.tickets.past import keep_vector


def record_run(session: Session, ticket_id: str, number: int, assessment: Assessment, now: datetime) -> str:
    """Write pass ``number`` of the ticket and return the run's id.

    Raises SQLAlchemy's ``IntegrityError`` at the flush where that pass was recorded before: it counts once.
    """
    run_id = new_id()
    understanding = assessment.understanding
    session.add(
        RunRow(
            id=run_id,
            ticket_id=ticket_id,
            number=number,
            **(asdict(assessment.provenance) | {"audiences": list(assessment.provenance.audiences)}),
            text=understanding.text,
            language=understanding.language,
            seconds=assessment.seconds,
            finished_at=now,
            similar=[asdict(one) for one in understanding.similar],
            duplicate_of=assessment.duplicate_of,
            macros=[asdict(one) for one in assessment.macros],
        )
    )
    session.flush()
    keep_vector(session, ticket_id, run_id, assessment.provenance.encoder_fingerprint, understanding.vector)
    session.add_all(_prediction(run_id, i, prediction) for i, prediction in enumerate(understanding.predictions))
    session.add_all(_decision(run_id, i, decision) for i, decision in enumerate(assessment.decisions))
    session.add(_answer(run_id, assessment.answer, assessment.rewording))
    session.flush()
    session.add_all(_citations(run_id, assessment.answer))
    return run_id


def keep_policy(session: Session, digest: str, text: str, now: datetime) -> None:
    """Keep the text of a policy that decides something, once."""
    row = {"digest": digest, "text": text, "first_used_at": now}
    session.execute(insert_unless_there(session, PolicyRow, row))


def _prediction(run_id: str, ordinal: int, prediction: Prediction) -> PredictionRow:
    return PredictionRow(
        run_id=run_id,
        field=prediction.field,
        ordinal=ordinal,
        ranked=_labels(prediction.ranked),
        familiarity=prediction.familiarity,
        evidence=list(prediction.evidence),
        change=prediction.change,
    )


def _decision(run_id: str, ordinal: int, decision: Decision) -> DecisionRow:
    return DecisionRow(
        run_id=run_id,
        field=decision.field,
        ordinal=ordinal,
        outcome=decision.outcome.value,
        value=decision.value,
        probability=decision.probability,
        reason=decision.reason,
        rule=decision.rule,
        alternatives=_labels(decision.alternatives),
    )


def _labels(ranked: Sequence[LabelProbability]) -> list[dict[str, object]]:
    return [asdict(label) for label in ranked]


def _answer(run_id: str, said: Answer | Abstention | Silence, rewording: Rewording | None) -> AnswerRow:
    if isinstance(said, Answer):
        row = AnswerRow(
            run_id=run_id, probability=said.probability, explanation=said.basis, snapshot=said.snapshot, nearest=[]
        )
        if rewording:
            row.reworded = [asdict(one) for one in rewording.sentences] or None
            row.reworded_by, row.reworded_note = rewording.model, rewording.note
        return row
    return AnswerRow(
        run_id=run_id,
        probability=said.probability,
        reason=said.reason.value,
        explanation=said.explanation,
        snapshot=said.snapshot,
        nearest=[{"article_id": h.article_id, "title": h.title, "score": h.score} for h in said.nearest],
    )


def _citations(run_id: str, said: Answer | Abstention | Silence) -> list[CitationRow]:
    cited = said.citations if isinstance(said, Answer) else said.suggestion
    return [
        CitationRow(
            run_id=run_id,
            ordinal=ordinal,
            article_id=citation.article_id,
            title=citation.title,
            url=citation.url,
            heading_path=list(citation.heading_path),
            start=citation.start,
            end=citation.end,
            text=citation.text,
            article_digest=citation.article_digest,
        )
        for ordinal, citation in enumerate(cited)
    ]
