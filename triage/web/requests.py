"""What may a client send?"""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from triage.tickets.model import Verdict
from triage.web import examples
from triage.web.examples import shown

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=1_000_000)]


def _without_nul(text: str) -> str:
    # Postgres cannot store it (https://www.postgresql.org/docs/current/datatype-character.html), nobody can see it.
    if "\0" in text:
        raise ValueError("holds a NUL character, which no text needs; take it out")
    return text


# What is stored word for word. A ticket's own text is not refused for it: ``intake`` replaces it there.
Kept = AfterValidator(_without_nul)
KeptName = Annotated[Name, Kept]


class Request(BaseModel):
    """A request's body; unknown keys are refused, so that a misspelt one does not go unnoticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TicketIn(Request):
    """A ticket; subject or body must have text."""

    model_config = shown(examples.TICKET_IN)

    subject: Text = ""
    body: Text = ""
    requester: Annotated[str, StringConstraints(max_length=500)] = ""
    channel: Name = "rest"
    features: Annotated[dict[Name, Annotated[str, StringConstraints(max_length=2_000)]], Field(max_length=50)] = {}


class QuestionIn(Request):
    """A question to the knowledge base; ``audiences`` may only narrow what the server allows.

    With ``product`` articles on another are left out, with ``only_language`` those in another language; an article that
    names none fits every one.
    """

    model_config = shown(examples.QUESTION_IN)

    question: Annotated[str, StringConstraints(min_length=1, max_length=100_000)]
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")] | None = None
    only_language: bool = False
    product: Name | None = None
    audiences: Annotated[list[Name], Field(min_length=1, max_length=20)] | None = None

    @model_validator(mode="after")
    def _names_its_language(self) -> QuestionIn:
        if self.only_language and self.language is None:
            raise ValueError("only_language needs a language")
        return self


class ArticleIn(Request):
    """An article in Markdown."""

    model_config = shown(examples.ARTICLE_IN)

    title: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True), Kept]
    text: Annotated[str, StringConstraints(min_length=1, max_length=1_000_000), Kept]
    url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=2_000), Kept] | None = None
    audience: KeptName = "public"
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")] | None = None
    updated: date | None = None
    review_by: date | None = None
    tags: Annotated[list[KeptName], Field(max_length=50)] = []
    product: KeptName | None = None


class CorrectionIn(Request):
    """What a field should have been."""

    model_config = shown(examples.CORRECTION_IN)

    field: KeptName
    value: Annotated[str, StringConstraints(min_length=1, max_length=500), Kept]
    author: Annotated[str, StringConstraints(min_length=1, max_length=500), Kept]
    note: Annotated[str, StringConstraints(max_length=10_000), Kept] = ""


class FeedbackIn(Request):
    """What somebody says of a ticket's answer; ``article_id`` is the article that answers it, where another does."""

    model_config = shown(examples.FEEDBACK_IN)

    verdict: Verdict
    author: Annotated[str, StringConstraints(min_length=1, max_length=500), Kept]
    note: Annotated[str, StringConstraints(max_length=10_000), Kept] = ""
    article_id: Annotated[str, StringConstraints(min_length=1, max_length=500), Kept] | None = None
