"""What does the client make of a server that is well, and of one that is not?"""

from __future__ import annotations

import time

import pytest

from tests.llm_server import LlmServer
from triage.reword.client import Endpoint, complete
from triage.reword.failures import LlmFailed, LlmFailure

PROMPT = [{"role": "user", "content": "Reword this."}]


def ask(server: LlmServer, behaviour: str, timeout_s: float = 5.0) -> str:
    return complete(Endpoint(server.url(behaviour), "small", "sk-secret", timeout_s), PROMPT)


@pytest.mark.parametrize("behaviour", ["well", "whole"])
def test_text_comes_streamed_or_in_one_piece(server: LlmServer, behaviour: str) -> None:
    server.text = "Öffnen Sie FennGate – und wählen Sie Leeds. [1]\nFertig. [1]"
    assert ask(server, behaviour) == server.text
    assert server.requests[0]["path"] == f"/{behaviour}/v1/chat/completions"
    assert server.requests[0]["model"] == "small"
    assert server.requests[0]["stream"] is True
    assert server.keys == ["Bearer sk-secret"]


@pytest.mark.parametrize(
    ("behaviour", "failure", "words"),
    [
        ("400", LlmFailure.REFUSED, "refused the request (400)"),
        ("401", LlmFailure.REFUSED, "TRIAGE_LLM_API_KEY"),
        ("404", LlmFailure.REFUSED, "TRIAGE_LLM_URL"),
        ("429", LlmFailure.RATE_LIMITED, "429"),
        ("500", LlmFailure.SERVER_ERROR, "500"),
        ("503", LlmFailure.SERVER_ERROR, "503"),
        ("redirect", LlmFailure.REFUSED, "points elsewhere"),
        ("cut", LlmFailure.TRUNCATED, "broke off"),
        ("reset", LlmFailure.TRUNCATED, "broke off"),
        ("empty", LlmFailure.TRUNCATED, "broke off"),
        ("length", LlmFailure.TRUNCATED, "not finished (length)"),
        ("error", LlmFailure.SERVER_ERROR, "error in the middle"),
        ("html", LlmFailure.NOT_A_MODEL, "text/html"),
        ("html-as-json", LlmFailure.MALFORMED, "not JSON"),
        ("other-json", LlmFailure.MALFORMED, "no chat completion"),
        ("list-json", LlmFailure.MALFORMED, "no chat completion"),
        ("no-text", LlmFailure.MALFORMED, "else than text"),
        ("broken-event", LlmFailure.MALFORMED, "not JSON"),
        ("deep-event", LlmFailure.MALFORMED, "not JSON"),
        ("not-utf8", LlmFailure.MALFORMED, "not UTF-8"),
        ("packed", LlmFailure.MALFORMED, "packed"),
        ("endless", LlmFailure.TOO_LONG, "larger than"),
        ("talkative", LlmFailure.TOO_LONG, "longer than"),
    ],
)
def test_what_is_wrong_is_said_and_asked_once(
    server: LlmServer, behaviour: str, failure: LlmFailure, words: str
) -> None:
    with pytest.raises(LlmFailed, match="The language model was of no use") as caught:
        ask(server, behaviour)
    assert caught.value.failure is failure
    assert words in str(caught.value)
    assert "sk-secret" not in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize("behaviour", ["silent", "drip", "drip-headers"])
def test_the_deadline_is_for_the_whole_exchange(server: LlmServer, behaviour: str) -> None:
    began = time.perf_counter()
    with pytest.raises(LlmFailed, match=r"within 0\.5 seconds") as caught:
        ask(server, behaviour, timeout_s=0.5)
    assert caught.value.failure is LlmFailure.TIMEOUT
    assert time.perf_counter() - began < 1.5


def test_a_pause_that_is_asked_for_is_told(server: LlmServer) -> None:
    with pytest.raises(LlmFailed) as caught:
        ask(server, "429-later")
    assert caught.value.retry_after_s == 120


def test_nobody_at_the_address_is_said() -> None:
    with pytest.raises(LlmFailed, match="cannot be reached") as caught:
        complete(Endpoint("http://127.0.0.1:1/v1", "small"), PROMPT)
    assert caught.value.failure is LlmFailure.UNREACHABLE


@pytest.mark.parametrize("url", ["http://[::1/v1", "http://", "gopher://x/v1"])
def test_an_impossible_address_is_said(url: str) -> None:
    with pytest.raises(LlmFailed) as caught:
        complete(Endpoint(url, "small"), PROMPT)
    assert caught.value.failure is LlmFailure.UNREACHABLE


def test_the_key_is_never_printed() -> None:
    assert "sk-secret" not in repr(Endpoint("http://127.0.0.1:1/v1", "small", "sk-secret"))
