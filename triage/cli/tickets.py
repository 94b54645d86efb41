"""``triage tickets``: what came in, what became of it, and what should it have been?"""

from __future__ import annotations

import getpass
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from sqlalchemy.orm import Session, sessionmaker

from triage.app import open_app, open_database, open_encoder
from triage.cli.options import AsJson, Masked, settings_for_command
from triage.cli.reading import read_incoming
from triage.cli.show import (
    LEGEND,
    answer_cell,
    decision_cell,
    macro_lines,
    note,
    out,
    print_json,
    reworded_lines,
    show_citations,
    similar_lines,
    similar_table,
    ticket_table,
)
from triage.db.tables import AnswerRow, RunRow, TicketRow
from triage.errors import NotFound
from triage.jobs import Jobs
from triage.pipeline import accept
from triage.privacy import mask, names_of
from triage.tickets import store
from triage.tickets.model import Correction, IncomingTicket, RewordedSentence, TicketState
from triage.tickets.views import macros_of, masked_view, similar_of, similar_view, story_view
from triage.understand.cleaning import clean
from triage.understand.similar import similar as nearest


def register(top: typer.Typer) -> None:
    """Add this command to the top level."""
    top.command()(replay)


cli = typer.Typer(no_args_is_help=True, help="Hand in, list, read, retry and correct tickets.")


