"""Which snapshot do these articles make, and what of them has to be embedded?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from kb.articles import Article, FloatArray, Passage, Progress
from kb.chunking import article_text, passage_text, split
from kb.embedding import Encoder
from kb.lexical import REBUILT_UP_TO
from kb.store import Segment, Snapshot

# More changes beside a base than this share of its articles would show in BM25, which still counts what was removed:
# after 1,000 of 50,000 replaced a score is off by .1 % (median; 3 % at most), after 1,000 of 2,000 by 1 % (12 %).
MOST_CHANGED = 0.02


def revised(
    before: Snapshot,
    articles: Sequence[Article],
    encoder: Encoder,
    progress: Progress | None,
    *,
    room: int = 0,
) -> tuple[Snapshot, int]:
    """The snapshot of these articles, sorted by id; vectors of texts that ``before`` has are taken from there.

    Where no more than ``room`` articles of a large base have changed, and few of all, it is that base and the changes.
    """
    base, wanted = before.base, {article.id: article for article in articles}
    removed = frozenset(one.id for one in base.articles if not _is_same(wanted.get(one.id), one))
    added = [one for one in articles if one.id not in base.row_of or one.id in removed]
    room = min(room, int(MOST_CHANGED * len(base.articles)))
    if len(base.articles) > REBUILT_UP_TO and max(len(added), len(removed)) <= room:
        if not added and not removed:
            return Snapshot("new", base), 0
        known = _known_vectors(base, removed)
        segment, embedded = _segment(added, before.added, known, encoder, progress)
        return Snapshot("new", base, removed, segment), embedded
    known = _known_vectors(before.whole, before.whole.row_of)
    segment, embedded = _segment(articles, None, known, encoder, progress)
    return Snapshot("new", segment), embedded


def _is_same(one: Article | None, other: Article) -> bool:
    return one is other or one == other  # mostly the very same, and comparing fields takes time


def _segment(
    articles: Sequence[Article],
    ready: Segment | None,
    known: dict[str, FloatArray],
    encoder: Encoder,
    progress: Progress | None,
) -> tuple[Segment, int]:
    """The articles with their passages and vectors, and how many passages had to be embedded.

    Articles that stand in ``ready`` just so are taken from there, and vectors of texts that are ``known``.
    """
    old = {article: row for row, article in enumerate(ready.articles)} if ready else {}
    new = {article.id: split(article) for article in articles if article not in old}
    texts = [
        text
        for article in articles
        if article.id in new
        for text in (article_text(article), *(passage_text(article, passage) for passage in new[article.id]))
    ]
    known |= _known_vectors(ready, ready.row_of) if ready and texts else {}
    missing = [text for text in dict.fromkeys(texts) if text not in known]
    known |= dict(zip(missing, encoder.encode(missing, progress=progress), strict=True))
    passages: list[Passage] = []
    own, parts = [], [np.empty((0, encoder.dimension), dtype=np.float32)]
    for article in articles:
        if article.id in new:
            found = new[article.id]
            own.append(known[article_text(article)])
            parts += [known[passage_text(article, passage)][None] for passage in found]
        else:
            assert ready is not None  # or every article is new
            numbers = ready.passages_of(old[article])
            found = list(ready.passages[numbers])
            own.append(ready.article_vectors[old[article]])
            parts.append(ready.passage_vectors[numbers])
        passages += found
    vectors = np.array(own, dtype=np.float32).reshape(len(own), encoder.dimension)
    segment = Segment(tuple(articles), tuple(passages), vectors, np.concatenate(parts))
    of_passages = {passage_text(one, passage) for one in articles for passage in new.get(one.id, ())}
    return segment, len(of_passages.intersection(missing))


def _known_vectors(segment: Segment, article_ids: Iterable[str]) -> dict[str, FloatArray]:
    """The vectors of these articles by the text that was embedded, so that a moved article or an unchanged passage
    keeps its own."""
    known: dict[str, FloatArray] = {}
    for row in map(segment.row_of.__getitem__, article_ids):
        article, numbers = segment.articles[row], segment.passages_of(row)
        known[article_text(article)] = segment.article_vectors[row]
        texts = (passage_text(article, passage) for passage in segment.passages[numbers])
        known |= zip(texts, segment.passage_vectors[numbers], strict=True)
    return known
