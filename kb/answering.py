"""Which words of which article answer a question, and how likely is it that they do?"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
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
from kb.lexical import words_of
from kb.retrieval import Ranked, Retriever, Scores

NEAREST = 3
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
class Gate:
    """Turns what the search saw into the probability that its first article is right: a logistic model.

    ``threshold`` is the least probability at which an answer is given.
    """

    names: tuple[str, ...]
    mean: Scores
    scale: Scores
    weights: Scores
    bias: float
    threshold: float

    def probability(self, features: dict[str, float]) -> float:
        """The calibrated probability (0..1) for one question."""
        values = np.array([features[name] for name in self.names])
        return float(1 / (1 + math.exp(-float(((values - self.mean) / self.scale) @ self.weights + self.bias))))


@cache
def shipped_gate() -> Gate:
    """The gate that ships: fitted by ``bench/fit_gate.py``, whose figures stand in the file."""
    stored = json.loads(files("kb").joinpath("gate.json").read_text(encoding="utf-8"))
    return Gate(
        names=tuple(stored["features"]),
        mean=np.array(stored["mean"]),
        scale=np.array(stored["scale"]),
        weights=np.array(stored["weights"]),
        bias=stored["bias"],
        threshold=stored["threshold"],
    )


def features(retriever: Retriever, query: str, ranked: Ranked) -> dict[str, float]:
    """What tells right from wrong first hits, free of the size and the topic of the knowledge base.

    Margins between the first two articles are left out: they told well within one set of judged queries and
    misled on another (area under the ROC curve .78 instead of .89).
    """
    row = int(ranked.rows[0])
    article = retriever.articles[row]
    asked, title = words_of(query), words_of(article.title)
    words = title | words_of(article.text)
    rarity = retriever.rarity
    rare = {word for word in asked if retriever.is_rare(word)}
    asked_weight = sum(map(rarity, asked)) or 1.0
    title_weight = sum(map(rarity, title)) or 1.0
    ten = np.sort(ranked.passage_cosine)[::-1][1:10]
    lexical = float(ranked.lexical[0])
    next_lexical = float(ranked.lexical[1:].max()) if len(ranked) > 1 else 0.0
    return {
        "passage_cosine": float(ranked.passage_cosine[0]),
        "article_cosine": float(ranked.article_cosine[0]),
        "cosine_above_ten": float(ranked.passage_cosine[0] - ten.mean()) if len(ten) else 0.0,
        "title_asked_for": sum(map(rarity, asked & title)) / title_weight,
        "asked_in_title": sum(map(rarity, asked & title)) / asked_weight,
        "asked_in_article": sum(map(rarity, asked & words)) / asked_weight,
        "rare_in_article": len(rare & words) / len(rare) if rare else 0.5,
        "lexical_strength": lexical / asked_weight,
        "lexical_lead": math.log((lexical + 1) / (next_lexical + 1)),
    }


def reply(
    retriever: Retriever, query: str, vector: FloatArray, ranked: Ranked, *, gate: Gate, snapshot: str
) -> Answer | Abstention:
    """The answer that the first article gives, or an abstention where the gate is not sure enough of it."""
    if not len(ranked):
        explanation = "The knowledge base holds nothing on this."
        return Abstention(AbstentionReason.NOTHING_FOUND, explanation, None, (), snapshot)
    probability = gate.probability(features(retriever, query, ranked))
    if probability < gate.threshold:
        nearest = hits(retriever, ranked, NEAREST)
        explanation = (
            f"The nearest article, “{nearest[0].title}”, answers this with a probability of {probability:.0%} only; "
            f"{gate.threshold:.0%} is asked for."
        )
        return Abstention(AbstentionReason.NOT_SURE, explanation, probability, nearest, snapshot)
    row = int(ranked.rows[0])
    return Answer((_span(retriever, row, vector),), probability, snapshot)


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


def _span(retriever: Retriever, row: int, vector: FloatArray) -> Citation:
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
