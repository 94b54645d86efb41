"""Which tables are there, and what does each row mean?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC; SQLite stores it without its zone, so the zone is put back on reading."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Refuse a moment without a zone, convert the rest to UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a stored moment needs its time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        """Give the moment its zone again."""
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


class Table(DeclarativeBase):
    """Root of all tables."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {  # Any: as SQLAlchemy declares it
        datetime: UtcDateTime(),
        # Any: JSON columns hold plain lists and dicts of strings and numbers, shaped by the frozen values.
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
        list[str]: JSON(),
        float: Float(),
        str: Text(),
    }


Id = String(36)
Name = String(200)


class TicketRow(Table):
    """A ticket as it came in; its text is never altered."""

    __tablename__ = "tickets"
    __table_args__ = (
        UniqueConstraint("source", "delivery_id", name="uq_tickets_source_delivery"),
        Index("ix_tickets_state", "state"),
        Index("ix_tickets_requester_key", "requester_key", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)  # UUIDv7: sorts by the time of its making
    source: Mapped[str] = mapped_column(Name)
    delivery_id: Mapped[str | None] = mapped_column(Name)
    digest: Mapped[str] = mapped_column(String(64))  # of the content: tells a repeat from a clash of keys
    channel: Mapped[str] = mapped_column(Name)
    requester: Mapped[str] = mapped_column(Text)
    requester_key: Mapped[str] = mapped_column(Name)  # the same for all spellings of a requester
    subject: Mapped[str] = mapped_column(Text)
    body: Mapped[str] = mapped_column(Text)
    features: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(20))
    failure: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int]  # passes queued so far, the failed ones among them
    received_at: Mapped[datetime]
    # An older ticket of the same requester that says the same, as the newest run found.
    duplicate_of: Mapped[str | None] = mapped_column(ForeignKey("tickets.id"))

    runs: Mapped[list[RunRow]] = relationship(
        back_populates="ticket", order_by="RunRow.number", foreign_keys="RunRow.ticket_id"
    )
    corrections: Mapped[list[CorrectionRow]] = relationship(order_by="CorrectionRow.id")


class RunRow(Table):
    """One pass of a ticket through understand, route and answer, with the hashes of all that made it."""

    __tablename__ = "runs"
    __table_args__ = (UniqueConstraint("ticket_id", "number", name="uq_runs_ticket_number"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("tickets.id"))
    number: Mapped[int]
    model_id: Mapped[str | None] = mapped_column(Name)
    encoder_fingerprint: Mapped[str] = mapped_column(Name)
    knowledge_snapshot: Mapped[str] = mapped_column(Name)
    policy_digest: Mapped[str] = mapped_column(String(64))
    code_version: Mapped[str] = mapped_column(Name)
    code_digest: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)  # the cleaned text that was understood
    language: Mapped[str | None] = mapped_column(String(20))
    seconds: Mapped[float]
    finished_at: Mapped[datetime]
    similar: Mapped[list[Any]]  # the nearest past tickets, as they were then
    duplicate_of: Mapped[str | None] = mapped_column(ForeignKey("tickets.id"))
    macros: Mapped[list[Any]]  # reply templates suggested to agents, best first, as they were filled then
    # Whose articles were searched; null in runs of before this was kept, which used those of the settings.
    audiences: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))

    ticket: Mapped[TicketRow] = relationship(back_populates="runs", foreign_keys=ticket_id)
    predictions: Mapped[list[PredictionRow]] = relationship(order_by="PredictionRow.ordinal")
    decisions: Mapped[list[DecisionRow]] = relationship(order_by="DecisionRow.ordinal")
    answer: Mapped[AnswerRow | None] = relationship(uselist=False)
    deliveries: Mapped[list[DeliveryRow]] = relationship(order_by="DeliveryRow.id", back_populates="run")


class TicketVectorRow(Table):
    """The vector of a ticket's newest run; a further run takes a new number, so that whoever follows sees it."""

    __tablename__ = "ticket_vectors"
    __table_args__ = ({"sqlite_autoincrement": True},)

    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("tickets.id"), unique=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    encoder_fingerprint: Mapped[str] = mapped_column(Name)
    vector: Mapped[bytes] = mapped_column(LargeBinary)  # (d,) float16, little-endian, unit length


