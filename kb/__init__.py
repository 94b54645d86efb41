"""The knowledge base: articles in, cited passages out. It knows nothing of tickets."""

from kb.answering import NEVER, Bar, usual_bar
from kb.articles import (
    PUBLIC,
    Abstention,
    AbstentionReason,
    Answer,
    Article,
    Citation,
    FloatArray,
    Hit,
    Problem,
    Progress,
    SyncReport,
)
from kb.difference import Change, Difference, compare
from kb.embedding import Encoder, EncoderCard, load_encoder, prepare_encoder
from kb.errors import (
    EncoderUnavailable,
    KnowledgeError,
    ModelDamaged,
    ModelMissing,
    SnapshotDamaged,
    SnapshotMismatch,
    SourceUnreadable,
)
from kb.evaluation import JudgedBase, embed_articles, evaluate_retrieval, read_judged_base
from kb.gating import Checked as GateChecked
from kb.gating import Gate, shipped_gate
from kb.kept import KeptSnapshot, kept_snapshots
from kb.knowledge import KnowledgeBase
from kb.lint import Finding, Severity, lint_articles
from kb.reranking import Reranker, load_reranker
from kb.sources.judged import JudgedQuery, read_questions
from kb.sources.judged import read_articles as read_judged_articles
from kb.sources.judged import read_queries as read_judged_queries
from kb.trials import Trial, ask_all, ask_both_ways, fit_on, outcomes
from kb.tuning import Tuning
from kb.vectors import GrowingIndex

__all__ = [
    "NEVER",
    "PUBLIC",
    "Abstention",
    "AbstentionReason",
    "Answer",
    "Article",
    "Bar",
    "Change",
    "Citation",
    "Difference",
    "Encoder",
    "EncoderCard",
    "EncoderUnavailable",
    "Finding",
    "FloatArray",
    "Gate",
    "GateChecked",
    "GrowingIndex",
    "Hit",
    "JudgedBase",
    "JudgedQuery",
    "KeptSnapshot",
    "KnowledgeBase",
    "KnowledgeError",
    "ModelDamaged",
    "ModelMissing",
    "Problem",
    "Progress",
    "Reranker",
    "Severity",
    "SnapshotDamaged",
    "SnapshotMismatch",
    "SourceUnreadable",
    "SyncReport",
    "Trial",
    "Tuning",
    "ask_all",
    "ask_both_ways",
    "compare",
    "embed_articles",
    "evaluate_retrieval",
    "fit_on",
    "kept_snapshots",
    "lint_articles",
    "load_encoder",
    "load_reranker",
    "outcomes",
    "prepare_encoder",
    "read_judged_articles",
    "read_judged_base",
    "read_judged_queries",
    "read_questions",
    "shipped_gate",
    "usual_bar",
]
