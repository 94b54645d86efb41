import json
import re
import sqlite3
from pathlib import Path

import psycopg
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event
from sqlalchemy.orm import Session, sessionmaker

from triage.desk import Desk
from triage.errors import Misconfigured
from triage.jobs import Jobs
from triage.settings import Settings
from triage.tickets.keys import Scope, make_key, revoke_key
from triage.web import create_app
from triage.web.schemas import ReadyOut

JSON = {"content-type": "application/json"}


def make(sessions: sessionmaker[Session], name: str, *scopes: Scope) -> dict[str, str]:
    with sessions.begin() as session:
        return {"authorization": f"Bearer {make_key(session, name, scopes or list(Scope))}"}


def lose(engine: Engine) -> None:
    """Let nobody reach the database any more."""

    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("gone") if engine.dialect.name == "sqlite" else psycopg.OperationalError("gone")

    engine.dispose()
    event.listen(engine, "do_connect", refuse)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid-request"),
        (b"{", 400, "malformed-json"),
        (b"\xff\xfe", 400, "malformed-json"),
        (b"[" * 50_000, 400, "malformed-json"),
        (b'{"body": "x", "bodyy": 1}', 422, "invalid-request"),
        (b'{"subject": " ", "body": ""}', 422, "ticket-refused"),
        (b'{"body": 7}', 422, "invalid-request"),
        (b'{"body": NaN}', 422, "invalid-request"),
        (b'{"body": "half a pair \\ud800"}', 422, "invalid-request"),
        (b'{"body": "' + b"x" * 300_000 + b'"}', 413, "body-too-large"),
    ],
)
def test_bad_body_is_a_problem_and_never_a_failure(client: TestClient, body: bytes, status: int, code: str) -> None:
    response = client.post("/v1/tickets", content=body, headers=JSON)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert response.headers["content-type"] == "application/problem+json"


def test_body_beyond_the_limit_is_refused_though_its_length_is_not_declared(client: TestClient) -> None:
    response = client.post("/v1/tickets", content=(b"x" * 1000 for _ in range(1000)), headers=JSON)
    assert response.json()["code"] == "body-too-large"


def test_body_that_is_not_json_by_its_type_is_refused(client: TestClient) -> None:
    response = client.post("/v1/tickets", content=b"subject=x", headers={"content-type": "text/plain"})
    assert (response.status_code, response.json()["code"]) == (415, "unsupported-media-type")


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("DELETE", "/v1/tickets", "GET, POST"),
        ("POST", "/v1/articles/a/b", "DELETE, GET, PUT"),
        ("HEAD", "/healthz", "GET"),
        ("OPTIONS", "/", "GET"),
    ],
)
def test_wrong_method_is_a_problem_that_names_the_right_ones(
    client: TestClient, method: str, path: str, allow: str
) -> None:
    response = client.request(method, path, json={} if method == "POST" else None)
    assert (response.status_code, response.headers["allow"]) == (405, allow)
    assert response.headers["content-type"] == "application/problem+json"


def test_body_that_is_wrong_in_thousands_of_places_gets_a_short_answer(client: TestClient) -> None:
    response = client.post("/v1/triage", json={f"key{i}": 1 for i in range(10_000)})
    assert response.status_code == 422
    assert len(response.json()["errors"]) == 20
    assert len(response.content) < 10_000


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=x", "cursor=!!!", "state=gone", "cursor=%00"])
def test_bad_query_is_refused(client: TestClient, query: str) -> None:
    assert client.get(f"/v1/tickets?{query}").status_code == 422


def test_first_key_closes_the_open_api(client: TestClient, sessions: sessionmaker[Session]) -> None:
    assert "open" in client.get("/").json()["access"]
    key = make(sessions, "one")
    client.app.state.context._open_until = 0  # type: ignore[attr-defined]  # do not wait two seconds
    assert client.get("/v1/tickets").json()["code"] == "not-authenticated"
    assert client.get("/v1/tickets", headers=key).status_code == 200
    assert client.get("/healthz").status_code == client.get("/metrics").status_code == 200


def test_key_may_do_only_what_its_scopes_say(client: TestClient, sessions: sessionmaker[Session]) -> None:
    key = make(sessions, "reader", Scope.TICKETS_READ)
    assert client.get("/v1/tickets", headers=key).status_code == 200
    response = client.post("/v1/tickets", json={"body": "x"}, headers=key)
    assert (response.status_code, response.json()["code"]) == (403, "not-allowed")


