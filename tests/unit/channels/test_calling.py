"""Does a failed call say what the other side said, and nothing that it should not?"""

import pytest

from tests.receiver import receiving
from triage.channels.common.calling import MOST_WORDS, Caller
from triage.channels.common.values import DeliveryFailed

PAGE = b"<html><body>Sorry</body></html>"


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (
            400,
            b'{"priority":\n ["This field is required."]}',
            '400 Bad Request: {"priority": ["This field is required."]}',
        ),
        (422, b"the requester ana@example.com is suspended", "422 Unprocessable Entity: the requester [email] is susp"),
        (400, PAGE, "It answered 400 Bad Request."),
        (400, b"", "It answered 400 Bad Request."),
        (400, b"\xff\xfe\x00", "It answered 400 Bad Request: "),
        (500, b"Traceback of theirs", "It answered 500 Internal Server Error."),
        (401, b"Invalid token!", "It answered 401 Unauthorized: Invalid token! Check the credentials"),
    ],
)
def test_words_of_a_refusal_are_kept(status: int, body: bytes, says: str) -> None:
    with receiving() as receiver:
        receiver.answers = [(status, {}, body)]
        caller = Caller(receiver.url, timeout_s=5)
        with pytest.raises(DeliveryFailed) as failed:
            caller.send_json("POST", "/x", {})
        caller.close()
    assert says in str(failed.value)
    assert len(str(failed.value)) < MOST_WORDS + 100 and "\n" not in str(failed.value)


def test_long_words_are_cut() -> None:
    with receiving() as receiver:
        receiver.answers = [(400, {}, b"no " * 1_000)]
        caller = Caller(receiver.url, timeout_s=5)
        with pytest.raises(DeliveryFailed, match="no no no") as failed:
            caller.call("GET", "/x")
        caller.close()
    assert str(failed.value).endswith("…") and len(str(failed.value)) < MOST_WORDS + 100
