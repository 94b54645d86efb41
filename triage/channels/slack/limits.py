"""Do blocks fit what Slack takes? Of https://docs.slack.dev/reference/block-kit/blocks and its pages."""

from __future__ import annotations

from collections.abc import Sequence

from triage.channels.slack.escape import cut

Block = dict[str, object]

SECTION_TEXT = 3_000
HEADER_TEXT = 150
BUTTON_TEXT = 75
BUTTON_VALUE = 2_000
OPTION_TEXT = 75
MODAL_TITLE = 24
MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
BLOCK_ID = 255
MESSAGE_TEXT = 40_000
OPTIONS = 100
ACTIONS = 25


def section(text: str) -> Block:
    """A paragraph in mrkdwn, cut where Slack would refuse it."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": cut(text, SECTION_TEXT) or " ", "verbatim": True}}


def sections(text: str, *, most: int = 10) -> list[Block]:
    """A long text in several paragraphs, broken between lines; at most so many."""
    blocks: list[Block] = []
    rest = text
    while rest and len(blocks) < most:
        if len(rest) <= SECTION_TEXT or len(blocks) == most - 1:
            blocks.append(section(rest))
            break
        line = rest.rfind("\n", 0, SECTION_TEXT)
        at = line if line > SECTION_TEXT // 2 else SECTION_TEXT - 1
        blocks.append(section(rest[:at]))
        rest = rest[at:].lstrip("\n")
    return blocks


def context(text: str) -> Block:
    """Small print."""
    return {
        "type": "context",
        "elements": [{"type": "mrkdwn", "text": cut(text, SECTION_TEXT) or " ", "verbatim": True}],
    }


def header(text: str) -> Block:
    """A heading, in plain text."""
    return {"type": "header", "text": {"type": "plain_text", "text": cut(text, HEADER_TEXT) or " "}}


def button(text: str, action_id: str, value: str, *, style: str | None = None) -> Block:
    """A button; its value must be short, so it names things by their ids."""
    if len(value) > BUTTON_VALUE:
        raise ValueError(f"a button's value has {len(value)} characters, {BUTTON_VALUE} are the most")
    made: Block = {
        "type": "button",
        "action_id": action_id,
        "text": {"type": "plain_text", "text": cut(text, BUTTON_TEXT) or "–", "emoji": True},
        "value": value,
    }
    return made | ({"style": style} if style else {})


def actions(block_id: str, elements: Sequence[Block]) -> Block:
    """A row of buttons."""
    return {"type": "actions", "block_id": block_id[:BLOCK_ID], "elements": list(elements)[:ACTIONS]}


def option(text: str, value: str) -> Block:
    """A choice of a list."""
    return {"text": {"type": "plain_text", "text": cut(text, OPTION_TEXT) or "–"}, "value": value[:OPTION_TEXT]}


def fit(blocks: Sequence[Block], most: int = MESSAGE_BLOCKS) -> list[Block]:
    """At most so many blocks; the last ones, which hold the buttons, stay."""
    return list(blocks) if len(blocks) <= most else [*blocks[: most - 2], *blocks[-2:]]
