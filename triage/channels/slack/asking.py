"""What is answered to a question that is no ticket, by command or in the assistant pane? Nothing of it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from kb import Answer, Citation
from triage.channels.slack.desk import SlackDesk
from triage.channels.slack.escape import escaped, markdown, markdown_link
from triage.channels.slack.limits import BUTTON_VALUE, Block, actions, button, context, section
from triage.channels.slack.replies import FILE, answer_blocks, sources
from triage.channels.slack.words import say, why_not
from triage.deliver import narrowed
from triage.pipeline import assess
from triage.tickets.model import IncomingTicket


@dataclass(frozen=True, slots=True)
class Said:
    """An answer or the word that there is none; ``text`` for notifications, ``markdown`` for streams."""

    answered: bool
    text: str
    markdown: str
    blocks: list[Block]
    language: str | None


def ask(desk: SlackDesk, question: str, user_id: str) -> Said:
    """The cited answer to a question, or why there is none."""
    person = desk.people.person(user_id)
    loaded = desk.services.desk.current()
    allowed = loaded.audiences if desk.table.policy.audiences is None else desk.table.policy.audiences
    loaded = replace(loaded, audiences=narrowed(allowed, is_guest=person.is_guest))
    assessment = assess(IncomingTicket("", question, person.address, channel="slack"), loaded)
    language = assessment.understanding.language or person.language
    said = assessment.answer
    if isinstance(said, Answer):
        return answered(said.text, said.citations, said.probability, language)
    words = say("unsure", language, why=why_not(said.reason.value, said.probability, language))
    return Said(False, words, markdown(words), [section(words)], language)


def answered(words: str, citations: Sequence[Citation], probability: float, language: str | None) -> Said:
    """An article's words as blocks and, as Slack streams Markdown only, as that."""
    blocks = [*answer_blocks(words, citations, language), context(f"{probability:.0%}")]
    links = sources(citations, markdown_link)
    streamed = markdown(words) + (f"\n\n{say('sources', language, links=links)}" if links else "")
    return Said(True, escaped(words), streamed, blocks, language)


def offer(language: str | None, place: str, question: str) -> list[Block]:
    """The button that makes a ticket of a question; ``place`` is its channel and thread."""
    value = f"{place} {question}"[:BUTTON_VALUE]
    return [
        section(say("file_offer", language)),
        actions(f"file:{place}", [button(say("new_ticket", language), FILE, value)]),
    ]
