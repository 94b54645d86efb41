"""``triage kb diff`` and ``snapshots``: which states of the knowledge base are kept, and what changed between two?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from kb import Change, Difference, Encoder, KnowledgeBase, compare, kept_snapshots, read_questions
from triage.app import open_database, open_encoder
from triage.cli.knowledge import ready_for_knowledge
from triage.cli.options import AsJson, settings_for_command
from triage.cli.show import out, print_json, progress
from triage.errors import BadInput, NotFound
from triage.learning.answers import bar_for
from triage.policy import read_policy
from triage.settings import Settings
from triage.tickets import store

SHOWN = 50


class FailOn(StrEnum):
    """What makes ``kb diff`` fail, for a pipeline."""

    LOST = "lost"
    CHANGED = "changed"
    NOTHING = "nothing"


FAILS_ON = {FailOn.LOST: (Change.LOST,), FailOn.CHANGED: (Change.LOST, Change.CHANGED), FailOn.NOTHING: ()}


def register(cli: typer.Typer) -> None:
    """Add these commands to ``triage kb``."""
    for command in (diff, snapshots):
        cli.command()(command)


def diff(
    old: Annotated[str, typer.Argument(help="Name of a snapshot, or `current`.")],
    new: Annotated[str, typer.Argument(help="Name of a snapshot, or `current`.")] = "current",
    queries: Annotated[Path | None, typer.Option(help="JSON Lines with _id and text; else past tickets.")] = None,
    last: Annotated[int, typer.Option(min=1, help="So many of the newest tickets are asked again.")] = 1000,
    fail_on: Annotated[FailOn, typer.Option(help="What makes the command fail.")] = FailOn.LOST,
    as_json: AsJson = False,
) -> None:
    """Ask two snapshots past questions: which answers are gained, lost or changed?

    `triage kb snapshots` lists them.

    Example: `triage kb diff 386ffdddac8f3150 current --fail-on changed`
    """
    settings = ready_for_knowledge()
    encoder = open_encoder(settings)
    before, after = (_snapshot(settings, encoder, name) for name in (old, new))
    questions = read_questions(queries) if queries else _past_questions(settings, last)
    if not questions:
        raise BadInput("There are no past tickets to ask again: give questions with --queries FILE.")
    bar = bar_for(after.gate, read_policy(settings.policy_file).answers)
    with progress("Embedding questions") as report:
        vectors = encoder.encode(questions, progress=report)
    with progress("Asking both") as report:
        found = compare(before, after, questions, vectors, bar=bar, audiences=settings.audiences, progress=report)
    counts = {change.value: sum(one.change is change for one in found) for change in Change}
    other = [one for one in found if one.change is not Change.SAME]
    if as_json:
        view = {"old": before.snapshot, "new": after.snapshot, "questions": len(questions), **counts}
        print_json({**view, "differences": [asdict(one) for one in other]})
    else:
        _show_differences(other, counts)
    if any(counts[change] for change in FAILS_ON[fail_on]):
        raise typer.Exit(1)


def snapshots(as_json: AsJson = False) -> None:
    """List the snapshots that are kept, newest first.

    Example: `triage kb snapshots`
    """
    settings = settings_for_command()
    kept = kept_snapshots(settings.knowledge_folder)
    if as_json:
        print_json({"snapshots": [asdict(one) for one in kept]})
        return
    table = Table("snapshot", "made", "articles", "passages", "index", "")
    for one in kept:
        sizes = f"{one.articles:,}", f"{one.passages:,}"
        table.add_row(one.name, one.made, *sizes, one.index, "in force" if one.in_force else "")
    out.print(table if kept else "There is none yet: triage kb sync PATH")


def _snapshot(settings: Settings, encoder: Encoder, name: str) -> KnowledgeBase:
    if name == "current":
        return KnowledgeBase.open(settings.knowledge_folder, encoder)
    found = KnowledgeBase.open_snapshot(settings.knowledge_folder, encoder, name)
    if found is None:
        raise NotFound(f"There is no snapshot {name}, or it is no longer kept; `triage kb snapshots` lists them.")
    return found


def _past_questions(settings: Settings, last: int) -> list[str]:
    with open_database(settings) as (_, sessions), sessions() as session:
        return store.newest_texts(session, last)


def _show_differences(other: Sequence[Difference], counts: Mapping[str, int]) -> None:
    out.print(", ".join(f"{count:,} {change}" for change, count in counts.items()), highlight=False)
    if other:
        table = Table("", "question", "before", "after")
        for one in other[:SHOWN]:
            shown = " ".join(one.question.split())[:80]
            table.add_row(one.change.value, *(escape(cell) for cell in (shown, one.before, one.after)))
        out.print(table)
