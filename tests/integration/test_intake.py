from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, func, select, text
from sqlalchemy.orm import Session, sessionmaker

from tests.factories import incoming
from triage.db.tables import TicketRow
from triage.errors import Conflict, TicketRefused
from triage.intake import MAX_TEXT_CHARACTERS, accept
from triage.jobs import Jobs
from triage.tickets import store


@pytest.fixture
def jobs(engine: Engine) -> Jobs:
    return Jobs(engine)


def queued(session: Session) -> int:
    schema = "dbos." if session.get_bind().dialect.name == "postgresql" else ""
    return session.scalar(text(f"SELECT count(*) FROM {schema}workflow_status")) or 0


def test_accepted_ticket_is_stored_with_its_job(sessions: sessionmaker[Session], jobs: Jobs) -> None:
    with sessions.begin() as session:
        acceptance = accept(session, jobs, incoming("Grüße 👋 مرحبا", subject="Hallo", features={"site": "Lyon"}))
    with sessions() as session:
        row = store.find_ticket(session, acceptance.ticket_id)
        assert (row.state, row.subject, row.body) == ("accepted", "Hallo", "Grüße 👋 مرحبا")
        assert row.features == {"site": "Lyon"}
        assert queued(session) == 1


def test_rolled_back_ticket_leaves_no_job(sessions: sessionmaker[Session], jobs: Jobs) -> None:
    with sessions() as session:
        accept(session, jobs, incoming())
        session.rollback()
    with sessions() as session:
        assert session.scalar(select(func.count()).select_from(TicketRow)) == 0
        assert queued(session) == 0


def test_repeated_delivery_is_taken_once(sessions: sessionmaker[Session], jobs: Jobs) -> None:
    def deliver(_: int) -> tuple[str, bool]:
        with sessions.begin() as session:
            acceptance = accept(session, jobs, incoming(delivery_id="m-1"))
        return acceptance.ticket_id, acceptance.is_new

    with ThreadPoolExecutor(8) as pool:
        accepted = list(pool.map(deliver, range(16)))
    assert len({ticket_id for ticket_id, _ in accepted}) == 1
    assert sum(is_new for _, is_new in accepted) == 1
    with sessions() as session:
        assert queued(session) == 1


def test_same_delivery_with_other_content_is_a_conflict(sessions: sessionmaker[Session], jobs: Jobs) -> None:
    with sessions.begin() as session:
        accept(session, jobs, incoming("one", delivery_id="m-1"))
    with sessions.begin() as session, pytest.raises(Conflict, match="m-1"):
        accept(session, jobs, incoming("two", delivery_id="m-1"))


def test_tickets_without_delivery_id_are_all_taken(sessions: sessionmaker[Session], jobs: Jobs) -> None:
    with sessions.begin() as session:
        ids = {accept(session, jobs, incoming()).ticket_id for _ in range(3)}
    assert len(ids) == 3


@pytest.mark.parametrize(("subject", "body"), [("", ""), (" \n", "\t"), ("x", "y" * MAX_TEXT_CHARACTERS)])
def test_ticket_with_no_text_or_too_much_is_refused(
    sessions: sessionmaker[Session], jobs: Jobs, subject: str, body: str
) -> None:
    with sessions.begin() as session, pytest.raises(TicketRefused):
        accept(session, jobs, incoming(body, subject=subject))


def test_nul_characters_are_stored_as_replacement_characters(sessions: sessionmaker[Session], jobs: Jobs) -> None:
    with sessions.begin() as session:
        acceptance = accept(session, jobs, incoming("a\0b"))
    with sessions() as session:
        assert store.find_ticket(session, acceptance.ticket_id).body == "a\N{REPLACEMENT CHARACTER}b"


SECRETIVE = "I am Ana Müller, call +49 171 1234567, password: Hunter2"


def test_masked_ticket_is_stored_without_what_is_personal(sessions: sessionmaker[Session], jobs: Jobs) -> None:
    ticket = incoming(SECRETIVE, subject="ana@example.com locked out", requester="Ana Müller <ana@example.com>")
    with sessions.begin() as session:
        acceptance = accept(session, jobs, ticket, mask_stored=True)
    with sessions() as session:
        row = store.find_ticket(session, acceptance.ticket_id)
        assert row.subject == "[email] locked out"
        assert row.body == "I am [name], call [phone], password: [password]"
        assert row.requester == "Ana Müller <ana@example.com>"


def test_ticket_is_stored_as_it_came_by_default(sessions: sessionmaker[Session], jobs: Jobs) -> None:
    with sessions.begin() as session:
        acceptance = accept(session, jobs, incoming(SECRETIVE))
    with sessions() as session:
        assert store.find_ticket(session, acceptance.ticket_id).body == SECRETIVE


@pytest.mark.parametrize("masked_again", [False, True])
def test_repeat_of_a_masked_ticket_is_known_by_its_original(
    sessions: sessionmaker[Session], jobs: Jobs, masked_again: bool
) -> None:
    with sessions.begin() as session:
        first = accept(session, jobs, incoming(SECRETIVE, delivery_id="m-1"), mask_stored=True)
    with sessions.begin() as session:
        again = accept(session, jobs, incoming(SECRETIVE, delivery_id="m-1"), mask_stored=masked_again)
    assert (again.ticket_id, again.is_new) == (first.ticket_id, False)
    other = SECRETIVE.replace("Hunter2", "Hunter3")  # the same text once masked
    with sessions.begin() as session, pytest.raises(Conflict):
        accept(session, jobs, incoming(other, delivery_id="m-1"), mask_stored=True)
