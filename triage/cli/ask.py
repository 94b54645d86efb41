"""``triage ask`` and ``preview``: what would the bot say, without storing anything?"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer
from rich.markup import escape

from kb import Abstention, Answer
from triage.app import open_desk, open_desk_with_history
from triage.cli.options import AsJson, InLanguage, Masked, OnProduct, settings_for_command
from triage.cli.reading import read_incoming
from triage.cli.show import (
    LEGEND,
    answer_cell,
    decision_cell,
    macro_lines,
    out,
    print_json,
    show_citations,
    similar_lines,
    ticket_table,
)
from triage.pipeline import assess
from triage.privacy import mask, names_of
from triage.tickets.model import Assessment, IncomingTicket, Silence
from triage.tickets.views import answer_view, assessment_view

SHOWN_WHOLE = 3


def register(cli: typer.Typer) -> None:
    """Add these commands to the top level."""
    cli.command()(ask)
    cli.command()(preview)


def ask(
    question: Annotated[str, typer.Argument(help="The question, in the words of the person who has it.")],
    product: OnProduct = None,
    language: InLanguage = None,
    as_json: AsJson = False,
) -> None:
    """Ask the knowledge base; the answer is verbatim and cited, or says why there is none.

    Example: `triage ask "how do I connect to the VPN from home?"`
    """
    settings = settings_for_command()
    said = open_desk(settings).knowledge.answer(
        question, audiences=settings.audiences, product=product, language=language, only_language=bool(language)
    )
    if as_json:
        print_json(answer_view(said))
    else:
        show_answer(said)


def preview(
    file: Annotated[str, typer.Argument(help="JSON, JSON Lines or plain text; - reads standard input.")],
    limit: Annotated[int | None, typer.Option(min=1, help="Look at the first so many tickets only.")] = None,
    masked: Masked = False,
    as_json: AsJson = False,
) -> None:
    """Decide tickets without storing anything.

    Example: `echo "Outlook asks for my password again and again" | triage preview -`
    """
    settings = settings_for_command()
    tickets = read_incoming(file)[:limit]
    with open_desk_with_history(settings) as desk:
        assessed = [(ticket, assess(ticket, desk.current())) for ticket in tickets]
    if masked:
        assessed = [masked_assessment(ticket, one) for ticket, one in assessed]
    if as_json:
        print_json({"tickets": [assessment_view(ticket, one) for ticket, one in assessed]})
    elif len(assessed) <= SHOWN_WHOLE:
        for ticket, assessment in assessed:
            _show_whole(ticket, assessment)
    else:
        _show_table(assessed)


def show_answer(said: Answer | Abstention | Silence) -> None:
    """An answer as a person would read it: the words, where they stand, and how sure it is."""
    if not isinstance(said, Answer):
        out.print(f"[yellow]No answer:[/] {escape(said.explanation)}")
        for hit in said.nearest:
            out.print(f"  [dim]nearest:[/] {escape(hit.title)} [dim]({hit.score:.2f})[/]")
        if said.suggestion:
            out.print("[yellow]For an agent to look at:[/]")
            show_citations(said.suggestion)
        return
    show_citations(said.citations)
    out.print(f"[green]{said.probability:.0%}[/] probability that this answers the question.")
    out.print(f"[dim]{escape(said.basis)}[/]")


def masked_assessment(ticket: IncomingTicket, assessment: Assessment) -> tuple[IncomingTicket, Assessment]:
    """Both as they may be shown in public; what was decided is the same, and of similar tickets nobody's words stay."""
    names = names_of(ticket.requester, ticket.features)
    read = assessment.understanding
    predictions = tuple(
        replace(
            one,
            evidence=tuple(mask(word, names=names) for word in one.evidence),
            change=mask(one.change, names=names),
        )
        for one in read.predictions
    )
    similar = tuple(replace(one, title="") for one in read.similar)
    shown = replace(read, text=mask(read.text, names=names), predictions=predictions, similar=similar)
    return (
        replace(ticket, subject=mask(ticket.subject, names=names), body=mask(ticket.body, names=names)),
        replace(
            assessment, understanding=shown, macros=tuple(replace(m, text="", variables=()) for m in assessment.macros)
        ),
    )


def _show_whole(ticket: IncomingTicket, assessment: Assessment) -> None:
    title = ticket.subject or " ".join(ticket.body.split())[:70]
    out.rule(f"[bold]{escape(title)}", align="left")
    for decision in assessment.decisions:
        out.print(f"[bold]{escape(decision.field)}[/] {decision_cell(decision)}  [dim]{escape(decision.reason)}[/]")
    for prediction in assessment.understanding.predictions:
        if prediction.evidence:
            change = f". {prediction.change}"
            because = escape(", ".join(prediction.evidence) + change)
            out.print(f"[dim]{escape(prediction.field)} because of: {because}[/]")
    for line in similar_lines(assessment.understanding.similar):
        out.print(line, soft_wrap=True)
    for line in macro_lines(assessment.macros):
        out.print(line, soft_wrap=True)
    show_answer(assessment.answer)
    out.print()


def _show_table(assessed: list[tuple[IncomingTicket, Assessment]]) -> None:
    fields = [decision.field for decision in assessed[0][1].decisions]
    table = ticket_table(fields)
    for ticket, one in assessed:
        said = one.answer
        citations = said.citations if isinstance(said, Answer) else ()
        nearest = said.nearest[0].title if not isinstance(said, Answer) and said.nearest else None
        table.add_row(
            escape(ticket.subject or " ".join(ticket.body.split())[:80]),
            *(decision_cell(decision) for decision in one.decisions),
            answer_cell(citations, said.probability, nearest),
        )
    out.print(table)
    out.print(LEGEND)
