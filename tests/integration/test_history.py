"""Tickets that went through the desk are found again by those that come after, on both databases."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from tests.integration.conftest import BareDesk
from tests.processes import until
from tests.unit.kb.doubles import WordEncoder
from triage import history as module
from triage import pipeline
from triage.db.tables import RunRow, TicketVectorRow
from triage.pipeline import process
from triage.tickets import store
from triage.tickets.model import Correction, LabelOrigin, PastLabel, SimilarTicket
from triage.tickets.past import vectors_after
from triage.understand.similar import similar

VPN = "The VPN drops every ten minutes since this morning"
OpenDesk = Callable[..., BareDesk]


def found_by(desk: BareDesk, body: str) -> tuple[SimilarTicket, ...]:
    return similar((desk.history.tickets,), desk.desk.encoder.encode([body])[0])


def test_vector_is_stored_with_the_run(bare: BareDesk, sessions: sessionmaker[Session]) -> None:
    ticket_id = bare.triage(VPN)
    with sessions() as session:
        row = session.scalars(select(TicketVectorRow)).one()
        run = session.scalars(select(RunRow)).one()
        assert (row.ticket_id, row.run_id, row.encoder_fingerprint) == (ticket_id, run.id, "words")
    assert np.frombuffer(row.vector, "<f2") == pytest.approx(bare.desk.encoder.encode([VPN])[0], abs=1e-3)


def test_run_that_is_not_recorded_leaves_no_vector(
    bare: BareDesk, sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise IntegrityError("the worker dies here", None, Exception())

    ticket_id = bare.take_in(VPN)
    monkeypatch.setattr(pipeline, "deliver", fail)
    with pytest.raises(IntegrityError):
        process(bare.sessions, bare.desk, ticket_id, 1)
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(TicketVectorRow)) == 0


def test_ticket_of_another_process_is_found_a_moment_later(bare: BareDesk, open_bare_desk: OpenDesk) -> None:
    other = open_bare_desk()
    assert found_by(other, VPN) == ()
    ticket_id = bare.triage(VPN)
    until(lambda: other.desk.current() is not None and bool(found_by(other, VPN)), timeout_s=20)
    (found,) = found_by(other, VPN)
    assert (found.ticket_id, found.title, found.source) == (ticket_id, VPN, "desk")
    later = bare.triage(f"{VPN} again", requester="tom@example.com")
    until(lambda: other.desk.current() is not None and len(other.history.tickets) == 2, timeout_s=20)
    assert found_by(other, f"{VPN} again")[0].ticket_id == later


def test_similar_tickets_stand_in_the_story(bare: BareDesk, sessions: sessionmaker[Session]) -> None:
    first = bare.triage(VPN)
    bare.history.catch_up()
    second = bare.triage("VPN drops every minute", requester="tom@example.com")
    with sessions() as session:
        (run,) = store.find_ticket(session, second).runs
        assert [one["ticket_id"] for one in run.similar] == [first]
        assert store.find_ticket(session, first).runs[0].similar == []


def test_ticket_that_is_read_again_is_not_similar_to_itself(bare: BareDesk, sessions: sessionmaker[Session]) -> None:
    ticket_id = bare.triage(VPN)
    bare.history.catch_up()
    with sessions.begin() as session:
        store.begin_attempt(session, ticket_id)
    assert process(bare.sessions, bare.desk, ticket_id, 2)
    bare.history.catch_up()
    with sessions() as session:
        assert store.find_ticket(session, ticket_id).runs[-1].similar == []
        assert session.scalar(select(func.count()).select_from(TicketVectorRow)) == 1
    assert len(found_by(bare, VPN)) == 1


def test_vectors_of_another_encoder_are_left_out(bare: BareDesk, open_bare_desk: OpenDesk) -> None:
    bare.triage(VPN)
    other = open_bare_desk(encoder=WordEncoder("other words"))
    other.history.catch_up()
    assert len(other.history.tickets) == 0
    other.triage(VPN, requester="tom@example.com")
    other.history.catch_up()
    assert len(other.history.tickets) == 1


def test_correction_is_taken_over(bare: BareDesk, sessions: sessionmaker[Session]) -> None:
    ticket_id = bare.triage(VPN)
    bare.history.catch_up()
    assert found_by(bare, VPN)[0].labels == ()
    with sessions.begin() as session:
        store.add_correction(session, ticket_id, Correction("queue", "files", "agent"))
        store.add_correction(session, ticket_id, Correction("queue", "network", "agent"))
    bare.history.catch_up()
    assert found_by(bare, VPN)[0].labels == (PastLabel("queue", "network", LabelOrigin.CORRECTED),)


def test_applied_value_is_shown_as_unchecked(bare: BareDesk, open_bare_desk: OpenDesk) -> None:
    policy = '[[rules]]\nname = "vpn"\nkeywords = ["VPN"]\nset = { queue = "network" }\n'
    bare.desk._policy._path.write_text(policy, encoding="utf-8")
    bare.triage(VPN)
    later = open_bare_desk()
    later.history.catch_up()
    assert found_by(later, VPN)[0].labels == (PastLabel("queue", "network", LabelOrigin.DECIDED),)


def test_row_that_is_committed_late_is_seen(bare: BareDesk, sessions: sessionmaker[Session]) -> None:
    """A transaction may take its number first and commit last."""
    bare.triage(VPN)
    bare.triage("The printer has no toner left")
    with sessions.begin() as session:
        session.execute(text("UPDATE ticket_vectors SET number = number + 5"))  # numbers 1 to 5 are still to come
    bare.history.catch_up()
    late = bare.triage("I cannot open the badge door")
    with sessions.begin() as session:
        change = text("UPDATE ticket_vectors SET number = 4 WHERE ticket_id = :ticket")
        session.execute(change, {"ticket": late})
    bare.history.catch_up()
    assert found_by(bare, "I cannot open the badge door")[0].ticket_id == late


def test_history_is_read_in_parts(bare: BareDesk, open_bare_desk: OpenDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        bare.triage(f"ticket of the topic {'abcdefg'[number]}")
    monkeypatch.setattr(module, "vectors_after", partial(vectors_after, limit=2))
    later = open_bare_desk()
    later.history.catch_up()
    assert len(later.history.tickets) == 7


def test_database_that_is_away_stops_nothing(bare: BareDesk, sessions: sessionmaker[Session]) -> None:
    bare.triage(VPN)
    bare.history.catch_up()
    with sessions.begin() as session:
        session.execute(text("ALTER TABLE ticket_vectors RENAME TO away"))
    with pytest.raises(SQLAlchemyError):
        bare.history.catch_up()
    bare.history._next_look = 0.0
    bare.history.follow()
    until(lambda: bare.history.trouble is not None, timeout_s=20)
    assert "cannot be read" in bare.desk.past
    assert len(found_by(bare, VPN)) == 1
