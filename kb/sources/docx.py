"""What does a Word document say, as HTML? Run as a program by ``kb.sources.documents``, in a process that may be ended.

Takes the document on standard input, the most bytes it may unpack to and the most bytes of memory as arguments; writes
one JSON object. It imports nothing of ``kb``, so that it starts quickly.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import zipfile
from xml.etree import ElementTree

import mammoth

_CORE = {
    "title": "{http://purl.org/dc/elements/1.1/}title",
    "language": "{http://purl.org/dc/elements/1.1/}language",
    "updated": "{http://purl.org/dc/terms/}modified",
}


class _TooLarge(Exception):
    pass


def main() -> int:
    """Write the object; of what cannot be read it has an ``error``."""
    most = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    content = sys.stdin.buffer.read()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_size(archive, int(sys.argv[1]))
            said = _said_of_itself(archive)
        converted = mammoth.convert_to_html(
            io.BytesIO(content), convert_image=mammoth.images.img_element(lambda _: {"src": ""})
        )
        said["html"] = converted.value
    except _TooLarge:
        said = {"error": "The document unpacks to far more than a document holds; it is left out."}
    except zipfile.BadZipFile:
        said = {
            "error": "This is no Word document, or it has a password; it is left out. Save it as .docx without one."
        }
    # A damaged document breaks mammoth in any way: this process is the edge.
    except Exception as error:  # noqa: BLE001
        said = {
            "error": f"The document cannot be read ({type(error).__name__}); it is left out. Save it anew as .docx."
        }
    sys.stdout.write(json.dumps(said) + "\n")
    return 0


def _check_size(archive: zipfile.ZipFile, most: int) -> None:
    """What is declared and what is really there: either may lie."""
    if sum(entry.file_size for entry in archive.infolist()) > most:
        raise _TooLarge
    left = most
    for entry in archive.infolist():
        with archive.open(entry) as file:
            while part := file.read(1_000_000):
                left -= len(part)
                if left < 0:
                    raise _TooLarge


def _said_of_itself(archive: zipfile.ZipFile) -> dict[str, str]:
    """https://ecma-international.org/publications-and-standards/standards/ecma-376/ (part 2, core properties)."""
    try:
        root = ElementTree.fromstring(archive.read("docProps/core.xml"))
    except (KeyError, ElementTree.ParseError):
        return {}
    return {name: " ".join((root.findtext(path) or "").split()) for name, path in _CORE.items()}


if __name__ == "__main__":
    sys.exit(main())
