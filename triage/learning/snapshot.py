"""Which tickets, exactly, was a model made from? An immutable snapshot of them, with their vectors."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kb import Encoder, FloatArray, Progress
from triage.errors import DatasetDamaged, NotFound
from triage.learning.dataset import LabelledTickets, Origin, Source
from triage.learning.folders import MANIFEST, digest_of, is_intact, publish, scratch_folder, write_manifest
from triage.learning.noise import find_contradictions, warnings_of
from triage.learning.past import CARD, TICKETS, VECTORS
from triage.understand.language import language_of

FORMAT = 1
# The language of so many tickets is told, .1 ms each; of more, a sample gives the same picture.
MOST_READ = 5_000


@dataclass(frozen=True, slots=True)
class DatasetCard:
    """A dataset: how many tickets of which labels, dates and languages, and what is suspicious about them.

    ``labels`` counts the tickets of each label by field, ``languages`` those of each language among
    ``languages_of`` tickets. ``exact_copies`` repeat another text word for word, ``near_copies`` but for digits,
    case and spacing. ``contradictions`` are texts with several labels in one field, by field.
    """

    dataset_id: str
    created_at: str
    name: str
    digest: str
    tickets: int
    sources: Mapping[str, int]
    text_columns: tuple[str, ...]
    feature_columns: tuple[str, ...]
    labels: Mapping[str, Mapping[str, int]]
    first: str | None
    last: str | None
    languages: Mapping[str, int]
    languages_of: int
    exact_copies: int
    near_copies: int
    contradictions: Mapping[str, int]
    folds: int
    encoder_fingerprint: str
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, object]:
        """Ready for JSON."""
        return asdict(self)


class Remembering:
    """An encoder that embeds each text once: what a snapshot holds already is taken from there.

    Vectors are given as a snapshot keeps them, in half precision, so that what is learned from a snapshot and what
    was learned while it was made is the same.
    """

    def __init__(self, encoder: Encoder, datasets: Path) -> None:
        self._encoder = encoder
        self._datasets = datasets

    @property
    def dimension(self) -> int:
        """Of the vectors."""
        return self._encoder.dimension

    @property
    def fingerprint(self) -> str:
        """Of the encoder."""
        return self._encoder.fingerprint

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> npt.NDArray[np.float32]:
        """(n, d) float32, each component rounded to half precision."""
        vectors = np.empty((len(texts), self.dimension), dtype=np.float16)
        missing = np.flatnonzero(~self._recall(texts, vectors)).tolist()
        known = len(texts) - len(missing)
        if len(missing):
            vectors[missing] = self._encoder.encode(
                [texts[row] for row in missing],
                progress=(lambda done, _: progress(known + done, len(texts))) if progress else None,
            )
        elif progress:
            progress(len(texts), len(texts))
        return vectors.astype(np.float32)

    def _recall(self, texts: Sequence[str], vectors: npt.NDArray[np.float16]) -> npt.NDArray[np.bool_]:
        """Fill in what is known; (n,) whether it was."""
        found = np.zeros(len(texts), dtype=np.bool_)
        for card in reversed(list_datasets(self._datasets)):
            if found.all():
                break
            if card.encoder_fingerprint != self.fingerprint or not is_intact(self._datasets / card.dataset_id):
                continue
            number = {text: row for row, text in enumerate(read_texts(self._datasets / card.dataset_id))}
            pairs = [(row, number[text]) for row, text in enumerate(texts) if not found[row] and text in number]
            if pairs:
                mine, theirs = np.array(pairs).T
                vectors[mine] = np.load(self._datasets / card.dataset_id / VECTORS, mmap_mode="r")[theirs]
                found[mine] = True
        return found


def write_dataset(
    datasets: Path,
    tickets: LabelledTickets,
    vectors: FloatArray,
    folds: npt.NDArray[np.int64],
    *,
    encoder_fingerprint: str,
    before: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """Keep n tickets with their (n, d) vectors and (n,) folds (-1: never judged), and return the dataset's id.

    The id is made from the content; the same content is kept once. ``before`` are the labels of each field in use,
    to tell those that have vanished.
    """
    head = {"encoder": encoder_fingerprint, "text": tickets.text_columns, "features": tickets.feature_columns}
    with scratch_folder(datasets) as scratch:
        with (scratch / TICKETS).open("w", encoding="utf-8") as file:
            file.writelines(_lines(tickets, folds))
        np.save(scratch / VECTORS, vectors.astype(np.float16), allow_pickle=False)
        dataset_id = f"d-{digest_of(head, scratch / TICKETS, scratch / VECTORS)[:12]}"
        if is_intact(datasets / dataset_id):
            return dataset_id
        card = _describe(tickets, folds, encoder_fingerprint, before).as_json()
        (scratch / CARD).write_text(json.dumps(card, indent=1, ensure_ascii=False), encoding="utf-8")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        write_manifest(scratch, {"format": FORMAT, "dataset_id": dataset_id, "created_at": now})
        publish(scratch, datasets / dataset_id)
    return dataset_id


def read_dataset(datasets: Path, dataset_id: str) -> tuple[LabelledTickets, FloatArray]:
    """The tickets and their (n, d) float32 vectors; raises ``NotFound`` or ``DatasetDamaged``."""
    card = read_dataset_card(dataset_folder(datasets, dataset_id))
    folder = datasets / dataset_id
    if not is_intact(folder):
        raise _damaged(folder)
    rows = list(_rows(folder))
    tickets = LabelledTickets(
        name=card.name,
        texts=tuple(row["text"] for row in rows),
        labels={name: tuple(row["labels"].get(name) for row in rows) for name in card.labels},
        features=tuple(row["features"] for row in rows),
        text_columns=card.text_columns,
        feature_columns=card.feature_columns,
        origins=tuple(Origin(Source(row["source"]), row["key"], row["at"], row["author"]) for row in rows),
    )
    return tickets, np.load(folder / VECTORS, allow_pickle=False).astype(np.float32)


def list_datasets(datasets: Path) -> list[DatasetCard]:
    """The cards of all datasets that this version can read, oldest first; one that is damaged is left out."""
    cards: list[DatasetCard] = []
    for folder in datasets.glob("d-*") if datasets.is_dir() else ():
        with suppress(DatasetDamaged):
            cards.append(read_dataset_card(folder))
    return sorted(cards, key=lambda card: (card.created_at, card.dataset_id))


def dataset_folder(datasets: Path, dataset_id: str) -> Path:
    """The folder of a dataset; raises ``NotFound``."""
    if Path(dataset_id).name != dataset_id or not (datasets / dataset_id / MANIFEST).exists():
        raise NotFound(f"There is no dataset {dataset_id}; `triage datasets list` shows those there are.")
    return datasets / dataset_id


def read_dataset_card(folder: Path) -> DatasetCard:
    """The card of a dataset; raises ``DatasetDamaged``."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        made = {"dataset_id": manifest["dataset_id"], "created_at": manifest["created_at"]}
        lists = {name: tuple(value) for name, value in card.items() if isinstance(value, list)}
        return DatasetCard(**{**card, **lists, **made})
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(folder) from error


