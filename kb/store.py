"""How does the knowledge base lie on disk so that it is always whole?

    CURRENT              the name of the snapshot in force; replaced in one step
    snapshots/NAME/      manifest.json, articles.jsonl, article_vectors.npy, passage_vectors.npy; never altered
    .lock                held by whoever publishes

A crash at any moment leaves the snapshot that was in force.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from kb.articles import Article, FloatArray, Passage
from kb.errors import SnapshotDamaged, SnapshotMismatch

FORMAT = 1
CURRENT = "CURRENT"
MANIFEST = "manifest.json"
ARTICLES = "articles.jsonl"
ARTICLE_VECTORS = "article_vectors.npy"
PASSAGE_VECTORS = "passage_vectors.npy"
FILES = (ARTICLES, ARTICLE_VECTORS, PASSAGE_VECTORS)
# The one in force, the one before, which a reader may just be opening, and some to replay past decisions with.
KEPT = 10
EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of the knowledge base: a articles (sorted by id), p passages, (a, d) and (p, d) vectors."""

    name: str
    articles: tuple[Article, ...]
    passages: tuple[Passage, ...]
    article_vectors: FloatArray
    passage_vectors: FloatArray


def current_name(folder: Path) -> str | None:
    """The name of the snapshot in force, or None before the first."""
    try:
        return (folder / CURRENT).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise _damaged(folder, CURRENT) from error


def load(folder: Path, fingerprint: str) -> Snapshot | None:
    """Read the snapshot in force, or None before the first, checking every file's SHA-256.

    Raises ``SnapshotDamaged`` or ``SnapshotMismatch``, each with the command that helps.
    """
    while name := current_name(folder):
        try:
            return _load(folder / "snapshots" / name, fingerprint)
        except SnapshotDamaged:
            # While it was read, another process may have published twice and taken it away.
            if name == current_name(folder):
                raise
    return None


def load_named(folder: Path, name: str, fingerprint: str) -> Snapshot | None:
    """Read a snapshot that may no longer be in force, or None where it is no longer kept; raises like ``load``."""
    place = folder / "snapshots" / name
    return _load(place, fingerprint) if place.is_dir() else None


def _load(place: Path, fingerprint: str) -> Snapshot:
    recorded = _recorded_files(place, fingerprint)
    for file in FILES:
        if _sha256(place / file) != recorded[file]:
            raise _damaged(place, file)
    try:
        articles, passages = _read_articles(place / ARTICLES)
        return Snapshot(
            place.name,
            tuple(articles),
            tuple(passages),
            np.load(place / ARTICLE_VECTORS, mmap_mode="r", allow_pickle=False),
            np.load(place / PASSAGE_VECTORS, mmap_mode="r", allow_pickle=False),
        )
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise _damaged(place, "a file") from error


def readable_articles(folder: Path) -> tuple[Article, ...]:
    """The articles of the snapshot in force, whatever encoder it was made with; none where they are damaged."""
    try:
        place = folder / "snapshots" / (current_name(folder) or "")
        manifest = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        if manifest["files"][ARTICLES] != _sha256(place / ARTICLES):
            return ()
        return tuple(_read_articles(place / ARTICLES)[0])
    except (OSError, KeyError, ValueError, TypeError, SnapshotDamaged):
        return ()


