"""A ticket that repeats an open one of the same requester is linked to it and not answered, on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session, sessionmaker

from tests.integration.conftest import BareDesk
from triage.db.tables import TicketRow
from triage.pipeline import process
from triage.replay import Parts, replay
from triage.tickets import store
from triage.tickets.model import TicketState

VPN = "The VPN drops every ten minutes since this morning"
OpenDesk = Callable[..., BareDesk]


@pytest.fixture
def story(sessions: sessionmaker[Session]) -> Callable[[str], TicketRow]:
    def read(ticket_id: str) -> TicketRow:
        with sessions() as session:
            return store.find_ticket(session, ticket_id)

    return read


Story = Callable[[str], TicketRow]


@pytest.mark.parametrize(
    ("again", "requester"),
    [
        (VPN, "ana@example.com"),
        (VPN, " Ana@Example.com "),
        (VPN.upper() + "!!", "ana@example.com"),
        (f"{VPN} please help", "ana@example.com"),
    ],
)
def test_repeated_ticket_is_linked_and_silent(bare: BareDesk, story: Story, again: str, requester: str) -> None:
    first = bare.triage(VPN)
    second = bare.triage(again, requester=requester)
    row = story(second)
    assert (row.duplicate_of, row.runs[0].duplicate_of, row.state) == (first, first, "triaged")
    answer = row.runs[0].answer
    assert answer is not None
    assert (answer.reason, answer.citations) == ("duplicate", [])
    assert answer.explanation == (
        f"A duplicate of ticket {first} by the same requester, which is being handled; nothing is answered twice."
    )
    original = story(first)
    assert original.duplicate_of is None
    assert original.runs[0].answer is not None and original.runs[0].answer.reason != "duplicate"


@pytest.mark.parametrize(
    ("again", "requester"),
    [
        (VPN, "tom@example.com"),
        (VPN.replace("ten minutes", "10 minutes"), "ana@example.com"),
        ("The printer has no toner left", "ana@example.com"),
    ],
)
def test_other_requester_or_matter_is_none(bare: BareDesk, story: Story, again: str, requester: str) -> None:
    bare.triage(VPN)
    assert story(bare.triage(again, requester=requester)).duplicate_of is None


def test_tickets_of_nobody_are_never_linked(bare: BareDesk, story: Story) -> None:
    bare.triage(VPN, requester=" ")
    assert story(bare.triage(VPN, requester="")).duplicate_of is None


def test_ticket_beyond_the_window_is_forgotten(bare: BareDesk, story: Story, sessions: sessionmaker[Session]) -> None:
    first = bare.triage(VPN)
    with sessions.begin() as session:
        long_ago = datetime.now(UTC) - timedelta(days=7, minutes=1)
        session.execute(update(TicketRow).where(TicketRow.id == first).values(received_at=long_ago))
    assert story(bare.triage(VPN)).duplicate_of is None


def test_ticket_that_failed_is_nobody_s_original(bare: BareDesk, story: Story, sessions: sessionmaker[Session]) -> None:
    first = bare.triage(VPN)
    with sessions.begin() as session:
        store.mark(session, first, TicketState.FAILED, "broken")
    assert story(bare.triage(VPN)).duplicate_of is None


def test_zero_days_link_nothing(open_bare_desk: OpenDesk, story: Story) -> None:
    bare = open_bare_desk(duplicate_days=0)
    bare.triage(VPN)
    assert story(bare.triage(VPN)).duplicate_of is None


def test_third_ticket_is_linked_to_the_first(bare: BareDesk, story: Story) -> None:
    first, _, third = bare.triage(VPN), bare.triage(f"{VPN} still"), bare.triage(f"{VPN} still, please")
    assert story(third).duplicate_of == first


def test_older_ticket_is_the_original_whichever_is_looked_at_first(bare: BareDesk, story: Story) -> None:
    older, newer = bare.take_in(VPN), bare.take_in(VPN)
    assert process(bare.sessions, bare.desk, newer, 1)
    assert process(bare.sessions, bare.desk, older, 1)
    assert (story(older).duplicate_of, story(newer).duplicate_of) == (None, older)


def test_of_many_at_the_same_moment_one_is_the_original(bare: BareDesk, story: Story) -> None:
    ids = [bare.take_in(VPN) for _ in range(12)]
    with ThreadPoolExecutor(6) as pool:
        assert all(pool.map(lambda ticket_id: process(bare.sessions, bare.desk, ticket_id, 1), reversed(ids)))
    assert [story(ticket_id).duplicate_of for ticket_id in ids] == [None, *[ids[0]] * 11]


def test_further_pass_finds_out_anew(bare: BareDesk, story: Story, sessions: sessionmaker[Session]) -> None:
    first, second = bare.triage(VPN), bare.triage(VPN)
    with sessions.begin() as session:
        store.mark(session, first, TicketState.FAILED, "broken")
        store.begin_attempt(session, second)
    assert process(bare.sessions, bare.desk, second, 2)
    row = story(second)
    assert row.duplicate_of is None
    assert [run.duplicate_of for run in row.runs] == [first, None]


def test_duplicate_is_replayed_as_one(bare: BareDesk, sessions: sessionmaker[Session], tmp_path: Path) -> None:
    bare.triage(VPN)
    second = bare.triage(VPN)
    bare.desk.knowledge.sync(_an_article(tmp_path / "articles"))
    parts = Parts(bare.desk.encoder, tmp_path / "models", tmp_path / "kb-words", ("public",))
    third = bare.triage(VPN)
    with sessions() as session:
        assert replay(session, third, parts).is_same
    assert second != third


def _an_article(folder: Path) -> Path:
    folder.mkdir()
    (folder / "vpn.md").write_text("# VPN\n\nRestart it.\n", encoding="utf-8")
    return folder
