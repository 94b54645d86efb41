"""What is a ticket and what is talk."""

from __future__ import annotations

import pytest

from triage.channels.slack.messages import is_small_talk, is_written_by_a_person, plain


@pytest.mark.parametrize(
    "text",
    [
        "hi",
        "Hello all!",
        "thanks!!",
        "Thank you so much",
        "danke",
        "Vielen Dank",
        "merci beaucoup",
        "gracias",
        "solved :tada:",
        ":+1:",
        "",
        "…",
        "moin zusammen",
    ],
)
def test_small_talk_is_no_ticket(text: str) -> None:
    assert is_small_talk(text)


@pytest.mark.parametrize(
    "text",
    [
        "hi, my VPN drops",
        "thanks for nothing, it still fails",
        "0x80070005",
        "Hilfe",
        "не работает",
        "打印机坏了",
        "ok but the printer is out",
    ],
)
def test_anything_else_may_be_one(text: str) -> None:
    assert not is_small_talk(text)


def test_messages_read_as_people_see_them() -> None:
    links = "<https://a.example/x|the page> in <#C1|help>"
    text = f"<@U0BOT> see {links}, <!here> &amp; <mailto:a@b.example|a@b.example> &lt;b&gt;"
    assert plain(text) == "see the page in #help, here & a@b.example <b>"


def test_bots_and_slack_itself_are_no_people() -> None:
    assert is_written_by_a_person({"user": "U1", "text": "x"})
    assert is_written_by_a_person({"user": "U1", "subtype": "file_share"})
    for other in ({"bot_id": "B1", "user": "U1"}, {"user": "U1", "subtype": "channel_join"}, {"text": "x"}):
        assert not is_written_by_a_person(other)
