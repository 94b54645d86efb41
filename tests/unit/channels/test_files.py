"""What a file is called, and how many of a message are carried."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.channels.common.files import MOST_BYTES, MOST_BYTES_TOGETHER, File, fetched, named, with_names


@given(st.text(st.characters(), max_size=400), st.text(max_size=40))
def test_any_name_is_one_of_a_file_on_one_line(name: str, media_type: str) -> None:
    made = File(name, media_type, b"")
    assert made.name.encode() and len(made.name) <= 200 and len(made.name.splitlines()) == 1
    assert "/" not in made.name and "\\" not in made.name and made.media_type.count("/") == 1


def test_a_header_in_a_name_stays_in_the_name() -> None:
    made = File("../a.png\r\nX-Evil: 1", "image/png\r\nX-Evil: 1", b"")
    assert (made.name, made.media_type) == (".._a.png__X-Evil: 1", "application/octet-stream")


def test_names_stand_under_the_words() -> None:
    assert with_names("Look", ["a.png", "b[1].txt"]) == "Look\n[attached: a.png, b(1).txt]"
    assert with_names("", ["a.png"]) == "[attached: a.png]" and with_names("Look", []) == "Look" and named([]) == ""


def test_what_is_too_large_together_is_not_even_fetched() -> None:
    asked = []

    def files(_remote_id: str, _message_id: str) -> Iterator[File]:
        for number in range(5):
            asked.append(number)
            yield File(str(number), "text/plain", bytes(MOST_BYTES))

    found = fetched(files, "[attached: 0, 1, 2, 3, 4]", "1", "2", is_repeat=False)
    assert len(found) == MOST_BYTES_TOGETHER // MOST_BYTES == 2 and asked == [0, 1, 2]


@pytest.mark.parametrize("text", ["", "Look", "[attached: ]", "[attached", "attached: a.png]"])
def test_where_none_is_named_none_is_asked_for(text: str) -> None:
    def files(_remote_id: str, _message_id: str) -> Iterator[File]:
        raise AssertionError("nobody wanted any")

    assert fetched(files, text, "1", "2", is_repeat=False) == []
