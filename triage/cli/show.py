"""How do results look in a terminal? stdout holds results; progress, notes and complaints go to stderr."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

from kb import Citation
from triage.db.tables import CitationRow, DecisionRow
from triage.tickets.model import Decision, Outcome

out = Console()
err = Console(stderr=True)

MARKS = {
    Outcome.APPLY.value: ("green", "✔"),
    Outcome.SUGGEST.value: ("yellow", "?"),
    Outcome.LEAVE.value: ("dim", "–"),
}
LEGEND = "[green]✔ applied[/]  [yellow]? suggested[/]  [dim]– left[/]   (the number is the calibrated probability)"
ANSWER_CHARACTERS = 90


def complain(sentence: str) -> None:
    """One sentence about what went wrong."""
    err.print(f"[bold red]triage:[/] {escape(sentence)}", soft_wrap=True)


def note(sentence: str) -> None:
    """One sentence about what was done."""
    err.print(escape(sentence), soft_wrap=True)


def print_json(value: object) -> None:
    """Exactly one JSON value on stdout, for programs."""
    out.file.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr; yields ``report(done, total)``."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
    ) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def decision_cell(decision: Decision | DecisionRow) -> str:
    """A decision in a table cell: mark, value and probability, or the rule that set it."""
    colour, mark = MARKS[str(decision.outcome)]
    value = escape(decision.value or "")
    if decision.rule:
        return f"[{colour}]{mark} {value}[/] [dim]rule[/]"
    number = "" if decision.probability is None else f" {decision.probability:.0%}"
    return f"[{colour}]{mark} {value}{number}[/]"


def answer_cell(citations: Sequence[Citation | CitationRow], probability: float | None, explanation: str | None) -> str:
    """An answer's first line with its citation, or why there is none."""
    if not citations:
        return f"[dim]{escape(_shorten(explanation or 'No answer.'))}[/]"
    first = next((line for line in citations[0].text.splitlines() if line.strip(" #*-")), "")
    sure = "" if probability is None else f"[green]{probability:.0%}[/] "
    return f"{sure}{escape(_shorten(first.strip()))} [cyan]\\[{escape(citations[0].title)}][/]"


def ticket_table(fields: Sequence[str]) -> Table:
    """An empty table of triaged tickets: one column per field."""
    table = Table(show_lines=False, pad_edge=False, expand=True, row_styles=["", "on grey7"])
    table.add_column("ticket", no_wrap=True, ratio=4, overflow="ellipsis")
    for name in fields:
        table.add_column(name, no_wrap=True)
    table.add_column("answer, with its citation", ratio=7)
    return table


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= ANSWER_CHARACTERS else text[: ANSWER_CHARACTERS - 1] + "…"
