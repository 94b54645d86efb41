"""How does an assessment look as JSON? The same shape for the CLI, the REST API and stored stories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from kb import Abstention, Answer, Citation
from triage.db.tables import AnswerFeedbackRow, AnswerRow, CorrectionRow, RunRow, TicketRow
from triage.privacy import mask
from triage.tickets.model import (
    Assessment,
    IncomingTicket,
    LabelOrigin,
    MacroVariable,
    PastLabel,
    PastSource,
    Rewording,
    Silence,
    SimilarTicket,
    SuggestedMacro,
)

Json = dict[str, object]


def assessment_view(ticket: IncomingTicket, assessment: Assessment) -> Json:
    """Everything about one assessment, ready for JSON."""
    understanding = assessment.understanding
    return {
        "id": ticket.delivery_id,
        "subject": ticket.subject,
        "text": understanding.text,
        "language": understanding.language,
        "predictions": [asdict(prediction) for prediction in understanding.predictions],
        "similar": similar_view(understanding.similar),
        "decisions": [asdict(decision) for decision in assessment.decisions],
        "answer": answer_view(assessment.answer, assessment.rewording),
        "macros": macros_view(assessment.macros),
        "provenance": asdict(assessment.provenance),
        "seconds": assessment.seconds,
    }


def similar_view(similar: Sequence[SimilarTicket]) -> list[Json]:
    """Past tickets, ready for JSON."""
    return [asdict(one) for one in similar]


def macros_view(macros: Sequence[SuggestedMacro]) -> list[Json]:
    """Suggested macros, ready for JSON."""
    return [asdict(one) for one in macros]


def answer_view(said: Answer | Abstention | Silence, rewording: Rewording | None = None) -> Json:
    """An answer, an abstention or a silence, ready for JSON: ``answered`` tells which.

    The verbatim words are always there; ``reworded`` stands beside them, null where nothing may be shown.
    """
    if isinstance(said, Answer):
        return {
            "answered": True,
            "text": said.text,
            "probability": said.probability,
            "basis": said.basis,
            "citations": citations_view(said.citations),
            "snapshot": said.snapshot,
            "reworded": [asdict(one) for one in rewording.sentences] or None if rewording else None,
            "reworded_by": rewording.model if rewording else None,
            "reworded_note": rewording.note if rewording else None,
        }
    return {
        "answered": False,
        "reason": said.reason.value,
        "explanation": said.explanation,
        "probability": said.probability,
        "nearest": [{"article_id": h.article_id, "title": h.title, "score": h.score} for h in said.nearest],
        "suggestion": citations_view(said.suggestion),
        "snapshot": said.snapshot,
    }


def citations_view(citations: Sequence[Citation]) -> list[Json]:
    """Citations, ready for JSON."""
    return [asdict(citation) for citation in citations]


def story_view(row: TicketRow) -> Json:
    """The whole stored story of a ticket, ready for JSON."""
    return {
        **_columns(row, "id", "source", "delivery_id", "channel", "requester", "subject", "body", "features"),
        **_columns(row, "state", "failure", "received_at", "duplicate_of"),
        "runs": [run_view(run) for run in row.runs],
        "corrections": [correction_view(correction) for correction in row.corrections],
    }


def run_view(run: RunRow) -> Json:
    """One pass over a ticket, ready for JSON."""
    return {
        **_columns(run, "number", "text", "language", "seconds", "finished_at", "similar", "duplicate_of", "macros"),
        "predictions": [_columns(p, "field", "ranked", "familiarity", "evidence", "change") for p in run.predictions],
        "decisions": [
            _columns(d, "field", "outcome", "value", "probability", "reason", "rule", "alternatives")
            for d in run.decisions
        ],
        "answer": stored_answer_view(run.answer) if run.answer else None,
        "feedback": [feedback_view(one) for one in run.answer.feedback] if run.answer else [],
        "deliveries": [
            _columns(
                d, "id", "channel", "event", "state", "attempts", "detail", "created_at", "next_at", "delivered_at"
            )
            for d in run.deliveries
        ],
        "provenance": _columns(
            run,
            *("model_id", "encoder_fingerprint", "knowledge_snapshot", "policy_digest", "code_version", "code_digest"),
            "audiences",
        ),
    }


def similar_of(run: RunRow) -> tuple[SimilarTicket, ...]:
    """The similar tickets of a run, as values again."""
    return tuple(
        SimilarTicket(
            one["ticket_id"],
            one["title"],
            tuple(PastLabel(x["field"], x["value"], LabelOrigin(x["origin"])) for x in one["labels"]),
            one["cosine"],
            PastSource(one["source"]),
        )
        for one in run.similar
    )


def macros_of(run: RunRow) -> tuple[SuggestedMacro, ...]:
    """The macros suggested in a run, as values again."""
    return tuple(
        SuggestedMacro(
            one["macro_id"],
            one["title"],
            one["text"],
            one["score"],
            tuple(MacroVariable(**variable) for variable in one["variables"]),
        )
        for one in run.macros
    )


def stored_answer_view(row: AnswerRow) -> Json:
    """A stored answer or abstention in the shape of ``answer_view``."""
    citations = [
        _columns(c, "article_id", "title", "url", "heading_path", "start", "end", "text", "article_digest")
        for c in row.citations
    ]
    if row.reason is not None:
        view = _columns(row, "reason", "explanation", "probability", "nearest", "snapshot")
        return {"answered": False, **view, "suggestion": citations}
    text = "\n\n".join(citation.text for citation in row.citations)
    return {
        "answered": True,
        "text": text,
        "citations": citations,
        "basis": row.explanation or "",
        **_columns(row, "probability", "snapshot", "reworded", "reworded_by", "reworded_note"),
    }


# What the desk wrote, or what no person can be known by; masking it would only break it.
_IMPERSONAL = frozenset(
    {
        "id",
        "ticket_id",
        "duplicate_of",
        "source",
        "delivery_id",
        "channel",
        "answer",
        "provenance",
        "language",
        "state",
        "author",
    }
)


def masked_view(view: Json, names: Sequence[str]) -> Json:
    """A view fit for a public place: all that the requester wrote, without what is personal in it.

    What the requesters of similar tickets wrote is left out, as their names are not known here; so are macros, which
    address the requester by name.
    """
    shown = {key: value if key in _IMPERSONAL else _masked(value, names) for key, value in view.items()}
    if "similar" in view:
        shown["similar"] = without_titles(view["similar"])
    if "macros" in view:
        shown["macros"] = without_words(view["macros"])
    return shown


def without_titles(similar: object) -> list[Json]:
    """The view of similar tickets without anybody's words."""
    return [{**one, "title": ""} for one in similar] if isinstance(similar, list) else []


def without_words(macros: object) -> list[Json]:
    """The view of suggested macros without what was filled in."""
    return [{**one, "text": "", "variables": []} for one in macros] if isinstance(macros, list) else []


def _masked(value: object, names: Sequence[str]) -> object:
    if isinstance(value, str):
        return mask(value, names=names)
    if isinstance(value, dict):
        return masked_view(value, names)
    if isinstance(value, list | tuple):
        return [_masked(item, names) for item in value]
    return value


def _columns(row: object, *names: str) -> Json:
    return {name: getattr(row, name) for name in names}


def correction_view(row: CorrectionRow) -> Json:
    """A stored correction, ready for JSON."""
    return _columns(row, "id", "field", "value", "previous", "author", "note", "created_at")


def feedback_view(row: AnswerFeedbackRow) -> Json:
    """What somebody said of an answer, ready for JSON."""
    return _columns(row, "id", "verdict", "article_id", "author", "note", "created_at")
