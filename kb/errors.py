"""What can go wrong in the knowledge base, what does it mean, and what to do next?

KnowledgeError
├── EncoderUnavailable     the encoder cannot be prepared on this machine
├── ModelMissing           the encoder has not been prepared
└── ModelDamaged           a file of the encoder is not what its card says
"""


class KnowledgeError(Exception):
    """Root of the tree: each is a sentence that says what to do next."""


class EncoderUnavailable(KnowledgeError):
    """The encoder cannot be prepared: its packages or its weights are not there, or are not the right ones."""


class ModelMissing(KnowledgeError):
    """The encoder has not been prepared in this folder."""


class ModelDamaged(KnowledgeError):
    """A file of the prepared encoder is missing or altered."""


class SourceUnreadable(KnowledgeError):
    """A folder or a file of articles or queries cannot be read as what it should be."""


class SnapshotDamaged(KnowledgeError):
    """A file of the stored knowledge base is missing, cut short or altered."""


class SnapshotMismatch(KnowledgeError):
    """The stored knowledge base was made with another encoder or by another version."""
