"""How much of what a language model wrote may be shown?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from triage.privacy import Kind, find_personal, mask
from triage.reword.checks import SAID, Fault, Passage, fault_of
from triage.reword.sentences import Written, steps_of, written_sentences
from triage.reword.words import negations, stems_of
from triage.tickets.model import RewordedSentence
from triage.understand.language import language_of

# Sentences are merged in rewording, but of a passage that is said in less than half of its sentences, much is missing.
LEAST_KEPT = 0.5
# A rewording of a screen of text has a dozen sentences; what has more is none, and takes long to check.
MOST_SENTENCES = 100
# Of a step's meaningful words, so many have to come back in some sentence for the step to be there.
LEAST_OF_A_STEP = 0.34
_PLACEHOLDER = re.compile(rf"\[({'|'.join(Kind)})\]")


class Lack(StrEnum):
    """Why sentences that passed the checks are not shown all the same."""

    TOO_MUCH = "too_much"
    TOO_LITTLE_LEFT = "too_little_left"
    STEP_MISSING = "step_missing"
    NEGATION_MISSING = "negation_missing"
    OTHER_LANGUAGE = "other_language"


_SAID = {
    Lack.TOO_MUCH: f"It wrote more than {MOST_SENTENCES} sentences",
    Lack.TOO_LITTLE_LEFT: "Too little of it was left to be shown",
    Lack.STEP_MISSING: "A step of the passage was missing",
    Lack.NEGATION_MISSING: "A “not” of the passage was missing",
    Lack.OTHER_LANGUAGE: "It was written in another language than the requester's",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A span of an answer as a language model sees it, and what was masked in it, by kind."""

    passage: Passage
    originals: Mapping[str, frozenset[str]]

    @classmethod
    def of(cls, text: str, names: Sequence[str] = ()) -> Source:
        """The span with what is personal masked, the requester's own names too."""
        masked: dict[str, set[str]] = {}
        for one in find_personal(text, names):
            masked.setdefault(one.kind.value, set()).add(text[one.start : one.end])
        return cls(Passage(mask(text, names=names)), {kind: frozenset(found) for kind, found in masked.items()})


@dataclass(frozen=True, slots=True)
class Judgement:
    """The sentences that may be shown, or none and what is lacking; ``dropped`` counts the faults of the others."""

    sentences: tuple[RewordedSentence, ...]
    dropped: Counter[Fault]
    lack: Lack | None

    @property
    def note(self) -> str:
        """What was dropped and why nothing is shown, in words; empty where all is well."""
        dropped = ", ".join(f"{number} with {SAID[fault]}" for fault, number in sorted(self.dropped.items()))
        lost = f"{self.dropped.total()} of its sentences dropped: {dropped}." if dropped else ""
        lacking = f"{_SAID[self.lack]}." if self.lack else ""
        return " ".join(filter(None, (lacking, lost)))


def judge(reply: str, sources: Sequence[Source], language: str | None) -> Judgement:
    """Check every sentence of the reply against the span that it cites, then what is left against all spans."""
    sentences = written_sentences(reply)
    if len(sentences) > MOST_SENTENCES:
        return Judgement((), Counter(), Lack.TOO_MUCH)
    same_language = _is_same_language(sentences, sources)
    kept: list[RewordedSentence] = []
    dropped: Counter[Fault] = Counter()
    for written in sentences:
        found = _place(written, sources, same_language)
        if isinstance(found, Fault):
            dropped[found] += 1
        else:
            kept.append(found)
    lack = _lack(kept, dropped, sources, language, same_language)
    return Judgement(() if lack else tuple(_restored(one, sources) for one in kept), dropped, lack)


def _place(written: Written, sources: Sequence[Source], same_language: bool) -> RewordedSentence | Fault:
    """The sentence with the first of its citations that bears it, or the fault that its first citation finds."""
    if not written.cites:
        return Fault.UNCITED if written.text else Fault.EMPTY
    if not all(1 <= number <= len(sources) for number in written.cites):
        return Fault.UNKNOWN_CITATION
    faults: list[Fault] = []
    for number in written.cites:
        source = sources[number - 1]
        fault = fault_of(written.text, source.passage, same_language=same_language)
        if fault is None and not _can_be_restored(written.text, source):
            fault = Fault.PERSONAL
        if fault is None:
            return RewordedSentence(written.text, number - 1)
        faults.append(fault)
    return faults[0]


def _lack(
    kept: Sequence[RewordedSentence],
    dropped: Counter[Fault],
    sources: Sequence[Source],
    language: str | None,
    same_language: bool,
) -> Lack | None:
    whole = sum(len(source.passage.sentences) for source in sources)
    if not kept or len(kept) < LEAST_KEPT * whole:
        return Lack.TOO_LITTLE_LEFT
    said = " ".join(one.text for one in kept)
    if language and language_of(said) not in (None, language):
        return Lack.OTHER_LANGUAGE
    for ordinal, source in enumerate(sources):
        own = [one.text for one in kept if one.citation == ordinal]
        if _misses_a_step(own, source, same_language, bool(dropped)):
            return Lack.STEP_MISSING
        if sum(map(negations, own)) < negations(source.passage.text):
            return Lack.NEGATION_MISSING
    return None


def _misses_a_step(own: Sequence[str], source: Source, same_language: bool, has_dropped: bool) -> bool:
    """Instructions are whole or worthless: a step that nobody finds again is worse than plain words."""
    steps = steps_of(source.passage.text)
    if not steps:
        return False
    if has_dropped:
        return True
    if not same_language:
        return len(own) < len(steps)
    said = stems_of(" ".join(own))
    return any(len(stems_of(step) & said) < LEAST_OF_A_STEP * len(stems_of(step)) for step in steps)


def _is_same_language(sentences: Sequence[Written], sources: Sequence[Source]) -> bool:
    """True also where it cannot be told, for then more is checked."""
    theirs = language_of(" ".join(one.text for one in sentences))
    ours = language_of(" ".join(source.passage.text for source in sources))
    return theirs == ours or theirs is None or ours is None


def _can_be_restored(sentence: str, source: Source) -> bool:
    """Whether each placeholder can stand for one thing only; a guess between two would be an invention."""
    return all(len(source.originals.get(kind, ())) == 1 for kind in _PLACEHOLDER.findall(sentence))


def _restored(sentence: RewordedSentence, sources: Sequence[Source]) -> RewordedSentence:
    originals = sources[sentence.citation].originals
    text = _PLACEHOLDER.sub(lambda found: next(iter(originals[found[1]])), sentence.text)
    return RewordedSentence(text, sentence.citation)
