"""Which words of which article answer a question, and how likely is it that they do?"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import quote

import numpy as np

from kb.articles import (
    Abstention,
    AbstentionReason,
    Answer,
    Article,
    Citation,
    FloatArray,
    Hit,
    Passage,
)
from kb.gating import Features, Gate, features
from kb.retrieval import Ranked, Retriever

NEAREST = 3
# An agent looks twice: words that answer one question of two are worth showing to one.
SUGGEST_AT = 0.5
# More than any probability.
NEVER = 2.0
# An answer grows over the passages that follow until this many characters: about one screen of a chat.
ANSWER_CHARACTERS = 1_200
# How much a heading says about whether people look for what stands below it, in cosines: enough to prefer a
# resolution to the symptoms, which are nearer to the question because they are the question.
HEADING_WEIGHT = 0.12

_REMEDY = re.compile(
    r"\b(resol|solution|fix|steps?|how to|what to do|workaround|answer|procedure|instruction|method|option|"
    r"lösung|abhilfe|vorgehen|schritte|so geht|anleitung|résolution|étapes|marche à suivre|que faire|procédure|"
    r"solución|pasos|cómo|qué hacer|procedimiento)",
    re.IGNORECASE,
)
_COMPLAINT = re.compile(
    r"\b(symptom|problem|cause|issue|background|more information|references|see also|related|applies to|"
    r"ursache|hintergrund|siehe auch|symptôme|problème|voir aussi|síntoma|causa|véase)",
    re.IGNORECASE,
)
_NEXT_STEP = re.compile(r"\s*(?:[2-9]|[1-9]\d)[.)]\s")
_MARKUP = re.compile(r"^(?:[#>\-*+\s|`(]|\d+[.)]\s)+")


@dataclass(frozen=True, slots=True)
class Bar:
    """How probable an answer must be: to be given, to be offered as one of a choice, to be shown to an agent.

    ``basis`` says in words what it rests on.
    """

    give: float
    offer: float
    suggest: float
    basis: str


def usual_bar(gate: Gate) -> Bar:
    """The bar of a gate that was not checked on the desk's own questions."""
    basis = (
        f"From {gate.threshold:.0%} on, 95 of 100 answers were right on the public questions that the gate was fitted "
        "on; it has not been checked on this desk's own: triage kb calibrate --queries FILE"
    )
    return Bar(gate.threshold, gate.among.threshold if gate.among else NEVER, SUGGEST_AT, basis)


@dataclass(frozen=True, slots=True)
class Judge:
    """What decides over an answer: the gate, the bar, the name of the snapshot and the day it is asked on."""

    gate: Gate
    bar: Bar
    snapshot: str
    today: date

    def reply(self, retriever: Retriever, query: str, vector: FloatArray, ranked: Ranked) -> Answer | Abstention:
        """The answer that the first article gives, or why there is none."""
        if not len(ranked):
            return self.nothing_found()
        seen = features(retriever, query, ranked)
        probability = self.gate.probability(seen)
        row = int(ranked.rows[0])
        is_sure = probability >= self.bar.give
        if is_sure and not _is_overdue(retriever.articles[row], self.today):
            return Answer((answer_span(retriever, row, vector),), probability, self.snapshot, self.bar.basis)
        reason, explanation = self._why_not(retriever, ranked, seen, probability)
        suggestion = (answer_span(retriever, row, vector),) if probability >= self.bar.suggest else ()
        nearest = hits(retriever, ranked, NEAREST)
        return Abstention(reason, explanation, probability, nearest, self.snapshot, suggestion)

    def nothing_found(self) -> Abstention:
        """There is no article that could answer."""
        explanation = "The knowledge base holds nothing on this."
        return Abstention(AbstentionReason.NOTHING_FOUND, explanation, None, (), self.snapshot)

    def _why_not(
        self, retriever: Retriever, ranked: Ranked, seen: Features, probability: float
    ) -> tuple[AbstentionReason, str]:
        first = retriever.articles[int(ranked.rows[0])]
        if probability >= self.bar.give:
            return AbstentionReason.OUT_OF_DATE, (
                f"“{first.title}” would answer this, but it was to be reviewed by {first.review_by}."
            )
        among = self.gate.among.probability(seen) if self.gate.among else 0.0
        if among >= self.bar.offer and len(ranked) > 1:
            several = min(NEAREST, len(ranked))
            return AbstentionReason.SEVERAL, (
                f"Several articles may answer this: with a probability of {among:.0%} one of the first {several} does."
            )
        asked_for = f"{self.bar.give:.0%} is asked for." if self.bar.give < NEVER else self.bar.basis
        return AbstentionReason.NOT_SURE, (
            f"The nearest article, “{first.title}”, answers this with a probability of {probability:.0%} only. "
            f"{asked_for}"
        )


