"""The knowledge base: articles in, cited passages out. It knows nothing of tickets."""

from kb.articles import (
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
from kb.evaluation import evaluate_retrieval
from kb.knowledge import KnowledgeBase
from kb.lint import Finding, Severity, lint_articles
from kb.vectors import GrowingIndex

__all__ = [
    "Abstention",
    "AbstentionReason",
    "Answer",
    "Article",
    "Citation",
    "Encoder",
    "EncoderCard",
    "EncoderUnavailable",
    "Finding",
    "FloatArray",
    "GrowingIndex",
    "Hit",
    "KnowledgeBase",
    "KnowledgeError",
    "ModelDamaged",
    "ModelMissing",
    "Problem",
    "Progress",
    "Severity",
    "SnapshotDamaged",
    "SnapshotMismatch",
    "SourceUnreadable",
    "SyncReport",
    "evaluate_retrieval",
    "lint_articles",
    "load_encoder",
    "prepare_encoder",
]
