"""What do people read in a ticketing system? Notes for agents in English, replies in the requester's language."""

from __future__ import annotations

from collections.abc import Sequence

from triage.channels.common.values import GivenAnswer, News, Outgoing, Status
from triage.tickets.model import Decision, Outcome

# Of each language: what stands before the words of the knowledge base, before the links, and at the end.
_REPLIES = {
    "en": (
        "Hello,\n\nthis may answer your question. It is quoted from our knowledge base:",
        "Read more:",
        "This reply was found automatically. If it does not help, answer it, and a person will look at your ticket.",
    ),
    "de": (
        "Guten Tag,\n\ndies beantwortet vermutlich Ihre Frage. Es ist aus unserer Wissensdatenbank zitiert:",
        "Mehr dazu:",
        "Diese Antwort wurde automatisch gefunden. Hilft sie nicht, antworten Sie darauf, dann sieht ein Mensch nach.",
    ),
    "fr": (
        "Bonjour,\n\nvoici ce qui répond probablement à votre question, tiré de notre base de connaissances :",
        "En savoir plus :",
        "Cette réponse a été trouvée automatiquement. Si elle n’aide pas, répondez-y et une personne s’en chargera.",
    ),
    "es": (
        "Hola:\n\nesto probablemente responde a su pregunta. Está citado de nuestra base de conocimiento:",
        "Más información:",
        "Esta respuesta se encontró automáticamente. Si no le ayuda, contéstela y una persona revisará su solicitud.",
    ),
}
LONGEST_NOTE = 8_000


def reply(outgoing: Outgoing, answer: GivenAnswer) -> str:
    """The reply to the requester: the article's own words, where they stand, and who is speaking."""
    before, links, after = _REPLIES.get(outgoing.language or "en", _REPLIES["en"])
    words = "\n".join(answer.reworded) if answer.reworded else answer.text
    return "\n\n".join(part for part in (before, words, _sources(answer, links), after, _signed(outgoing)) if part)


def note(outgoing: Outgoing, *, applied: Sequence[str], replied: bool, dry_run: bool) -> str:
    """The internal note: what was done or would be, and why, with numbers."""
    parts = [_heading(dry_run)]
    parts += [_decision(one, applied, dry_run) for one in outgoing.decisions]
    parts += [_answer(outgoing.answer, replied, dry_run)] if outgoing.answer else []
    if outgoing.duplicate_of:
        parts.append(f"It says the same as ticket {outgoing.duplicate_of}, which is open.")
    if outgoing.macros:
        parts.append("Macros that may fit: " + ", ".join(macro.title for macro in outgoing.macros) + ".")
    text = "\n\n".join(parts)
    cut = text if len(text) <= LONGEST_NOTE else text[: LONGEST_NOTE - 1].rstrip() + "…"
    return f"{cut}\n\n{_signed(outgoing)}"


def relayed(news: News) -> str:
    """The internal note of what was said, or became of the ticket, where the requester asked."""
    if news.status is not None:
        said = f"In {news.via} this is {'open again' if news.status is Status.OPEN else 'solved now'}."
    else:
        said = f"{news.author} wrote in {news.via}:\n\n{news.text[:LONGEST_NOTE]}"
    return f"{said}\n\n[{news.marker}]"


def summary(applied: Sequence[str], noted: bool, replied: bool) -> str:
    """What was done, for the delivery's detail."""
    done = [f"set {', '.join(applied)}"] if applied else []
    done += ["added a note"] if noted else []
    done += ["replied"] if replied else []
    return f"{'; '.join(done).capitalize()}." if done else "There was nothing to do."


def _signed(outgoing: Outgoing) -> str:
    return f"[{outgoing.marker}]"


def _heading(dry_run: bool) -> str:
    return "Dry run: nothing was changed. This is what I would have done." if dry_run else "What I make of this ticket:"


def _decision(decision: Decision, applied: Sequence[str], dry_run: bool) -> str:
    sure = f" ({decision.probability:.0%})" if decision.probability is not None else ""
    match decision.outcome:
        case Outcome.APPLY if decision.field in applied:
            done = "would be set to" if dry_run else "was set to"
            return f"• {decision.field} {done} {decision.value}{sure}. {decision.reason}"
        case Outcome.APPLY:
            return f"• {decision.field}: {decision.value}{sure}. {decision.reason}"
        case Outcome.SUGGEST | Outcome.ASK:
            others = ", ".join(f"{one.label} {one.probability:.0%}" for one in decision.alternatives)
            return f"• {decision.field}: perhaps {others or decision.value}. {decision.reason}"
        case _:
            return f"• {decision.field}: left alone. {decision.reason}"


def _answer(answer: GivenAnswer, replied: bool, dry_run: bool) -> str:
    if answer.given:
        sure = f", {answer.probability:.0%} sure" if answer.probability is not None else ""
        said = "I would reply" if dry_run else "I replied" if replied else "An answer from the knowledge base"
        return f"{said}{sure}:\n\n{_quoted(answer.text)}\n\n{_sources(answer, 'From:')}\n{answer.explanation}".rstrip()
    text = f"No answer was given. {answer.explanation}"
    if answer.citations:
        text += f"\nPerhaps of use to you:\n\n{_quoted(answer.text)}\n\n{_sources(answer, 'From:')}"
    return text.rstrip()


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines())


def _sources(answer: GivenAnswer, heading: str) -> str:
    lines = dict.fromkeys(
        f"- {one.title}{f' › {one.heading_path[-1]}' if one.heading_path else ''}{f' <{one.url}>' if one.url else ''}"
        for one in answer.citations
    )
    return "\n".join([heading, *lines]) if lines else ""
