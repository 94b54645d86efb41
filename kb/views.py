"""What searches a snapshot, for whom?"""

from __future__ import annotations

import threading
from collections.abc import Collection

from kb import store
from kb.articles import MACRO
from kb.evaluation import Embedded
from kb.fusion import Fusion
from kb.lexical import REBUILT_UP_TO
from kb.reranking import Reranker
from kb.retrieval import Indexes, Retriever
from kb.store import Segment, Snapshot
from kb.vectors import VectorIndex


class Views:
    """What searches a base: one retriever for each set of audiences that has asked.

    Such a retriever knows only the articles of its audiences, so that whoever may not see an article gets what a
    knowledge base without it would say: the frequencies of words and the candidates depend on it, too.
    """

    def __init__(self, base: Segment, fusion: Fusion, reranker: Reranker | None, lend: Indexes | None) -> None:
        self.base, self.fusion, self.reranker = base, fusion, reranker
        self.audiences = frozenset(article.audience for article in base.articles)
        self._lend = lend
        self._lock = threading.Lock()
        self._built: dict[frozenset[str], Retriever | None] = {}

    def view(self, audiences: Collection[str]) -> Retriever | None:
        """What these audiences may search; None where there is nothing."""
        wanted = self.audiences.intersection(audiences)
        with self._lock:
            if wanted not in self._built:
                self._built[wanted] = self._build(wanted)
            return self._built[wanted]

    def indexes(self) -> Indexes | None:
        """Those of the vectors of all that can be found, where they are not exact."""
        whole = self._built.get(self.audiences)
        return whole.indexes if whole and not whole.indexes[1].is_exact else None

    def _build(self, audiences: frozenset[str]) -> Retriever | None:
        part = _part_for(audiences, self.base, self.fusion, self.reranker)
        if not part.passages:
            return None
        # Of all articles, or else what others may not see would show in how the cells lie.
        indexes = self._stored_or_lent(part) if audiences == self.audiences else None
        built = part.retriever(indexes)
        if len(part.articles) > REBUILT_UP_TO:
            built.knows("")  # counts the words now rather than with the first change
        return built

    def _stored_or_lent(self, part: Embedded) -> Indexes | None:
        paths = [self.base.place / file for file in store.INDEXES] if self.base.place else []
        if paths and all(path.exists() for path in paths):
            return VectorIndex.read(paths[0]), VectorIndex.read(paths[1])
        articles, passages = self._lend or (None, None)
        return VectorIndex(part.article_vectors, like=articles), VectorIndex(part.passage_vectors, like=passages)


class State:
    """A snapshot with what searches it."""

    def __init__(self, snapshot: Snapshot, views: Views) -> None:
        self.snapshot = snapshot
        self.views = views
        self.fusion = views.fusion
        self.audiences = frozenset(article.audience for article in snapshot.articles)
        self._lock = threading.Lock()
        self._changed: dict[frozenset[str], Retriever | None] = {}

    def view(self, audiences: Collection[str] | None = None) -> Retriever | None:
        """What these audiences may search, by default all; None where there is nothing."""
        wanted = self.audiences if audiences is None else self.audiences.intersection(audiences)
        added = self.snapshot.added
        if added is None:
            return self.views.view(wanted)
        with self._lock:
            if wanted not in self._changed:
                self._changed[wanted] = self._change(wanted, added)
            return self._changed[wanted]

    def _change(self, audiences: frozenset[str], added: Segment) -> Retriever | None:
        base = self.views.view(audiences)
        if base is None or len(base.ids) <= REBUILT_UP_TO:
            part = self.part_for(audiences)
            return part.retriever() if part.passages else None
        more = _part_for(audiences, added, self.fusion, self.views.reranker)
        return base.changed(base.ids & self.snapshot.removed, more.retriever())

    def part_for(self, audiences: Collection[str]) -> Embedded:
        """What is for these audiences. Macros are no answers."""
        return _part_for(audiences, self.snapshot.whole, self.fusion, self.views.reranker)


def _part_for(audiences: Collection[str], segment: Segment, fusion: Fusion, reranker: Reranker | None) -> Embedded:
    vectors = segment.article_vectors, segment.passage_vectors
    whole = Embedded(segment.articles, segment.passages, *vectors, fusion, reranker)
    return whole.part_without(
        {one.id for one in segment.articles if one.audience not in audiences or one.kind == MACRO}
    )
