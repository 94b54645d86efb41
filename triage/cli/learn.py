"""``triage train``, ``evaluate`` and ``models``: how is the classifier made, measured and chosen?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from triage.app import ensure_encoder, open_encoder
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
from triage.cli.show import note, out, print_json, progress
from triage.errors import BadInput, Misconfigured
from triage.learning.registry import champion, list_models, promote
from triage.policy import read_policy
from triage.settings import Settings
from triage.understand.card import ModelCard
from triage.understand.clearance import Aim

if TYPE_CHECKING:
    from triage.learning.dataset import LabelledTickets
    from triage.learning.evaluation import Result

models = typer.Typer(no_args_is_help=True, help="List trained models and choose the one in use.")


def register(cli: typer.Typer) -> None:
    """Add these commands to the top level."""
    cli.command()(train)
    cli.command()(evaluate)


def train(
    file: Annotated[Path, typer.Argument(help="CSV or JSON Lines (may be .gz), one ticket per row.")],
    text: TextColumns,
    label: LabelColumns,
    feature: FeatureColumns = None,
    time: TimeColumn = None,
    thread: ThreadColumn = None,
    ticket: TicketColumn = None,
    promoted: Annotated[bool, typer.Option("--promote/--no-promote", help="Use the new model from now on.")] = True,
    as_json: AsJson = False,
) -> None:
    """Train a classifier on labelled tickets.

    Example: `triage train tickets.csv --text subject --text body --label queue --feature requester`
    """
    settings = ready_to_train()
    from triage.learning.dataset import read_tickets

    tickets = read_tickets(
        file, text=text, labels=label, features=feature or (), time=time, thread=thread, ticket=ticket
    )
    card = train_tickets(settings, tickets, promoted=promoted)
    if as_json:
        print_json(card.as_json())
        return
    show_card(card)
    use = "in use from now on" if promoted else f"kept; `triage models promote {card.model_id}` puts it to use"
    note(f"Model {card.model_id} is {use}.")


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


@models.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """List all models, oldest first, with what they are worth; the one in use is marked.

    Example: `triage models list`
    """
    settings = settings_for_command()
    used = champion(settings.models_folder)
    cards = list_models(settings.models_folder)
    if as_json:
        print_json({"champion": used.name if used else None, "models": [card.as_json() for card in cards]})
        return
    if not cards:
        note("There is no model yet. Train one with: triage train FILE --text … --label …")
        return
    table = Table("", "model", "trained", "on", "tickets", "accuracy by field (tickets it had not seen)")
    for card in cards:
        accuracy = ", ".join(f"{name} {field.accuracy:.1%}" for name, field in card.fields.items())
        mark = "✔" if used and used.name == card.model_id else ""
        table.add_row(mark, card.model_id, card.created_at, escape(card.dataset), str(card.tickets), escape(accuracy))
    out.print(table)


@models.command(name="promote")
def promote_(model_id: str) -> None:
    """Put another model to use; running processes take it over with their next ticket.

    Example: `triage models promote m-0123456789ab`
    """
    promote(settings_for_command().models_folder, model_id)
    note(f"Model {model_id} is in use from now on.")


def ready_to_train() -> Settings:
    """The settings, with the encoder prepared and scikit-learn there."""
    settings = settings_for_command()
    try:
        import sklearn  # noqa: F401  # only to see that it is there
    except ImportError as error:
        raise Misconfigured("Training needs scikit-learn. Run: pip install 'triage[train]'") from error
    settings.home.mkdir(parents=True, exist_ok=True)
    ensure_encoder(settings)
    return settings


def train_tickets(settings: Settings, tickets: LabelledTickets, *, promoted: bool = True) -> ModelCard:
    """Train, with a progress bar, and put the model to use."""
    from triage.learning.training import train_classifier

    with progress("Embedding and fitting") as report:
        card = train_classifier(
            tickets,
            open_encoder(settings),
            settings.models_folder,
            descriptions=read_policy(settings.policy_file).descriptions,
            progress=report,
        )
    if promoted:
        promote(settings.models_folder, card.model_id)
    return card


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
