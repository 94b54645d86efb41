"""What does the requester see? The blocks of an answer, of a choice, or of the word that it was filed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kb import Citation
from triage.channels.common.values import GivenAnswer, Outgoing
from triage.channels.slack.escape import cut, link, mrkdwn, quoted
from triage.channels.slack.limits import Block, actions, button, context, fit, section, sections
from triage.channels.slack.words import say
from triage.tickets.model import Decision, Outcome

# What a click says; the value names the ticket and what was chosen.
SOLVED, NOT_HELPFUL, PERSON = "triage_solved", "triage_not_helpful", "triage_person"
SHARE, CHOOSE_ARTICLE, CHOOSE_VALUE, FILE = "triage_share", "triage_article", "triage_value", "triage_file"
# What fits a chat message; the rest is behind the link.
LONGEST_ANSWER = 6_000


def reply_blocks(outgoing: Outgoing, *, in_hours: bool) -> list[Block]:
    """What stands in the ticket's thread: answer, choices, or that it was filed."""
    language, answer = outgoing.language, outgoing.answer
    if outgoing.duplicate_of:
        return [section(say("duplicate", language)), _person(outgoing.ticket_id, language, outgoing.marker)]
    if answer is not None and answer.given:
        words = "\n".join(answer.reworded) if answer.reworded else answer.text
        return [
            *answer_blocks(words, answer.citations, language),
            answer_buttons(outgoing.ticket_id, language, outgoing.marker),
        ]
    blocks = [section(say("filed" if in_hours else "out_of_hours", language))]
    blocks += _choices(outgoing)
    return [*blocks, _person(outgoing.ticket_id, language, outgoing.marker)]


def answer_blocks(words: str, citations: Sequence[Citation], language: str | None) -> list[Block]:
    """The article's words as a quote, and where they stand."""
    blocks = [section(say("answer_found", language))]
    blocks += sections(quoted(mrkdwn(cut(words, LONGEST_ANSWER))), most=4)
    links = sources(citations)
    return [*blocks, context(say("sources", language, links=links))] if links else blocks


def answer_buttons(ticket_id: str, language: str | None, block_id: str) -> Block:
    """Solved it, not helpful, a person please."""
    return actions(
        block_id,
        [
            button(say("solved", language), SOLVED, ticket_id, style="primary"),
            button(say("not_helpful", language), NOT_HELPFUL, ticket_id),
            button(say("person", language), PERSON, ticket_id),
        ],
    )


def sources(citations: Sequence[Citation], write: Callable[[str, str], str] = link) -> str:
    """Links to the passages, each once, as ``write`` makes them of address and label."""
    found = {
        one.url or one.title: write(
            one.url or "", f"{one.title} › {one.heading_path[-1]}" if one.heading_path else one.title
        )
        for one in citations
    }
    return " · ".join(list(found.values())[:5])


def _choices(outgoing: Outgoing) -> list[Block]:
    """Two or three articles, or the certified set of a field: whoever asked can choose."""
    language, blocks = outgoing.language, []
    articles = _articles(outgoing.answer)
    if articles:
        blocks.append(section(say("several", language)))
        chosen = [
            button(title, f"{CHOOSE_ARTICLE}_{place}", f"{outgoing.ticket_id} {article_id}"[:2_000])
            for place, (article_id, title) in enumerate(articles.items())
        ]
        blocks.append(actions(f"{outgoing.marker}:article", chosen))
    for decision in outgoing.decisions:
        if decision.outcome is Outcome.ASK and len(decision.alternatives) > 1:
            blocks.append(section(say("which", language, field=decision.field)))
            blocks.append(value_buttons(outgoing.ticket_id, decision, f"{outgoing.marker}:{decision.field}"))
    return fit(blocks, 10)


def value_buttons(ticket_id: str, decision: Decision, block_id: str) -> Block:
    """The values that hold the right one with the certified chance; a click is a correction."""
    return actions(
        block_id,
        [
            button(one.label, f"{CHOOSE_VALUE}_{place}", f"{ticket_id} {decision.field}={one.label}"[:2_000])
            for place, one in enumerate(decision.alternatives[:3])
        ],
    )


def _articles(answer: GivenAnswer | None) -> dict[str, str]:
    if answer is None or answer.reason != "several":
        return {}
    return {article_id: title for article_id, title in answer.nearest[:3]}


def _person(ticket_id: str, language: str | None, block_id: str) -> Block:
    return actions(block_id, [button(say("person", language), PERSON, ticket_id)])


def settled(blocks: Sequence[Block], note: str) -> list[Block]:
    """The message with its buttons gone and what became of them in their place."""
    return [*(one for one in blocks if one.get("type") != "actions"), context(note)]


def fallback(outgoing: Outgoing) -> str:
    """The text of notifications and of those who see no blocks."""
    answer = outgoing.answer
    if answer is not None and answer.given:
        return say("answer_found", outgoing.language)
    return say("filed", outgoing.language)
