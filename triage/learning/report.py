"""What does a person read about a model? ``README.md`` in its folder, with pictures beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from triage.errors import Misconfigured, TriageError
from triage.learning.clearing import certified_coverage, clear
from triage.learning.folders import write_whole
from triage.learning.judged import Judged, read_judged
from triage.learning.release import read_release
from triage.learning.snapshot import DatasetCard, dataset_folder, read_dataset_card
from triage.policy import Policy
from triage.understand.card import FieldCard, ModelCard
from triage.understand.classifier import Classifier
from triage.understand.clearance import FieldClearance

README = "README.md"
FEW = 20
SHOWN = 10

Cleared = Mapping[str, FieldClearance]


def write_report(folder: Path, datasets: Path, policy: Policy) -> Path:
    """Write the model card with its pictures; the same model, policy and release give the same bytes.

    Raises ``ModelError`` where the model is damaged, ``Misconfigured`` where matplotlib is not installed.
    """
    classifier = Classifier.load(folder)
    judged = {name: one.without_unjudged() for name, one in read_judged(folder).items()}
    cleared = {name: clear(classifier, name, policy) for name in classifier.fields}
    coverage = certified_coverage(classifier, policy)
    pictures = {
        name: _draw(folder, number, name, judged[name], classifier, (policy.for_field(name).target, coverage[name]))
        for number, name in enumerate(classifier.fields)
    }
    page = "\n".join(
        [
            *_head(classifier.card),
            *_made_of(classifier.card, _dataset_card(datasets, classifier.card)),
            *_figures(classifier.card),
            *_certificates(cleared, coverage),
            *_pictures(pictures),
            *_limits(classifier.card, judged),
            *_release(read_release(folder)),
        ]
    )
    write_whole(folder / README, page + "\n")
    return folder / README


def _draw(
    folder: Path, number: int, name: str, judged: Judged, classifier: Classifier, promised: tuple[float, float]
) -> Sequence[tuple[str, str]]:
    try:
        import matplotlib  # noqa: F401  # only to see that it is there
    except ImportError as error:
        raise Misconfigured("The model card's pictures need matplotlib. Run: pip install 'triage[train]'") from error
    from triage.learning.plots import draw

    target, coverage = promised
    return draw(folder, number, name, judged, classifier.labels(name), target=target, coverage=coverage)


def _dataset_card(datasets: Path, card: ModelCard) -> DatasetCard | None:
    if not card.dataset_id:
        return None
    try:
        return read_dataset_card(dataset_folder(datasets, card.dataset_id))
    except TriageError:  # gone or damaged: the model's own card says enough
        return None


def _head(card: ModelCard) -> list[str]:
    fields = ", ".join(f"`{name}` ({len(field.labels)} labels)" for name, field in card.fields.items())
    return [
        f"# Model {card.model_id}",
        "",
        f"Predicts {fields} of help desk tickets. Made on {card.created_at} by triage {card.code_version} with seed "
        f"{card.seed}, for vectors of the encoder `{card.encoder_fingerprint[:12]}`.",
        "",
    ]


def _made_of(card: ModelCard, dataset: DatasetCard | None) -> list[str]:
    lines = ["## Made of", ""]
    name = f"dataset `{card.dataset_id}`" if card.dataset_id else "tickets that were not kept"
    features = ", ".join(f"`{one}`" for one in card.feature_columns) or "none"
    lines += [
        f"- {card.tickets:,} tickets of {_code(card.dataset)}, {name}, SHA-256 `{card.dataset_digest[:12]}`",
        f"- text: {', '.join(f'`{one}`' for one in card.text_columns)}; metadata: {features}",
    ]
    if dataset:
        share = {k: v / max(1, dataset.languages_of) for k, v in list(dataset.languages.items())[:SHOWN]}
        dates = f"from {dataset.first} to {dataset.last}" if dataset.first else "not dated"
        lines += [
            f"- languages: {', '.join(f'{name} {value:.0%}' for name, value in share.items())}",
            f"- {dates}; {dataset.exact_copies:,} exact and {dataset.near_copies:,} near copies",
            *(f"- **mind:** {warning}" for warning in dataset.warnings),
        ]
    return [*lines, ""]


def _figures(card: ModelCard) -> list[str]:
    lines = [
        "## Figures",
        "",
        "Each ticket was judged by a model that had seen neither it nor a near-copy. The model itself learned from",
        "all of them.",
        "",
        "| field | tickets | labels | accuracy (95 % interval) | macro-F1 | log loss | calibration error |",
        "|---|---|---|---|---|---|---|",
    ]
    return [*lines, *(_figure_row(name, field) for name, field in card.fields.items()), ""]


def _figure_row(name: str, field: FieldCard) -> str:
    low, high = field.accuracy_interval
    return (
        f"| {_cell(name)} | {field.tickets:,} | {len(field.labels)} | {field.accuracy:.1%} ({low:.1%} to {high:.1%}) | "
        f"{field.macro_f1:.3f} | {field.log_loss:.3f} | {field.ece:.3f} |"
    )


def _certificates(cleared: Cleared, coverage: Mapping[str, float]) -> list[str]:
    lines = ["## Certificates", "", "Under the policy in force when this page was written:", ""]
    for name, field in cleared.items():
        lines.append(f"- **{_cell(name)}**: certified to decide {coverage[name]:.0%} of the tickets alone.")
        said = [one.says for one in field.certificates] + [one.says for one in field.shortfalls]
        asked = field.ask.says
        lines += [f"  - {_cell(sentence)}" for sentence in [*said, f"Asking: {asked}"]]
    return [*lines, ""]


def _pictures(pictures: Mapping[str, Sequence[tuple[str, str]]]) -> list[str]:
    lines = ["## Pictures", ""]
    for drawn in pictures.values():
        for file, says in drawn:
            lines += [f"![{_cell(says)}]({file})", ""]
    return lines


def _limits(card: ModelCard, judged: Mapping[str, Judged]) -> list[str]:
    lines = [
        "## Limits",
        "",
        "- The figures hold for tickets like those it was made of. New topics, other languages and changed queues are "
        "not in them.",
        "- It knows its labels only; of anything else it can but say that the ticket is unfamiliar.",
    ]
    for name, field in card.fields.items():
        one = judged[name]
        rare = [label for row, label in enumerate(field.labels) if (one.truth == row).sum() < FEW]
        if field.single_labels:
            lines.append(f"- {_cell(name)}: never measured, one ticket each: {_listed(field.single_labels)}")
        if rare:
            lines.append(f"- {_cell(name)}: fewer than {FEW} tickets, so hardly known: {_listed(rare)}")
    return [*lines, ""]


def _release(release: Mapping[str, object] | None) -> list[str]:
    lines = ["## Release", ""]
    if release is None:
        return [*lines, "Not judged yet."]
    verdict = release["verdict"]
    assert isinstance(verdict, dict)  # written by `Release.as_json`
    lines += [str(release["sentence"]), "", str(verdict["sentence"]), ""]
    return [*lines, *(f"- {_cell(field['sentence'])}" for field in verdict["fields"])]


def _listed(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - SHOWN} more" if len(labels) > SHOWN else ""
    return ", ".join(_code(label) for label in labels[:SHOWN]) + more


def _code(text: str) -> str:
    return f"`{' '.join(text.replace('`', '’').split())}`"


def _cell(text: str) -> str:
    """Text of others in a Markdown page: no table, link or picture of theirs."""
    for sign in ("\\", "|", "[", "]", "<", "`", "*"):
        text = text.replace(sign, "\\" + sign)
    return " ".join(text.split())
