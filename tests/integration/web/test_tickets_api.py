import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker

from triage.desk import Desk
from triage.jobs import Jobs
from triage.settings import Settings
from triage.tickets.keys import Scope, make_key
from triage.web import create_app
from triage.web.schemas import AssessmentOut, TicketOut, TicketPage

VPN = {
    "subject": "Kestrel",
    "body": "KES-5003 when I post the June invoice",
    "requester": "priya.nair@fennvale.example",
}


def post(client: TestClient, ticket: dict[str, object] | None = None, key: str | None = None) -> str:
    response = client.post("/v1/tickets", json=ticket or VPN, headers={"Idempotency-Key": key} if key else {})
    assert response.status_code == 202, response.text
    return str(response.json()["id"])


def test_handed_in_ticket_is_accepted_with_the_place_of_its_story(client: TestClient) -> None:
    response = client.post("/v1/tickets", json=VPN)
    assert response.status_code == 202
    assert response.json()["state"] == "accepted"
    assert client.get(response.headers["location"]).json() == response.json()


def test_story_has_every_prediction_decision_reason_answer_citation_and_delivery(
    client: TestClient, work_off: Callable[[], int]
) -> None:
    ticket_id = post(client)
    assert work_off() == 1
    story = TicketOut.model_validate(client.get(f"/v1/tickets/{ticket_id}").json())
    (run,) = story.runs
    assert [prediction.field for prediction in run.predictions] == ["queue", "category", "priority"]
    assert all(decision.reason for decision in run.decisions)
    assert run.answer is not None and run.answer.citations is not None
    assert run.answer.citations[0].article_id == "kes-5003-period-closed"
    assert run.deliveries[0].state == "delivered"
    assert run.provenance.knowledge_snapshot == run.answer.snapshot


def test_citation_is_verbatim_in_the_article_that_it_names(client: TestClient, work_off: Callable[[], int]) -> None:
    ticket_id = post(client)
    work_off()
    citation = client.get(f"/v1/tickets/{ticket_id}").json()["runs"][0]["answer"]["citations"][0]
    article = client.get(f"/v1/articles/{citation['article_id']}").json()
    assert article["digest"] == citation["article_digest"]
    assert article["text"][citation["start"] : citation["end"]] == citation["text"]


def test_repeated_idempotency_key_returns_the_first_ticket(client: TestClient, work_off: Callable[[], int]) -> None:
    assert post(client, key="k-1") == post(client, key="k-1")
    assert work_off() == 1


def test_idempotency_key_with_other_content_is_refused(client: TestClient) -> None:
    post(client, key="k-1")
    response = client.post("/v1/tickets", json={**VPN, "body": "other"}, headers={"Idempotency-Key": "k-1"})
    assert (response.status_code, response.json()["code"]) == (422, "idempotency-key-reused")


def test_waiting_ends_in_time_with_the_state_so_far(client: TestClient) -> None:
    response = client.post("/v1/tickets?wait=5", json=VPN)
    assert (response.status_code, response.json()["state"]) == (202, "accepted")


def test_pages_hold_every_ticket_once_newest_first(client: TestClient) -> None:
    ids = [post(client) for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = TicketPage.model_validate(client.get("/v1/tickets", params=query).json())
        seen += [ticket.id for ticket in page.tickets]
        cursor = page.next
    assert seen == ids[::-1]


def test_tickets_can_be_filtered_by_state(client: TestClient, work_off: Callable[[], int]) -> None:
    post(client)
    work_off()
    post(client)
    assert len(client.get("/v1/tickets?state=triaged").json()["tickets"]) == 1
    assert len(client.get("/v1/tickets?state=accepted").json()["tickets"]) == 1


def test_correction_is_recorded_once_with_what_stood_there_before(
    client: TestClient, work_off: Callable[[], int]
) -> None:
    ticket_id = post(client)
    work_off()
    correction = {"field": "queue", "value": "tern", "author": "dispatcher"}
    url, headers = f"/v1/tickets/{ticket_id}/corrections", {"Idempotency-Key": "c-1"}
    first = client.post(url, json=correction, headers=headers)
    assert (first.status_code, first.json()["previous"]) == (201, "kestrel")
    assert client.post(url, json=correction, headers=headers).json() == first.json()
    assert client.post(url, json={**correction, "value": "files"}, headers=headers).status_code == 422
    assert len(client.get(f"/v1/tickets/{ticket_id}").json()["corrections"]) == 1


def test_same_correction_sent_many_times_at_once_is_recorded_once(client: TestClient) -> None:
    ticket_id = post(client)
    correction, headers = {"field": "queue", "value": "tern", "author": "d"}, {"Idempotency-Key": "c-1"}

    def send(_: int) -> tuple[int, str]:
        response = client.post(f"/v1/tickets/{ticket_id}/corrections", json=correction, headers=headers)
        return response.status_code, response.json()["id"]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(send, range(16)))) == 1
    assert len(client.get(f"/v1/tickets/{ticket_id}").json()["corrections"]) == 1


