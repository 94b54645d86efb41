"""Where do sentences end, and what does each of them cite?"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MARKS = re.compile(r"(?:[ \t\u00a0]{0,4}\[\d{1,3}\])+")
_NUMBER = re.compile(r"\d+")
_BULLET = re.compile(r"^\s*(?:[-*•]\s+|\d{1,2}[.)]\s+|#{1,6}\s+)")
# Of a language model that thinks aloud; what it thinks is no part of what it says.
_THOUGHT = re.compile(r"<think(?:ing)?>.*?(?:</think(?:ing)?>|\Z)", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"^\s*```.*$", re.MULTILINE)
_END = re.compile(r"(?<=[.!?…])[\"”»)’']*\s+(?=[\"“„«(¿¡]*[^\W_])")
_ABBREVIATED = re.compile(
    r"(?:^|\s|\()(?:e\.g|i\.e|etc|approx|vs|no|nr|z\.\s?b|d\.\s?h|bzw|ggf|ca|usw|p\.\s?ex|p\.\s?ej|\d+)\.$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Written:
    """A sentence that a language model wrote, without its marks, and the numbers of the passages that it cites."""

    text: str
    cites: tuple[int, ...]


def written_sentences(reply: str) -> tuple[Written, ...]:
    """The sentences of a reply in order; those without a mark cite nothing.

    A mark counts for the sentence before it, whether it stands before or behind its full stop.
    """
    plain = _FENCE.sub("", _THOUGHT.sub("", reply)).replace("**", "")
    return tuple(one for line in plain.splitlines() for one in _in_line(_BULLET.sub("", line)))


def _in_line(line: str) -> list[Written]:
    found: list[Written] = []
    done = 0
    for marks in _MARKS.finditer(line):
        before = line[done : marks.start()]
        done = marks.end()
        if done < len(line) and line[done] in ".!?":
            before += line[done]
            done += 1
        *uncited, cited = split_sentences(before) or [""]
        found += [Written(one, ()) for one in uncited]
        found.append(Written(cited, tuple(int(number) for number in _NUMBER.findall(marks[0]))))
    return found + [Written(one, ()) for one in split_sentences(line[done:])]


def split_sentences(text: str) -> list[str]:
    """The sentences of one line of prose."""
    sentences: list[str] = []
    for part in _END.split(text.strip()):
        if sentences and _ABBREVIATED.search(sentences[-1]):
            sentences[-1] += f" {part.strip()}"
        elif part.strip():
            sentences.append(part.strip())
    return sentences


def span_sentences(span: str) -> list[str]:
    """The sentences of an article's passage; a heading, a step and a row of a table each stand alone."""
    lines = (_BULLET.sub("", line) for line in span.splitlines())
    return [one for line in lines for one in split_sentences(line) if any(c.isalnum() for c in one)]


_STEP = re.compile(r"^\s*\d{1,2}[.)]\s+(.+)$", re.MULTILINE)


def steps_of(span: str) -> list[str]:
    """The numbered steps of a passage."""
    return _STEP.findall(span)
