"""How do requests and responses of the REST API look?"""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(max_length=1_000_000)]

TICKET_EXAMPLE: JsonDict = {
    "subject": "VPN drops every ten minutes",
    "body": "Since this morning FennGate disconnects again and again. I work from home today.",
    "requester": "callum.reid@fennvale.example",
    "channel": "portal",
    "features": {"site": "Leeds"},
}
ARTICLE_EXAMPLE: JsonDict = {
    "title": "Connect with FennGate",
    "text": "## Steps\n\n1. Open FennGate.\n2. Choose Leeds.\n3. Confirm in the Authenticator app.",
    "url": "https://hub.fennvale.example/it/connect-fenngate",
    "audience": "public",
    "language": "en",
}


class Request(BaseModel):
    """A request's body; unknown keys are refused, so that a misspelt one does not go unnoticed."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TicketIn(Request):
    """A ticket; subject or body must have text."""

    model_config = ConfigDict(json_schema_extra={"examples": [TICKET_EXAMPLE]})

    subject: Text = ""
    body: Text = ""
    requester: Annotated[str, StringConstraints(max_length=500)] = ""
    channel: Name = "rest"
    features: Annotated[dict[Name, Annotated[str, StringConstraints(max_length=2_000)]], Field(max_length=50)] = {}


class QuestionIn(Request):
    """A question to the knowledge base; ``audiences`` may only narrow what the server allows."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"question": "How do I connect to the VPN?"}]})

    question: Annotated[str, StringConstraints(min_length=1, max_length=100_000)]
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")] | None = None
    audiences: Annotated[list[Name], Field(min_length=1, max_length=20)] | None = None


class ArticleIn(Request):
    """An article in Markdown."""

    model_config = ConfigDict(json_schema_extra={"examples": [ARTICLE_EXAMPLE]})

    title: Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
    text: Annotated[str, StringConstraints(min_length=1, max_length=1_000_000)]
    url: Annotated[str, StringConstraints(pattern=r"^https?://\S+$", max_length=2_000)] | None = None
    audience: Name = "public"
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}$")] | None = None
    updated: date | None = None
    review_by: date | None = None
    tags: Annotated[list[Name], Field(max_length=50)] = []


class CorrectionIn(Request):
    """What a field should have been."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"field": "queue", "value": "network", "author": "dispatcher@fennvale.example"}]
        }
    )

    field: Name
    value: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    author: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    note: Annotated[str, StringConstraints(max_length=10_000)] = ""


class LabelOut(BaseModel):
    """A value and its calibrated probability."""

    label: str
    probability: float


class PredictionOut(BaseModel):
    """What the classifier thinks of one field."""

    field: str
    ranked: list[LabelOut]
    familiarity: float
    evidence: list[str]


class DecisionOut(BaseModel):
    """What is done about one field, and why."""

    field: str
    outcome: Literal["apply", "suggest", "leave"]
    value: str | None
    probability: float | None
    reason: str
    rule: str | None
    alternatives: list[LabelOut]


class CitationOut(BaseModel):
    """Verbatim words and where they stand: characters ``start`` to ``end`` of the article with that digest."""

    article_id: str
    title: str
    url: str | None
    heading_path: list[str]
    start: int
    end: int
    text: str
    article_digest: str


class NearestOut(BaseModel):
    """An article that came near."""

    article_id: str
    title: str
    score: float


class AnswerOut(BaseModel):
    """An answer with its citations, or (``answered`` false) the reason why there is none."""

    answered: bool
    probability: float | None
    snapshot: str
    text: str | None = None
    citations: list[CitationOut] | None = None
    reason: str | None = None
    explanation: str | None = None
    nearest: list[NearestOut] | None = None


class ProvenanceOut(BaseModel):
    """All that made a decision."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str | None
    encoder_fingerprint: str
    knowledge_snapshot: str
    policy_digest: str
    code_version: str


class AssessmentOut(BaseModel):
    """A preview: what would be decided and answered."""

    id: str | None
    subject: str
    text: str
    language: str | None
    predictions: list[PredictionOut]
    decisions: list[DecisionOut]
    answer: AnswerOut
    provenance: ProvenanceOut
    seconds: float


class DeliveryOut(BaseModel):
    """How a result reached its channel."""

    channel: str
    state: Literal["pending", "delivered", "dead"]
    attempts: int
    detail: str
    created_at: datetime
    delivered_at: datetime | None


class RunOut(BaseModel):
    """One pass over a ticket."""

    number: int
    text: str
    language: str | None
    seconds: float
    finished_at: datetime
    predictions: list[PredictionOut]
    decisions: list[DecisionOut]
    answer: AnswerOut | None
    deliveries: list[DeliveryOut]
    provenance: ProvenanceOut


class CorrectionOut(BaseModel):
    """An agent's correction; ``previous`` is what stood there before."""

    id: str
    field: str
    value: str
    previous: str | None
    author: str
    note: str
    created_at: datetime


class TicketOut(BaseModel):
    """A ticket and its whole story."""

    id: str
    source: str
    delivery_id: str | None
    channel: str
    requester: str
    subject: str
    body: str
    features: dict[str, str]
    state: Literal["accepted", "triaged", "failed"]
    failure: str | None
    received_at: datetime
    runs: list[RunOut]
    corrections: list[CorrectionOut]


class TicketPage(BaseModel):
    """A page of tickets, newest first; ``next`` is the cursor of the following page, null on the last."""

    tickets: list[TicketOut]
    next: str | None


class ArticleOut(BaseModel):
    """An article as it is quoted from; ``digest`` is what citations of it name."""

    id: str
    title: str
    text: str
    url: str | None
    audience: str
    language: str | None
    updated: date | None
    review_by: date | None
    tags: list[str]
    source: str
    digest: str


class ArticlePage(BaseModel):
    """A page of articles by id."""

    articles: list[ArticleOut]
    next: str | None


class ModelsOut(BaseModel):
    """All models, and what the one in use is certified for."""

    champion: str | None
    models: list[dict[str, object]]
    clearance: dict[str, dict[str, object]]


class Problem(BaseModel):
    """RFC 9457: what went wrong. ``code`` is stable; ``detail`` is for people."""

    type: str = Field(examples=["https://triage.invalid/problems/not-found"])
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[dict[str, object]] | None = None
