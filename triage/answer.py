"""What does the knowledge base have to say to a ticket?"""

from __future__ import annotations

from collections.abc import Sequence

from kb import Abstention, Answer, FloatArray, KnowledgeBase


def answer(
    question: str,
    vector: FloatArray,
    knowledge: KnowledgeBase,
    *,
    language: str | None = None,
    audiences: Sequence[str] = ("public",),
) -> Answer | Abstention:
    """Cited spans that answer the cleaned text, or why there are none.

    ``vector`` (d,) is the text's embedding, made once by ``understand`` and used again here.
    """
    return knowledge.answer(question, audiences=tuple(audiences), language=language, query_vector=vector)