def test_revoked_or_invented_key_is_refused(client: TestClient, sessions: sessionmaker[Session]) -> None:
    key = make(sessions, "one")
    with sessions.begin() as session:
        revoke_key(session, "one")
    for headers in (key, {"authorization": "Bearer trg_x"}, {"authorization": "Basic eA=="}):
        assert client.get("/v1/tickets", headers=headers).status_code == 401


def test_open_api_does_not_answer_to_a_foreign_name(client: TestClient) -> None:
    response = client.get("/v1/tickets", headers={"host": "evil.example"})
    assert (response.status_code, response.json()["code"]) == (403, "not-allowed")


def test_open_api_does_not_answer_to_what_a_proxy_passes_on(client: TestClient) -> None:
    response = client.get("/v1/tickets", headers={"x-forwarded-for": "203.0.113.9"})
    assert (response.status_code, response.json()["code"]) == (403, "not-allowed")


def test_server_that_others_can_reach_refuses_to_start_without_a_key(
    settings: Settings, engine: Engine, sessions: sessionmaker[Session], desk: Desk
) -> None:
    outside = settings.model_copy(update={"host": "0.0.0.0"})  # that is what is refused
    with pytest.raises(Misconfigured, match="triage keys create"):
        create_app(settings=outside, engine=engine, sessions=sessions, desk=desk, jobs=Jobs(engine))
    make(sessions, "one")
    create_app(settings=outside, engine=engine, sessions=sessions, desk=desk, jobs=Jobs(engine))


def test_published_article_answers_the_next_question_and_a_deleted_one_does_not(client: TestClient) -> None:
    article = {"title": "Reset the Quokka robot", "text": "## Steps\n\nHold the blue Quokka button for nine seconds."}
    assert client.put("/v1/articles/robots/quokka", json=article).status_code == 201
    assert client.put("/v1/articles/robots/quokka", json=article).status_code == 200
    said = client.post("/v1/answers", json={"question": "How do I reset the Quokka robot?"}).json()
    assert said["answered"] and "nine seconds" in said["text"]
    assert client.delete("/v1/articles/robots/quokka").status_code == 204
    assert client.delete("/v1/articles/robots/quokka").status_code == 404
    said = client.post("/v1/answers", json={"question": "How do I reset the Quokka robot?"}).json()
    assert not said["answered"]


def test_answers_and_articles_know_the_product(client: TestClient) -> None:
    article = {"title": "Reset the Quokka robot", "text": "## Steps\n\nHold the blue Quokka button for nine seconds."}
    assert client.put("/v1/articles/quokka", json={**article, "product": "Quokka"}).json()["product"] == "Quokka"
    question = {"question": "How do I reset the Quokka robot?"}
    assert client.post("/v1/answers", json={**question, "product": "quokka"}).json()["answered"]
    other = client.post("/v1/answers", json={**question, "product": "Kestrel"}).json()
    assert not other["answered"] and "quokka" not in json.dumps(other["nearest"])
    assert client.post("/v1/answers", json={**question, "only_language": True}).status_code == 422
    assert client.post("/v1/answers", json={**question, "language": "en", "only_language": True}).json()["answered"]


def test_internal_article_is_never_quoted_to_the_public(client: TestClient) -> None:
    question = {"question": "Parrot failover to the Lyon trunk"}
    said = client.post("/v1/answers", json=question).json()
    assert not said["answered"]
    assert "Trunks" not in json.dumps(said)
    refused = client.post("/v1/answers", json={**question, "audiences": ["internal"]})
    assert refused.status_code == 403