class PredictionRow(Table):
    """What the classifier thought of one field in one run."""

    __tablename__ = "predictions"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    field: Mapped[str] = mapped_column(Name, primary_key=True)
    ordinal: Mapped[int]
    ranked: Mapped[list[Any]]  # [{"label", "probability"}], best first
    familiarity: Mapped[float]
    evidence: Mapped[list[str]]
    change: Mapped[str]  # what would have made it another label, in words


class DecisionRow(Table):
    """What was done about one field in one run, and why."""

    __tablename__ = "decisions"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    field: Mapped[str] = mapped_column(Name, primary_key=True)
    ordinal: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(20))
    value: Mapped[str | None] = mapped_column(Text)
    probability: Mapped[float | None]
    reason: Mapped[str] = mapped_column(Text)
    rule: Mapped[str | None] = mapped_column(Name)
    alternatives: Mapped[list[Any]]


class AnswerRow(Table):
    """What the knowledge base said in one run: an answer (``reason`` is null) or an abstention.

    ``explanation`` is why there is none, or what an answer rests on; the citations of an abstention are what an agent
    was shown instead.
    """

    __tablename__ = "answers"

    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    probability: Mapped[float | None]
    reason: Mapped[str | None] = mapped_column(String(40))
    explanation: Mapped[str | None] = mapped_column(Text)
    snapshot: Mapped[str] = mapped_column(Name)
    nearest: Mapped[list[Any]]  # [{"article_id", "title", "score"}] that an abstention almost chose
    # What a language model made of the citations, [{"text", "citation"}]; null where nothing of it may be shown. The
    # model's name is null where none was asked; the note says in words what was dropped, or why all of it.
    reworded: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    reworded_by: Mapped[str | None] = mapped_column(Name)
    reworded_note: Mapped[str | None] = mapped_column(Text)

    citations: Mapped[list[CitationRow]] = relationship(order_by="CitationRow.ordinal")
    feedback: Mapped[list[AnswerFeedbackRow]] = relationship(order_by="AnswerFeedbackRow.id")


