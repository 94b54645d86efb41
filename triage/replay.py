"""Would a past decision come out the same today, and if not, what has changed?"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from kb import Encoder, KnowledgeBase
from triage.db.tables import PolicyRow, RunRow
from triage.desk import Loaded, clear_all, describe_fields
from triage.errors import ModelError, NotFound
from triage.learning.answers import bar_for
from triage.pipeline import assess
from triage.policy import NO_POLICY_DIGEST, Policy, parse_policy
from triage.tickets import store
from triage.tickets.views import Json, assessment_view, run_view
from triage.understand.classifier import Classifier
from triage.version import code_digest

# What a pass decided and why; not how long it took, what was delivered since, which past tickets and macros there were,
# nor how a language model worded the answer, which no one can repeat.
COMPARED = ("text", "language", "predictions", "decisions", "answer")


@dataclass(frozen=True, slots=True)
class Replay:
    """A past pass and the same pass today.

    ``changed`` are sentences about what is no longer as it was, ``differs`` the parts of the result that came out
    otherwise; ``stored`` and ``again`` the SHA-256 of both results, ``again`` None where it could not be made.
    """

    ticket: str
    number: int
    is_same: bool
    stored: str
    again: str | None
    changed: tuple[str, ...]
    differs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parts:
    """Where the parts of a past decision are looked for; the audiences are for passes that kept none."""

    encoder: Encoder
    models: Path
    knowledge: Path
    audiences: tuple[str, ...]


def replay(session: Session, ticket_id: str, parts: Parts, *, number: int | None = None) -> Replay:
    """Take a stored ticket once more through the pass ``number``, by default its last, with all that made it then.

    Nothing is stored. Raises ``NotFound`` where there is no such ticket or pass.
    """
    row = store.find_ticket(session, ticket_id)
    run = next((one for one in reversed(row.runs) if number in (None, one.number)), None)
    if run is None:
        raise NotFound(f"Ticket {ticket_id} has no pass {number or 'yet'}.")
    before = _canonical(run_view(run))
    loaded, changed = _load(session, run, parts)
    if loaded is None:
        return Replay(ticket_id, run.number, False, _digest(before), None, changed, ())
    settled = {one.field: one.value for one in row.corrections if one.created_at <= run.finished_at}
    ticket = store.as_incoming(row)
    day = run.finished_at.date()
    assessment = assess(ticket, loaded, settled, duplicate_of=run.duplicate_of, today=day)
    again = _canonical(assessment_view(ticket, assessment))
    differs = tuple(name for name in COMPARED if before[name] != again[name])
    return Replay(ticket_id, run.number, not differs, _digest(before), _digest(again), changed, differs)


def _load(session: Session, run: RunRow, parts: Parts) -> tuple[Loaded | None, tuple[str, ...]]:
    """All that made the pass, or None where a part of it is gone; and what is no longer as it was."""
    changed: list[str] = []
    if run.code_digest != code_digest():
        changed.append(f"The code: version {run.code_version} made it, or other versions of its libraries.")
    if run.encoder_fingerprint != parts.encoder.fingerprint:
        changed.append("The encoder is another one; set TRIAGE_ENCODER back to replay it.")
        return None, tuple(changed)
    policy = _policy(session, run)
    knowledge = KnowledgeBase.open_snapshot(parts.knowledge, parts.encoder, run.knowledge_snapshot)
    if policy is None:
        changed.append(f"The policy {run.policy_digest[:12]} was not kept.")
    if knowledge is None:
        changed.append(f"Snapshot {run.knowledge_snapshot} of the knowledge base is no longer kept.")
    try:
        classifier = Classifier.load(parts.models / run.model_id) if run.model_id else None
    except ModelError as error:
        changed.append(f"Model {run.model_id} cannot be used: {error}")
        return None, tuple(changed)
    if policy is None or knowledge is None:
        return None, tuple(changed)
    clearance = clear_all(classifier, policy)
    described = tuple(describe_fields(policy, parts.encoder).values())
    bar = bar_for(knowledge.gate, policy.answers)
    audiences = parts.audiences if run.audiences is None else tuple(run.audiences)
    loaded = Loaded(parts.encoder, knowledge, classifier, policy, clearance, audiences, bar, described)
    return loaded, tuple(changed)


def _policy(session: Session, run: RunRow) -> Policy | None:
    if run.policy_digest == NO_POLICY_DIGEST:
        return Policy()
    kept = session.get(PolicyRow, run.policy_digest)
    return parse_policy(kept.text.encode(), Path(run.policy_digest)) if kept else None


def _canonical(view: Json) -> dict[str, bytes]:
    view = view | {"answer": _verbatim(view["answer"])}
    return {name: json.dumps(view[name], sort_keys=True, ensure_ascii=False, default=str).encode() for name in COMPARED}


def _verbatim(answer: object) -> object:
    return {k: v for k, v in answer.items() if not k.startswith("reworded")} if isinstance(answer, dict) else answer


def _digest(parts: dict[str, bytes]) -> str:
    return hashlib.sha256(b"\n".join(parts[name] for name in COMPARED)).hexdigest()
