"""How do files become articles?"""

from pathlib import Path

from kb.articles import Article, Problem
from kb.errors import SourceUnreadable
from kb.sources import folder, records
from kb.sources.exports import read_export
from kb.sources.folder import read_document, read_folder
from kb.sources.judged import JudgedQuery, read_articles, read_queries

__all__ = ["JudgedQuery", "read_articles", "read_export", "read_folder", "read_queries", "read_source"]


def read_source(path: Path) -> tuple[list[Article], list[Problem]]:
    """The articles of a folder, of one document or of an exported file, and what could not be read.

    Which of them it is, is told by the path's ending and the file's shape. Raises ``SourceUnreadable``.
    """
    if path.is_dir() or not path.exists():
        return read_folder(path)
    name = path.name.lower()
    if name.endswith(folder.ENDINGS):
        return read_document(path)
    if path.is_file() and name.removesuffix(".gz").endswith(records.ENDINGS):
        return read_export(path.resolve())
    known = ", ".join(f"*{ending}" for ending in (*folder.ENDINGS, *records.ENDINGS))
    raise SourceUnreadable(f"{path} is not a folder and no file of a known kind ({known}).")