def test_nul_in_what_is_stored_word_for_word_is_refused(client: TestClient) -> None:
    correction = {"field": "queue", "value": "te\0rn", "author": "d"}
    response = client.post(f"/v1/tickets/{post(client)}/corrections", json=correction)
    assert (response.status_code, response.json()["code"]) == (422, "invalid-request")


def test_wait_ends_when_the_server_stops(
    settings: Settings, engine: Engine, sessions: sessionmaker[Session], desk: Desk
) -> None:
    stopping, patient = threading.Event(), settings.model_copy(update={"max_wait_s": 60})
    app = create_app(
        settings=patient, engine=engine, sessions=sessions, desk=desk, jobs=Jobs(engine), stopping=stopping
    )
    threading.Timer(0.5, stopping.set).start()
    began = time.monotonic()
    response = TestClient(app, base_url="http://127.0.0.1").post("/v1/tickets?wait=60", json=VPN)
    assert (response.status_code, response.json()["state"]) == (202, "accepted")
    assert time.monotonic() - began < 20


def test_more_waiting_calls_than_there_is_room_for_are_answered_at_once(
    settings: Settings, engine: Engine, sessions: sessionmaker[Session], desk: Desk
) -> None:
    patient = settings.model_copy(update={"max_wait_s": 60})
    app = create_app(settings=patient, engine=engine, sessions=sessions, desk=desk, jobs=Jobs(engine))
    waiting: threading.BoundedSemaphore = app.state.context.waiting
    while waiting.acquire(blocking=False):
        pass
    began = time.monotonic()
    response = TestClient(app, base_url="http://127.0.0.1").post("/v1/tickets?wait=60", json=VPN)
    assert response.status_code == 202
    assert time.monotonic() - began < 20


def test_preview_decides_like_the_journey_and_stores_nothing(client: TestClient) -> None:
    preview = AssessmentOut.model_validate(client.post("/v1/triage", json=VPN).json())
    assert preview.decisions[0].value == "kestrel"
    assert client.get("/v1/tickets").json() == {"tickets": [], "next": None}


@pytest.mark.parametrize(
    "ticket",
    [
        {"body": "\U0001f525\U0001f525\U0001f525"},
        {"body": "هل يمكنكم إعادة تعيين كلمة المرور؟"},
        {"body": "<html><body><p>VPN <b>broken</b></p><script>alert(1)</script></body></html>"},
        {"body": "\n".join(["> quoted"] * 10_000)},
        {"subject": "only a subject"},
        {"body": "nul \u0000 character"},
        {"body": "打印机坏了", "features": {"site": "Lyon"}},
        {"body": "x" * 150_000},
    ],
)
def test_odd_ticket_is_taken_and_triaged(
    client: TestClient, work_off: Callable[[], int], ticket: dict[str, object]
) -> None:
    ticket_id = post(client, ticket)
    assert work_off() == 1
    assert client.get(f"/v1/tickets/{ticket_id}").json()["state"] == "triaged"


