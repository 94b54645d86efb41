"""Which snapshots are kept?"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from kb.store import MANIFEST, current_name


@dataclass(frozen=True, slots=True)
class KeptSnapshot:
    """A snapshot on disk, when it was first published (ISO 8601, UTC), and whether answers come from it.

    ``index`` is FAISS's description of the index of its passages: ``Flat`` is exact, ``IVF…`` so many cells.
    """

    name: str
    made: str
    articles: int
    passages: int
    index: str
    in_force: bool


def kept_snapshots(folder: Path) -> list[KeptSnapshot]:
    """All snapshots that can be opened by name, newest first; what cannot be read is left out."""
    current = current_name(folder)
    found = []
    for place in (folder / "snapshots").glob("[!.]*"):
        try:
            manifest = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
            sizes = int(manifest["articles"]), int(manifest["passages"])
            made, index = str(manifest["published_at"]), str(manifest["settings"]["index"])
            found.append(KeptSnapshot(place.name, made, *sizes, index, place.name == current))
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return sorted(found, key=lambda one: one.made, reverse=True)
