"""What do requests and responses look like when a desk uses them? Shown in the OpenAPI document."""

from __future__ import annotations

from pydantic import ConfigDict
from pydantic.config import JsonDict


def shown(*bodies: JsonDict) -> ConfigDict:
    """The configuration of a model with examples for the OpenAPI document."""
    return ConfigDict(json_schema_extra={"examples": [*bodies]})


TICKET_IN: JsonDict = {
    "subject": "VPN drops every ten minutes",
    "body": "Since this morning FennGate disconnects again and again. I work from home today.",
    "requester": "callum.reid@fennvale.example",
    "channel": "portal",
    "features": {"site": "Leeds"},
}
QUESTION_IN: JsonDict = {"question": "How do I connect to the VPN?", "language": "en"}
ARTICLE_IN: JsonDict = {
    "title": "Connect with FennGate",
    "text": "## Steps\n\n1. Open FennGate.\n2. Choose Leeds.\n3. Confirm in the Authenticator app.",
    "url": "https://hub.fennvale.example/it/connect-fenngate",
    "audience": "public",
    "language": "en",
}
CORRECTION_IN: JsonDict = {"field": "queue", "value": "network", "author": "dispatcher@fennvale.example"}
FEEDBACK_IN: JsonDict = {"verdict": "solved", "author": "mara@fennvale.example"}

_TICKET_ID = "01a20894-e603-7dc1-9ffb-aec25f24286e"
_DIGEST = "5b1d1f1c0f7c3f0d7d6f7cbb2f0b8d7a0d3f1f5f6a9f5d3c2b1a09f8e7d6c5b4"

_CITATION: JsonDict = {
    "article_id": "connect-fenngate",
    "title": "Connect with FennGate",
    "url": "https://hub.fennvale.example/it/connect-fenngate#:~:text=Open%20FennGate",
    "heading_path": ["Steps"],
    "start": 10,
    "end": 81,
    "text": "1. Open FennGate.\n2. Choose Leeds.\n3. Confirm in the Authenticator app.",
    "article_digest": _DIGEST,
}
ANSWER: JsonDict = {
    "answered": True,
    "probability": 0.97,
    "snapshot": "386ffdddac8f3150",
    "text": _CITATION["text"],
    "basis": "From 92% on, 148 of 150 checked questions were answered rightly: at least 95% are, with 95% confidence.",
    "citations": [_CITATION],
    "reworded": [{"text": "Open FennGate, choose Leeds and confirm in the Authenticator app.", "citation": 0}],
    "reworded_by": "qwen3-4b",
    "reworded_note": "",
}
_GREETING = "Hello ⟨ticket.requester.name?⟩, please follow the steps for FennGate."
_MACRO: JsonDict = {
    "macro_id": "vpn-steps",
    "title": "VPN: the steps",
    "text": _GREETING,
    "score": 0.58,
    "variables": [{"name": "ticket.requester.name", "value": None, "start": 6, "end": 30}],
}
ABSTENTION: JsonDict = {
    "answered": False,
    "probability": 0.41,
    "snapshot": "386ffdddac8f3150",
    "reason": "not_sure",
    "explanation": "The best article may not answer this.",
    "nearest": [{"article_id": "connect-fenngate", "title": "Connect with FennGate", "score": 0.62}],
    "suggestion": [],
}

_FIRST: JsonDict = {"label": "network", "probability": 0.93}
_SECOND: JsonDict = {"label": "workplace", "probability": 0.04}
_PREDICTION: JsonDict = {
    "field": "queue",
    "ranked": [_FIRST, _SECOND],
    "familiarity": 0.71,
    "evidence": ["fenngate", "vpn"],
    "change": "Without “fenngate”, “vpn” it would be workplace.",
}
_DECISION: JsonDict = {
    "field": "queue",
    "outcome": "apply",
    "value": "network",
    "probability": 0.93,
    "reason": "network at 93%. From 81% on, 203 of 207 checked tickets were right: "
    "at least 95% are, with 95% confidence.",
    "rule": None,
    "alternatives": [_FIRST, _SECOND],
}
_SIMILAR: JsonDict = {
    "ticket_id": "01a2084c-0d1f-7a52-8c1e-7f7b1f0d9a3e",
    "title": "FennGate drops the connection since the update",
    "labels": [{"field": "queue", "value": "network", "origin": "corrected"}],
    "cosine": 0.81,
    "source": "desk",
}
_PROVENANCE: JsonDict = {
    "model_id": "m-030ca5984e97",
    "encoder_fingerprint": _DIGEST,
    "knowledge_snapshot": "386ffdddac8f3150",
    "policy_digest": _DIGEST,
    "code_version": "0.1.0",
    "code_digest": _DIGEST,
    "audiences": ["public"],
}
_READ: JsonDict = {
    "text": "VPN drops every ten minutes\n\nSince this morning FennGate disconnects again and again.",
    "language": "en",
    "predictions": [_PREDICTION],
    "similar": [_SIMILAR],
    "decisions": [_DECISION],
    "answer": ANSWER,
    "macros": [_MACRO],
    "provenance": _PROVENANCE,
    "seconds": 0.021,
}
ASSESSMENT: JsonDict = {"id": None, "subject": "VPN drops every ten minutes", **_READ}

