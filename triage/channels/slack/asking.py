"""What is answered to a question that is no ticket, by command or in the assistant pane? Nothing of it is stored."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kb import Answer
from triage.channels.slack.desk import SlackDesk
from triage.channels.slack.escape import escaped
from triage.channels.slack.limits import Block, context, section
from triage.channels.slack.replies import answer_blocks, sources
from triage.channels.slack.words import say
from triage.pipeline import assess
from triage.tickets.model import IncomingTicket


@dataclass(frozen=True, slots=True)
class Said:
    """An answer or the word that there is none; ``text`` for notifications and streams."""

    answered: bool
    text: str
    blocks: list[Block]
    language: str | None


def ask(desk: SlackDesk, question: str, user_id: str) -> Said:
    """The cited answer to a question, or why there is none."""
    person = desk.people.person(user_id)
    loaded = desk.services.desk.current()
    if desk.table.policy.audiences is not None:
        loaded = replace(loaded, audiences=desk.table.policy.audiences)
    assessment = assess(IncomingTicket("", question, person.address, channel="slack"), loaded)
    language = assessment.understanding.language or person.language
    said = assessment.answer
    if isinstance(said, Answer):
        blocks = answer_blocks(said.text, said.citations, language)
        sure = f"{said.probability:.0%}"
        return Said(True, f"{said.text}\n\n{sources(said.citations)}", [*blocks, context(sure)], language)
    words = say("unsure", language, why=escaped(said.explanation))
    return Said(False, words, [section(words)], language)
