"""What can go wrong, what does it mean to a person, and what should they do next?

TriageError
├── Misconfigured          a setting or the policy file is wrong
├── BadInput               a file or a request cannot be read as what it should be
│   └── TicketRefused      a ticket has nothing in it, or too much
├── NotFound               the named thing does not exist
├── Conflict               the same key was used for something else
├── NotAllowed             the key is missing, unknown or lacks the scope
├── DatabaseOutdated       the database was made by another version
├── DatasetDamaged         a file of a dataset is missing or altered
├── RegistryUnusable       MLflow's database is locked, missing or of another version
└── ModelError
    ├── NoModel            nothing has been trained yet
    ├── ModelDamaged       a file of the model is missing or altered
    └── ModelMismatch      the model was trained with another encoder
"""

from typing import ClassVar


class TriageError(Exception):
    """Root of the tree: a sentence for people, a stable code and an HTTP status for programs."""

    code: ClassVar[str] = "internal-error"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False


class Misconfigured(TriageError):
    """A setting or the policy file is wrong."""

    code = "misconfigured"


class BadInput(TriageError):
    """A file or a request cannot be read as what it should be."""

    code = "bad-input"
    status = 422


class TicketRefused(BadInput):
    """A ticket has nothing in it, or too much."""

    code = "ticket-refused"


class NotFound(TriageError):
    """The named thing does not exist."""

    code = "not-found"
    status = 404


class Conflict(TriageError):
    """The same key was used before, for something else."""

    code = "conflict"
    status = 409


class NotAllowed(TriageError):
    """The API key is missing, unknown, revoked or lacks the scope."""

    code = "not-allowed"
    status = 403


class DatabaseOutdated(TriageError):
    """The database was made by another version of the program."""

    code = "database-outdated"
    status = 503


class DatasetDamaged(TriageError):
    """A file of a dataset is missing or is not what its manifest says."""

    code = "dataset-damaged"
    status = 503


class RegistryUnusable(TriageError):
    """MLflow's registry cannot be written; models are trained, promoted and served without it."""

    code = "registry-unusable"
    status = 503
    retryable = True


class ModelError(TriageError):
    """Something about the trained model stands in the way."""

    code = "model-error"
    status = 503


class NoModel(ModelError):
    """Nothing has been trained yet."""

    code = "no-model"


class ModelDamaged(ModelError):
    """A file of the model is missing or is not what its manifest says."""

    code = "model-damaged"


class ModelMismatch(ModelError):
    """The model was trained on the vectors of another encoder."""

    code = "model-mismatch"
