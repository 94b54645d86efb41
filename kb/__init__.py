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
from kb.reranking import Reranker, load_reranker
from kb.sources.judged import read_queries
from kb.tuning import Tuning
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
    "FloatArray",
    "GrowingIndex",
    "Hit",
    "KnowledgeBase",
    "KnowledgeError",
    "ModelDamaged",
    "ModelMissing",
    "Problem",
    "Progress",
    "Reranker",
    "SnapshotDamaged",
    "SnapshotMismatch",
    "SourceUnreadable",
    "SyncReport",
    "Tuning",
    "evaluate_retrieval",
    "load_encoder",
    "load_reranker",
    "prepare_encoder",
    "read_queries",
]
