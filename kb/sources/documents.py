"""What does a PDF or a Word document say, whatever was done to it?

Each is read in a process of its own that gets so much time and memory and no more: a broken or hostile document costs
its own article, never the sync.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from kb.sources.html import TooDeep, readable_html

MAX_BYTES = 50_000_000
# A manual of so many pages is read in some 10 s; a longer one is better split where its parts are.
MAX_PAGES = 300
MAX_SECONDS = 60.0
MAX_MEMORY = 2_000_000_000
# What a Word document may unpack to, in bytes: pictures come packed already.
MAX_UNPACKED = 200_000_000
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Document:
    """The readable text and what the document says of itself; ``problem`` where it could not be read as a whole."""

    text: str
    title: str = ""
    language: str = ""
    updated: str = ""
    problem: str | None = None


def read_pdf(content: bytes, *, seconds: float = MAX_SECONDS, pages: int = MAX_PAGES) -> Document:
    """The pages, each under a heading that says its number; without text where nothing could be read."""
    lines, is_late = _said("pdf.py", content, str(pages), seconds)
    error = next((str(line["error"]) for line in lines if "error" in line), None)
    texts = [str(line["text"]).strip() for line in lines if "text" in line]
    if not lines or (error and not texts):
        return Document("", problem=error or _too_much(is_late))
    whole = lines[0]
    count = int(str(whole.get("pages", 0)))
    text = "\n\n".join(f"## Page {number}\n\n{text}" for number, text in enumerate(texts, 1) if text)
    problem = None
    if not text:
        problem = (
            f"None of the {count} pages has text: they are pictures. It is left out; recognise the text first (OCR)."
        )
    elif len(texts) < count:
        reason = "took too long" if is_late else "are not read" if len(texts) == pages else "cannot be read"
        problem = f"Of {count} pages the first {len(texts)} are read; the others {reason}. Split the PDF."
    return Document(
        text if count > 1 else "\n\n".join(texts),
        title=str(whole.get("title", "")),
        updated=str(whole.get("updated", "")),
        problem=problem,
    )


def read_docx(content: bytes, *, seconds: float = MAX_SECONDS) -> Document:
    """The document as Markdown; without text where nothing could be read."""
    lines, is_late = _said("docx.py", content, str(MAX_UNPACKED), seconds)
    if not lines:
        return Document("", problem=_too_much(is_late))
    said = {name: str(value) for name, value in lines[0].items()}
    if "error" in said:
        return Document("", problem=said["error"])
    try:
        text = readable_html(said.get("html", ""))
    except TooDeep as error:
        return Document("", problem=f"The document cannot be read ({error}); it is left out.")
    return Document(text, said.get("title", ""), said.get("language", ""), said.get("updated", "")[:10])


def _said(program: str, content: bytes, argument: str, seconds: float) -> tuple[list[dict[str, object]], bool]:
    """The JSON objects that the program wrote, and whether its time was up."""
    command = [sys.executable, "-P", str(_HERE / program), argument, str(MAX_MEMORY)]
    is_late = False
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=seconds, check=False).stdout
    except subprocess.TimeoutExpired as late:
        done, is_late = late.stdout or b"", True
    lines = done.split(b"\n")
    # What follows the last line break was cut off.
    return [json.loads(line) for line in lines[:-1]], is_late


def _too_much(is_late: bool) -> str:
    what = "more time" if is_late else "more memory"
    return f"It takes {what} to read than a document should; it is left out. Save it anew, or split it."
