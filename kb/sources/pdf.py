"""What does a PDF say, page by page? Run as a program by ``kb.sources.documents``, in a process that may be ended.

Takes the PDF on standard input, the most pages and bytes of memory as arguments; writes one JSON object a line:
first what is known of the whole, then each page's text. It imports nothing of ``kb``, so that it starts quickly.
"""

from __future__ import annotations

import io
import json
import resource
import sys

from pypdf import PdfReader
from pypdf.errors import DependencyError, PyPdfError


def main() -> int:
    """Write the lines; what cannot be read is one line with an ``error``."""
    most = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    try:
        reader = PdfReader(io.BytesIO(sys.stdin.buffer.read()))
        if reader.is_encrypted and not reader.decrypt(""):
            raise DependencyError
        said = reader.metadata
        _write(pages=len(reader.pages), title=(said and said.title) or "", updated=_day(reader))
        for page in reader.pages[: int(sys.argv[1])]:
            _write(text=page.extract_text())
    except DependencyError:
        _write(error="The PDF is encrypted; it is left out. Save it without a password.")
    # A damaged PDF breaks pypdf in any way: this process is the edge.
    except (PyPdfError, Exception) as error:  # noqa: BLE001
        _write(error=f"The PDF cannot be read ({type(error).__name__}); it is left out. Print it to a new PDF.")
    return 0


def _day(reader: PdfReader) -> str:
    try:
        changed = reader.metadata and (reader.metadata.modification_date or reader.metadata.creation_date)
    except (ValueError, TypeError):
        return ""
    return changed.date().isoformat() if changed else ""


def _write(**values: object) -> None:
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()  # what has been read is kept if the time is up


if __name__ == "__main__":
    sys.exit(main())
