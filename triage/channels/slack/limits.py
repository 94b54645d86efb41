"""Do blocks fit what Slack takes? Of https://docs.slack.dev/reference/block-kit/blocks and its pages."""

from __future__ import annotations

from collections.abc import Sequence

from triage.channels.slack.escape import BROKEN, FENCE, cut, cut_mrkdwn

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
    return {
        "type": "section",
        "text": {"type": "mrkdwn", "text": cut_mrkdwn(text, SECTION_TEXT) or " ", "verbatim": True},
    }


def sections(text: str, *, most: int = 10) -> list[Block]:
    """A long text in Slack's markup as several paragraphs, broken between lines or words; at most so many."""
    blocks: list[Block] = []
    rest = text
    while len(rest) > SECTION_TEXT and len(blocks) < most - 1:
        head, rest = _parted(rest)
        blocks.append(section(head))
    return [*blocks, section(rest)] if rest else blocks


def _parted(text: str) -> tuple[str, str]:
    """What fits one paragraph, and the rest; code and a quote that go on do so in both."""
    room = SECTION_TEXT - 2 * len(FENCE)
    at = next((found for mark in "\n " if (found := text.rfind(mark, 0, room)) > room // 2), room)
    head = BROKEN.sub("", text[:at]) or text[:at]
    rest = text[len(head) :]
    if head.count(FENCE) % 2:
        return f"{head}\n{FENCE}", f"{FENCE}\n{rest.lstrip()}"
    goes_on = not rest.startswith("\n") and head.rpartition("\n")[2].startswith(">")
    return head, f">{rest}" if goes_on else rest.lstrip("\n")


def context(text: str) -> Block:
    """Small print."""
    return {
        "type": "context",
        "elements": [{"type": "mrkdwn", "text": cut_mrkdwn(text, SECTION_TEXT) or " ", "verbatim": True}],
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