class CitationRow(Table):
    """A verbatim span of an article: ``text`` is ``article.text[start:end]`` of the article with that digest."""

    __tablename__ = "citations"

    run_id: Mapped[str] = mapped_column(ForeignKey("answers.run_id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    article_id: Mapped[str] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    url: Mapped[str | None] = mapped_column(Text)
    heading_path: Mapped[list[str]]
    start: Mapped[int]
    end: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    article_digest: Mapped[str] = mapped_column(String(64))


class AnswerFeedbackRow(Table):
    """What somebody said of an answer, or of having none; ``article_id`` is the article that was right."""

    __tablename__ = "answer_feedback"
    __table_args__ = (UniqueConstraint("run_id", "idempotency_key", name="uq_answer_feedback_key"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("answers.run_id"))
    verdict: Mapped[str] = mapped_column(String(20))
    article_id: Mapped[str | None] = mapped_column(Text)
    author: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text)
    idempotency_key: Mapped[str | None] = mapped_column(Name)
    created_at: Mapped[datetime]


class CorrectionRow(Table):
    """An agent's word on what a field should have been; what the next model learns from."""

    __tablename__ = "corrections"
    __table_args__ = (UniqueConstraint("ticket_id", "idempotency_key", name="uq_corrections_key"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("tickets.id"))
    field: Mapped[str] = mapped_column(Name)
    value: Mapped[str] = mapped_column(Text)
    previous: Mapped[str | None] = mapped_column(Text)
    author: Mapped[str] = mapped_column(Text)
    note: Mapped[str] = mapped_column(Text)
    idempotency_key: Mapped[str | None] = mapped_column(Name)
    created_at: Mapped[datetime]


class DeliveryRow(Table):
    """What is on its way to a channel: the outbox.

    ``event`` is ``result`` for the channel that the ticket came from, else what a subscriber is told; ``about`` is the
    delivery that failed, where that is told. ``attempts`` are those that count, ``jobs`` all that were queued.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("run_id", "channel", "event", "about", name="uq_deliveries_run_channel_event"),
        Index("ix_deliveries_state", "state", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    channel: Mapped[str] = mapped_column(Name)
    event: Mapped[str] = mapped_column(String(40))
    about: Mapped[str] = mapped_column(Id)
    state: Mapped[str] = mapped_column(String(20))
    attempts: Mapped[int]
    jobs: Mapped[int]
    detail: Mapped[str] = mapped_column(Text)
    done: Mapped[dict[str, Any]]  # the finished steps, with what the system called what was made
    created_at: Mapped[datetime]
    next_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]

    run: Mapped[RunRow] = relationship(back_populates="deliveries")


class ReceivedRow(Table):
    """What a channel brought in: the inbox. The content goes as soon as it was worked on."""

    __tablename__ = "received"
    __table_args__ = (
        UniqueConstraint("channel", "key", name="uq_received_channel_key"),
        Index("ix_received_state", "state", "id"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    channel: Mapped[str] = mapped_column(Name)
    key: Mapped[str] = mapped_column(Name)
    event: Mapped[str] = mapped_column(Name)
    happenings: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    body: Mapped[bytes | None] = mapped_column(LargeBinary)  # as it came, where our own code could not read it
    state: Mapped[str] = mapped_column(String(20))
    attempts: Mapped[int]
    jobs: Mapped[int]
    detail: Mapped[str] = mapped_column(Text)
    received_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class RemoteTicketRow(Table):
    """A ticket as it was last seen in the system that it lives in."""

    __tablename__ = "remote_tickets"
    __table_args__ = (Index("ix_remote_tickets_ticket_id", "ticket_id"),)

    channel: Mapped[str] = mapped_column(Name, primary_key=True)
    remote_id: Mapped[str] = mapped_column(Name, primary_key=True)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("tickets.id"))
    url: Mapped[str | None] = mapped_column(Text)
    fields: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))  # null until they were read there
    status: Mapped[str] = mapped_column(String(20))
    touched_by: Mapped[str | None] = mapped_column(Text)  # a person of the desk, who then has the word
    bot_actions: Mapped[int]
    solved_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class RemoteMessageRow(Table):
    """What was said about a ticket after it was opened, in the system that it lives in."""

    __tablename__ = "remote_messages"
    __table_args__ = (
        ForeignKeyConstraint(["channel", "remote_id"], ["remote_tickets.channel", "remote_tickets.remote_id"]),
    )

    channel: Mapped[str] = mapped_column(Name, primary_key=True)
    remote_id: Mapped[str] = mapped_column(Name, primary_key=True)
    message_id: Mapped[str] = mapped_column(Name, primary_key=True)
    ordinal: Mapped[int]
    author: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    public: Mapped[bool]
    by_agent: Mapped[bool | None]
    is_ours: Mapped[bool]
    said_at: Mapped[datetime]


class ChannelStateRow(Table):
    """How a channel is: since when it is used, how far it was polled, and whether it is left alone for a while."""

    __tablename__ = "channel_states"

    channel: Mapped[str] = mapped_column(Name, primary_key=True)
    began_at: Mapped[datetime]
    failures: Mapped[int]  # in a row
    trouble: Mapped[str] = mapped_column(Text)
    closed_until: Mapped[datetime | None]
    cursor: Mapped[str | None] = mapped_column(Text)
    polled_at: Mapped[datetime | None]
    lease_by: Mapped[str | None] = mapped_column(Name)  # the worker that polls it or holds its connection
    lease_until: Mapped[datetime | None]


class ChannelMemoryRow(Table):
    """What a channel keeps for itself, by key."""

    __tablename__ = "channel_memory"

    channel: Mapped[str] = mapped_column(Name, primary_key=True)
    key: Mapped[str] = mapped_column(Name, primary_key=True)
    value: Mapped[Any] = mapped_column(JSON())
    updated_at: Mapped[datetime]


class PolicyRow(Table):
    """A policy that decided something, kept so that the decision can be replayed."""

    __tablename__ = "policies"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    first_used_at: Mapped[datetime]


class ApiKeyRow(Table):
    """An API key; only the SHA-256 of its random secret is kept."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    name: Mapped[str] = mapped_column(Name, unique=True)
    prefix: Mapped[str] = mapped_column(String(20))  # shown in lists so that people can tell keys apart
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class WorkerRow(Table):
    """A worker process and its last sign of life."""

    __tablename__ = "workers"

    executor_id: Mapped[str] = mapped_column(Name, primary_key=True)
    started_at: Mapped[datetime]
    beat_at: Mapped[datetime] = mapped_column(index=True)
