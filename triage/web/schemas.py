"""What does a client get?"""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from triage.web import examples
from triage.web.examples import shown


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
    change: str


class DecisionOut(BaseModel):
    """What is done about one field, and why."""

    field: str
    outcome: Literal["apply", "ask", "suggest", "leave"]
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


class PastLabelOut(BaseModel):
    """A value of a past ticket: from the training data, said by an agent, or applied by the bot and not checked."""

    field: str
    value: str
    origin: Literal["labelled", "corrected", "decided"]


class SimilarOut(BaseModel):
    """A past ticket near to this one; ``ticket_id`` is null where it did not come through this desk."""

    ticket_id: str | None
    title: str
    labels: list[PastLabelOut]
    cosine: float
    source: Literal["training", "desk"]


class RewordedOut(BaseModel):
    """A sentence of a language model that passed the checks; ``citation`` counts the citations from 0."""

    text: str
    citation: int


class MacroVariableOut(BaseModel):
    """A variable of a macro: ``text[start:end]`` is what stands in its place, ``value`` is null where it is unknown."""

    name: str
    value: str | None
    start: int
    end: int


class MacroOut(BaseModel):
    """A reply template near to the ticket, its variables filled."""

    macro_id: str
    title: str
    text: str
    score: float
    variables: list[MacroVariableOut]


class AnswerOut(BaseModel):
    """An answer with its citations, or (``answered`` false) the reason why there is none.

    ``basis`` says what lets the probability of an answer suffice; ``suggestion`` are words for agents to look at. With
    the reason ``several``, ``nearest`` are the articles to choose from.
    ``reworded`` says the citations in other words, where a language model is asked and what it wrote passed the checks.
    """

    model_config = shown(examples.ANSWER, examples.ABSTENTION)

    answered: bool
    probability: float | None
    snapshot: str
    text: str | None = None
    citations: list[CitationOut] | None = None
    reason: str | None = None
    explanation: str | None = None
    nearest: list[NearestOut] | None = None
    basis: str | None = None
    suggestion: list[CitationOut] | None = None
    reworded: list[RewordedOut] | None = None
    reworded_by: str | None = None
    reworded_note: str | None = None


class ProvenanceOut(BaseModel):
    """All that made a decision."""

    model_config = ConfigDict(protected_namespaces=())

    model_id: str | None
    encoder_fingerprint: str
    knowledge_snapshot: str
    policy_digest: str
    code_version: str
    code_digest: str
    audiences: list[str] | None


class AssessmentOut(BaseModel):
    """A preview: what would be decided and answered."""

    model_config = shown(examples.ASSESSMENT)

    id: str | None
    subject: str
    text: str
    language: str | None
    predictions: list[PredictionOut]
    similar: list[SimilarOut]
    decisions: list[DecisionOut]
    answer: AnswerOut
    macros: list[MacroOut]
    provenance: ProvenanceOut
    seconds: float


class DeliveryOut(BaseModel):
    """How a result reached its channel."""

    id: str
    channel: str
    event: str
    state: Literal["pending", "sending", "delivered", "dead"]
    attempts: int
    detail: str
    created_at: datetime
    next_at: datetime | None
    delivered_at: datetime | None


class FeedbackOut(BaseModel):
    """What somebody said of an answer."""

    model_config = shown(examples.FEEDBACK)

    id: str
    verdict: str
    article_id: str | None
    author: str
    note: str
    created_at: datetime


class RunOut(BaseModel):
    """One pass over a ticket."""

    number: int
    text: str
    language: str | None
    seconds: float
    finished_at: datetime
    duplicate_of: str | None
    predictions: list[PredictionOut]
    similar: list[SimilarOut]
    decisions: list[DecisionOut]
    answer: AnswerOut | None
    feedback: list[FeedbackOut]
    macros: list[MacroOut]
    deliveries: list[DeliveryOut]
    provenance: ProvenanceOut


class CorrectionOut(BaseModel):
    """An agent's correction; ``previous`` is what stood there before."""

    model_config = shown(examples.CORRECTION)

    id: str
    field: str
    value: str
    previous: str | None
    author: str
    note: str
    created_at: datetime


class TicketOut(BaseModel):
    """A ticket and its whole story."""

    model_config = shown(examples.TICKET)

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
    duplicate_of: str | None
    runs: list[RunOut]
    corrections: list[CorrectionOut]


class TicketPage(BaseModel):
    """A page of tickets, newest first; ``next`` is the cursor of the following page, null on the last."""

    model_config = shown(examples.TICKETS)

    tickets: list[TicketOut]
    next: str | None


class ArticleOut(BaseModel):
    """An article as it is quoted from; ``digest`` is what citations of it name."""

    model_config = shown(examples.ARTICLE)

    id: str
    title: str
    text: str
    url: str | None
    audience: str
    language: str | None
    updated: date | None
    review_by: date | None
    tags: list[str]
    product: str | None
    source: str
    digest: str


class ArticlePage(BaseModel):
    """A page of articles by id."""

    model_config = shown(examples.ARTICLES)

    articles: list[ArticleOut]
    next: str | None


class ModelsOut(BaseModel):
    """All models, and what the one in use is certified for."""

    model_config = shown(examples.MODELS)

    champion: str | None
    models: list[dict[str, object]]
    clearance: dict[str, dict[str, object]]


class PartOut(BaseModel):
    """Whether a part can be used, in words."""

    ready: bool
    says: str


class ReadyOut(BaseModel):
    """Each part and its state; ``access`` tells whether calls need a key."""

    model_config = shown(examples.READY)

    ready: bool
    access: str
    database: PartOut
    encoder: PartOut
    knowledge_base: PartOut
    model: PartOut
    past_tickets: PartOut


class WrongOut(BaseModel):
    """One wrong value: where it stands, and what is wrong with it."""

    at: list[str]
    says: str


class Problem(BaseModel):
    """RFC 9457: what went wrong. ``code`` is stable; ``detail`` is for people."""

    model_config = shown(examples.PROBLEM)

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str
    errors: list[WrongOut] | None = None


class LetterOut(DeliveryOut):
    """A delivery by itself: ``done`` are the finished steps, ``ticket`` and ``run`` what it is the result of."""

    done: dict[str, str]
    ticket: str
    run: int


class LetterPage(BaseModel):
    """Deliveries, newest first."""

    deliveries: list[LetterOut]


class ReceivedOut(BaseModel):
    """Something that a channel brought; not what people wrote in it."""

    id: str
    channel: str
    key: str
    event: str
    state: Literal["pending", "done", "ignored", "dead"]
    attempts: int
    detail: str
    received_at: datetime
    finished_at: datetime | None


class ReceivedPage(BaseModel):
    """What channels brought, newest first."""

    received: list[ReceivedOut]


class WebhookOut(BaseModel):
    """A webhook was stored: ``new`` is false where its key came before, ``note`` says why nothing follows from it."""

    received: bool
    new: bool = True
    event: str = ""
    note: str
