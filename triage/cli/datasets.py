"""``triage datasets``: which tickets were models made from?"""

from __future__ import annotations

import typer
from rich.markup import escape
from rich.table import Table

from triage.cli.options import AsJson, settings_for_command
from triage.cli.show import note, out, print_json, warn
from triage.learning.snapshot import DatasetCard, dataset_folder, list_datasets, read_dataset_card

cli = typer.Typer(no_args_is_help=True, help="Look at the snapshots of tickets that models were trained on.")


@cli.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """List all datasets, oldest first.

    Example: `triage datasets list`
    """
    cards = list_datasets(settings_for_command().datasets_folder)
    if as_json:
        print_json({"datasets": [card.as_json() for card in cards]})
        return
    if not cards:
        note("There is no dataset yet; `triage train` makes one.")
        return
    table = Table("dataset", "made", "of", "tickets", "fields (labels)", "warnings")
    for card in cards:
        fields = ", ".join(f"{name} ({len(labels)})" for name, labels in card.labels.items())
        row = (card.dataset_id, card.created_at, card.name, f"{card.tickets:,}", fields, str(len(card.warnings)))
        table.add_row(*(escape(cell) for cell in row))
    out.print(table)


@cli.command()
def show(dataset_id: str, as_json: AsJson = False) -> None:
    """Show what a dataset holds, and what is suspicious about its labels.

    Example: `triage datasets show d-0123456789ab`
    """
    folder = dataset_folder(settings_for_command().datasets_folder, dataset_id)
    card = read_dataset_card(folder)
    if as_json:
        print_json({**card.as_json(), "folder": str(folder)})
        return
    table = Table(show_header=False)
    for name, value in _facts(card):
        table.add_row(name, escape(value))
    out.print(table)
    for field, counts in card.labels.items():
        labels = Table("label", "tickets", title=escape(field), title_justify="left")
        for label, count in counts.items():
            labels.add_row(escape(label), f"{count:,}")
        out.print(labels)
    for warning in card.warnings:
        warn(warning)
    note(str(folder))


def _facts(card: DatasetCard) -> list[tuple[str, str]]:
    languages = ", ".join(f"{name} {count / card.languages_of:.0%}" for name, count in card.languages.items())
    return [
        ("dataset", f"{card.dataset_id}, made {card.created_at} of {card.name}"),
        ("tickets", f"{card.tickets:,} ({', '.join(f'{count:,} {name}' for name, count in card.sources.items())})"),
        ("text", ", ".join(card.text_columns)),
        ("metadata", ", ".join(card.feature_columns) or "none"),
        ("dates", f"{card.first} to {card.last}" if card.first else "none"),
        ("languages", languages),
        ("copies", f"{card.exact_copies:,} exact, {card.near_copies:,} but for digits, case and spacing"),
        ("label noise", ", ".join(f"{name}: {n} contradictory texts" for name, n in card.contradictions.items())),
        ("folds", str(card.folds)),
        ("SHA-256 of the tickets", card.digest),
        ("encoder", card.encoder_fingerprint),
    ]
