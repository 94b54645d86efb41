"""Which commands are there, and what does a person see when one fails?"""

from __future__ import annotations

import sys

import typer

from kb import KnowledgeError
from triage.cli import (
    answers,
    ask,
    channels,
    database,
    datasets,
    demo,
    importing,
    judged,
    keys,
    knowledge,
    labels,
    learn,
    letters,
    llm,
    models,
    policy,
    serve,
    slack,
    snapshots,
    tickets,
)
from triage.cli.show import complain
from triage.errors import TriageError

__all__ = ["cli", "main"]

cli = typer.Typer(
    name="triage",
    help="A help desk bot that acts only where it has measured that it is right, and answers only in cited words.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (serve, learn, importing, ask, tickets, answers, demo):
    module.register(cli)
for module in (judged, snapshots):
    module.register(knowledge.cli)
cli.add_typer(tickets.cli, name="tickets")
cli.add_typer(knowledge.cli, name="kb")
cli.add_typer(answers.cli, name="answers")
cli.add_typer(channels.cli, name="channels")
cli.add_typer(letters.deliveries, name="deliveries")
cli.add_typer(letters.received, name="received")
cli.add_typer(slack.cli, name="slack")
cli.add_typer(models.cli, name="models")
cli.add_typer(datasets.cli, name="datasets")
cli.add_typer(labels.cli, name="labels")
cli.add_typer(policy.cli, name="policy")
cli.add_typer(llm.cli, name="llm")
cli.add_typer(keys.cli, name="keys")
cli.add_typer(database.cli, name="db")


def main() -> None:
    """Run the command line; a known failure is one sentence on stderr and exit status 1, never a traceback."""
    try:
        cli(standalone_mode=True)
    except (TriageError, KnowledgeError) as error:
        complain(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        complain("Stopped. Nothing half-written was left behind; the same command goes on where it can.")
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output, such as `head`, has seen enough
        sys.stderr.close()
        sys.exit(0)
