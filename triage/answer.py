"""What does the knowledge base have to say to a ticket?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from kb import Abstention, Answer, Bar, FloatArray, KnowledgeBase
from triage.tickets.model import Silence, SilenceReason


def answer(
    question: str,
    vector: FloatArray,
    knowledge: KnowledgeBase,
    *,
    language: str | None = None,
    audiences: Sequence[str] = ("public",),
    bar: Bar | None = None,
    today: date | None = None,
    duplicate_of: str | None = None,
) -> Answer | Abstention | Silence:
    """Cited spans that answer the cleaned text, or why there are none.

    ``vector`` (d,) is the text's embedding, made once by ``understand`` and used again here. A duplicate gets no
    answer, as the ticket that it repeats has one, or will.
    """
    if duplicate_of is not None:
        explanation = (
            f"A duplicate of ticket {duplicate_of} by the same requester, which is being handled; "
            "nothing is answered twice."
        )
        return Silence(SilenceReason.DUPLICATE, explanation, knowledge.snapshot)
    return knowledge.answer(
        question, audiences=tuple(audiences), language=language, query_vector=vector, bar=bar, today=today
    )
