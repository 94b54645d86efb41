"""Blocks fit what Slack takes, whatever is put into them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb import Citation
from triage.channels.common.values import Event, GivenAnswer, Outgoing
from triage.channels.slack.cards import card
from triage.channels.slack.escape import mrkdwn, quoted
from triage.channels.slack.limits import Block, actions, button, fit, section, sections
from triage.channels.slack.replies import reply_blocks
from triage.channels.slack.words import LANGUAGES
from triage.tickets.model import Decision, LabelProbability, Outcome

TEXTS = st.text(max_size=80) | st.sampled_from(["", "x" * 9_000, "<!channel>" * 500, "line\n" * 3_000])


def outgoing(**changes: object) -> Outgoing:
    now = datetime.now(UTC)
    made = Outgoing(
        delivery_id="01a20893-a5b0-7d61-9a8e-5d2b8c1f4e33",
        event=Event.RESULT,
        ticket_id="01a20894-e603-7dc1-9ffb-aec25f24286e",
        source="channel:slack",
        remote_id="C1:1.1",
        subject="",
        requester="Ana Fischer <ana@example.com>",
        language="en",
        run=1,
        decisions=(),
        answer=None,
        similar=(),
        macros=(),
        duplicate_of=None,
        created_at=now,
        received_at=now,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def check(blocks: list[Block]) -> None:
    assert 0 < len(blocks) <= 50
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    assert len(ids) == len(set(ids)) and all(len(str(one)) <= 255 for one in ids)
    for block in blocks:
        text = block.get("text")
        if isinstance(text, dict):
            assert 1 <= len(str(text["text"])) <= (150 if block["type"] == "header" else 3_000)
        for element in block.get("elements", []):  # type: ignore[attr-defined]
            if element.get("type") == "button":
                assert 1 <= len(element["text"]["text"]) <= 75 and len(element["value"]) <= 2_000
    seen = [element["action_id"] for block in blocks for element in block.get("elements", []) if "action_id" in element]  # type: ignore[attr-defined]
    assert all(len(one) <= 255 for one in seen)


@given(TEXTS, TEXTS, TEXTS)
def test_replies_and_cards_fit_whatever_they_hold(words: str, title: str, label: str) -> None:
    citation = Citation("a", title, "https://a.example", (label,), 0, len(words), words, "d")
    answer = GivenAnswer(words, (citation,), 0.97, title, None, "s")
    asked = Decision(
        "queue", Outcome.ASK, None, 0.5, title, None, (LabelProbability(label or "a", 0.5), LabelProbability("b", 0.4))
    )
    several = GivenAnswer(words, (), 0.5, title, "several", "s", nearest=(("1", title), ("2", label), ("3", words)))
    for given_answer in (answer, several, None):
        sent = outgoing(answer=given_answer, decisions=(asked,) * 3, subject=title, text=words)
        sent = replace(sent, decisions=tuple(replace(asked, field=f"f{n}") for n in range(3)))
        check(reply_blocks(sent, in_hours=True))
        for language in LANGUAGES:
            check(card(sent, "https://slack.example/p1", language))


def test_a_card_in_a_channel_shows_nobodys_address() -> None:
    shown = str(card(outgoing(text="Call Ana Fischer at ana@example.com, +49 30 1234567"), None))
    assert "ana@example.com" not in shown and "1234567" not in shown and "Fischer" not in shown


@given(st.text(max_size=9_000))
def test_long_texts_are_several_paragraphs(text: str) -> None:
    for block in sections(text, most=4):
        check([block])


@given(
    st.lists(st.sampled_from(["word ", "`x` ", "a & b ", "[a b](https://a.example/c) ", "\n", "y" * 900]), max_size=90)
)
def test_paragraphs_hold_all_words_and_break_no_link(pieces: list[str]) -> None:
    text = quoted(mrkdwn("".join(pieces)))
    shown = [str(block["text"]["text"]) for block in sections(text, most=50)]  # type: ignore[index]
    kept = [re.sub(r"[\s>…]", "", one) for one in ("".join(shown), text)]
    assert kept[0] == kept[1]
    assert all(one.count("<") == one.count(">") - one.count("\n>") - one.startswith(">") for one in shown)


def test_a_block_of_code_goes_on_in_the_next_paragraph() -> None:
    text = quoted(mrkdwn("Run:\n```\n" + "echo a < b\n" * 600 + "```\nDone."))
    shown = [str(block["text"]["text"]) for block in sections(text)]  # type: ignore[index]
    assert len(shown) > 1 and all(one.count("```") % 2 == 0 for one in shown)
    assert "".join(shown).count("echo a &lt; b") == 600 and shown[-1].endswith(">Done.")


def test_a_quote_that_is_one_long_line_stays_a_quote() -> None:
    shown = sections(quoted("word " * 1_500))
    assert len(shown) > 1 and all(str(block["text"]["text"]).startswith(">") for block in shown)  # type: ignore[index]


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(ValueError, match="value has"):
        button("a", "b", "v" * 2_001)


def test_too_many_blocks_lose_the_middle_and_keep_the_buttons() -> None:
    blocks = [section(str(number)) for number in range(80)] + [actions("row", [button("Yes", "yes", "1")])]
    assert len(fit(blocks)) == 50 and fit(blocks)[-1]["type"] == "actions"
