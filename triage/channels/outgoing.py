"""What is sent of a stored result? The rows of a run, as values again."""

from __future__ import annotations

from sqlalchemy.orm import Session

from kb import Citation
from triage.channels.common.places import place_in
from triage.channels.common.tables import home_of
from triage.channels.common.values import Event, GivenAnswer, Outgoing, Status
from triage.db.tables import AnswerRow, DeliveryRow, RunRow
from triage.tickets import store
from triage.tickets.model import Decision, LabelProbability, Outcome
from triage.tickets.views import macros_of, similar_of


def read_outgoing(session: Session, row: DeliveryRow, *, is_repeat: bool) -> Outgoing:
    """The delivery with all that was made of its ticket."""
    run = session.get_one(RunRow, row.run_id)
    ticket = store.find_ticket(session, run.ticket_id)
    remote = place_in(session, home_of(ticket.source), ticket.id)
    return Outgoing(
        delivery_id=row.id,
        event=Event(row.event),
        ticket_id=ticket.id,
        source=ticket.source,
        remote_id=ticket.delivery_id or "",
        subject=ticket.subject,
        requester=ticket.requester,
        language=run.language,
        run=run.number,
        decisions=tuple(
            Decision(
                one.field,
                Outcome(one.outcome),
                one.value,
                one.probability,
                one.reason,
                one.rule,
                tuple(LabelProbability(**label) for label in one.alternatives),
            )
            for one in run.decisions
        ),
        answer=given_answer(run.answer) if run.answer else None,
        similar=similar_of(run),
        macros=macros_of(run),
        duplicate_of=run.duplicate_of,
        created_at=row.created_at,
        received_at=ticket.received_at,
        features=dict(ticket.features),
        about=_about(session, row),
        done=dict(row.done),
        is_repeat=is_repeat,
        bot_actions=remote.bot_actions if remote else 0,
        body=ticket.body,
        text=run.text,
        human_touched=bool(remote and remote.touched_by),
        # A ticket that was solved meanwhile needs no word of ours.
        is_open=remote is None or remote.status == Status.OPEN.value,
    )


def given_answer(row: AnswerRow) -> GivenAnswer:
    """A stored answer or abstention."""
    citations = tuple(
        Citation(
            article_id=one.article_id,
            title=one.title,
            url=one.url,
            heading_path=tuple(one.heading_path),
            start=one.start,
            end=one.end,
            text=one.text,
            article_digest=one.article_digest,
        )
        for one in row.citations
    )
    return GivenAnswer(
        text="\n\n".join(one.text for one in citations),
        citations=citations,
        probability=row.probability,
        explanation=row.explanation or "",
        reason=row.reason,
        snapshot=row.snapshot,
        reworded=tuple(one["text"] for one in row.reworded or ()),
        nearest=tuple((one["article_id"], one["title"]) for one in row.nearest),
    )


def _about(session: Session, row: DeliveryRow) -> dict[str, object]:
    failed = session.get(DeliveryRow, row.about) if row.about else None
    if failed is None:
        return {}
    return {"id": failed.id, "channel": failed.channel, "state": failed.state, "detail": failed.detail}
