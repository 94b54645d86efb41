import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from tests.factories import incoming
from triage.intake import accept
from triage.jobs import Jobs
from triage.learning.dataset import Source, combine
from triage.learning.history import read_corrections
from triage.tickets import store
from triage.tickets.model import Correction


@pytest.fixture
def jobs(engine: Engine) -> Jobs:
    return Jobs(engine)


def take_in(sessions: sessionmaker[Session], jobs: Jobs, body: str, **features: str) -> str:
    with sessions.begin() as session:
        return accept(session, jobs, incoming(body, subject="", features=features)).ticket_id


def correct(sessions: sessionmaker[Session], ticket_id: str, field: str, value: str, author: str = "eva") -> None:
    with sessions.begin() as session:
        store.add_correction(session, ticket_id, Correction(field, value, author))


def test_corrected_ticket_becomes_an_example_with_its_origin(sessions: sessionmaker[Session], jobs: Jobs) -> None:
    ticket_id = take_in(sessions, jobs, "Hello, the scanner is dead.\n\nKind regards\nAna")
    correct(sessions, ticket_id, "queue", "hardware")
    with sessions() as session:
        found = read_corrections(session)
    (origin,) = found.origins
    assert (origin.source, origin.key, origin.author) == (Source.CORRECTION, ticket_id, "eva")
    assert origin.at and origin.at.endswith("+00:00")
    assert found.labels == {"queue": ("hardware",)}
    assert "scanner is dead" in found.texts[0] and "Kind regards" not in found.texts[0]


def test_ticket_that_nobody_corrected_is_no_example(sessions: sessionmaker[Session], jobs: Jobs) -> None:
    take_in(sessions, jobs, "The VPN drops")
    with sessions() as session:
        assert len(read_corrections(session)) == 0


def test_last_correction_counts_and_fields_without_one_are_unlabelled(
    sessions: sessionmaker[Session], jobs: Jobs
) -> None:
    first, second = take_in(sessions, jobs, "The VPN drops"), take_in(sessions, jobs, "No paper")
    correct(sessions, first, "queue", "access")
    correct(sessions, first, "queue", "network", author="jon")
    correct(sessions, second, "priority", "low")
    with sessions() as session:
        found = read_corrections(session)
    assert found.labels == {"priority": (None, "low"), "queue": ("network", None)}
    assert found.origins[0].author == "jon"


def test_only_the_fields_and_metadata_asked_for_are_read(sessions: sessionmaker[Session], jobs: Jobs) -> None:
    first, second = take_in(sessions, jobs, "The VPN drops", site="Lyon"), take_in(sessions, jobs, "No paper")
    correct(sessions, first, "queue", "network")
    correct(sessions, second, "priority", "low")
    with sessions() as session:
        found = read_corrections(session, labels=["queue"], features=["site", "requester"])
    assert found.labels == {"queue": ("network",)}
    assert found.features == ({"site": "Lyon", "requester": "ana@example.com"},)


def test_corrections_stand_after_the_tickets_of_a_file(sessions: sessionmaker[Session], jobs: Jobs) -> None:
    from tests.desks import small_desk

    correct(sessions, take_in(sessions, jobs, "No paper"), "queue", "printing")
    with sessions() as session:
        both = combine(small_desk(12), read_corrections(session, labels=["queue"]))
    assert len(both) == len(both.origins) == 13
    assert both.origins[-1].source is Source.CORRECTION
    assert both.name == "desk.csv + 1 corrected tickets"