def test_pages_of_articles_hold_each_once(client: TestClient) -> None:
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = client.get("/v1/articles", params={"limit": 30} | ({"cursor": cursor} if cursor else {})).json()
        seen += [article["id"] for article in page["articles"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) >= 60


def test_link_header_leads_through_the_articles(client: TestClient) -> None:
    first = client.get("/v1/articles?limit=50")
    assert first.links["next"]["url"].startswith("/v1/articles?limit=50&cursor=")
    second = client.get(first.links["next"]["url"])
    assert second.json()["articles"][0]["id"] > first.json()["articles"][-1]["id"]
    assert "next" not in second.links


@pytest.mark.parametrize("path", ["a%00b", "a%1b", "caf%ff", "%20", "x" * 501])
def test_article_is_not_stored_under_an_id_that_nobody_can_read(client: TestClient, path: str) -> None:
    response = client.put(f"/v1/articles/{path}", json={"title": "T", "text": "some words"})
    assert (response.status_code, response.json()["code"]) == (422, "bad-input")


def test_broken_policy_does_not_keep_the_knowledge_base_from_answering(client: TestClient, home: Path) -> None:
    (home / "policy.toml").write_text("[default", encoding="utf-8")
    assert client.post("/v1/triage", json={"body": "vpn"}).status_code == 500
    assert client.post("/v1/answers", json={"question": "KES-5003"}).status_code == 200


def test_models_say_what_they_are_certified_for(client: TestClient) -> None:
    body = client.get("/v1/models").json()
    assert body["champion"] == body["models"][0]["model_id"]
    assert set(body["clearance"]) == {"queue", "category", "priority"}
    assert all(entry["ask"]["says"] and entry["apply"][-1]["says"] for entry in body["clearance"].values())


def test_readiness_names_the_part_that_is_not(client: TestClient, home: Path) -> None:
    assert client.get("/readyz").status_code == 200
    (home / "policy.toml").write_text("[default", encoding="utf-8")
    response = client.get("/readyz")
    assert response.status_code == 503
    assert response.json()["database"]["ready"] is True
    assert "not valid TOML" in response.json()["model"]["says"]


def test_changed_policy_counts_from_the_next_ticket(client: TestClient, home: Path) -> None:
    ticket = {"body": "the zebra is out of ribbon"}
    rule = '[[rules]]\nname = "ribbon"\nkeywords = ["ribbon"]\nset = { queue = "stores" }\n'
    (home / "policy.toml").write_text(rule, encoding="utf-8")
    decided = client.post("/v1/triage", json=ticket).json()["decisions"][0]
    assert (decided["value"], decided["outcome"], decided["rule"]) == ("stores", "apply", "ribbon")


def test_readiness_tells_of_every_part(client: TestClient) -> None:
    ready = ReadyOut.model_validate(client.get("/readyz").json())
    assert ready.ready and "open" in ready.access
    assert "384" in ready.encoder.says and "articles" in ready.knowledge_base.says and "queue" in ready.model.says


def test_desk_without_a_model_is_ready_and_says_so(client: TestClient, home: Path) -> None:
    (home / "models" / "champion").unlink()
    response = client.get("/readyz")
    assert response.status_code == 200
    assert "triage train" in response.json()["model"]["says"]


def test_lost_database_is_a_503_that_asks_to_come_again(client: TestClient, engine: Engine) -> None:
    lose(engine)
    client.app.state.context._open_until = 0  # type: ignore[attr-defined]  # do not wait two seconds
    response = client.post("/v1/tickets", json={"body": "x"})
    assert (response.status_code, response.json()["code"]) == (503, "database-unavailable")
    assert response.headers["retry-after"]
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert ready.json()["encoder"]["ready"] and not ready.json()["database"]["ready"]
    assert client.get("/healthz").status_code == client.get("/").status_code == 200


def test_metrics_count_by_route_and_not_by_path(client: TestClient) -> None:
    client.get("/v1/tickets/unknown")
    text = client.get("/metrics").text
    assert 'path="/v1/tickets/{ticket_id}"' in text
    assert "tickets/unknown" not in text


def test_every_reference_in_the_openapi_document_leads_somewhere(client: TestClient) -> None:
    document = client.get("/v1/openapi.json").json()
    references = set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(document)))
    assert "#/components/schemas/Problem" in references
    for reference in references:
        root, *path = reference.split("/")
        assert root == "#"
        place = document
        for name in path:
            place = place[name]


def test_openapi_has_an_example_for_every_body_and_a_model_for_every_answer(client: TestClient) -> None:
    schema = client.get("/v1/openapi.json").json()
    bodies = [name for name in schema["components"]["schemas"] if name.endswith("In")]
    assert bodies and all(schema["components"]["schemas"][name]["examples"] for name in bodies)
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"] and operation["description"], (path, method)
            assert "4XX" in operation["responses"]
            by_key = path.startswith("/v1/") and not path.startswith("/v1/webhooks/")
            assert ("security" in operation) == by_key, path
            for status, response in operation["responses"].items():
                shapes = [content.get("schema") for content in response.get("content", {}).values()]
                assert all(shapes), (path, method, status)
