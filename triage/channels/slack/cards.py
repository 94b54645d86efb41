"""What do agents see of a ticket? A card with each field, its probability, the reason, and what can be done."""

from __future__ import annotations

from triage.channels.common.values import Outgoing
from triage.channels.slack.escape import cut_mrkdwn, escaped, link, title_of
from triage.channels.slack.limits import Block, actions, button, context, fit, header, section
from triage.channels.slack.words import say, why_not
from triage.privacy import mask, names_of
from triage.tickets.model import Decision, Outcome

LONGEST_TEXT = 600
ACCEPT, CHANGE, TAKE = "triage_accept", "triage_change", "triage_take"


def card(outgoing: Outgoing, url: str | None, language: str = "en", *, note: str = "") -> list[Block]:
    """The card of a ticket in the desk's language, without what is personal: others read its channel too."""
    names = names_of(outgoing.requester, outgoing.features)
    text = mask(f"{outgoing.subject}\n{outgoing.text}".strip(), names=names)
    title = title_of(text)
    blocks: list[Block] = [header(title or say("no_text", language))]
    if rest := text.removeprefix(title).strip():
        blocks.append(section(cut_mrkdwn(escaped(rest), LONGEST_TEXT)))
    blocks += [section(_decision(one, language)) for one in outgoing.decisions[:8]]
    answer = outgoing.answer
    if answer is not None:
        if answer.given:
            said = say("was_answered", language, sure=f"{answer.probability or 0.0:.0%}")
            said = f"{said} {answer.explanation}".rstrip()
        else:
            nearest = f" ({answer.nearest[0][1]})" if answer.nearest else ""
            why = why_not(str(answer.reason), answer.probability, language)
            said = say("not_answered", language, why=f"{why}{nearest}")
        blocks.append(context(escaped(said)))
    if outgoing.similar:
        near = ", ".join(
            f"{one.cosine:.0%} {'/'.join(label.value for label in one.labels)}" for one in outgoing.similar[:3]
        )
        blocks.append(context(escaped(say("similar", language, tickets=near))))
    if note:
        blocks.append(context(note))
    if url:
        blocks.append(context(link(url, say("open_thread", language))))
    return fit([*blocks, _buttons(outgoing, language)])


def _decision(decision: Decision, language: str) -> str:
    sure = f" {decision.probability:.0%}" if decision.probability is not None else ""
    others = ", ".join(f"{one.label} {one.probability:.0%}" for one in decision.alternatives[:3])
    shown = {
        Outcome.APPLY: f"*{escaped(decision.value or '–')}*{sure}",
        Outcome.SUGGEST: say("perhaps", language, values=escaped(others or decision.value or "–")),
        Outcome.ASK: say("one_of", language, values=escaped(others)),
        Outcome.LEAVE: say("left_alone", language),
    }[decision.outcome]
    return f"*{escaped(decision.field)}*: {shown}\n_{escaped(decision.reason)}_"


def _buttons(outgoing: Outgoing, language: str) -> Block:
    return actions(
        f"{outgoing.marker}:card",
        [
            button(say("accept", language), ACCEPT, outgoing.ticket_id, style="primary"),
            button(say("change", language), CHANGE, outgoing.ticket_id),
            button(say("take", language), TAKE, outgoing.ticket_id),
        ],
    )
