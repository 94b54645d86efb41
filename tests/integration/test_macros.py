"""Are macros suggested along a ticket's journey, kept in its story, and taken over while the program runs?"""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from kb import Encoder, KnowledgeBase
from tests.conftest import DESK
from tests.doubles import NoJobs
from tests.factories import incoming
from triage.app import open_desk
from triage.desk import Desk
from triage.errors import Misconfigured
from triage.pipeline import accept, assess, process
from triage.settings import Settings
from triage.tickets import store
from triage.tickets.views import Json, masked_view, story_view

ANA = "Ana Müller <ana.mueller@example.com>"
ONE = "- {id: one, title: VPN drops, text: 'Hello {{ticket.requester.first_name}}, your VPN ticket is {{ticket.id}}.'}"


@pytest.fixture
def desk(home: Path, encoder: Encoder) -> Desk:
    knowledge = KnowledgeBase.open(home / "kb", encoder)
    macros = home / "macros.yaml"
    macros.write_text(ONE, encoding="utf-8")
    return Desk(encoder, knowledge, models=home / "models", policy_file=home / "policy.toml", macros_file=macros)


def macros_of(view: Json) -> list[Json]:
    runs = view["runs"]
    assert isinstance(runs, list)
    return list(runs[-1]["macros"])


def test_a_story_keeps_the_macros_as_they_were_filled(sessions: sessionmaker[Session], desk: Desk) -> None:
    with sessions.begin() as session:
        ticket_id = accept(session, NoJobs(), incoming(requester=ANA), mask_stored=False).ticket_id
    process(sessions, desk, ticket_id, 1)
    with sessions() as session:
        story = story_view(store.find_ticket(session, ticket_id))
    (macro,) = macros_of(story)
    assert macro["text"] == f"Hello Ana, your VPN ticket is {ticket_id}."
    (masked,) = macros_of(masked_view(story, ("Ana",)))
    assert (masked["title"], masked["text"], masked["variables"]) == ("VPN drops", "", [])


def test_a_changed_file_is_taken_over(desk: Desk, home: Path) -> None:
    assert len(assess(incoming(), desk.current()).macros) == 1
    (home / "macros.yaml").write_text(ONE.replace("one", "another"), encoding="utf-8")
    assert [one.macro_id for one in assess(incoming(), desk.current()).macros] == ["another"]
    (home / "macros.yaml").unlink()
    assert assess(incoming(), desk.current()).macros == ()


def test_a_file_that_breaks_stops_no_ticket(desk: Desk, home: Path) -> None:
    desk.current()
    (home / "macros.yaml").write_text("- nonsense: [", encoding="utf-8")
    assert [one.macro_id for one in assess(incoming(), desk.current()).macros] == ["one"]


def test_a_file_that_is_named_and_missing_is_refused(home: Path, encoder_folder: Path) -> None:
    with pytest.raises(Misconfigured, match="TRIAGE_MACROS"):
        open_desk(Settings(home=home, encoder_path=encoder_folder, macros=home / "none.yaml"))


def test_the_sample_desks_macros_fit_its_tickets(home: Path, encoder_folder: Path) -> None:
    desk = open_desk(Settings(home=home, encoder_path=encoder_folder, macros=DESK / "macros.yaml"))
    ticket = incoming(
        "A parcel mail asked me to sign in, I clicked the link and typed my password.", subject="Phishing"
    )
    assert assess(ticket, desk.current()).macros[0].macro_id == "phishing-reported"
