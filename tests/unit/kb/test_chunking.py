import re

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
