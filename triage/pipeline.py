"""How does a ticket travel from its channel to its result?

channel ─► accept(): ticket row + queued job in one transaction ─► 2xx
              └► process(): understand ─► route ─► answer (─► reword) ─► record ─► deliver, in one transaction
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from kb import Answer
from triage import __version__
from triage.answer import answer
from triage.deliver import NO_OUTLETS, Outlets, deliver
from triage.desk import Desk, Loaded
from triage.intake import Acceptance, JobQueue, accept
from triage.macros import suggest_macros
from triage.privacy import names_of
from triage.reword import Reworder
from triage.route import route
from triage.tickets import store
from triage.tickets.model import Assessment, IncomingTicket, Provenance, TicketState
from triage.tickets.past import open_tickets_before
from triage.tickets.record import keep_policy, record_run
from triage.understand import original_of, understand
from triage.version import code_digest

__all__ = ["Acceptance", "JobQueue", "accept", "assess", "process"]

log = structlog.get_logger(__name__)


def assess(
    ticket: IncomingTicket,
    loaded: Loaded,
    settled: Mapping[str, str] | None = None,
    *,
    ticket_id: str | None = None,
    duplicate_of: str | None = None,
    today: date | None = None,
) -> Assessment:
    """Read, route and answer a ticket; nothing is stored. ``settled`` are the values that people gave to fields.

    ``ticket_id`` is that of a stored ticket, which is not similar to itself; ``duplicate_of`` that of the open ticket
    which says the same. ``today`` (UTC) is the day it is answered on, by default the present one.
    """
    began = time.perf_counter()
    understanding = understand(
        ticket,
        encoder=loaded.encoder,
        classifier=loaded.classifier,
        described=loaded.described,
        past=loaded.past,
        ticket_id=ticket_id,
    )
    decisions = route(ticket, understanding.predictions, loaded.policy, loaded.clearance, settled)
    said = answer(
        understanding.text,
        understanding.vector,
        loaded.knowledge,
        language=understanding.language,
        audiences=loaded.audiences,
        bar=loaded.bar,
        today=today,
        duplicate_of=duplicate_of,
    )
    macros = (
        suggest_macros(
            loaded.macros,
            ticket,
            understanding.vector,
            decisions,
            language=understanding.language,
            ticket_id=ticket_id,
        )
        if loaded.macros
        else ()
    )
    return Assessment(
        understanding=understanding,
        decisions=decisions,
        answer=said,
        provenance=Provenance(
            model_id=loaded.classifier.model_id if loaded.classifier else None,
            encoder_fingerprint=loaded.encoder.fingerprint,
            knowledge_snapshot=said.snapshot,
            policy_digest=loaded.policy.digest,
            code_version=__version__,
            code_digest=code_digest(),
            audiences=loaded.audiences,
        ),
        seconds=time.perf_counter() - began,
        duplicate_of=duplicate_of,
        macros=macros,
    )


def reworded(assessment: Assessment, ticket: IncomingTicket, reworder: Reworder | None) -> Assessment:
    """The assessment with its answer in other words beside the verbatim ones, where a language model is set.

    An abstention is never put to it: it might answer.
    """
    if reworder is None or not isinstance(assessment.answer, Answer):
        return assessment
    names = names_of(ticket.requester, ticket.features)
    began = time.perf_counter()
    rewording = reworder.reword(assessment.answer, assessment.understanding.language, names)
    seconds = assessment.seconds + time.perf_counter() - began
    return replace(assessment, rewording=rewording, seconds=seconds)


def process(
    sessions: sessionmaker[Session], desk: Desk, ticket_id: str, number: int, outlets: Outlets = NO_OUTLETS
) -> bool:
    """Take the ticket through pass ``number`` of its journey; False where that pass was made before.

    All it leaves behind is written in one transaction, so a worker may die at any moment and another may
    repeat the call, even at the same time.
    """
    with sessions() as session:
        if store.has_run(session, ticket_id, number):
            return False
        row = store.find_ticket(session, ticket_id)
        ticket, settled = store.as_incoming(row), store.settled(row)
        earlier = open_tickets_before(session, row, days=desk.duplicate_days)
    loaded = desk.current()
    loaded = replace(loaded, audiences=outlets.audiences_of(ticket, loaded.audiences))
    original = original_of(ticket, earlier, loaded.encoder)
    assessment = assess(ticket, loaded, settled, ticket_id=ticket_id, duplicate_of=original)
    # Before the transaction: nothing may be locked while somebody else's server thinks.
    assessment = reworded(assessment, ticket, desk.reworder)
    now = datetime.now(UTC)
    try:
        with sessions.begin() as session:
            keep_policy(session, loaded.policy.digest, loaded.policy.text, now)
            run_id = record_run(session, ticket_id, number, assessment, now)
            deliver(session, run_id, ticket, isinstance(assessment.answer, Answer), now, outlets)
            store.mark(session, ticket_id, TicketState.TRIAGED)
            store.link(session, ticket_id, original)
    except IntegrityError:
        with sessions() as session:
            if not store.has_run(session, ticket_id, number):
                raise
        return False
    seconds = round(assessment.seconds, 4)
    log.info("ticket triaged", ticket=ticket_id, run=number, seconds=seconds, duplicate_of=original)
    return True
