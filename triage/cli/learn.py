"""``triage train`` and ``evaluate``: how is a classifier made and measured?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy.orm import Session

from triage.app import ensure_encoder, open_database, open_encoder
from triage.cli.models import Force, Margin, record, show_release
from triage.cli.options import (
    AsJson,
    FeatureColumns,
    LabelColumns,
    TextColumns,
    ThreadColumn,
    TicketColumn,
    TimeColumn,
    settings_for_command,
)
from triage.cli.show import note, out, print_json, progress, warn
from triage.errors import BadInput, Misconfigured
from triage.learning.dataset import LabelledTickets, combine, read_tickets
from triage.learning.gate import MARGIN
from triage.learning.history import read_corrections
from triage.learning.release import Release, run_gate, settle
from triage.learning.snapshot import dataset_folder, read_dataset_card
from triage.policy import read_policy
from triage.settings import Settings
from triage.understand.card import ModelCard
from triage.understand.clearance import Aim

if TYPE_CHECKING:
    from triage.learning.evaluation import Result

SomeText = Annotated[
    list[str] | None, typer.Option("--text", help="Column with text; give it again for more, in reading order.")
]
SomeLabels = Annotated[
    list[str] | None,
    typer.Option("--label", help="Column to predict; give it again for more. Without a FILE: all that was corrected."),
]


def register(cli: typer.Typer) -> None:
    """Add these commands to the top level."""
    cli.command()(train)
    cli.command()(evaluate)


def train(  # one parameter for each option
    file: Annotated[Path | None, typer.Argument(help="CSV or JSON Lines (may be .gz), one ticket per row.")] = None,
    *,
    text: SomeText = None,
    label: SomeLabels = None,
    feature: FeatureColumns = None,
    time: TimeColumn = None,
    thread: ThreadColumn = None,
    ticket: TicketColumn = None,
    from_history: Annotated[
        bool, typer.Option("--from-history", help="Learn from the agents' corrections too, or from them alone.")
    ] = False,
    promoted: Annotated[
        bool, typer.Option("--promote/--no-promote", help="Use the new model from now on, if it passes the gate.")
    ] = True,
    force: Force = False,
    margin: Margin = MARGIN,
    as_json: AsJson = False,
) -> None:
    """Train a classifier on labelled tickets; it is used from now on if it passes the gate against the one in use.

    Example: `triage train tickets.csv --text subject --text body --label queue --feature requester --from-history`
    """
    settings = ready_to_train()
    columns = _Columns(text or [], label or [], feature or [], time, thread, ticket)
    tickets = _gather(settings, file, columns, from_history=from_history)
    card, release = train_on(settings, tickets, promoted=promoted, force=force, margin=margin)
    registered = record(settings)
    warnings = read_dataset_card(dataset_folder(settings.datasets_folder, card.dataset_id)).warnings
    for warning in warnings:
        warn(warning)
    if as_json:
        print_json({**card.as_json(), "warnings": warnings, "release": release.as_json(), "registered": registered})
        return
    show_card(card)
    show_release(card.model_id, release)


def evaluate(
    train: Annotated[Path, typer.Argument(help="File to learn from: CSV or JSON Lines (may be .gz).")],
    test: Annotated[Path, typer.Argument(help="File to measure on.")],
    text: TextColumns,
    label: LabelColumns,
    feature: FeatureColumns = None,
    time: TimeColumn = None,
    thread: ThreadColumn = None,
    oos: Annotated[Path | None, typer.Option(help="Tickets that no label fits, to measure their detection.")] = None,
    target: Annotated[float, typer.Option(help="Of the values applied, at least this share must be right.")] = 0.95,
    confidence: Annotated[float, typer.Option(help="How sure that must be.")] = 0.95,
    group_by_text: Annotated[
        bool,
        typer.Option("--group-by-text", help="Learn from no ticket that is alike, but for digits, to a test ticket."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Measure how good a classifier would be on your own history, and what it could be certified for; nothing is kept.

    Example: `triage evaluate 2025.csv 2026.csv --text subject --text body --label queue --json`
    """
    _refuse_share(target=target, confidence=confidence)
    settings = ready_to_train()
    from triage.learning.evaluation import Files
    from triage.learning.evaluation import evaluate as measure

    files = Files(train, test, text, label, feature or (), time, thread, oos)
    with progress("Embedding and fitting") as report:
        result = measure(
            files,
            open_encoder(settings),
            aim=Aim(target, confidence),
            group_by_text=group_by_text,
            progress=report,
        )
    if as_json:
        print_json(result)
    else:
        _show_evaluation(result)


def _refuse_share(**shares: float) -> None:
    for name, share in shares.items():
        if not 0 < share < 1:
            raise BadInput(f"--{name} {share:g} cannot be shown on any number of tickets; give one such as 0.95.")