def _is_overdue(article: Article, today: date) -> bool:
    return article.review_by is not None and article.review_by < today


def hits(retriever: Retriever, ranked: Ranked, limit: int) -> tuple[Hit, ...]:
    """The first articles, each with its best passage as a citation."""
    return tuple(
        Hit(
            retriever.articles[row].id,
            retriever.articles[row].title,
            float(np.clip(score, 0, 1)),
            cite(retriever.articles[row], retriever.passages[passage]),
        )
        for row, passage, score in zip(ranked.rows[:limit], ranked.passages[:limit], ranked.fused[:limit], strict=True)
    )


def cite(article: Article, passage: Passage) -> Citation:
    """The passage, word for word, with a link that opens the article at its first words."""
    text = article.text[passage.start : passage.end]
    return Citation(
        article_id=article.id,
        title=article.title,
        url=deep_link(article.url, text),
        heading_path=passage.heading_path,
        start=passage.start,
        end=passage.end,
        text=text,
        article_digest=article.digest,
    )


def deep_link(url: str | None, text: str) -> str | None:
    """The url with a text fragment (https://wicg.github.io/scroll-to-text-fragment/) of the first words."""
    line = next(filter(None, (_MARKUP.sub("", line).strip() for line in text.splitlines())), "")
    # Up to the first mark that a browser renders in its own way.
    words = re.sub(r"[`*|\[\]()\\].*", "", line).split()[:8]
    if not url or not words:
        return url
    fragment = quote(" ".join(words), safe="").replace("-", "%2D")
    return f"{url}{'' if '#' in url else '#'}:~:text={fragment}"


def answer_span(retriever: Retriever, row: int, vector: FloatArray) -> Citation:
    """The article's passage that reads most like an answer, with what belongs to it further down."""
    passages = retriever.passages_of(row)
    worth = retriever.passage_cosines(row, vector) + [HEADING_WEIGHT * _promise(passage) for passage in passages]
    first = int(np.argmax(worth))
    while first and _continues(retriever.articles[row], passages[first - 1], passages[first]):
        first -= 1
    whole = passages[first]
    for following in passages[first + 1 :]:
        if following.end - whole.start > ANSWER_CHARACTERS:
            break
        if not (_is_below(following, whole) or _continues(retriever.articles[row], whole, following)):
            break
        whole = replace(whole, end=following.end)
    return cite(retriever.articles[row], whole)


def _promise(passage: Passage) -> int:
    """1 where the headings promise a remedy, -1 where they announce the complaint, the nearest heading first."""
    for heading in reversed(passage.heading_path):
        if _REMEDY.search(heading):
            return 1
        if _COMPLAINT.search(heading):
            return -1
    return 0


def _continues(article: Article, before: Passage, after: Passage) -> bool:
    """Whether a list of steps, or a long section, goes on from one passage to the next."""
    same = before.heading_path == after.heading_path
    return same and bool(_NEXT_STEP.match(article.text[after.start : after.start + 8]))


def _is_below(following: Passage, whole: Passage) -> bool:
    """Whether the passage stands under the same heading or one below it."""
    depth = len(whole.heading_path)
    return bool(depth) and following.heading_path[:depth] == whole.heading_path
