"""A stored decision is decided again, on both databases."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from kb import Encoder, KnowledgeBase
from tests.conftest import DESK
from tests.doubles import NoJobs
from tests.factories import incoming
from triage.desk import Desk
from triage.errors import NotFound
from triage.pipeline import accept, process
from triage.replay import Parts, replay
from triage.tickets import store
from triage.tickets.model import Correction


@pytest.fixture
def desk(home: Path, encoder: Encoder) -> Desk:
    knowledge = KnowledgeBase.open(home / "kb", encoder)
    return Desk(encoder, knowledge, models=home / "models", policy_file=home / "policy.toml")


@pytest.fixture
def parts(home: Path, encoder: Encoder) -> Parts:
    return Parts(encoder, home / "models", home / "kb", ("public",))


@pytest.fixture
def ticket_id(sessions: sessionmaker[Session], desk: Desk) -> Iterator[str]:
    text = "Adding the printer fails with 0x0000011b – “Zugriff verweigert” 🖨"
    with sessions.begin() as session:
        accepted = accept(session, NoJobs(), incoming(text, subject="Printer", requester="ana@fennvale.example"))
    assert process(sessions, desk, accepted.ticket_id, 1)
    yield accepted.ticket_id


def test_past_decision_comes_out_the_same_to_the_byte(
    sessions: sessionmaker[Session], ticket_id: str, parts: Parts
) -> None:
    with sessions() as session:
        found = replay(session, ticket_id, parts)
    assert found.is_same
    assert (found.stored, found.changed, found.differs) == (found.again, (), ())


def test_newer_articles_policy_and_corrections_do_not_change_a_replay(
    sessions: sessionmaker[Session], ticket_id: str, parts: Parts, home: Path, desk: Desk
) -> None:
    articles = Path(shutil.copytree(DESK / "kb", home / "edited"))
    (articles / "printer-error-0x0000011b.md").unlink()
    desk.knowledge.sync(articles)
    (home / "policy.toml").write_text('[default]\ntarget = 0.99\n[fields.queue]\ndefault = "other"\n', encoding="utf-8")
    with sessions.begin() as session:
        store.add_correction(session, ticket_id, Correction("queue", "print", "agent"))
    with sessions() as session:
        assert replay(session, ticket_id, parts).is_same


def test_further_pass_is_replayed_with_what_people_had_set_by_then(
    sessions: sessionmaker[Session], ticket_id: str, parts: Parts, desk: Desk
) -> None:
    with sessions.begin() as session:
        store.add_correction(session, ticket_id, Correction("queue", "files", "agent"))
        store.begin_attempt(session, ticket_id)
    assert process(sessions, desk, ticket_id, 2)
    with sessions() as session:
        decided = {decision.field: decision for decision in store.find_ticket(session, ticket_id).runs[-1].decisions}
        assert (decided["queue"].outcome, decided["queue"].value) == ("leave", "files")
        assert replay(session, ticket_id, parts).is_same
        assert replay(session, ticket_id, parts, number=1).is_same


@pytest.mark.parametrize(("part", "said"), [("models", "Model m-"), ("kb/snapshots", "Snapshot ")])
def test_what_is_gone_is_named(
    sessions: sessionmaker[Session], ticket_id: str, parts: Parts, home: Path, part: str, said: str
) -> None:
    shutil.rmtree(home / part)
    with sessions() as session:
        found = replay(session, ticket_id, parts)
    assert not found.is_same
    assert found.again is None
    assert any(sentence.startswith(said) for sentence in found.changed)


def test_other_result_is_told_by_its_parts(sessions: sessionmaker[Session], ticket_id: str, parts: Parts) -> None:
    with sessions.begin() as session:
        store.find_ticket(session, ticket_id).runs[0].decisions[0].reason = "tampered with"
    with sessions() as session:
        found = replay(session, ticket_id, parts)
    assert not found.is_same
    assert found.differs == ("decisions",)


def test_unknown_pass_is_refused(sessions: sessionmaker[Session], ticket_id: str, parts: Parts) -> None:
    with sessions() as session, pytest.raises(NotFound, match="no pass 7"):
        replay(session, ticket_id, parts, number=7)
