"""``triage train``, ``evaluate`` and ``models``: how is the classifier made, measured and chosen?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from triage.app import ensure_encoder, open_encoder
from triage.cli.options import AsJson, FeatureColumns, LabelColumns, TextColumns, settings_for_command
from triage.cli.show import note, out, print_json, progress
from triage.errors import Misconfigured
from triage.learning.registry import champion, list_models, promote
from triage.settings import Settings
from triage.understand.card import ModelCard

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
    promoted: Annotated[bool, typer.Option("--promote/--no-promote", help="Use the new model from now on.")] = True,
    as_json: AsJson = False,
) -> None:
    """Train a classifier on labelled tickets.

    Example: `triage train tickets.csv --text subject --text body --label queue --feature requester`
    """
    settings = ready_to_train()
    card = train_file(settings, file, text=text, labels=label, features=feature or (), promoted=promoted)
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
    oos: Annotated[Path | None, typer.Option(help="Tickets that no label fits, to measure their detection.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how good a classifier would be on your own history; nothing is kept.

    Example: `triage evaluate 2025.csv 2026.csv --text subject --text body --label queue --json`
    """
    settings = ready_to_train()
    from triage.learning.evaluation import evaluate as measure

    with progress("Embedding and fitting") as report:
        result = measure(
            train,
            test,
            open_encoder(settings),
            text=text,
            labels=label,
            features=feature or (),
            out_of_scope=oos,
            progress=report,
        )
    if as_json:
        print_json(result)
        return
    out.print(f"Learned from {result['train']} tickets, measured on {result['test']}; seconds: {result['seconds']}")
    measured = result["labels"]
    assert isinstance(measured, dict)
    names = list(next(iter(measured.values())))
    table = Table("field", *names)
    for field, figures in measured.items():
        table.add_row(escape(field), *(f"{figures[name]:.4f}" for name in names))
    out.print(table)


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


def train_file(
    settings: Settings,
    file: Path,
    *,
    text: list[str],
    labels: list[str],
    features: list[str] | tuple[str, ...] = (),
    promoted: bool = True,
) -> ModelCard:
    """Train on a file, with a progress bar, and put the model to use."""
    from triage.learning.dataset import read_tickets
    from triage.learning.training import train_classifier

    tickets = read_tickets(file, text=text, labels=labels, features=features)
    with progress("Embedding and fitting") as report:
        card = train_classifier(tickets, open_encoder(settings), settings.models_folder, progress=report)
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
