"""Which values travel through the ticket's journey?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from kb import Abstention, Answer, Citation, FloatArray, Hit


class TicketState(StrEnum):
    """How far a stored ticket has come."""

    ACCEPTED = "accepted"  # stored and queued; nobody has looked at it yet
    TRIAGED = "triaged"  # read, routed and answered (or left, with reasons)
    FAILED = "failed"  # the job gave up; the ticket says why and can be retried


class Outcome(StrEnum):
    """What is done about one field of a ticket."""

    APPLY = "apply"  # the value is set: a rule says so, or it is certified to be right often enough
    SUGGEST = "suggest"  # shown to the agent with its alternatives
    ASK = "ask"  # one of two or three values, certified to hold the right one: whoever knows clicks it
    LEAVE = "leave"  # nothing is claimed; a default value may stand in


class DeliveryState(StrEnum):
    """Whether the result has reached the channel it is meant for."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    DEAD = "dead"  # given up; it can be sent again by hand


@dataclass(frozen=True, slots=True)
class IncomingTicket:
    """A ticket as a channel hands it over.

    ``delivery_id`` is the sender's own id of this message: the pair (source, delivery_id) is accepted once.
    ``features`` are what the sender knows besides the text, for example product or site.
    """

    subject: str
    body: str
    requester: str = ""
    channel: str = "rest"
    source: str = "rest"
    delivery_id: str | None = None
    features: Mapping[str, str] = field(default_factory=dict)

    def known_features(self) -> dict[str, str]:
        """All metadata that a classifier may have been trained on, by name."""
        return {**self.features, "requester": self.requester, "channel": self.channel}


def requester_key(requester: str) -> str:
    """What two spellings of the same requester have in common; empty where nobody is named."""
    return requester.strip().casefold()[:200]


@dataclass(frozen=True, slots=True)
class LabelProbability:
    """A value of a field and the calibrated probability (0..1) that it is the right one."""

    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the classifier thinks of one field.

    ``ranked`` is best first, at most five. ``familiarity`` (0..1) says how much the ticket is like those the
    model has seen: the share of the training tickets that were less familiar; low means out of scope.
    ``evidence`` are the words that weighed most for the first label, ``change`` says what would have made it another.
    """

    field: str
    ranked: tuple[LabelProbability, ...]
    familiarity: float
    evidence: tuple[str, ...] = ()
    change: str = ""

    @property
    def top(self) -> LabelProbability:
        """The most probable label."""
        return self.ranked[0]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is done about one field, and why, in words.

    ``alternatives`` are the first labels with their probabilities; where the outcome is to ask, the two or three that
    are asked about.
    """

    field: str
    outcome: Outcome
    value: str | None
    probability: float | None
    reason: str
    rule: str | None = None
    alternatives: tuple[LabelProbability, ...] = ()


@dataclass(frozen=True, slots=True)
class Correction:
    """What an agent says a field should have been."""

    field: str
    value: str
    author: str
    note: str = ""
    idempotency_key: str | None = None


class Verdict(StrEnum):
    """What somebody says of an answer."""

    SOLVED = "solved"
    NOT_SOLVED = "not_solved"  # it was to the point and did not help
    WRONG = "wrong"  # it was about something else, or is not true


@dataclass(frozen=True, slots=True)
class AnswerFeedback:
    """What somebody says of a ticket's answer; ``article_id`` is the article that answers it, where another does."""

    verdict: Verdict
    author: str
    note: str = ""
    article_id: str | None = None
    idempotency_key: str | None = None


class LabelOrigin(StrEnum):
    """Who says that a past ticket has a value."""

    LABELLED = "labelled"  # the training data
    CORRECTED = "corrected"  # an agent
    DECIDED = "decided"  # the bot, which applied it; nobody has checked it


class PastSource(StrEnum):
    """Where a past ticket is known from."""

    TRAINING = "training"  # the dataset of the model in use
    DESK = "desk"  # it went through this desk


@dataclass(frozen=True, slots=True)
class PastLabel:
    """The value that a field of a past ticket has, and who says so."""

    field: str
    value: str
    origin: LabelOrigin


@dataclass(frozen=True, slots=True)
class SimilarTicket:
    """A past ticket near to this one: ``cosine`` (-1..1) of their vectors, ``title`` the beginning of its text.

    ``ticket_id`` is None where the ticket did not come through this desk.
    """

    ticket_id: str | None
    title: str
    labels: tuple[PastLabel, ...]
    cosine: float
    source: PastSource


@dataclass(frozen=True, slots=True)
class EarlierTicket:
    """An open ticket that the same requester sent before: ``text`` is cleaned, None where nobody has read it yet.

    ``original`` is the ticket's own id, or that of the ticket whose duplicate it is.
    """

    original: str
    subject: str
    body: str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Understanding:
    """What was read in a ticket: the cleaned text, its language, its vector (d,) and a prediction per field.

    ``similar`` are the nearest past tickets, the nearest first.
    """

    text: str
    language: str | None
    vector: FloatArray
    predictions: tuple[Prediction, ...]
    similar: tuple[SimilarTicket, ...] = ()


class SilenceReason(StrEnum):
    """Why the desk does not even ask the knowledge base."""

    DUPLICATE = "duplicate"


@dataclass(frozen=True, slots=True)
class Silence:
    """No answer because of the ticket itself: the knowledge base was not asked. Reads like an ``Abstention``."""

    reason: SilenceReason
    explanation: str
    snapshot: str

    @property
    def probability(self) -> None:
        """None: there was no candidate for an answer."""
        return None

    @property
    def nearest(self) -> tuple[Hit, ...]:
        """None: no article was looked at."""
        return ()

    @property
    def suggestion(self) -> tuple[Citation, ...]:
        """None: no article was looked at."""
        return ()


@dataclass(frozen=True, slots=True)
class RewordedSentence:
    """A sentence of a language model that passed the checks; ``citation`` counts the answer's citations from 0."""

    text: str
    citation: int


@dataclass(frozen=True, slots=True)
class Rewording:
    """What a language model made of an answer's spans: ``sentences``, or none and the ``note`` why not, in words.

    The note also says how many sentences were dropped where the others stand.
    """

    sentences: tuple[RewordedSentence, ...]
    model: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class MacroVariable:
    """A variable of a macro; ``text[start:end]`` stands in its place: the ``value``, or a mark where that is None."""

    name: str
    value: str | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class SuggestedMacro:
    """A reply template near to the ticket: ``text`` with its variables filled, ``score`` a cosine (-1..1)."""

    macro_id: str
    title: str
    text: str
    score: float
    variables: tuple[MacroVariable, ...] = ()


@dataclass(frozen=True, slots=True)
class Provenance:
    """The hashes and versions of all that made a decision, and whose articles were searched."""

    model_id: str | None
    encoder_fingerprint: str
    knowledge_snapshot: str
    policy_digest: str
    code_version: str
    code_digest: str
    audiences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything the bot thinks of a ticket, and what it was made with; nothing is stored yet.

    ``duplicate_of`` is the id of the open ticket that says the same and came first. ``rewording`` is None where no
    language model was asked; ``macros`` are best first.
    """

    understanding: Understanding
    decisions: tuple[Decision, ...]
    answer: Answer | Abstention | Silence
    provenance: Provenance
    seconds: float
    duplicate_of: str | None = None
    rewording: Rewording | None = None
    macros: tuple[SuggestedMacro, ...] = ()
