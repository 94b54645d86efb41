import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb import Article
from kb.chunking import LONGEST, split

LINES = st.one_of(
    st.sampled_from(
        ["# One", "## Two", "### Three", "", "```", "- point", "1. step", "| a | b |", "🙂 emoji", "שלום עולם"]
    ),
    st.text(max_size=80).map(lambda text: re.sub(r"[\ud800-\udfff]", "", text)),
    st.integers(50, 400).map(lambda count: "word " * count),
)


def article(text: str) -> Article:
    return Article("a", "Title", text)


@given(st.lists(LINES, max_size=30).map("\n".join))
def test_passages_are_in_order_apart_and_hold_every_word_that_is_no_heading(text: str) -> None:
    passages = split(article(text))
    position = 0
    for passage in passages:
        assert position <= passage.start < passage.end <= len(text)
        assert text[passage.start : passage.end].strip() == text[passage.start : passage.end]
        between = text[position : passage.start]
        assert all(not line.strip() or line.lstrip().startswith("#") for line in between.splitlines())
        position = passage.end
    assert all(not line.strip() or line.lstrip().startswith("#") for line in text[position:].splitlines())
    assert bool(passages) == bool(text.strip())


def test_passages_know_the_headings_above_them() -> None:
    text = "Intro.\n\n## Fix\n\nDo this.\n\n### On a Mac\n\nDo that.\n\n## See also\n\nMore."
    assert [passage.heading_path for passage in split(article(text))] == [
        (),
        ("Fix",),
        ("Fix", "On a Mac"),
        ("See also",),
    ]


def test_hash_in_code_is_no_heading() -> None:
    [passage] = split(article("Text.\n\n```sh\n# a comment\n```\n\nMore."))
    assert passage.heading_path == ()


def test_headings_after_a_line_of_inline_code_are_seen() -> None:
    assert split(article("```x``` is run.\n\n## Next\n\nText."))[-1].heading_path == ("Next",)


def test_long_section_is_split_and_short_ones_stay_whole() -> None:
    passages = split(article("## A\n\n" + "A sentence of words. " * 200 + "\n\n## B\n\nShort."))
    assert len(passages) > 2
    assert all(passage.end - passage.start <= LONGEST for passage in passages)
    assert passages[-1].heading_path == ("B",)


def test_article_of_headings_alone_has_a_passage() -> None:
    assert len(split(article("## Only a heading"))) == 1


def test_two_hundred_thousand_blocks_of_code_are_split_in_seconds() -> None:
    assert split(article("# a\n```\nx\n```\n" * 20_000))


ROW = "| 0x8007{:04} | {} |\n"
TABLE = "| code | meaning |\n|---|---|\n" + "".join(ROW.format(n, "word " * 8) for n in range(12))
CODE = "```sh\n" + "".join(f"command --number {n} --with options\n\n" for n in range(20)) + "```"


@pytest.mark.parametrize("block", [TABLE.rstrip("\n"), CODE])
@pytest.mark.parametrize("before", [0, 30, 60, 150, 400])
def test_table_and_code_that_fit_stay_whole(block: str, before: int) -> None:
    assert len(block) <= LONGEST
    text = "A word. " * before + "\n\n" + block + "\n\n" + "More. " * 200
    assert any(block in text[passage.start : passage.end] for passage in split(article(text)))


def test_long_table_is_split_between_its_rows() -> None:
    text = "Codes:\n\n" + TABLE + "".join(ROW.format(n, "word " * 20) for n in range(100)) + "\nThe end."
    passages = split(article(text))
    assert all(passage.end - passage.start <= LONGEST for passage in passages)
    inside = [text[passage.start : passage.end] for passage in passages if "|" in text[passage.start : passage.end]]
    assert len(inside) > 5
    assert all(piece.startswith("|") and piece.endswith("|") for piece in inside)


def test_long_code_is_split_between_its_lines() -> None:
    text = "```\n" + "".join(f"line {number} of a long program\n" for number in range(500)) + "```"
    pieces = [text[passage.start : passage.end] for passage in split(article(text))]
    assert all(len(piece) <= LONGEST for piece in pieces)
    assert "\n".join(pieces) == text


def test_row_that_is_too_long_is_split_too() -> None:
    text = "| a | b |\n|---|---|\n| " + "word " * 2_000 + "| x |\n| 1 | 2 |"
    passages = split(article(text))
    assert all(passage.end - passage.start <= LONGEST for passage in passages)
    assert sum(passage.end - passage.start for passage in passages) > len(text) - len(passages) * 3
