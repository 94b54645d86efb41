"""``triage models``: which models are there, which is in use, and what was measured of them?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markdown import Markdown
from rich.markup import escape
from rich.table import Table

from triage.cli.options import AsJson, settings_for_command
from triage.cli.show import complain, note, out, print_json
from triage.errors import DatasetDamaged, Misconfigured, ModelDamaged, RegistryUnusable
from triage.learning.gate import MARGIN
from triage.learning.registry import champion_id, history, list_models, model_folder
from triage.learning.registry import rollback as go_back
from triage.learning.release import Release, compare_models, not_judged, read_release, run_gate, settle
from triage.learning.report import README, write_report
from triage.policy import read_policy
from triage.settings import Settings
from triage.understand.classifier import Classifier, read_card

cli = typer.Typer(no_args_is_help=True, help="List, compare and choose models, and go back to the one before.")

Force = Annotated[bool, typer.Option("--force", help="Use it whatever the gate says; that you did is written down.")]
Margin = Annotated[
    float,
    typer.Option(
        min=0,
        max=1,
        help="By how much of its accuracy a new model may at most be worse than the one in use (.01: a point).",
    ),
]


@cli.command(name="list")
def list_(as_json: AsJson = False) -> None:
    """List all models, oldest first, with what they are worth; the one in use is marked.

    Example: `triage models list`
    """
    models = settings_for_command().models_folder
    used, cards = champion_id(models), list_models(models)
    if as_json:
        print_json(
            {
                "champion": used,
                "models": [{**card.as_json(), "release": _release_of(models / card.model_id)} for card in cards],
                "history": [asdict(promotion) for promotion in history(models)],
            }
        )
        return
    if not cards:
        note("There is no model yet. Train one with: triage train FILE --text … --label …")
        return
    table = Table("", "model", "trained", "on", "tickets", "accuracy by field (tickets it had not seen)", "release")
    for card in cards:
        accuracy = ", ".join(f"{name} {field.accuracy:.1%}" for name, field in card.fields.items())
        release = _release_of(models / card.model_id)
        table.add_row(
            "✔" if used == card.model_id else "",
            card.model_id,
            card.created_at,
            escape(card.dataset),
            str(card.tickets),
            escape(accuracy),
            escape(str(release["sentence"])) if release else "",
        )
    out.print(table)


@cli.command()
def show(model_id: str, as_json: AsJson = False) -> None:
    """Show a model's card: what it was made of, its figures, certificates, limits and release.

    Example: `triage models show m-0123456789ab`
    """
    settings = settings_for_command()
    folder = model_folder(settings.models_folder, model_id)
    if as_json:
        print_json({**read_card(folder).as_json(), "folder": str(folder), "release": _release_of(folder)})
        return
    page = folder / README
    if not page.exists():
        write_report(folder, settings.datasets_folder, read_policy(settings.policy_file))
    lines = page.read_text(encoding="utf-8").splitlines()
    out.print(Markdown("\n".join(line for line in lines if not line.startswith("!["))))
    for picture in sorted(folder.glob("*.png")):
        note(str(picture))


@cli.command()
def compare(first: str, second: str, as_json: AsJson = False) -> None:
    """Compare two models on the tickets of the first, each judged by a model that had not seen them.

    Example: `triage models compare m-0123456789ab m-ba9876543210`
    """
    settings = settings_for_command()
    models = settings.models_folder
    one, two = (Classifier.load(model_folder(models, name)) for name in (first, second))
    pairs = compare_models(models, settings.datasets_folder, one, two)
    if as_json:
        print_json({"first": first, "second": second, "fields": {name: asdict(pair) for name, pair in pairs.items()}})
        return
    table = Table(
        "field", "tickets", first, second, "difference (95 % interval)", "only first", "only second", "McNemar p"
    )
    for name, pair in pairs.items():
        low, high = pair.interval
        table.add_row(
            escape(name),
            f"{pair.n:,}",
            f"{pair.first:.1%}",
            f"{pair.second:.1%}",
            f"{pair.difference * 100:+.1f} ({low * 100:+.1f} to {high * 100:+.1f})",
            str(pair.only_first),
            str(pair.only_second),
            f"{pair.p_value:.3g}",
        )
    out.print(table)
    for name in sorted({*one.fields, *two.fields} - set(pairs)):
        note(f"{name}: only one of the two predicts it.")


@cli.command()
def promote(model_id: str, force: Force = False, margin: Margin = MARGIN) -> None:
    """Put another model to use, if it passes the gate; running processes take it over with their next ticket.

    Example: `triage models promote m-0123456789ab`
    """
    settings = settings_for_command()
    models, datasets = settings.models_folder, settings.datasets_folder
    policy = read_policy(settings.policy_file)
    try:
        verdict = run_gate(models, datasets, model_id, policy, margin=margin)
    except DatasetDamaged as error:
        if not force:
            raise
        verdict = not_judged(model_id, str(error))
    release = settle(models, verdict, force=force)
    try:
        write_report(models / model_id, datasets, policy)
    except Misconfigured as error:  # where only serving is installed; what was decided is decided
        complain(str(error))
    record(settings)
    show_release(model_id, release)
    if not release.promoted:
        raise typer.Exit(1)


@cli.command()
def rollback() -> None:
    """Go back to the model that was in use before; once more goes back further.

    Example: `triage models rollback`
    """
    settings = settings_for_command()
    model_id = go_back(settings.models_folder)
    note(f"Model {model_id} is in use again.")
    record(settings)


@cli.command()
def register() -> None:
    """Write into MLflow's registry what it does not know yet; every training and promotion does that by itself.

    Example: `triage models register`
    """
    settings = settings_for_command()
    from triage.learning.tracking import Ledger

    ledger = Ledger(settings.sqlalchemy_url, settings.models_folder)
    new = ledger.write(read_policy(settings.policy_file))
    note(f"Registered {', '.join(new)}." if new else "Every model was registered before.")
    for alias, model_id in sorted(ledger.aliases().items()):
        note(f"{alias}: {model_id}")


def record(settings: Settings) -> bool:
    """Tell MLflow's registry; False, with a complaint, where it cannot be told now. Serving does not depend on it."""
    from triage.learning.tracking import Ledger

    try:
        Ledger(settings.sqlalchemy_url, settings.models_folder).write(read_policy(settings.policy_file))
    except RegistryUnusable as error:
        complain(str(error))
        return False
    return True


def show_release(model_id: str, release: Release) -> None:
    """The verdict in words, and what came of it."""
    for field in release.verdict.fields:
        out.print(f"{'[green]✔[/]' if field.passed else '[yellow]✘[/]'} {escape(field.sentence)}", soft_wrap=True)
    note(release.verdict.sentence)
    if release.promoted:
        note(f"Model {model_id} is in use from now on{', by force' if release.forced else ''}.")
    elif release.verdict.passed:
        note(f"Model {model_id} is kept; `triage models promote {model_id}` puts it to use.")
    else:
        note(f"Model {model_id} is kept, not used; `triage models promote {model_id} --force` overrules the gate.")


def _release_of(folder: Path) -> Mapping[str, object] | None:
    try:
        return read_release(folder)
    except ModelDamaged as error:
        complain(str(error))
        return None
