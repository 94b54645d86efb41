"""``triage train``, ``evaluate`` and ``models``: how is the classifier made, measured and chosen?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from triage.app import open_encoder
from triage.cli.options import AsJson, FeatureColumns, LabelColumns, TextColumns
from triage.cli.show import note, print_json, progress
from triage.learning.registry import promote

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
    promote_it: Annotated[
        bool, typer.Option("--promote/--no-promote", help="Use the new model from now on.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Train a classifier on labelled tickets.

    Example: `triage train tickets.csv --text subject --text body --label queue --label priority --feature requester`
    """
    from triage.learning.dataset import read_tickets

    settings = ready_to_train()
    tickets = read_tickets(file, text=text, labels=label, features=feature or ())
    with progress("Training") as report:
        from triage.learning.training import train_classifier

        card = train_classifier(tickets, open_encoder(settings), settings.models_folder, progress=report)
    if promote_it:
        promote(settings.models_folder, card.model_id)
    if as_json:
        print_json(card.as_json())
        return
    show_card(card)
    note(f"Model {card.model_id} is {'now in use' if promote_it else 'kept aside'}.")
