"""How do results look in a terminal? stdout holds results; progress, notes and complaints go to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
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
from triage.tickets.model import Decision, Outcome, RewordedSentence, SimilarTicket, SuggestedMacro

# In a pipe or a log there is no width to keep to; 80 columns would cut every table.
WIDE = 180
out = Console(width=None if sys.stdout.isatty() else WIDE)
err = Console(stderr=True, width=None if sys.stderr.isatty() else WIDE)

MARKS = {
    Outcome.APPLY.value: ("green", "✔"),
    Outcome.ASK.value: ("magenta", "◇"),
    Outcome.SUGGEST.value: ("yellow", "?"),
    Outcome.LEAVE.value: ("dim", "–"),
}
LEGEND = (
    "[green]✔ applied[/]  [magenta]◇ asked[/]  [yellow]? suggested[/]  [dim]– left[/]"
    "   (the number is the calibrated probability)"
)
ANSWER_CHARACTERS = 100


def complain(sentence: str) -> None:
    """One sentence about what went wrong."""
    err.print(f"[bold red]triage:[/] {escape(sentence)}", soft_wrap=True)


def note(sentence: str) -> None:
    """One sentence about what was done."""
    err.print(escape(sentence), soft_wrap=True)


def warn(sentence: str) -> None:
    """One sentence about something suspicious that stops nothing."""
    err.print(f"[yellow]Mind:[/] {escape(sentence)}", soft_wrap=True)


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


def answer_cell(citations: Sequence[Citation | CitationRow], probability: float | None, nearest: str | None) -> str:
    """An answer's first line with its citation, or the silence and what came nearest."""
    sure = "" if probability is None else f"{probability:.0%}"
    if not citations:
        instead = f", nearest “{escape(_shorten(nearest))}”" if nearest else ""
        return f"[dim]silent ({sure or 'nothing found'}{instead})[/]"
    first = next((line for line in citations[0].text.splitlines() if line.strip(" #*-")), "")
    return f"[green]{sure}[/] [cyan]\\[{escape(_shorten(citations[0].title))}][/] {escape(_shorten(first.strip()))}"


def show_citations(citations: Iterable[Citation | CitationRow]) -> None:
    """The words and where they stand."""
    for citation in citations:
        out.print(escape(citation.text))
        where = " › ".join([citation.title, *citation.heading_path])
        out.print(
            f"  [cyan]— {escape(where)}[/] [dim]{escape(citation.url or citation.article_id)}[/]\n",
            soft_wrap=True,
        )


def similar_lines(similar: Iterable[SimilarTicket], *, titles: bool = True) -> Iterator[str]:
    """Past tickets as they are read below a decision, the nearest first; others' words only with ``titles``."""
    for one in similar:
        labels = ", ".join(f"{label.field} {label.value} ({label.origin})" for label in one.labels) or "no labels"
        whose = f"[dim]{one.ticket_id or 'training data'}[/]"
        title = f" {escape(one.title)}" if titles and one.title else ""
        yield f"[dim]similar[/] {one.cosine:.2f}{title} [cyan]{escape(labels)}[/] {whose}"


def macro_lines(macros: Iterable[SuggestedMacro]) -> Iterator[str]:
    """Suggested macros below a decision, best first; what could not be filled in stands out."""
    for one in macros:
        yield f"[dim]macro[/] {one.score:.2f} [bold]{escape(one.title)}[/] [dim]{escape(one.macro_id)}[/]"
        for line in _filled(one).splitlines():
            yield f"    {line}"


def _filled(macro: SuggestedMacro) -> str:
    parts, done = [], 0
    for variable in macro.variables:
        colour = "green" if variable.value is not None else "bold yellow"
        shown = escape(macro.text[variable.start : variable.end])
        parts += [escape(macro.text[done : variable.start]), f"[{colour}]{shown}[/]"]
        done = variable.end
    return "".join([*parts, escape(macro.text[done:])])


def reworded_lines(sentences: Iterable[RewordedSentence], model: str | None, note: str | None) -> Iterator[str]:
    """An answer in other words, each sentence with the number of its citation, or why there are none."""
    said = [f"{escape(one.text)} [cyan]\\[{one.citation + 1}][/]" for one in sentences]
    yield from said
    if model:
        what = f"In the words of {model}; below is what the articles say." if said else "Not reworded."
        yield f"[dim]{escape(' '.join(filter(None, (what, note))))}[/]"


def similar_table(similar: Iterable[SimilarTicket]) -> Table:
    """Past tickets, the nearest first, a column for what each is labelled."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("cosine", justify="right")
    for name in ("ticket", "labels", "known from"):
        table.add_column(name)
    for one in similar:
        labels = "\n".join(f"{label.field}: {label.value} ({label.origin})" for label in one.labels)
        known = one.ticket_id or "training data"
        table.add_row(f"{one.cosine:.2f}", escape(one.title), escape(labels), known)
    return table


def ticket_table(fields: Sequence[str]) -> Table:
    """An empty table of triaged tickets: one column per field."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("ticket", no_wrap=True, ratio=3, overflow="ellipsis", min_width=12)
    for name in fields:
        table.add_column(name, no_wrap=True)
    table.add_column("answer \\[citation]", no_wrap=True, ratio=7, overflow="ellipsis", min_width=20)
    return table


def _shorten(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= ANSWER_CHARACTERS else text[: ANSWER_CHARACTERS - 1] + "…"
