"""How does the knowledge base lie on disk so that it is always whole?

    CURRENT              the name of the snapshot in force; replaced in one step
    snapshots/NAME/      manifest.json, articles.jsonl, article_vectors.npy, passage_vectors.npy; never altered
    .lock                held by whoever publishes

A snapshot that changes little of a large one holds the same files (hard links), and beside them removed.json and the
files of what it adds (added-articles.jsonl and so on). A crash at any moment leaves the snapshot that was in force.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kb.articles import Article, FloatArray, Passage
from kb.errors import SnapshotDamaged, SnapshotMismatch

# A snapshot that adds to another one's files is of the second format: earlier versions would overlook what it adds.
FORMAT, FORMAT_WITH_CHANGES = 1, 2
CURRENT = "CURRENT"
MANIFEST = "manifest.json"
ARTICLES = "articles.jsonl"
ARTICLE_VECTORS = "article_vectors.npy"
PASSAGE_VECTORS = "passage_vectors.npy"
FILES = (ARTICLES, ARTICLE_VECTORS, PASSAGE_VECTORS)
REMOVED = "removed.json"
ADDED = "added-"
# Indexes of the vectors, where building them takes long; made of the other files, so the name does not tell them.
ARTICLE_INDEX = "articles.index"
PASSAGE_INDEX = "passages.index"
INDEXES = (ARTICLE_INDEX, PASSAGE_INDEX)
# The one in force, the one before, which a reader may just be opening, and some to replay past decisions with.
KEPT = 10
EMPTY = "empty"

Writer = Callable[[Path], None]


@dataclass(frozen=True, eq=False)
class Segment:
    """Articles (a, sorted by id), their passages (p, in the order of the articles), (a, d) and (p, d) vectors.

    ``digests`` are the SHA-256 of its files, and ``place`` is where they were read, once they have been.
    """

    articles: tuple[Article, ...]
    passages: tuple[Passage, ...]
    article_vectors: FloatArray
    passage_vectors: FloatArray
    digests: Mapping[str, str] = field(default_factory=dict)
    place: Path | None = None

    @cached_property
    def row_of(self) -> dict[str, int]:
        """The row of each article by its id."""
        return {article.id: row for row, article in enumerate(self.articles)}

    @cached_property
    def first(self) -> npt.NDArray[np.int64]:
        """(a + 1,): the passages of article ``row`` are those from ``first[row]`` up to ``first[row + 1]``."""
        owner = [self.row_of[passage.article_id] for passage in self.passages]
        return np.searchsorted(np.array(owner, dtype=np.int64), np.arange(len(self.articles) + 1))

    def passages_of(self, row: int) -> slice:
        """Which passages are those of an article."""
        return slice(int(self.first[row]), int(self.first[row + 1]))


@dataclass(frozen=True, eq=False)
class Snapshot:
    """One state of the knowledge base: a ``base`` without the articles ``removed``, and those ``added``.

    What was changed of an article is removed and added. Without changes the base is all.
    """

    name: str
    base: Segment
    removed: frozenset[str] = frozenset()
    added: Segment | None = None

    @cached_property
    def whole(self) -> Segment:
        """Everything in one."""
        if self.added is None:
            return self.base
        both = [(one.id, self.base, row) for row, one in enumerate(self.base.articles) if one.id not in self.removed]
        both += [(one.id, self.added, row) for row, one in enumerate(self.added.articles)]
        both.sort(key=lambda one: one[0])
        passages = [(segment, segment.passages_of(row)) for _, segment, row in both]
        none = self.base.article_vectors[:0]
        return Segment(
            tuple(segment.articles[row] for _, segment, row in both),
            tuple(chain.from_iterable(segment.passages[numbers] for segment, numbers in passages)),
            np.concatenate([none, *(segment.article_vectors[row : row + 1] for _, segment, row in both)]),
            np.concatenate([none, *(segment.passage_vectors[numbers] for segment, numbers in passages)]),
        )

    @cached_property
    def articles(self) -> tuple[Article, ...]:
        """All articles, sorted by id."""
        if self.added is None:
            return self.base.articles
        kept = [article for article in self.base.articles if article.id not in self.removed]
        return tuple(sorted([*kept, *self.added.articles], key=lambda article: article.id))

    @property
    def passage_count(self) -> int:
        """How many passages there are."""
        gone = (self.base.passages_of(self.base.row_of[article_id]) for article_id in self.removed)
        added = len(self.added.passages) if self.added else 0
        return len(self.base.passages) + added - sum(len(range(each.start, each.stop)) for each in gone)


def current_name(folder: Path) -> str | None:
    """The name of the snapshot in force, or None before the first."""
    try:
        return (folder / CURRENT).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError as error:
        raise _damaged(folder, CURRENT) from error


def load(folder: Path, fingerprint: str, known: Snapshot | None = None) -> Snapshot | None:
    """Read the snapshot in force, or None before the first, checking the SHA-256 of every file but those that
    ``known`` has read already.

    Raises ``SnapshotDamaged`` or ``SnapshotMismatch``, each with the command that helps.
    """
    while name := current_name(folder):
        try:
            return _load(folder / "snapshots" / name, fingerprint, known)
        except SnapshotDamaged:
            # While it was read, another process may have published twice and taken it away.
            if name == current_name(folder):
                raise
    return None


def load_named(folder: Path, name: str, fingerprint: str) -> Snapshot | None:
    """Read a snapshot that may no longer be in force, or None where it is no longer kept; raises like ``load``."""
    place = folder / "snapshots" / name
    return _load(place, fingerprint) if place.is_dir() else None


def _load(place: Path, fingerprint: str, known: Snapshot | None = None) -> Snapshot:
    recorded = _recorded_files(place, fingerprint)
    digests = {file: recorded[file] for file in FILES}
    try:
        if known and known.base.digests == digests:
            base = known.base
        else:
            _check(place, recorded, [*FILES, *(file for file in INDEXES if file in recorded)])
            base = _read_segment(place, "", digests)
        if REMOVED not in recorded:
            return Snapshot(place.name, base)
        _check(place, recorded, [REMOVED, *(ADDED + file for file in FILES)])
        added = _read_segment(place, ADDED, {file: recorded[ADDED + file] for file in FILES})
        return Snapshot(place.name, base, _read_removed(place), added)
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise _damaged(place, "a file") from error


def _check(place: Path, recorded: Mapping[str, str], files: Iterable[str]) -> None:
    for file in files:
        if _sha256(place / file) != recorded[file]:
            raise _damaged(place, file)


def _read_segment(place: Path, prefix: str, digests: Mapping[str, str]) -> Segment:
    articles, passages = _read_articles(place / (prefix + ARTICLES))
    return Segment(
        tuple(articles),
        tuple(passages),
        np.load(place / (prefix + ARTICLE_VECTORS), mmap_mode="r", allow_pickle=False),
        np.load(place / (prefix + PASSAGE_VECTORS), mmap_mode="r", allow_pickle=False),
        digests,
        place,
    )


def _read_removed(place: Path) -> frozenset[str]:
    return frozenset(json.loads((place / REMOVED).read_text(encoding="utf-8")))


def readable_articles(folder: Path) -> tuple[Article, ...]:
    """The articles of the snapshot in force, whatever encoder it was made with; none where they are damaged."""
    try:
        place = folder / "snapshots" / (current_name(folder) or "")
        recorded = json.loads((place / MANIFEST).read_text(encoding="utf-8"))["files"]
        files = [ARTICLES, *([REMOVED, ADDED + ARTICLES] if REMOVED in recorded else [])]
        _check(place, recorded, files)
        articles = _read_articles(place / ARTICLES)[0]
        if REMOVED in recorded:
            removed = _read_removed(place)
            articles = [article for article in articles if article.id not in removed]
            articles += _read_articles(place / (ADDED + ARTICLES))[0]
        return tuple(sorted(articles, key=lambda article: article.id))
    except (OSError, KeyError, ValueError, TypeError, SnapshotDamaged):
        return ()


def publish(
    folder: Path,
    snapshot: Snapshot,
    fingerprint: str,
    settings: Mapping[str, object],
    indexes: Mapping[str, Writer] | None = None,
) -> Snapshot:
    """Write the snapshot aside and put it in force in one step; returns it under its name, made from its content.

    ``indexes`` write one file each, by its name. The caller holds ``alone(folder)``.
    """
    (folder / "snapshots").mkdir(exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder / "snapshots", prefix=".new-"))
    try:
        stored = _write(scratch, snapshot, fingerprint, settings, indexes or {})
        _put_in_place(scratch, scratch.parent / stored.name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    _point_to(folder, stored.name)
    _forget_old(folder, stored.name)
    return stored


def _write(
    scratch: Path,
    snapshot: Snapshot,
    fingerprint: str,
    settings: Mapping[str, object],
    indexes: Mapping[str, Writer],
) -> Snapshot:
    before, recorded = _in_force(scratch.parent.parent)
    if snapshot.base.digests and snapshot.base.digests.items() <= recorded.items():
        shared = [file for file in (*FILES, *INDEXES) if file in recorded]
        digests = {file: _linked(before / file, scratch, recorded[file]) for file in shared}
    else:
        digests = _write_segment(scratch, "", snapshot.base)
        for file, write in indexes.items():
            write(scratch / file)
            digests[file] = _written(scratch / file)
    added = _write_changes(scratch, snapshot, snapshot.added) if snapshot.added else {}
    named = {file: digest for file, digest in digests.items() if file not in INDEXES} | added
    name = hashlib.sha256(json.dumps([named, fingerprint], sort_keys=True).encode()).hexdigest()[:16]
    manifest = {
        "format": FORMAT_WITH_CHANGES if added else FORMAT,
        "encoder_fingerprint": fingerprint,
        "files": digests | added,
        "articles": len(snapshot.articles),
        "passages": snapshot.passage_count,
        "settings": dict(settings),
        "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    (scratch / MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
    _sync_to_disk(scratch)
    kept = {file: digests[file] for file in FILES}
    return replace(snapshot, name=name, base=replace(snapshot.base, digests=kept, place=scratch.parent / name))


def _in_force(folder: Path) -> tuple[Path, Mapping[str, str]]:
    """The folder of the snapshot in force, and the SHA-256 of its files; none where it cannot be read."""
    place = folder / "snapshots" / (current_name(folder) or "")
    try:
        return place, dict(json.loads((place / MANIFEST).read_text(encoding="utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return place, {}


def _linked(file: Path, scratch: Path, digest: str) -> str:
    """Share a file that was checked when it was read; where the file system has no links, copy it."""
    try:
        os.link(file, scratch / file.name)
    except OSError:
        shutil.copyfile(file, scratch / file.name)
    return digest


def _write_segment(scratch: Path, prefix: str, segment: Segment) -> dict[str, str]:
    _write_articles(scratch / (prefix + ARTICLES), segment)
    np.save(scratch / (prefix + ARTICLE_VECTORS), segment.article_vectors, allow_pickle=False)
    np.save(scratch / (prefix + PASSAGE_VECTORS), segment.passage_vectors, allow_pickle=False)
    return {prefix + file: _written(scratch / (prefix + file)) for file in FILES}


def _write_changes(scratch: Path, snapshot: Snapshot, added: Segment) -> dict[str, str]:
    (scratch / REMOVED).write_text(json.dumps(sorted(snapshot.removed), ensure_ascii=False), encoding="utf-8")
    return _write_segment(scratch, ADDED, added) | {REMOVED: _written(scratch / REMOVED)}


def _written(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _put_in_place(scratch: Path, place: Path) -> None:
    """Give the snapshot its name. One that is there already has the same content and may be in force: it stays
    unless it is damaged."""
    if place.exists():
        files = [path.name for path in scratch.iterdir() if path.name != MANIFEST and path.name not in INDEXES]
        if all(_sha256(place / file) == _sha256(scratch / file) for file in files) and _is_json(place / MANIFEST):
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
        recorded = {str(file): str(digest) for file, digest in manifest["files"].items()}
        has_changes = written_as == FORMAT_WITH_CHANGES
        needed = [*FILES, *([REMOVED, *(ADDED + file for file in FILES)] if has_changes else [])]
        is_read = written_as in (FORMAT, FORMAT_WITH_CHANGES)
        if is_read and not recorded.keys() >= set(needed):
            raise _damaged(place, MANIFEST)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(place, MANIFEST) from error
    if not is_read:
        raise SnapshotMismatch(
            f"The knowledge base in {place.parent.parent} was written by another version (format {written_as}, "
            f"this version reads {FORMAT} and {FORMAT_WITH_CHANGES}). Run: triage kb sync PATH --rebuild"
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


def _write_articles(path: Path, segment: Segment) -> None:
    by_article: dict[str, list[list[object]]] = {}
    for passage in segment.passages:
        by_article.setdefault(passage.article_id, []).append([passage.start, passage.end, passage.heading_path])
    with path.open("w", encoding="utf-8") as file:
        for article in segment.articles:
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
    return Snapshot(EMPTY, Segment((), (), nothing, nothing))