CORRECTION: JsonDict = {
    "id": "01a20897-11aa-7c3e-8e5b-5b8f5d0c7a11",
    "field": "queue",
    "value": "network",
    "previous": "servicedesk",
    "author": "dispatcher@fennvale.example",
    "note": "",
    "created_at": "2026-11-23T13:25:05.120000Z",
}
FEEDBACK: JsonDict = {
    "id": "01a20898-5c1e-7a90-b1f3-0d8f4a2c7b22",
    "verdict": "solved",
    "article_id": None,
    "author": "mara@fennvale.example",
    "note": "",
    "created_at": "2026-11-23T13:31:40.010000Z",
}
_DELIVERY: JsonDict = {
    "id": "01a20893-a5b0-7d61-9a8e-5d2b8c1f4e33",
    "channel": "portal",
    "event": "result",
    "state": "delivered",
    "attempts": 1,
    "detail": "The sender reads the result from GET /v1/tickets/{id}.",
    "created_at": "2026-11-23T13:20:00.410000Z",
    "next_at": None,
    "delivered_at": "2026-11-23T13:20:00.410000Z",
}
TICKET: JsonDict = {
    "id": _TICKET_ID,
    "source": "rest:open",
    "delivery_id": "portal-4711",
    **TICKET_IN,
    "state": "triaged",
    "failure": None,
    "received_at": "2026-11-23T13:20:00.320000Z",
    "duplicate_of": None,
    "runs": [
        {
            "number": 1,
            "finished_at": "2026-11-23T13:20:00.410000Z",
            "duplicate_of": None,
            "feedback": [FEEDBACK],
            "deliveries": [_DELIVERY],
            **_READ,
        }
    ],
    "corrections": [CORRECTION],
}
TICKETS: JsonDict = {"tickets": [TICKET], "next": "MDFhMjA4OTQtZTYwMy03ZGMxLTlmZmItYWVjMjVmMjQyODZl"}

ARTICLE: JsonDict = {
    "id": "connect-fenngate",
    **ARTICLE_IN,
    "updated": "2026-10-01",
    "review_by": None,
    "tags": ["vpn"],
    "product": "FennGate",
    "source": "api",
    "digest": _DIGEST,
}
ARTICLES: JsonDict = {"articles": [ARTICLE], "next": None}

_CERTIFICATE: JsonDict = {
    "certified": True,
    "field": "queue",
    "value": None,
    "choices": 1,
    "target": 0.95,
    "confidence": 0.95,
    "alpha": 0.05,
    "threshold": 0.81,
    "n": 207,
    "errors": 4,
    "lower_bound": 0.956,
    "coverage": 0.41,
    "evidence": {"model": "m-030ca5984e97", "dataset": _DIGEST, "date": "2026-11-20T08:00:00+00:00"},
    "says": "From 81% on, 203 of 207 checked tickets were right: at least 95% are, with 95% confidence.",
}
_SHORTFALL: JsonDict = {
    "certified": False,
    "field": "queue",
    "value": None,
    "choices": 3,
    "target": 0.9,
    "confidence": 0.95,
    "alpha": 0.05,
    "n": 31,
    "errors": 3,
    "missing": 45,
    "says": "Not certified: 3 of the 31 surest checked tickets were wrong; 45 more without an error certify 90%.",
}
_CARD: JsonDict = {"model_id": "m-030ca5984e97", "created_at": "2026-11-20T08:00:00+00:00", "tickets": 508, "seed": 0}
MODELS: JsonDict = {
    "champion": "m-030ca5984e97",
    "models": [_CARD],
    "clearance": {"queue": {"apply": [_CERTIFICATE], "ask": _SHORTFALL}},
}

READY: JsonDict = {
    "ready": True,
    "access": "by key: Authorization: Bearer trg_…",
    "database": {"ready": True, "says": "sqlite, reachable and up to date"},
    "encoder": {"ready": True, "says": "loaded: 384 dimensions, fingerprint 53aa51172d14"},
    "knowledge_base": {"ready": True, "says": "89 articles, 300 passages, snapshot 386ffdddac8f3150"},
    "model": {"ready": True, "says": "model m-030ca5984e97 predicts queue, category, priority"},
    "past_tickets": {"ready": True, "says": "508 tickets of the training data, 30 of this desk"},
}
PROBLEM: JsonDict = {
    "type": "https://triage.invalid/problems/not-found",
    "title": "Not Found",
    "status": 404,
    "detail": "There is no ticket 01a20894-e603-7dc1-9ffb-aec25f24286e.",
    "code": "not-found",
    "request_id": "f0eac09f1c4be9db",
}
