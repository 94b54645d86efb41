"""What becomes of answers: feedback, citations that still stand, and counts, on both databases."""

import random
from collections.abc import Iterator

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from kb import Article, Bar
from tests.integration.conftest import BareDesk
from triage.citations import CitationState, verify_citations
from triage.db.tables import CitationRow
from triage.errors import Conflict, NotFound
from triage.tickets.feedback import add_feedback, count_answers, judged_by_people
from triage.tickets.model import AnswerFeedback, Verdict

TOPICS = ["printer", "badge", "tunnel", "headset", "licence", "monitor"]


@pytest.fixture
def desk(bare: BareDesk, monkeypatch: pytest.MonkeyPatch) -> Iterator[BareDesk]:
    """A desk with articles that answers everything it finds something for."""
    for topic in TOPICS:
        bare.desk.knowledge.put(Article(topic, f"Mend the {topic}", f"To mend the {topic}, turn it round."))
    everything = Bar(give=0.0, offer=2.0, suggest=0.0, basis="In a test.")
    monkeypatch.setattr("triage.desk.bar_for", lambda *_: everything)
    yield bare


def states(desk: BareDesk) -> list[CitationState]:
    with desk.sessions() as session:
        return [check.state for check in verify_citations(session, desk.desk.knowledge)]


def test_citations_are_resolved_again_and_what_changed_is_said(desk: BareDesk) -> None:
    for topic in TOPICS[:4]:
        desk.triage(f"how do I mend the {topic}")
    assert states(desk) == [CitationState.VERBATIM] * 4
    knowledge = desk.desk.knowledge
    knowledge.put(Article("badge", "Mend the badge", "First of all: To mend the badge, turn it round."))
    knowledge.put(Article("tunnel", "Mend the tunnel", "Nobody knows."))
    knowledge.delete("headset")
    expected = [CitationState.VERBATIM, CitationState.MOVED, CitationState.CHANGED, CitationState.GONE]
    assert states(desk) == expected


def test_citation_that_was_tampered_with_is_broken(desk: BareDesk) -> None:
    desk.triage("how do I mend the printer")
    with desk.sessions.begin() as session:
        session.execute(update(CitationRow).values(text="Throw it away."))
    assert states(desk) == [CitationState.BROKEN]


def test_no_citation_is_silently_wrong_after_a_thousand_edits(desk: BareDesk) -> None:
    """Random edits, moves and deletions with answers in between: each citation is what it says, or reported."""
    chance = random.Random(11)
    knowledge = desk.desk.knowledge
    for number in range(1_000):
        topic = chance.choice(TOPICS)
        if chance.random() < 0.2:
            knowledge.delete(topic)
        else:
            words = " ".join(chance.choices(["turn", "it", "round", "lift", "press"], k=chance.randint(1, 6)))
            start = chance.choice(["", "Mind. ", "## Steps\n\n"])
            knowledge.put(Article(topic, f"Mend the {topic}", f"{start}To mend the {topic}, {words}."))
        if number % 25 == 0:
            desk.triage(f"how do I mend the {chance.choice(TOPICS)}", requester=f"{number}@example.com")
    texts = {article.id: article for article in knowledge.articles()}
    with desk.sessions() as session:
        rows = {(row.run_id, row.ordinal): row for row in session.scalars(select(CitationRow))}
        checks = list(verify_citations(session, knowledge))
    assert len(checks) == len(rows) > 20
    assert len({check.state for check in checks}) > 1
    for check in checks:
        row = rows[check.run_id, check.ordinal]
        article = texts.get(row.article_id)
        if check.start is not None:
            assert article
            assert article.text[check.start : check.start + len(row.text)] == row.text
        else:
            assert check.state in (CitationState.GONE, CitationState.CHANGED)
            assert article is None or row.text not in article.text


def judge(sessions: sessionmaker[Session], ticket_id: str, verdict: Verdict, **more: str) -> str:
    with sessions.begin() as session:
        return add_feedback(session, ticket_id, AnswerFeedback(verdict, "ana", **more)).id


def test_feedback_becomes_judged_queries_and_the_last_word_counts(desk: BareDesk) -> None:
    first, second, third = (desk.triage(f"how do I mend the {topic}") for topic in TOPICS[:3])
    judge(desk.sessions, first, Verdict.WRONG)
    judge(desk.sessions, first, Verdict.SOLVED)
    judge(desk.sessions, second, Verdict.WRONG, article_id="tunnel")
    judge(desk.sessions, third, Verdict.NOT_SOLVED)
    with desk.sessions() as session:
        judged = {query.id: dict(query.relevant) for query in judged_by_people(session)}
        said, verdicts = count_answers(session)
    assert judged == {first: {"printer": 1}, second: {"tunnel": 1}, third: {}}
    assert said == {"answered": 3}
    assert verdicts == {"solved": 1, "not_solved": 1, "wrong": 2}


def test_repeated_feedback_counts_once_and_its_key_is_good_for_one_verdict(desk: BareDesk) -> None:
    ticket = desk.triage("how do I mend the printer")
    first = judge(desk.sessions, ticket, Verdict.SOLVED, idempotency_key="k")
    assert judge(desk.sessions, ticket, Verdict.SOLVED, idempotency_key="k") == first
    with pytest.raises(Conflict, match="another verdict"):
        judge(desk.sessions, ticket, Verdict.WRONG, idempotency_key="k")


def test_feedback_needs_an_answer_to_judge(desk: BareDesk) -> None:
    with pytest.raises(NotFound):
        judge(desk.sessions, "unknown", Verdict.SOLVED)
    with pytest.raises(NotFound, match="not been looked at"):
        judge(desk.sessions, desk.take_in("how do I mend the badge"), Verdict.SOLVED)


def test_suggestion_to_an_agent_is_stored_and_verified_like_an_answer(
    bare: BareDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare.desk.knowledge.put(Article("printer", "Mend the printer", "To mend the printer, turn it round."))
    only_agents = Bar(give=2.0, offer=2.0, suggest=0.0, basis="")
    monkeypatch.setattr("triage.desk.bar_for", lambda *_: only_agents)
    bare.triage("how do I mend the printer")
    assert states(bare) == [CitationState.VERBATIM]
    with bare.sessions() as session:
        said, _ = count_answers(session)
    assert said == {"not_sure": 1}
