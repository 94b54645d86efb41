"""What can one do with a knowledge base? Fill it, search it, ask it."""

from __future__ import annotations

import re
import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from kb import store
from kb.answering import NEVER, Bar, Judge, hits, usual_bar
from kb.articles import (
    PUBLIC,
    Abstention,
    AbstentionReason,
    Answer,
    Article,
    FloatArray,
    Hit,
    Passage,
    Progress,
    SyncReport,
)
from kb.chunking import LONGEST
from kb.embedding import Encoder
from kb.errors import SourceUnreadable
from kb.evaluation import Embedded
from kb.fusion import load_fusion, save_fusion, shipped_fusion, use_shipped
from kb.gating import Gate, current_gate, drop_gate, keep_gate, load_gate
from kb.reranking import Reranker
from kb.revision import revised
from kb.sources import read_source
from kb.sources.folder import MAX_BYTES
from kb.sources.judged import JudgedQuery
from kb.store import Snapshot
from kb.tuning import Tuning, tune
from kb.vectors import kind_for
from kb.views import State, Views

# A question is cut here before it is searched for: what follows is a log or a quoted history.
MAX_QUESTION_CHARACTERS = 20_000
# So many articles are added to a base, or removed from it, before it is made anew, since each change writes and indexes
# again what was added so far: of 200,000 passages the first takes .2 s, the thousandth 1 s, and a new base a minute. A
# sync takes its time anyway and makes one earlier, so that whoever changes single articles seldom has to wait for it.
ADDED_UP_TO = 1_000
SYNCED_UP_TO = 500
_SURROGATE = re.compile("[\ud800-\udfff]")


