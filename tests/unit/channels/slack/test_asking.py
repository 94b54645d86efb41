"""What is said in the assistant pane, where Slack takes Markdown, and by command, where it takes its own markup."""

from __future__ import annotations

from kb import Citation
from triage.channels.slack.asking import answered, offer

STEPS = "1. Open **FennGate**.\n2. Never `<!channel>`, never <@U1>."
PASSAGE = Citation("vpn", "VPN [new]", "https://hub.example/vpn_(a)", ("Steps",), 0, len(STEPS), STEPS, "d")


def test_an_answer_streams_as_markdown_with_its_source() -> None:
    said = answered(STEPS, (PASSAGE,), 0.97, "de")
    assert said.markdown.startswith("1. Open **FennGate**.")
    assert said.markdown.endswith(r"Mehr dazu: [VPN \[new\] › Steps](https://hub.example/vpn_%28a%29)")
    assert "<!" not in said.markdown and "<@" not in said.markdown


def test_an_answer_by_command_has_no_live_mention_anywhere() -> None:
    said = answered(STEPS, (PASSAGE,), 0.97, "en")
    assert "<!" not in str(said.blocks) + said.text and "<@" not in str(said.blocks) + said.text
    assert "*FennGate*" in str(said.blocks) and "97%" in str(said.blocks)


def test_the_offer_of_a_ticket_holds_a_long_question() -> None:
    button = offer("en", "D1:1.1", "x" * 9_000)[-1]["elements"][0]  # type: ignore[index]
    assert button["value"].startswith("D1:1.1 xxx") and len(button["value"]) == 2_000
