"""Which articles have the query's words?"""

from __future__ import annotations

import os
import re
import shutil
import threading
import weakref
from collections.abc import Iterable, Sequence, Set
from copy import copy
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import tantivy

from kb.articles import Article

# A title's word counts as much as four of the body: the best single lexical setting on judged queries.
TITLE_WEIGHT = 4.0
# Words of a query that are looked up. A long ticket repeats itself; its first words say what it is about.
MAX_QUERY_WORDS = 120
MAX_QUERY_CHARACTERS = 20_000
# Memory of the writer, in bytes; tantivy takes 15 MB at least for each thread.
WRITER_BYTES = 15_000_000
FIELDS = ("title", "body")
# Up to so many articles everything is built anew in .75 s (8,000 passages), and a change leaves no trace.
REBUILT_UP_TO = 2_000
# Where too few of the rows found may count, so many times as many are looked for.
MORE = 4
STEMMERS = {
    "da": "danish", "de": "german", "en": "english", "es": "spanish", "fi": "finnish", "fr": "french",
    "hu": "hungarian", "it": "italian", "nl": "dutch", "no": "norwegian", "pt": "portuguese", "ro": "romanian",
    "ru": "russian", "sv": "swedish", "tr": "turkish",
}  # fmt: skip
_WORD = re.compile(r"\w+")


class LexicalIndex:
    """BM25 over titles and texts, each article stemmed by its own language; immutable: a change makes another one."""

    def __init__(self, articles: Sequence[Article]) -> None:
        self._languages = {_stemmed(article.language) for article in articles}
        # Where changes are not answered by building anew it lies in files, which the next one can share.
        self._folder = _Folder() if len(articles) > REBUILT_UP_TO else None
        self._index = tantivy.Index(_schema(), path=str(self._folder.path) if self._folder else None)
        self._write(articles, first=0, removed=())

    def changed(self, *, removed: Iterable[int], added: Sequence[Article], first: int) -> LexicalIndex:
        """Without the ``removed`` rows and with articles ``added``, whose rows begin with ``first``; its files are
        shared. Only where there are more than ``REBUILT_UP_TO`` articles.

        BM25 goes on counting the words and the lengths of removed articles until the next index is built anew: tantivy
        offers no other way. After 1,000 of 50,000 were replaced, scores were off by .1 % (median; 3 % at most) and .995
        of the first hundred were the same.
        """
        assert self._folder is not None
        other = copy(self)
        other._languages = self._languages | {_stemmed(article.language) for article in added}
        other._folder = self._folder.linked()
        other._index = tantivy.Index.open(str(other._folder.path))
        other._write(added, first=first, removed=removed)
        return other

    def _write(self, articles: Sequence[Article], *, first: int, removed: Iterable[int]) -> None:
        for language in STEMMERS:
            self._index.register_tokenizer(language, _analyzer(language))
        writer = self._index.writer(WRITER_BYTES, 1)
        for row in removed:
            writer.delete_documents_by_term("row", int(row))
        for row, article in enumerate(articles, first):
            language = _stemmed(article.language)
            document = tantivy.Document()
            document.add_integer("row", row)
            document.add_text(f"title_{language}", article.title)
            document.add_text(f"body_{language}", article.text)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        self._index.reload()
        self._searcher = self._index.searcher()
        self._rows: dict[tuple[int, int], int] = {}

    def search(self, query: str, k: int, among: Set[int] | None = None) -> list[tuple[int, float]]:
        """(row of the article, BM25 score) of the best ``k``, best first; any text is a query.

        Of the rows ``among`` these only, where given.
        """
        words = list(dict.fromkeys(_WORD.findall(query[:MAX_QUERY_CHARACTERS].casefold())))[:MAX_QUERY_WORDS]
        if not words or not self._languages:
            return []
        fields = [f"{field}_{language}" for language in sorted(self._languages) for field in FIELDS]
        boosts = {field: TITLE_WEIGHT for field in fields if field.startswith("title")}
        # Quoted, so that no word is taken for an operator of the query language.
        parsed = self._index.parse_query(" ".join(f'"{word}"' for word in words), fields, field_boosts=boosts)
        asked = k
        while True:
            hits = self._searcher.search(parsed, asked, count=False).hits
            found = [(self._row_at(address), float(score)) for score, address in hits]
            fitting = found if among is None else [one for one in found if one[0] in among]
            if len(hits) < asked or len(fitting) >= k:
                return fitting[:k]
            asked *= MORE

    def _row_at(self, address: tantivy.DocAddress) -> int:
        """The row that lies there; read once, when first found."""
        place = address.segment_ord, address.doc
        row = self._rows.get(place)
        if row is None:
            row = self._rows[place] = int(self._searcher.doc(address)["row"][0])
        return row


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("row", stored=True, indexed=True)
    for language in STEMMERS:
        for field in FIELDS:
            builder.add_text_field(f"{field}_{language}", tokenizer_name=language)
    return builder.build()


class _Folder:
    """A folder for an index, which goes when nobody uses it any more."""

    def __init__(self) -> None:
        self.path = Path(mkdtemp(prefix="triage-words-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def linked(self) -> _Folder:
        """A folder with the same index: tantivy never alters a file of words, only the lists of them, which are
        copied."""
        other = _Folder()
        for path in self.path.iterdir():
            if path.suffix == ".json":
                shutil.copy(path, other.path)
            elif path.suffix != ".lock":
                os.link(path, other.path / path.name)
        return other


def words_of(text: str) -> set[str]:
    """The distinct words of a text, case folded."""
    return set(_WORD.findall(text[:MAX_QUERY_CHARACTERS].casefold()))


def _stemmed(language: str | None) -> str:
    return language if language in STEMMERS else "en"


def _analyzer(language: str) -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in (
        tantivy.Filter.remove_long(60),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.stemmer(STEMMERS[language]),
    ):
        builder = builder.filter(step)
    return builder.build()


def stemmer_language(language: str | None) -> str:
    """The language by which a text of this one is stemmed."""
    return _stemmed(language)


def stems(text: str, language: str) -> list[str]:
    """The words of a text in order, lower case, without accents, stemmed; ``language`` has a stemmer."""
    with _stemming:
        return list(_shared_analyzer(language).analyze(text.encode("utf-8", "replace").decode("utf-8")))


_stemming = threading.Lock()
_shared_analyzer = cache(_analyzer)