def publish(folder: Path, snapshot: Snapshot, fingerprint: str, settings: Mapping[str, object]) -> str:
    """Write the snapshot aside and put it in force in one step; returns its name, made from its content.

    The caller holds ``alone(folder)``.
    """
    (folder / "snapshots").mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder / "snapshots", prefix=".new-"))
    try:
        name = _write(scratch, snapshot, fingerprint, settings)
        _put_in_place(scratch, scratch.parent / name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _point_to(folder, name)
    _forget_old(folder, name)
    return name


def _write(scratch: Path, snapshot: Snapshot, fingerprint: str, settings: Mapping[str, object]) -> str:
    _write_articles(scratch / ARTICLES, snapshot)
    np.save(scratch / ARTICLE_VECTORS, snapshot.article_vectors, allow_pickle=False)
    np.save(scratch / PASSAGE_VECTORS, snapshot.passage_vectors, allow_pickle=False)
    digests = {name: _sha256(scratch / name) for name in FILES}
    name = hashlib.sha256(json.dumps([digests, fingerprint], sort_keys=True).encode()).hexdigest()[:16]
    manifest = {
        "format": FORMAT,
        "encoder_fingerprint": fingerprint,
        "files": digests,
        "articles": len(snapshot.articles),
        "passages": len(snapshot.passages),
        "settings": dict(settings),
        "article_digests": {article.id: article.digest for article in snapshot.articles},
        "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    (scratch / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    _sync_to_disk(scratch)
    return name


def _put_in_place(scratch: Path, place: Path) -> None:
    """Give the snapshot its name. One that is there already has the same content and may be in force: it stays
    unless it is damaged."""
    if place.exists():
        if all(_sha256(place / file) == _sha256(scratch / file) for file in FILES) and _is_json(place / MANIFEST):
            return
        os.replace(place, scratch.with_name(f"{scratch.name}-damaged"))
    os.replace(scratch, place)
    _sync_folder(place.parent)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the knowledge base for one writer at a time, across processes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _recorded_files(place: Path, fingerprint: str) -> dict[str, str]:
    """The SHA-256 of each file as the manifest has it, which must be of this format and this encoder."""
    try:
        manifest = json.loads((place / MANIFEST).read_text(encoding="utf-8"))
        made_with, written_as = manifest["encoder_fingerprint"], manifest["format"]
        recorded = {file: str(manifest["files"][file]) for file in FILES} if written_as == FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(place, MANIFEST) from error
    if written_as != FORMAT:
        raise SnapshotMismatch(
            f"The knowledge base in {place.parent.parent} was written by another version (format {written_as}, "
            f"this version reads {FORMAT}). Run: triage kb sync PATH --rebuild"
        )
    if made_with != fingerprint:
        raise SnapshotMismatch(
            f"The knowledge base in {place.parent.parent} was made with another encoder than the one in use. "
            "Run: triage kb sync PATH --rebuild (or set TRIAGE_ENCODER back)"
        )
    return recorded


def _is_json(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8")), dict)
    except (OSError, ValueError):
        return False


def _damaged(place: Path, file: str) -> SnapshotDamaged:
    return SnapshotDamaged(
        f"{file} of the knowledge base in {place} is missing, cut short or altered. Run: triage kb sync PATH --rebuild"
    )


def _write_articles(path: Path, snapshot: Snapshot) -> None:
    by_article: dict[str, list[list[object]]] = {}
    for passage in snapshot.passages:
        by_article.setdefault(passage.article_id, []).append([passage.start, passage.end, passage.heading_path])
    with path.open("w", encoding="utf-8") as file:
        for article in snapshot.articles:
            record = asdict(article) | {"passages": by_article.get(article.id, [])}
            file.write(json.dumps(record, ensure_ascii=False, default=str) + "\n")


def _read_articles(path: Path) -> tuple[list[Article], list[Passage]]:
    articles: list[Article] = []
    passages: list[Passage] = []
    with path.open(encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            for start, end, headings in record.pop("passages"):
                passages.append(Passage(record["id"], start, end, tuple(headings)))
            for key in ("tags", "links", "anchors"):
                record[key] = tuple(record.get(key, ()))
            for key in ("updated", "review_by"):
                record[key] = date.fromisoformat(record[key]) if record[key] else None
            articles.append(Article(**record))
    return articles, passages


def _point_to(folder: Path, name: str) -> None:
    pointer = folder / f".{CURRENT}-{os.getpid()}"
    with pointer.open("w", encoding="utf-8") as file:
        file.write(name + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(pointer, folder / CURRENT)
    _sync_folder(folder)


def _forget_old(folder: Path, name: str) -> None:
    places = [place for place in (folder / "snapshots").iterdir() if place.name != name]
    # What begins with a dot is left of a writer that was killed: the lock keeps any other out.
    whole = sorted(
        (place for place in places if not place.name.startswith(".")), key=lambda place: place.stat().st_mtime
    )
    for place in {*places} - {*whole[::-1][: KEPT - 1]}:
        shutil.rmtree(place, ignore_errors=True)


def _sync_to_disk(scratch: Path) -> None:
    for path in scratch.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())
    _sync_folder(scratch)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


def empty(dimension: int) -> Snapshot:
    """The state before anything was published."""
    nothing = np.empty((0, dimension), dtype=np.float32)
    return Snapshot(EMPTY, (), (), nothing, nothing)