def read_texts(folder: Path) -> list[str]:
    """The texts of a dataset, in the order of its vectors."""
    return [row["text"] for row in _rows(folder)]


def _rows(folder: Path) -> list[dict[str, Any]]:  # Any: parsed JSON, written by `_lines`
    with (folder / TICKETS).open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _lines(tickets: LabelledTickets, folds: npt.NDArray[np.int64]) -> Sequence[str]:
    fields = list(tickets.labels)
    return [
        json.dumps(
            {
                "text": text,
                "labels": {name: tickets.labels[name][row] for name in fields},
                "features": dict(features),
                "at": moment.isoformat() if (moment := _moment(tickets, row)) else None,
                "fold": int(fold),
                "source": origin.source.value,
                "key": origin.key,
                "author": origin.author,
            },
            ensure_ascii=False,
        )
        + "\n"
        for row, (text, features, origin, fold) in enumerate(
            zip(tickets.texts, tickets.features, tickets.origins, folds, strict=True)
        )
    ]


def _describe(
    tickets: LabelledTickets,
    folds: npt.NDArray[np.int64],
    encoder_fingerprint: str,
    before: Mapping[str, Sequence[str]] | None,
) -> DatasetCard:
    counted = {name: Counter(v for v in values if v is not None) for name, values in tickets.labels.items()}
    dates = sorted(moment for row in range(len(tickets)) if (moment := _moment(tickets, row)))
    read = _sample(tickets.texts)
    languages = Counter(language_of(text) or "unknown" for text in read)
    contradictions = Counter(one.field for one in find_contradictions(tickets))
    return DatasetCard(
        dataset_id="",
        created_at="",
        name=tickets.name,
        digest=tickets.digest,
        tickets=len(tickets),
        sources=_ordered(Counter(origin.source.value for origin in tickets.origins)),
        text_columns=tickets.text_columns,
        feature_columns=tickets.feature_columns,
        labels={name: _ordered(counts) for name, counts in counted.items()},
        first=dates[0].isoformat() if dates else None,
        last=dates[-1].isoformat() if dates else None,
        languages=_ordered(languages),
        languages_of=len(read),
        exact_copies=len(tickets) - len(set(tickets.texts)),
        near_copies=len(set(tickets.texts)) - len(set(tickets.masked())),
        contradictions={name: contradictions[name] for name in tickets.labels},
        folds=int(folds.max()) + 1,
        encoder_fingerprint=encoder_fingerprint,
        warnings=tuple(warnings_of(tickets, before)),
    )


def _moment(tickets: LabelledTickets, row: int) -> datetime | None:
    return (tickets.times[row] if tickets.times else None) or tickets.origins[row].moment


def _sample(texts: Sequence[str]) -> Sequence[str]:
    return texts if len(texts) <= MOST_READ else random.Random(0).sample(texts, MOST_READ)


def _ordered(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _damaged(folder: Path) -> DatasetDamaged:
    return DatasetDamaged(
        f"The dataset in {folder} is cut short or altered. Train again with `triage train` to make it anew."
    )
