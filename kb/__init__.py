"""The knowledge base: articles in, cited passages out. It knows nothing of tickets."""

from kb.articles import FloatArray, Progress
from kb.embedding import Encoder, load_encoder, prepare_encoder
from kb.errors import KnowledgeError

__all__ = ["Encoder", "FloatArray", "KnowledgeError", "Progress", "load_encoder", "prepare_encoder"]
