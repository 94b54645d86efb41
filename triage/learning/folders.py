"""How does a folder appear whole or not at all, whatever moment its writer is stopped at?"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

LOCK = ".lock"
SCRATCH = ".new-"
ASIDE = ".old-"
MANIFEST = "manifest.json"


@contextmanager
def locked(parent: Path, name: str = LOCK) -> Iterator[None]:
    """One process at a time; the lock is let go by the system where its holder dies."""
    parent.mkdir(parents=True, exist_ok=True)
    with (parent / name).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def scratch_folder(parent: Path) -> Iterator[Path]:
    """A folder to write in, in the same file system as its later place; removed at the end if it is still there.

    It is locked while its writer lives, so that ``clean_scratch`` of another process leaves it alone.
    """
    with locked(parent):
        scratch = Path(tempfile.mkdtemp(dir=parent, prefix=SCRATCH))
        handle = os.open(scratch, os.O_RDONLY)
        fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
        os.close(handle)


def clean_scratch(parent: Path) -> int:
    """Remove what writers that were killed have left behind; returns how many folders and files."""
    removed = 0
    with locked(parent):
        for path in [*parent.glob(f"{SCRATCH}*"), *parent.glob(f"{ASIDE}*")]:
            if _is_abandoned(path):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                removed += 1
    return removed


def write_manifest(scratch: Path, head: Mapping[str, object]) -> None:
    """Note the SHA-256 of every file of the folder, after the given entries."""
    files = {path.name: sha256(path) for path in sorted(scratch.iterdir())}
    (scratch / MANIFEST).write_text(json.dumps({**head, "files": files}, indent=1, ensure_ascii=False), "utf-8")


def digest_of(head: Mapping[str, object], *files: Path) -> str:
    """SHA-256 of what is given and of the files, in their order."""
    content = [dict(head), [(path.name, sha256(path)) for path in files]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def is_intact(folder: Path) -> bool:
    """Whether every file of the folder's manifest is there as it was written."""
    try:
        files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
        return all(sha256(folder / name) == digest for name, digest in files.items())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False


def publish(scratch: Path, place: Path) -> None:
    """Put the written folder in its place in one step.

    The place is named by the content: where an intact folder stands there already, that one stays untouched.
    """
    for path in (*scratch.iterdir(), scratch):
        _sync(path)
    with locked(place.parent):
        if is_intact(place):
            return
        if place.exists():
            aside = Path(tempfile.mkdtemp(dir=place.parent, prefix=ASIDE))
            place.rename(aside / place.name)
            scratch.rename(place)
            shutil.rmtree(aside)
        else:
            scratch.rename(place)
        _sync(place.parent)


def write_whole(path: Path, content: str) -> None:
    """Write a text file so that a reader sees the old content or the new, never a part."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=SCRATCH)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync(path.parent)


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_abandoned(path: Path) -> bool:
    with suppress(OSError):
        handle = os.open(path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        finally:
            os.close(handle)
        return True
    return False


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
