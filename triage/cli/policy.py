"""``triage policy``: what may the bot do by itself, and is the policy as it was meant?"""

from __future__ import annotations

import typer
from rich.markup import escape
from rich.table import Table

from triage.cli.options import AsJson, settings_for_command
from triage.cli.show import note, out, print_json, warn
from triage.desk import clear_all, doubts
from triage.learning.registry import champion
from triage.policy import read_policy
from triage.understand.classifier import Classifier
from triage.understand.clearance import clearance_view

cli = typer.Typer(no_args_is_help=True, help="Check the policy and what it allows.")


@cli.callback()
def policy() -> None:
    """Check the policy and what it allows."""


@cli.command()
def check(as_json: AsJson = False) -> None:
    """Read the policy file, say what in it may be a slip, and what the model in use is certified for under it.

    Exit status 1 where the file is wrong or names a value that no training ticket had.

    Example: `triage policy check`
    """
    settings = settings_for_command()
    rules = read_policy(settings.policy_file)
    folder = champion(settings.models_folder)
    classifier = Classifier.load(folder) if folder else None
    slips = doubts(classifier, rules)
    cleared = clear_all(classifier, rules).fields
    if as_json:
        views = {name: clearance_view(one) for name, one in cleared.items()}
        print_json({"policy": rules.digest, "doubts": slips, "clearance": views})
    else:
        table = Table("field", "for", "what is certified")
        for name, one in cleared.items():
            for found in (*one.values.values(), one.others, one.ask):
                about = "questions" if found.choices > 1 else found.value or "all other values"
                table.add_row(escape(name), escape(about), escape(found.says))
        out.print(table if cleared else "No model is in use, so nothing is certified.")
        for sentence in slips:
            warn(sentence)
        if not slips:
            note(f"{settings.policy_file} is in order.")
    if slips:
        raise typer.Exit(1)