def _show_evaluation(result: Result) -> None:
    copies = result["left_out_copies"]
    out.print(
        f"Learned from {result['train']} tickets{f' ({copies} copies left out)' if copies else ''}, "
        f"measured on {result['test']}; seconds: {result['seconds']}"
    )
    measured = result["labels"]
    assert isinstance(measured, dict)
    names = [name for name, figure in next(iter(measured.values())).items() if isinstance(figure, float)]
    table = Table("field", *names)
    for field, figures in measured.items():
        table.add_row(escape(field), *(f"{figures[name]:.4f}" for name in names))
    out.print(table)
    for field, figures in measured.items():
        _show_promises(field, figures)


def _show_promises(field: str, figures: Result) -> None:
    """What the training tickets certify, and how the test tickets bear it out."""
    certified, sets = figures["certified"], figures["prediction_sets"]
    assert isinstance(certified, dict)
    assert isinstance(sets, dict)
    aim = f"{certified['target']:.0%} right with {certified['confidence']:.0%} confidence"
    if certified["certificates"]:
        kept = "none was there" if certified["precision"] is None else f"{certified['precision']:.1%} of them right"
        said = f"would be applied to {certified['coverage']:.1%} of the test tickets, {kept}"
    else:
        short = certified["shortfalls"][0]
        said = f"cannot be certified: {short['errors']} of the {short['n']} surest checked tickets were wrong"
    out.print(f"[bold]{escape(field)}[/]: {aim} {said}.")
    asked = certified["asked"]
    if asked["coverage"]:
        out.print(
            f"  Asked about {asked['coverage']:.1%} more, with two or three values to choose from; "
            f"{asked['holds_the_truth']:.1%} of these questions offered the right one."
        )
    out.print(
        f"  Sets that hold the right value for {sets['target']:.0%}: {sets['mean_size']:.1f} values on average, "
        f"{sets['coverage']:.1%} held it."
    )


def ready_to_train() -> Settings:
    """The settings, with the encoder prepared and what training needs there."""
    settings = settings_for_command()
    try:
        import matplotlib  # noqa: F401  # only to see that they are there
        import sklearn  # noqa: F401
    except ImportError as error:
        raise Misconfigured(f"Training needs {error.name}. Run: pip install 'triage[train]'") from error
    settings.home.mkdir(parents=True, exist_ok=True)
    ensure_encoder(settings)
    return settings


def train_on(
    settings: Settings,
    tickets: LabelledTickets,
    *,
    promoted: bool = True,
    force: bool = False,
    margin: float = MARGIN,
) -> tuple[ModelCard, Release]:
    """Train a candidate, with a progress bar, let it through the gate, and write its model card."""
    from triage.learning.candidate import make_candidate
    from triage.learning.report import write_report

    models, datasets = settings.models_folder, settings.datasets_folder
    policy = read_policy(settings.policy_file)
    with progress("Embedding and fitting") as report:
        card = make_candidate(tickets, open_encoder(settings), models=models, datasets=datasets, progress=report)
    verdict = run_gate(models, datasets, card.model_id, policy, margin=margin)
    release = settle(models, verdict, wanted=promoted, force=force)
    write_report(models / card.model_id, datasets, policy)
    return card, release


def show_card(card: ModelCard) -> None:
    """What a model is worth, on tickets it had not seen."""
    table = Table("field", "labels", "accuracy (95 % interval)", "macro-F1", "log loss", "calibration error")
    for name, field in card.fields.items():
        low, high = field.accuracy_interval
        table.add_row(
            escape(name),
            str(len(field.labels)),
            f"{field.accuracy:.1%} ({low:.1%} to {high:.1%})",
            f"{field.macro_f1:.3f}",
            f"{field.log_loss:.3f}",
            f"{field.ece_before:.3f} → {field.ece:.3f}",
        )
    out.print(table)
    for name, field in card.fields.items():
        if field.single_labels:
            note(f"{name}: {len(field.single_labels)} labels have one ticket only and were never measured.")


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which columns were asked for."""

    text: list[str]
    labels: list[str]
    features: list[str]
    time: str | None
    thread: str | None
    ticket: str | None


def _gather(settings: Settings, file: Path | None, columns: _Columns, *, from_history: bool) -> LabelledTickets:
    """The tickets of the file, of the corrections, or of both."""
    if file is None and not from_history:
        raise BadInput("Nothing to learn from: give a FILE of labelled tickets, or --from-history for the corrections.")
    if file is not None and not (columns.text and columns.labels):
        raise BadInput(f"Say what to read in {file}: --text COLUMN and --label COLUMN, each as often as needed.")
    corrected = _corrected(settings, columns) if from_history else None
    if file is None:
        assert corrected is not None  # refused above
        if not len(corrected):
            raise BadInput("Nobody has corrected a ticket yet; `triage tickets correct` and the REST API do that.")
        return corrected
    tickets = read_tickets(file, **asdict(columns))
    if corrected is None:
        return tickets
    note(f"{len(corrected)} corrected tickets are learned from too.")
    return combine(tickets, corrected) if len(corrected) else tickets


def _corrected(settings: Settings, columns: _Columns) -> LabelledTickets:
    with open_database(settings) as (engine, _), Session(engine) as session:
        return read_corrections(session, labels=columns.labels, features=columns.features)