@pytest.mark.parametrize("path", ["/v1/tickets/unknown", "/v1/tickets/0199-%00", "/v1/nothing", "/v1/articles/none"])
def test_what_is_not_there_is_a_problem_with_a_stable_code(client: TestClient, path: str) -> None:
    response = client.get(path)
    assert (response.status_code, response.json()["code"]) == (404, "not-found")
    assert response.headers["content-type"] == "application/problem+json"


def test_similar_past_tickets_stand_in_previews_and_stories(
    client: TestClient, work_off: Callable[[], int], desk: Desk
) -> None:
    assert desk.history
    past = post(client, {**VPN, "requester": "tom@fennvale.example"})
    work_off()
    client.post(f"/v1/tickets/{past}/corrections", json={"field": "queue", "value": "tern", "author": "d"})
    desk.history.catch_up()
    preview = AssessmentOut.model_validate(client.post("/v1/triage", json=VPN).json())
    (near,) = preview.similar
    assert (near.ticket_id, near.source) == (past, "desk")
    assert near.title == "Kestrel KES-5003 when I post the June invoice"
    assert ("queue", "tern", "corrected") in [(one.field, one.value, one.origin) for one in near.labels]
    later = post(client)
    work_off()
    (run,) = TicketOut.model_validate(client.get(f"/v1/tickets/{later}").json()).runs
    assert [one.ticket_id for one in run.similar] == [past]


def test_key_that_may_not_read_tickets_sees_no_words_of_others(
    client: TestClient, work_off: Callable[[], int], desk: Desk, sessions: sessionmaker[Session]
) -> None:
    assert desk.history
    post(client)
    work_off()
    desk.history.catch_up()
    with sessions.begin() as session:
        answers = make_key(session, "bot", [Scope.ANSWERS])
        both = make_key(session, "agent", [Scope.ANSWERS, Scope.TICKETS_READ])
    titles = []
    for key in (answers, both):
        body = client.post("/v1/triage", json=VPN, headers={"Authorization": f"Bearer {key}"}).json()
        titles.append(body["similar"][0]["title"])
    assert titles == ["", "Kestrel KES-5003 when I post the June invoice"]


def test_duplicate_is_shown_with_its_original(client: TestClient, work_off: Callable[[], int]) -> None:
    first, second = post(client), post(client)
    work_off()
    story = TicketOut.model_validate(client.get(f"/v1/tickets/{second}").json())
    assert story.duplicate_of == story.runs[0].duplicate_of == first
    answer = story.runs[0].answer
    assert answer is not None and (answer.answered, answer.reason) == (False, "duplicate")


def test_readiness_says_where_similar_tickets_come_from(client: TestClient, work_off: Callable[[], int]) -> None:
    part = client.get("/readyz").json()["past_tickets"]
    assert part == {"ready": True, "says": "none of the training data, 0 of this desk"}


def test_answer_is_judged_once_and_the_story_tells(client: TestClient, work_off: Callable[[], int]) -> None:
    ticket_id = post(client)
    url, headers = f"/v1/tickets/{ticket_id}/feedback", {"Idempotency-Key": "f-1"}
    given = {"verdict": "solved", "author": "ana"}
    assert client.post(url, json=given).status_code == 404  # nobody has looked at it yet
    work_off()
    first = client.post(url, json=given, headers=headers)
    assert first.status_code == 201, first.text
    assert client.post(url, json=given, headers=headers).json() == first.json()
    [run] = client.get(f"/v1/tickets/{ticket_id}").json()["runs"]
    assert run["feedback"] == [first.json()]
    other = client.post(url, json={**given, "verdict": "wrong"}, headers=headers)
    assert other.json()["code"] == "idempotency-key-reused"


@pytest.mark.parametrize(
    "given", [{}, {"verdict": "great", "author": "a"}, {"verdict": "solved"}, {"verdict": "solved", "author": "\0"}]
)
def test_feedback_that_says_nothing_usable_is_refused(client: TestClient, given: dict[str, str]) -> None:
    response = client.post(f"/v1/tickets/{post(client)}/feedback", json=given)
    assert response.json()["code"] == "invalid-request"
