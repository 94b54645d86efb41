"""How do files become articles?"""

from kb.sources.folder import read_folder
from kb.sources.judged import JudgedQuery, read_articles, read_queries

__all__ = ["JudgedQuery", "read_articles", "read_folder", "read_queries"]
