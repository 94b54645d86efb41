"""Which options do several commands share?"""

from typing import Annotated

import typer

from triage.settings import Settings, read_settings
from triage.telemetry import set_up_logging

AsJson = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on stdout.")]
Masked = Annotated[
    bool,
    typer.Option("--mask", help="Show texts as in a public place: without addresses, numbers, passwords and names."),
]
OnProduct = Annotated[
    str | None, typer.Option("--product", help="Leave out articles on other products; those that name none stay.")
]
InLanguage = Annotated[
    str | None,
    typer.Option("--language", help="Leave out articles in other languages (`en`); those that name none stay."),
]
TextColumns = Annotated[
    list[str], typer.Option("--text", help="Column with text; give it again for more, in reading order.")
]
LabelColumns = Annotated[list[str], typer.Option("--label", help="Column to predict; give it again for more fields.")]
FeatureColumns = Annotated[
    list[str] | None,
    typer.Option("--feature", help="Column with metadata, such as the requester; give it again for more."),
]
TimeColumn = Annotated[
    str | None,
    typer.Option("--time", help="Column that says when a ticket was made: then newer tickets judge, older ones teach."),
]
ThreadColumn = Annotated[
    str | None,
    typer.Option("--thread", help="Column that tickets of one conversation share: they stay on one side of a split."),
]
TicketColumn = Annotated[
    str | None,
    typer.Option(
        "--ticket", help="Column with the ticket's id, where a ticket has several rows: its last label counts."
    ),
]


def settings_for_command() -> Settings:
    """The settings, with logging set up; for one-off commands only warnings are logged."""
    settings = read_settings()
    set_up_logging("warning" if settings.log_level == "info" else settings.log_level, as_json=settings.log_json)
    return settings
