"""What is suspicious about the labels of a dataset? Said in words, never mended in silence."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from triage.learning.dataset import LabelledTickets

SHOWN = 3
MANY_COPIES = 0.1
Labels = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Tickets alike but for their digits that have several labels in one field, with how many have each."""

    field: str
    text: str
    labels: Mapping[str, int]


def find_contradictions(tickets: LabelledTickets) -> list[Contradiction]:
    """The contradictions of every field, the largest first."""
    masked = tickets.masked()
    found = [one for name, values in tickets.labels.items() for one in _contradictions(name, masked, values)]
    return sorted(found, key=lambda one: (-sum(one.labels.values()), one.field, one.text))


def warnings_of(tickets: LabelledTickets, before: Mapping[str, Sequence[str]] | None = None) -> list[str]:
    """All that is suspicious, one sentence each; ``before`` are the labels of each field in the last dataset."""
    return [
        *_about_copies(tickets),
        *_about_contradictions(tickets, find_contradictions(tickets)),
        *(said for name, values in tickets.labels.items() for said in _about_names(name, values)),
        *(said for name in tickets.labels for said in _about_vanished(name, tickets.labels[name], before or {})),
        *(
            f"{name}: predicted until now, but this dataset has no such column."
            for name in before or {}
            if name not in tickets.labels
        ),
    ]


def _contradictions(name: str, masked: Sequence[str], values: Labels) -> list[Contradiction]:
    together: dict[str, Counter[str]] = defaultdict(Counter)
    for text, value in zip(masked, values, strict=True):
        if value is not None:
            together[text][value] += 1
    return [Contradiction(name, text, dict(counts)) for text, counts in together.items() if len(counts) > 1]


def _about_copies(tickets: LabelledTickets) -> list[str]:
    copies = len(tickets) - len(set(tickets.texts))
    if copies < MANY_COPIES * len(tickets):
        return []
    return [
        f"{copies} of {len(tickets)} tickets repeat another word for word. They stay together when the tickets are "
        "divided, so they do not make the figures better than they are."
    ]


def _about_contradictions(tickets: LabelledTickets, found: Sequence[Contradiction]) -> list[str]:
    sentences = []
    for name in tickets.labels:
        mine = [one for one in found if one.field == name]
        if mine:
            rows = sum(sum(one.labels.values()) for one in mine)
            example = ", ".join(f"“{label}” {count}×" for label, count in sorted(mine[0].labels.items()))
            sentences.append(
                f"{name}: {rows} tickets that say the same carry different labels ({len(mine)} such texts; "
                f"the most frequent has {example}). All are kept; no model can be right about all of them."
            )
    return sentences


def _about_names(name: str, values: Labels) -> list[str]:
    counts = Counter(value for value in values if value is not None)
    alike: dict[str, list[str]] = defaultdict(list)
    for label in sorted(counts):
        alike[_plain(label)].append(label)
    sentences = [
        f"{name}: {_listed([f'“{one}” ({counts[one]})' for one in labels])} look like one label written in several "
        "ways. They are kept apart; rename them in the file if they are one."
        for labels in alike.values()
        if len(labels) > 1
    ]
    if len(counts) > 2 and all(_is_number(label) for label in counts):
        sentences.append(f"{name}: all {len(counts)} labels are numbers. Is it an amount or an id rather than a label?")
    return sentences


def _about_vanished(name: str, values: Labels, before: Mapping[str, Sequence[str]]) -> list[str]:
    gone = sorted(set(before.get(name, ())) - set(values))
    if not gone:
        return []
    more = f" and {len(gone) - SHOWN} more" if len(gone) > SHOWN else ""
    shown = ", ".join(f"“{label}”" for label in gone[:SHOWN])
    return [f"{name}: {shown}{more} had tickets before and has none now; the new model can never say it."]


def _plain(label: str) -> str:
    """The label without case, accents' encoding, spaces and punctuation: “Net work” and “network” are equal."""
    folded = unicodedata.normalize("NFKC", label).casefold()
    return "".join(character for character in folded if character.isalnum()) or folded


def _is_number(label: str) -> bool:
    try:
        float(label.replace(",", "."))
    except ValueError:
        return False
    return True


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]])
