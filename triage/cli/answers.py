"""``triage answers`` and ``triage verify-citations``: what became of the answers that were given?"""

from __future__ import annotations

import getpass
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from kb import KnowledgeBase
from triage.app import open_database, open_encoder
from triage.citations import CitationCheck, CitationState, verify_citations
from triage.cli.options import AsJson, settings_for_command
from triage.cli.show import note, out, print_json, progress
from triage.tickets.feedback import add_feedback, count_answers
from triage.tickets.model import AnswerFeedback, Verdict

cli = typer.Typer(no_args_is_help=True, help="Judge answers, and count them.")
SHOWN = 50


def register(top: typer.Typer) -> None:
    """Add these commands to the top level."""
    top.command(name="verify-citations")(verify)


def verify(
    strict: Annotated[bool, typer.Option(help="Fail also where an article has changed since.")] = False,
    as_json: AsJson = False,
) -> None:
    """Resolve every stored citation once more, byte for byte, and say what has since changed.

    A citation that does not stand in an unchanged article is an error; with --strict, so is a changed article.

    Example: `triage verify-citations --strict`
    """
    settings = settings_for_command()
    knowledge = KnowledgeBase.open(settings.knowledge_folder, open_encoder(settings))
    with open_database(settings) as (_, sessions), sessions() as session, progress("Resolving citations") as report:
        checks = list(verify_citations(session, knowledge, progress=report))
    counts = {state.value: 0 for state in CitationState} | Counter(check.state.value for check in checks)
    stale = [check for check in checks if check.state is not CitationState.VERBATIM]
    if as_json:
        view = {"checked": len(checks), **counts, "snapshot": knowledge.snapshot, "stale": [asdict(c) for c in stale]}
        print_json(view)
    else:
        _show(checks, stale, counts)
    if counts[CitationState.BROKEN] or (strict and stale):
        raise typer.Exit(1)


def _show(checks: list[CitationCheck], stale: list[CitationCheck], counts: dict[str, int]) -> None:
    said = ", ".join(f"{count:,} {state}" for state, count in counts.items() if count) or "none"
    out.print(f"{len(checks):,} citations: {said}.", highlight=False)
    if not stale:
        return
    table = Table("ticket", "article", "citation")
    for check in stale[:SHOWN]:
        where = "" if check.start is None else f", now at character {check.start:,}"
        table.add_row(check.ticket_id, escape(check.article_id), f"{check.state}{where}")
    out.print(table)
    if len(stale) > SHOWN:
        note(f"{len(stale) - SHOWN:,} more; --json lists them all.")


@cli.command()
def feedback(
    ticket_id: str,
    verdict: Annotated[Verdict, typer.Argument(help="Did it solve it?")],
    article: Annotated[str | None, typer.Option(help="Id of the article that answers it, where another does.")] = None,
    note_: Annotated[str, typer.Option("--note", help="Why.")] = "",
) -> None:
    """Say whether the newest answer to a ticket was right; `triage kb calibrate --from-feedback` learns from it.

    Example: `triage answers feedback 0199… wrong --article reset-password`
    """
    given = AnswerFeedback(verdict, getpass.getuser(), note_, article)
    with open_database(settings_for_command()) as (_, sessions), sessions.begin() as session:
        add_feedback(session, ticket_id, given)
    note(f"{ticket_id}: {verdict}.")


@cli.command()
def report(
    since: Annotated[datetime | None, typer.Option(help="Only since this day (UTC).", formats=["%Y-%m-%d"])] = None,
    as_json: AsJson = False,
) -> None:
    """Count answers, the reasons for having none, and what people said of them.

    Example: `triage answers report --since 2026-11-01`
    """
    with open_database(settings_for_command()) as (_, sessions), sessions() as session:
        said, judged = count_answers(session, since=since and since.replace(tzinfo=UTC))
    if as_json:
        print_json({"answers": said, "feedback": judged})
        return
    table = Table("what came of it", "passes", "share")
    total = sum(said.values())
    for reason, count in said.items():
        table.add_row(reason.replace("_", " "), f"{count:,}", f"{count / total:.0%}")
    out.print(table)
    out.print("Feedback: " + ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in judged.items()))
