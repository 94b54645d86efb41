"""``triage labels``: how many checked tickets does each value still need?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from triage.app import open_database
from triage.cli.options import AsJson, settings_for_command
from triage.cli.show import note, out, print_json
from triage.errors import NotFound
from triage.learning.clearing import aim_of
from triage.learning.labels import NOBODY_JUDGED, FieldStanding, label_standing
from triage.learning.registry import champion
from triage.policy import Policy, read_policy
from triage.tickets.store import count_corrections
from triage.understand.classifier import Classifier

cli = typer.Typer(no_args_is_help=True, help="See what each value was learned from and what it still needs.")


@cli.callback()
def labels() -> None:
    """See what each value was learned from and what it still needs."""


@cli.command()
def status(
    field: Annotated[str | None, typer.Option(help="Only this field.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say for every value of a field how many more checked tickets certify it.

    A checked ticket is one that the model judged without having learned from it. Label more tickets of the values that
    lack some, correct others with `triage tickets correct`, and train again.

    Example: `triage labels status --field queue`
    """
    settings = settings_for_command()
    folder = champion(settings.models_folder)
    classifier = Classifier.load(folder) if folder else None
    policy = read_policy(settings.policy_file)
    since = datetime.fromisoformat(classifier.card.created_at) if classifier else None
    with open_database(settings) as (_, sessions), sessions() as session:
        corrected = count_corrections(session, since=since)
    found = standings(classifier, policy, corrected, only=field)
    if as_json:
        print_json({"model": classifier.model_id if classifier else None, "fields": [asdict(one) for one in found]})
        return
    if not found:
        note("There is no value yet: train a model, or describe values in the policy file ([fields.queue.values]).")
    for one in found:
        _show(one)


def standings(
    classifier: Classifier | None, policy: Policy, corrected: Mapping[str, Counter[str]], *, only: str | None = None
) -> list[FieldStanding]:
    """The fields of the model, of the policy's descriptions and of corrections; raises ``NotFound`` for another."""
    known = classifier.fields if classifier else ()
    names = list(dict.fromkeys((*known, *policy.descriptions, *corrected)))
    if only is not None and only not in names:
        raise NotFound(f"There is no field {only}; there is {', '.join(names) or 'none yet'}.")
    return [_standing(classifier, policy, name, corrected.get(name, {})) for name in names if only in (None, name)]


def _standing(classifier: Classifier | None, policy: Policy, name: str, corrected: Mapping[str, int]) -> FieldStanding:
    wanted = policy.for_field(name)
    aim = aim_of(wanted)
    described = tuple(wanted.values)
    if classifier is None or name not in classifier.fields:
        return label_standing(name, (), NOBODY_JUDGED, aim, labelled={}, corrected=corrected, described=described)
    labels = classifier.labels(name)
    labelled = dict(zip(labels, classifier.card.fields[name].labelled, strict=False))
    return label_standing(
        name, labels, classifier.checked(name), aim, labelled=labelled, corrected=corrected, described=described
    )


def _show(one: FieldStanding) -> None:
    table = Table(
        escape(one.field),
        "labelled",
        "corrected since",
        "checked",
        "errors",
        "certified",
        "missing",
        f"for {one.target:.0%}, {one.confidence:.0%} sure",
    )
    for value in one.values:
        table.add_row(
            escape(value.value),
            *(str(count) for count in (value.labelled, value.corrected, value.checked, value.errors)),
            {"itself": "[green]by itself[/]", "together": "[green]with others[/]"}.get(value.certified_by or "", "–"),
            str(value.missing or ""),
            escape(value.says),
        )
    out.print(table)
    said = one.together if one.measured else "No model knows this field: its nearest description is suggested."
    out.print(f"{escape(one.field)}, all values without a certificate of their own together: {escape(said)}\n")