@cli.command(name="list")
def list_(
    state: Annotated[TicketState | None, typer.Option(help="Only tickets that have come this far.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
    as_json: AsJson = False,
) -> None:
    """List the newest tickets with what was decided.

    Example: `triage tickets list --state failed`
    """
    with open_database(settings_for_command()) as (_, sessions), sessions() as session:
        rows = store.list_tickets(session, limit=limit, state=state)
        if as_json:
            print_json({"tickets": [story_view(row) for row in rows]})
        elif not rows:
            note("There are no such tickets.")
        else:
            out.print(stories_table(rows))


@cli.command()
def show(ticket_id: str, masked: Masked = False, as_json: AsJson = False) -> None:
    """Tell the whole story of one ticket.

    Example: `triage tickets show 0199…`
    """
    with open_database(settings_for_command()) as (_, sessions), sessions() as session:
        row = store.find_ticket(session, ticket_id)
        names = names_of(row.requester, row.features)
        if as_json:
            print_json(masked_view(story_view(row), names) if masked else story_view(row))
        else:
            _show_story(row, partial(mask, names=names) if masked else str)


def replay(
    ticket_id: str,
    number: Annotated[int | None, typer.Option("--pass", min=1, help="Which pass; the last one by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Decide a past ticket again with all that decided it then: the same bytes, or what has changed.

    Exit status 1 where it comes out otherwise.

    Example: `triage replay 0199…`
    """
    from triage.replay import Parts
    from triage.replay import replay as decide_again

    settings = settings_for_command()
    parts = Parts(open_encoder(settings), settings.models_folder, settings.knowledge_folder, settings.audiences)
    with open_database(settings) as (_, sessions), sessions() as session:
        found = decide_again(session, ticket_id, parts, number=number)
    if as_json:
        print_json(asdict(found))
    else:
        said = "came out the same, to the byte" if found.is_same else "did not come out the same"
        out.print(f"Pass {found.number} of {found.ticket} {said} (SHA-256 {found.stored[:16]}).")
        if found.differs:
            out.print(f"Different: {', '.join(found.differs)}.")
        for sentence in found.changed:
            out.print(escape(sentence))
    if not found.is_same:
        raise typer.Exit(1)


@cli.command()
def similar(
    ticket_id: str,
    limit: Annotated[int, typer.Option(min=1, max=50, help="How many past tickets to show at most.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Show the past tickets that are nearest to a ticket, with their labels and who gave them.

    `labelled` stands in the training data, `corrected` was said by an agent, `decided` by the bot and not checked.

    Example: `triage tickets similar 0199…`
    """
    with open_app(settings_for_command()) as app, app.sessions() as session:
        row = store.find_ticket(session, ticket_id)
        if app.desk.history:
            app.desk.history.catch_up()
        loaded = app.desk.current()
        vector = loaded.encoder.encode([clean(row.subject, row.body)])[0]
        found = nearest(loaded.past, vector, limit=limit, without=ticket_id)
    if as_json:
        print_json({"ticket": ticket_id, "similar": similar_view(found)})
    elif found:
        out.print(similar_table(found))
    else:
        note(f"Nothing similar among {app.desk.past}.")


@cli.command()
def submit(
    file: Annotated[str, typer.Argument(help="JSON, JSON Lines or plain text; - reads standard input.")],
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for the results.")] = 0,
) -> None:
    """Hand tickets in as if they had come by a channel; a repeated `id` is taken once.

    Example: `triage tickets submit tickets.jsonl --wait 30`
    """
    settings = settings_for_command()
    tickets = read_incoming(file)
    with open_database(settings) as (engine, sessions):
        jobs = Jobs(engine)
        try:
            ids = hand_in(sessions, jobs, tickets, mask_stored=settings.mask_stored)
        finally:
            jobs.close()
        for ticket_id in ids:
            out.print(ticket_id, highlight=False)
        note(f"{len(ids)} tickets accepted. A running `triage serve` or `triage worker` looks at them.")
        if wait:
            watch(sessions, ids, timeout_s=wait)


@cli.command()
def retry(
    ticket_ids: Annotated[list[str] | None, typer.Argument(help="Default: all that failed.")] = None,
) -> None:
    """Queue tickets again, as a further pass; without ids all that failed.

    Example: `triage tickets retry`
    """
    with open_database(settings_for_command()) as (engine, sessions):
        jobs = Jobs(engine)
        try:
            with sessions.begin() as session:
                ids = ticket_ids or [
                    row.id for row in store.list_tickets(session, state=TicketState.FAILED, limit=10_000)
                ]
                for ticket_id in ids:
                    if store.ticket_state(session, ticket_id) is None:
                        raise NotFound(f"There is no ticket {ticket_id}.")
                    jobs.enqueue_triage(session, ticket_id, store.begin_attempt(session, ticket_id))
        finally:
            jobs.close()
        note(f"{len(ids)} tickets queued again.")


@cli.command()
def correct(
    ticket_id: str,
    field: Annotated[str, typer.Argument(help="The field that is wrong, such as queue.")],
    value: Annotated[str, typer.Argument(help="What it should have been.")],
    note_: Annotated[str, typer.Option("--note", help="Why, for whoever reads it later.")] = "",
) -> None:
    """Record what a field should have been; the next model learns from it.

    Example: `triage tickets correct 0199… queue network --note "VPN, not the laptop"`
    """
    correction = Correction(field, value, author=getpass.getuser(), note=note_)
    with open_database(settings_for_command()) as (_, sessions), sessions.begin() as session:
        row = store.add_correction(session, ticket_id, correction)
        note(f"{field} of {ticket_id}: {row.previous or 'nothing'} → {value}.")


def hand_in(
    sessions: sessionmaker[Session], jobs: Jobs, tickets: Sequence[IncomingTicket], *, mask_stored: bool
) -> list[str]:
    """Accept the tickets, all in one transaction; returns their ids in order."""
    with sessions.begin() as session:
        return [accept(session, jobs, ticket, mask_stored=mask_stored).ticket_id for ticket in tickets]


def watch(sessions: sessionmaker[Session], ids: Sequence[str], *, timeout_s: float) -> bool:
    """Show the tickets in a table that fills as they are looked at; True when all are done in time."""
    deadline = time.monotonic() + timeout_s
    # Where nobody watches, as in a pipe or a log, only the end result is printed.
    with Live(console=out, refresh_per_second=8, transient=True) if out.is_terminal else nullcontext() as live:
        while True:
            with sessions() as session:
                rows = [store.find_ticket(session, ticket_id) for ticket_id in ids]
                table = stories_table(rows)
            waiting = sum(row.state == TicketState.ACCEPTED for row in rows)
            if not waiting or time.monotonic() > deadline:
                break
            if live:
                live.update(table)
            time.sleep(0.25)
    out.print(table)
    if waiting:
        note(f"{waiting} of {len(ids)} tickets are still waiting; is a `triage serve` or `triage worker` running?")
    return not waiting


def stories_table(rows: Sequence[TicketRow]) -> Group:
    """Stored tickets with their newest decisions and answers, and the key to the marks."""
    latest = [row.runs[-1] if row.runs else None for row in rows]
    fields = list(dict.fromkeys(d.field for run in latest if run for d in run.decisions))
    table = ticket_table(fields)
    for row, run in zip(rows, latest, strict=True):
        table.add_row(_title(row), *_cells(row, run, fields))
    return Group(table, LEGEND)


def _plain_title(row: TicketRow) -> str:
    return row.subject.strip() or " ".join(row.body.split())[:100]


def _title(row: TicketRow) -> str:
    return escape(_plain_title(row))


def _cells(row: TicketRow, run: RunRow | None, fields: Sequence[str]) -> list[str]:
    if run is None:
        said = f"[red]failed: {escape(row.failure or '')}[/]" if row.failure else "[dim]waiting[/]"
        return [*("" for _ in fields), said]
    decided = {decision.field: decision_cell(decision) for decision in run.decisions}
    answer = run.answer
    if run.duplicate_of:
        return [*(decided.get(name, "") for name in fields), f"[dim]a duplicate of {run.duplicate_of}[/]"]
    nearest = answer.nearest[0]["title"] if answer and answer.nearest else None
    cited = answer.citations if answer and answer.reason is None else []
    said = answer_cell(cited, answer.probability, nearest) if answer else ""
    return [*(decided.get(name, "") for name in fields), said]


def _show_story(row: TicketRow, shown: Callable[[str], str]) -> None:
    """Print the story; ``shown`` says how what people wrote may be shown."""
    out.rule(f"[bold]{escape(shown(_plain_title(row)))}", align="left")
    came = f"{row.channel} · {escape(shown(row.requester))} · {row.received_at:%Y-%m-%d %H:%M:%S} UTC"
    out.print(f"[dim]{row.id} · {row.state} · {came}[/]")
    if row.failure:
        out.print(f"[red]{escape(shown(row.failure))}[/]")
    if row.duplicate_of:
        out.print(f"[yellow]A duplicate of {row.duplicate_of}.[/]")
    out.print(escape(shown(row.body).strip()))
    for run in row.runs:
        _show_run(run, titles=shown is str)
    for correction in row.corrections:
        was = correction.previous or "nothing"
        change = f"{escape(correction.field)}: {escape(was)} → {escape(correction.value)}"
        out.print(f"[magenta]{escape(correction.author)}[/] corrected {change}")


def _show_run(run: RunRow, *, titles: bool) -> None:
    out.rule(f"[dim]pass {run.number}, {run.seconds * 1000:.0f} ms, model {run.model_id or 'none'}", align="left")
    for decision in run.decisions:
        out.print(f"[bold]{escape(decision.field)}[/] {decision_cell(decision)}  [dim]{escape(decision.reason)}[/]")
    for line in similar_lines(similar_of(run), titles=titles):
        out.print(line, soft_wrap=True)
    if titles:
        for line in macro_lines(macros_of(run)):
            out.print(line, soft_wrap=True)
    _show_stored_answer(run.answer)
    for delivery in run.deliveries:
        out.print(f"[dim]{delivery.channel}: {delivery.state}. {escape(delivery.detail)}[/]")


def _show_stored_answer(answer: AnswerRow | None) -> None:
    if answer is None or answer.reason is not None:
        out.print(f"[yellow]No answer:[/] {escape((answer.explanation if answer else None) or '')}")
    if answer is None:
        return
    if answer.reason is not None and answer.citations:
        out.print("[yellow]For an agent to look at:[/]")
    sentences = [RewordedSentence(one["text"], one["citation"]) for one in answer.reworded or ()]
    for line in reworded_lines(sentences, answer.reworded_by, answer.reworded_note):
        out.print(line, soft_wrap=True)
    show_citations(answer.citations)
    if answer.citations:
        out.print(f"[green]{answer.probability:.0%}[/] probability that this answers the question.")
    for one in answer.feedback:
        out.print(f"[magenta]{escape(one.author)}[/] said: {one.verdict.replace('_', ' ')} {escape(one.note)}")
