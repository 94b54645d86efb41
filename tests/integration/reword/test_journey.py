"""What does a ticket's story hold when a language model rewords its answer, and when it must not or cannot?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from kb import Encoder, KnowledgeBase
from tests.doubles import NoJobs
from tests.factories import incoming
from tests.llm_server import LlmServer
from triage.app import open_endpoint
from triage.desk import Desk
from triage.errors import Misconfigured
from triage.pipeline import accept, process
from triage.replay import Parts, replay
from triage.reword import Endpoint, Reworder
from triage.reword.sentences import span_sentences
from triage.settings import Settings, read_settings
from triage.tickets import store
from triage.tickets.views import Json, story_view

ASKED = "How do I connect to the VPN with FennGate from home?"
UNKNOWN = "My parrot has eaten the tax return of my aunt in Peru, and it rains."


@pytest.fixture
def desk(home: Path, encoder: Encoder, server: LlmServer) -> Iterator[Desk]:
    yield Desk(
        encoder,
        KnowledgeBase.open(home / "kb", encoder),
        models=home / "models",
        policy_file=home / "policy.toml",
        reworder=Reworder(Endpoint(server.url(), "small", timeout_s=2)),
    )


def told(sessions: sessionmaker[Session], desk: Desk, body: str) -> Json:
    """The answer in the stored story of a ticket with that text."""
    with sessions.begin() as session:
        ticket_id = accept(session, NoJobs(), incoming(body, subject=""), mask_stored=False).ticket_id
    assert process(sessions, desk, ticket_id, 1)
    with sessions() as session:
        runs = story_view(store.find_ticket(session, ticket_id))["runs"]
    assert isinstance(runs, list)
    return dict(runs[-1]["answer"])


def test_reworded_sentences_stand_beside_the_verbatim_ones(
    sessions: sessionmaker[Session], desk: Desk, server: LlmServer
) -> None:
    verbatim = desk.knowledge.answer(ASKED)
    # As faithful as can be: the span's own sentences, each with its mark.
    server.text = "\n".join(f"{one} [1]" for one in span_sentences(verbatim.text))  # type: ignore[union-attr]
    said = told(sessions, desk, ASKED)
    assert said["answered"] is True
    assert said["text"] == verbatim.text  # type: ignore[union-attr]  # the test fails where it is an abstention
    assert said["reworded_by"] == "small"
    assert said["reworded"], said["reworded_note"]
    assert {one["citation"] for one in said["reworded"]} == {0}  # type: ignore[attr-defined]
    assert ASKED not in server.sent()


def test_a_replay_compares_the_verbatim_answer(
    sessions: sessionmaker[Session], desk: Desk, server: LlmServer, home: Path, encoder: Encoder
) -> None:
    server.text = "Open FennGate. [1]"
    told(sessions, desk, ASKED)
    with sessions() as session:
        (row,) = store.list_tickets(session)
        parts = Parts(encoder, home / "models", home / "kb", ("public",))
        assert replay(session, row.id, parts).is_same
    assert len(server.requests) == 1


def test_an_abstention_is_never_put_to_the_model(
    sessions: sessionmaker[Session], desk: Desk, server: LlmServer
) -> None:
    said = told(sessions, desk, UNKNOWN)
    assert said["answered"] is False
    assert server.requests == []


def test_a_failure_is_stored_in_words_and_the_verbatim_answer_stays(
    sessions: sessionmaker[Session], desk: Desk, server: LlmServer
) -> None:
    desk.reworder = Reworder(Endpoint(server.url("500"), "small"))
    said = told(sessions, desk, ASKED)
    assert said["answered"] is True and said["citations"]
    assert said["reworded"] is None
    assert said["reworded_note"] == "The language model was of no use: it failed (500)."


def test_nothing_is_sent_unless_it_is_switched_on(
    sessions: sessionmaker[Session], desk: Desk, server: LlmServer
) -> None:
    desk.reworder = None
    said = told(sessions, desk, ASKED)
    assert (said["reworded"], said["reworded_by"], server.requests) == (None, None, [])


def test_off_by_default_and_a_model_needs_a_name() -> None:
    assert open_endpoint(Settings()) is None
    with pytest.raises(Misconfigured, match="TRIAGE_LLM_MODEL"):
        open_endpoint(Settings(llm_url="http://127.0.0.1:1/v1"))
    assert "sk-" not in repr(Settings(llm_api_key="sk-secret"))


@pytest.mark.parametrize("url", ["ftp://x/v1", "http://", "http://h:99999/v1", "localhost:8080", "http://u:p@h/v1"])
def test_an_impossible_address_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(Misconfigured, match="TRIAGE_LLM_URL"):
        read_settings(llm_url=url)
