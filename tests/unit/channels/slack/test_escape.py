"""Whatever stands in a ticket or an article, nothing of it comes alive in Slack."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from triage.channels.slack.escape import cut, cut_mrkdwn, escaped, link, markdown, markdown_link, moment, mrkdwn, quoted

ALIVE = re.compile(r"<[@#!][^>]*>|@(?:here|channel|everyone)\b", re.IGNORECASE)
HOSTILE = st.lists(
    st.sampled_from(
        [
            "<!channel>",
            "<@U123>",
            "<#C1|x>",
            "@here",
            "@Channel",
            "<http://evil|click>",
            "```",
            "**",
            "[a](",
            ")",
            "&lt;",
        ]
    )
    | st.text(max_size=20),
    max_size=12,
).map("".join)


@given(HOSTILE)
def test_no_mention_and_no_link_comes_alive(text: str) -> None:
    shapes = (
        escaped(text),
        mrkdwn(text),
        quoted(escaped(text)),
        link("https://a.example", text),
        markdown(text),
        markdown_link("https://a.example", text),
    )
    for shown in shapes:
        assert not ALIVE.search(shown)
    assert "<" not in escaped(text) and ">" not in escaped(text)
    assert "<http://evil" not in mrkdwn(text)


@given(HOSTILE, HOSTILE)
def test_a_link_is_one_link_or_none(url: str, label: str) -> None:
    shown = link(url, label)
    assert shown.count("<") == shown.count(">") <= 1
    assert "<" not in shown or shown.count("|") == 1
    assert "\n" not in shown
    streamed = markdown_link("https://a.example/b(c)", label)
    assert streamed.endswith("](https://a.example/b%28c%29)") and "\n" not in streamed


def test_markdown_of_an_article_reads_well() -> None:
    text = "# Steps\n\n- **Open** [the portal](https://portal.example/a?b=1&c=2)\n- run `a < b`\n\n```\n<b> **x**\n```"
    assert mrkdwn(text).splitlines() == [
        "*Steps*",
        "",
        "• *Open* <https://portal.example/a?b=1&amp;c=2|the portal>",
        "• run `a &lt; b`",
        "",
        "```",
        "&lt;b&gt; **x**",
        "```",
    ]


@given(st.text(max_size=200), st.integers(min_value=5, max_value=80))
def test_cut_keeps_the_length(text: str, length: int) -> None:
    assert len(cut(text, length)) <= length
    assert cut(text, 200) == text


def test_quotes_stand_in_front_of_every_line() -> None:
    assert quoted("a\n\nb") == ">a\n>\n>b"


def test_a_moment_is_of_the_readers_clock() -> None:
    at = datetime(2026, 11, 23, 9, 4, tzinfo=UTC)
    assert moment(at) == "<!date^1795424640^{date_short_pretty}, {time}|2026-11-23 09:04 UTC>"


def test_code_stays_as_it_is() -> None:
    code = "`a **b** [c](https://d.example)` and **so**"
    assert mrkdwn(code) == "`a **b** [c](https://d.example)` and *so*"
    assert mrkdwn("[`--now`](https://d.example)") == "<https://d.example|`--now`>"


def test_code_in_a_quote_has_no_bar_in_it() -> None:
    assert quoted("Run\n```\na\nb\n```\nthen ```c``` so") == ">Run\n```\na\nb\n```\n>then ```c``` so"


@given(HOSTILE, st.integers(min_value=20, max_value=60))
def test_nothing_of_slacks_markup_is_cut_in_two(text: str, length: int) -> None:
    shown = cut_mrkdwn(mrkdwn(f"{text} [a & b](https://a.example/very/long)" * 3), length)
    assert len(shown) <= length
    assert not re.search(r"<[^>]*\Z|&(?!amp;|lt;|gt;)", shown)
    assert shown.count("```") % 2 == 0
