"""What do agents see of a ticket? A card with each field, its probability, the reason, and what can be done."""

from __future__ import annotations

from triage.channels.common.values import Outgoing
from triage.channels.slack.escape import cut_mrkdwn, escaped, link, title_of
from triage.channels.slack.limits import Block, actions, button, context, fit, header, section
from triage.privacy import mask, names_of
from triage.tickets.model import Decision, Outcome

LONGEST_TEXT = 600
ACCEPT, CHANGE, TAKE = "triage_accept", "triage_change", "triage_take"


def card(outgoing: Outgoing, url: str | None, *, note: str = "") -> list[Block]:
    """The card of a ticket, without what is personal: it stands in a channel that others read."""
    names = names_of(outgoing.requester, outgoing.features)
    text = mask(f"{outgoing.subject}\n{outgoing.text}".strip(), names=names)
    title = title_of(text)
    blocks: list[Block] = [header(title or "(no text)")]
    if rest := text.removeprefix(title).strip():
        blocks.append(section(cut_mrkdwn(escaped(rest), LONGEST_TEXT)))
    blocks += [section(_decision(one)) for one in outgoing.decisions[:8]]
    answer = outgoing.answer
    if answer is not None:
        said = f"answered, {answer.probability:.0%} sure" if answer.given and answer.probability else "not answered"
        blocks.append(context(escaped(f"Knowledge base: {said}. {answer.explanation}")))
    if outgoing.similar:
        near = ", ".join(
            f"{one.cosine:.0%} {'/'.join(label.value for label in one.labels)}" for one in outgoing.similar[:3]
        )
        blocks.append(context(escaped(f"Similar past tickets: {near}")))
    if note:
        blocks.append(context(note))
    if url:
        blocks.append(context(link(url, "Open the thread")))
    return fit([*blocks, _buttons(outgoing)])


def _decision(decision: Decision) -> str:
    sure = f" {decision.probability:.0%}" if decision.probability is not None else ""
    others = ", ".join(f"{one.label} {one.probability:.0%}" for one in decision.alternatives[:3])
    shown = {
        Outcome.APPLY: f"*{escaped(decision.value or '–')}*{sure}",
        Outcome.SUGGEST: f"perhaps {escaped(others or decision.value or '–')}",
        Outcome.ASK: f"one of {escaped(others)}",
        Outcome.LEAVE: "left alone",
    }[decision.outcome]
    return f"*{escaped(decision.field)}*: {shown}\n_{escaped(decision.reason)}_"


def _buttons(outgoing: Outgoing) -> Block:
    return actions(
        f"{outgoing.marker}:card",
        [
            button("Accept", ACCEPT, outgoing.ticket_id, style="primary"),
            button("Change…", CHANGE, outgoing.ticket_id),
            button("Take it", TAKE, outgoing.ticket_id),
        ],
    )