class KnowledgeBase:
    """Articles on disk, searched in memory. Safe to use from several threads and processes.

    Every change publishes a new snapshot; readers keep the one they began with.
    """

    def __init__(self, folder: Path, encoder: Encoder, snapshot: Snapshot, reranker: Reranker | None = None) -> None:
        self._reranker = reranker
        self._folder = folder
        self._encoder = encoder
        self._lock = threading.Lock()
        self._fusion = load_fusion(folder)
        self._state = self._state_of(snapshot, None)
        self._is_pinned = False
        self._gate = load_gate(folder, current_gate(folder))

    @classmethod
    def open(
        cls, folder: Path, encoder: Encoder, *, ignore_damage: bool = False, reranker: Reranker | None = None
    ) -> KnowledgeBase:
        """Open the knowledge base in a folder, empty where there is none yet.

        Raises ``SnapshotDamaged`` or ``SnapshotMismatch``; with ``ignore_damage`` (before a rebuild) it is
        opened as empty then.
        """
        stored = None if ignore_damage else store.load(folder, encoder.fingerprint)
        return cls(folder, encoder, stored or store.empty(encoder.dimension), reranker)

    @property
    def snapshot(self) -> str:
        """The name of the snapshot that is searched."""
        return self._state.snapshot.name

    @property
    def gate(self) -> Gate:
        """What tells how likely an answer is right."""
        return self._gate

    def keep_gate(self, gate: Gate) -> str:
        """Put a gate in force, in every process that has this folder open; returns its name."""
        self._gate = keep_gate(self._folder, gate)
        return self._gate.name

    @property
    def fusion(self) -> str:
        """The digest of the weights that rank its articles."""
        return self._fusion.digest

    @property
    def passages(self) -> int:
        """How many passages there are."""
        return self._state.snapshot.passage_count

    def articles(self) -> Sequence[Article]:
        """All articles, sorted by id."""
        return self._state.snapshot.articles

    def embedded(self) -> Embedded:
        """All that answers may come from, with its vectors, to measure on."""
        return self._state.part_for(self._state.audiences)

    def embedded_passages(self) -> tuple[Sequence[Passage], FloatArray]:
        """All p passages in the order of their articles, and their (p, d) vectors, rows of unit length."""
        whole = self._state.snapshot.whole
        return whole.passages, whole.passage_vectors

    def article(self, article_id: str) -> Article | None:
        """One article, or None where there is no such."""
        return next((article for article in self.articles() if article.id == article_id), None)

    @classmethod
    def open_snapshot(cls, folder: Path, encoder: Encoder, name: str) -> KnowledgeBase | None:
        """Open one snapshot and stay with it, or None where it is no longer kept; raises like ``open``.

        A name as it stands in an answer brings the gate back, too, that the answer was given with.
        """
        name, *made_with = name.split("+")
        nothing = store.empty(encoder.dimension)
        stored = nothing if name == store.EMPTY else store.load_named(folder, name, encoder.fingerprint)
        if stored is None:
            return None
        opened = cls(folder, encoder, stored)
        marks = {part[:1]: part[1:] for part in made_with}
        opened._gate = load_gate(folder, marks.get("g", ""))
        opened._fusion = load_fusion(folder, marks["f"]) if "f" in marks else shipped_fusion()
        opened._state = opened._state_of(stored, opened._state.views)
        opened._is_pinned = True
        return opened

    def refresh(self) -> bool:
        """Take over what another process has published; True where there was something. One small read."""
        if self._is_pinned:
            return False
        if (gate := current_gate(self._folder)) != self._gate.name:
            with self._lock:
                self._take_up(gate)
                self._state = self._state_of(self._state.snapshot, self._state.views)
        name = store.current_name(self._folder)
        if name is None or name == self.snapshot:
            return False
        with self._lock:
            self._latest()
        return True

    def sync(self, source: Path, *, rebuild: bool = False, progress: Progress | None = None) -> SyncReport:
        """Make the articles of a folder or file those of the knowledge base; only what has changed is embedded.

        Articles that came from elsewhere stay. A rebuild embeds everything anew, also what another encoder made;
        after a damage it loses what came from elsewhere. Raises ``SourceUnreadable`` where there is no such source.
        """
        read, problems = read_source(source)
        name = source.resolve().name
        with self._lock, store.alone(self._folder):
            before = store.empty(self._encoder.dimension) if rebuild else self._latest()
            stored = store.readable_articles(self._folder) if rebuild else before.articles
            old = {article.id: article for article in stored}
            new = {article.id: article for article in read}
            kept = {article_id: article for article_id, article in old.items() if article.source != name}
            embedded = self._publish(before, [*(kept | new).values()], room=SYNCED_UP_TO, progress=progress)
            mine = {article_id for article_id, article in old.items() if article.source == name}
            return SyncReport(
                added=len(new.keys() - old.keys()),
                updated=sum(old[i] != new[i] for i in new.keys() & old.keys()),
                removed=len(mine - new.keys()),
                unchanged=sum(old[i] == new[i] for i in new.keys() & old.keys()),
                embedded_passages=embedded,
                problems=tuple(problems),
                snapshot=self.snapshot,
            )

    def put(self, article: Article) -> bool:
        """Add or replace one article, in force at once; True where it is new. Raises ``SourceUnreadable``."""
        _check(article)
        with self._lock, store.alone(self._folder):
            before = self._latest()
            others = [known for known in before.articles if known.id != article.id]
            self._publish(before, [*others, article], room=ADDED_UP_TO)
            return len(others) == len(before.articles)

    def delete(self, article_id: str) -> bool:
        """Remove one article, in force at once; False where there was none."""
        with self._lock, store.alone(self._folder):
            before = self._latest()
            others = [known for known in before.articles if known.id != article_id]
            if len(others) < len(before.articles):
                self._publish(before, others, room=ADDED_UP_TO)
            return len(others) < len(before.articles)

    def tune(self, queries: Sequence[JudgedQuery], *, progress: Progress | None = None) -> Tuning:
        """Learn the weights of the ranking from this knowledge base's own judged queries, and use them where they
        rank unseen queries no worse than those that ship. A gate of its own is dropped: it knows another ranking.

        Raises ``SourceUnreadable`` where too few queries name an article of the knowledge base.
        """
        retriever = self._state.view()
        if retriever is None:
            raise SourceUnreadable("The knowledge base is empty. Fill it with: triage kb sync PATH")
        tuning = tune(retriever, queries, self._encoder, progress=progress)
        with self._lock, store.alone(self._folder):
            if tuning.is_kept:
                save_fusion(self._folder, tuning.fusion, tuning.figures())
            else:
                use_shipped(self._folder)
            drop_gate(self._folder)
            self._take_up("")
            self._state = self._state_of(self._latest(), self._state.views)
        return tuning

    def search(
        self,
        query: str,
        *,
        limit: int = 10,
        audiences: Collection[str] | None = None,
        language: str | None = None,
        only_language: bool = False,
        product: str | None = None,
        query_vector: FloatArray | None = None,
    ) -> list[Hit]:
        """The best articles, each once with its best passage, best first; for all audiences unless some are given.

        Those in the ``language`` come before others as good; with ``only_language`` those in another are left out, and
        with a ``product`` those on another. An article that names none fits every one.
        """
        retriever = self._state.view(audiences)
        query = query[:MAX_QUESTION_CHARACTERS].strip()
        if retriever is None or not query:
            return []
        vector = self._vector(query, query_vector)
        among = retriever.fitting(product=product, language=language if only_language else None)
        return list(hits(retriever, retriever.rank(query, vector, language=language, among=among), limit))

    def answer(
        self,
        question: str,
        *,
        audiences: Collection[str] = (PUBLIC,),
        language: str | None = None,
        only_language: bool = False,
        product: str | None = None,
        query_vector: FloatArray | None = None,
        bar: Bar | None = None,
        today: date | None = None,
    ) -> Answer | Abstention:
        """Verbatim, cited words for the audiences, or why there are none.

        ``language`` and ``product`` are as in ``search``. ``bar`` says how sure an answer must be, by default as the
        gate has it; an article whose review is overdue ``today`` (UTC) is not answered from.
        """
        state, gate = self._state, self._gate
        marks = [f"+g{gate.name}"] if gate.name else []
        marks += [f"+f{state.fusion.digest}"] if state.fusion != shipped_fusion() else []
        stamp = "".join([state.snapshot.name, *marks])
        question = question[:MAX_QUESTION_CHARACTERS].strip()
        if refusal := _refusal(question, state, stamp):
            return refusal
        vector = self._vector(question, query_vector)
        judge = Judge(gate, bar or usual_bar(gate), stamp, today or datetime.now(UTC).date())

        def said(to: Collection[str] | None) -> tuple[Answer | Abstention, float]:
            view = state.view(to)
            if view is None:
                return judge.nothing_found(), -1.0
            among = view.fitting(product=product, language=language if only_language else None)
            ranked = view.rank(question, vector, language=language, among=among)
            return judge.reply(view, question, vector, ranked), float(ranked.passage_cosine.max(initial=-1.0))

        public, near = said(audiences)
        # Where nothing is sure enough, other audiences would get no answer either: a search less.
        if isinstance(public, Answer) or state.audiences <= set(audiences) or judge.bar.give >= NEVER:
            return public
        # What others may read and answers this lies nearer than what the audiences may: so it was with all of 144 such
        # questions of two judged sets, half of whose articles were hidden, and with fewer than 6 in 10 of the others.
        everything = state.view()
        if everything is not None and everything.nearest_not_for(audiences, vector, at_least=near) < near:
            return public
        anybody, _ = said(None)
        cited = self._audience_cited(state.snapshot, anybody)
        if cited is not None and cited not in audiences:
            explanation = "Only articles that are not for this audience answer this; an agent can look them up."
            return replace(public, reason=AbstentionReason.ONLY_INTERNAL, explanation=explanation)
        return public

    @staticmethod
    def _audience_cited(snapshot: Snapshot, reply: Answer | Abstention) -> str | None:
        """Whom the article is for that a reply cites; None of an abstention."""
        if isinstance(reply, Abstention):
            return None
        cited = reply.citations[0].article_id
        return next(article.audience for article in snapshot.articles if article.id == cited)

    def _take_up(self, gate: str) -> None:
        """Use the weights in force and this gate: a gate goes with the ranking that it was fitted on."""
        self._fusion = load_fusion(self._folder)
        self._gate = load_gate(self._folder, gate)

    def _state_of(self, snapshot: Snapshot, before: Views | None) -> State:
        """The state of a snapshot, with its search over all articles made at once: the next question finds it ready.

        What searches the base ``before`` goes on where the base is the same.
        """
        if before and before.base is snapshot.base and before.fusion == self._fusion:
            views = before
        else:
            views = Views(snapshot.base, self._fusion, self._reranker, before.indexes() if before else None)
        state = State(snapshot, views)
        state.view()
        return state

    def _vector(self, text: str, given: FloatArray | None) -> FloatArray:
        return self._encoder.encode([text])[0] if given is None else given

    def _latest(self) -> Snapshot:
        """What is in force on disk: another process may have published since. The caller holds ``_lock``."""
        if store.current_name(self._folder) not in (None, self.snapshot):
            stored = store.load(self._folder, self._encoder.fingerprint, self._state.snapshot)
            self._state = self._state_of(stored, self._state.views) if stored else self._state
        return self._state.snapshot

    def _publish(
        self,
        before: Snapshot,
        articles: Iterable[Article],
        *,
        room: int,
        progress: Progress | None = None,
    ) -> int:
        """Put these articles in force, up to ``room`` changes beside the base; returns how many passages had to be
        embedded."""
        wanted = tuple(sorted(articles, key=lambda article: article.id))
        if wanted == before.articles and before.name != store.EMPTY:
            return 0
        snapshot, embedded = revised(before, wanted, self._encoder, progress, room=room)
        # Made ready aside before it is in force.
        state = self._state_of(snapshot, self._state.views)
        settings = {"longest_passage": LONGEST, "index": kind_for(snapshot.passage_count)}
        indexes = state.views.indexes()
        writers = dict(zip(store.INDEXES, [index.write for index in indexes], strict=True)) if indexes else {}
        stored = store.publish(self._folder, snapshot, self._encoder.fingerprint, settings, writers)
        state.snapshot, state.views.base = stored, stored.base
        self._state = state
        return embedded


def _check(article: Article) -> None:
    if not article.id.strip():
        raise SourceUnreadable("An article needs an id.")
    if not article.text.strip() or len(article.text) > MAX_BYTES:
        raise SourceUnreadable(f"An article needs a text of 1 to {MAX_BYTES:,} characters.")
    fields = (
        article.id,
        article.title,
        article.text,
        article.url,
        article.audience,
        article.source,
        article.product,
        *article.tags,
    )
    if any(value and _SURROGATE.search(value) for value in fields):
        raise SourceUnreadable("The article holds half a surrogate pair, as broken JSON has them. Send it as UTF-8.")


def _refusal(question: str, state: State, snapshot: str) -> Abstention | None:
    if not state.snapshot.passage_count:
        explanation = "The knowledge base is empty. Fill it with: triage kb sync PATH"
        return Abstention(AbstentionReason.EMPTY_KNOWLEDGE_BASE, explanation, None, (), snapshot)
    if not any(character.isalnum() for character in question):
        explanation = "There are no words to look for."
        return Abstention(AbstentionReason.EMPTY_QUESTION, explanation, None, (), snapshot)
    return None
