"""How does MLflow learn of trainings and releases? A ledger beside the models: serving never asks it.

MLflow's tables stand in a file of their own beside the SQLite database, or in a schema of their own of the Postgres
database: both of us have a table `runs` and one `alembic_version` (docs/adr/0007).
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from triage.errors import ModelError, RegistryUnusable
from triage.learning.clearing import certified_coverage
from triage.learning.folders import locked
from triage.learning.registry import champion_id, list_models
from triage.learning.release import read_release
from triage.policy import Policy
from triage.understand.card import ModelCard
from triage.understand.classifier import Classifier

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

NAME = "triage"
SCHEMA = "mlflow"
CHAMPION, CHALLENGER = "champion", "challenger"
# Their values end up in columns of this length (https://mlflow.org/docs/latest/ml/tracking/#limits).
MOST_TAG_CHARACTERS = 5_000
# Everything here can be written anew from the model folders, so a writer at a time and a lost file do no harm.
LOCK = ".mlflow.lock"
PATIENCE_S = 5


def registry_url(database_url: str) -> str:
    """Where MLflow's tables stand: `mlflow.db` beside the SQLite file, schema `mlflow` of the Postgres database."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        return url.set(database=str(Path(url.database or "triage.db").with_name("mlflow.db"))).render_as_string(False)
    given = url.query.get("options", "")
    options = f"{given if isinstance(given, str) else ' '.join(given)} -c search_path={SCHEMA}".strip()
    return url.update_query_dict({"options": options}).render_as_string(hide_password=False)


class Ledger:
    """MLflow's record of models: a run per training, a version per model, the aliases champion and challenger.

    Everything is written so that repeating it changes nothing. Raises ``RegistryUnusable`` where the database is
    locked, away or of a newer MLflow.
    """

    def __init__(self, database_url: str, models: Path) -> None:
        self._models = models
        self._url = database_url
        with locked(models, LOCK), _explained(database_url):
            _reach(database_url)
            self._client = _open_client(registry_url(database_url))

    def write(self, policy: Policy) -> list[str]:
        """Register every model that is not, and set tags and aliases as the model folders say; the new ids."""
        with locked(self._models, LOCK), _explained(self._url):
            known = self._versions()
            new = [card for card in list_models(self._models) if card.model_id not in known]
            for card in new:
                known[card.model_id] = self._register(card, policy)
            for card in list_models(self._models):
                self._tag(known[card.model_id], card.model_id)
            self._set_aliases(known)
        return [card.model_id for card in new]

    def versions(self) -> dict[str, str]:
        """MLflow's version number of each registered model."""
        with _explained(self._url):
            return {model_id: str(version.version) for model_id, version in self._versions().items()}

    def aliases(self) -> dict[str, str]:
        """The model id behind each alias."""
        with _explained(self._url):
            by_version = {str(version.version): model_id for model_id, version in self._versions().items()}
            found = self._client.get_registered_model(NAME).aliases if by_version else {}
            return {alias: by_version[str(number)] for alias, number in found.items() if str(number) in by_version}

    def _versions(self) -> dict[str, ModelVersion]:
        found: dict[str, ModelVersion] = {}
        token: str | None = None
        while True:
            page = self._client.search_model_versions(f"name = '{NAME}'", max_results=1_000, page_token=token)
            found |= {version.tags["model_id"]: version for version in page if "model_id" in version.tags}
            token = page.token
            if not token:
                return found

    def _register(self, card: ModelCard, policy: Policy) -> ModelVersion:
        run_id = self._run_of(card) or self._log_training(card, policy)
        if not self._client.search_registered_models(f"name = '{NAME}'"):
            self._client.create_registered_model(NAME, description="The classifier of this help desk.")
        return self._client.create_model_version(
            NAME,
            source=(self._models / card.model_id).as_uri(),
            run_id=run_id,
            tags={"model_id": card.model_id, "dataset_id": card.dataset_id},
        )

    def _run_of(self, card: ModelCard) -> str | None:
        found = self._client.search_runs(
            [self._experiment()], f"tags.model_id = '{card.model_id}' and attributes.status = 'FINISHED'", max_results=1
        )
        return str(found[0].info.run_id) if found else None

    def _log_training(self, card: ModelCard, policy: Policy) -> str:
        tags = {"model_id": card.model_id, "dataset_id": card.dataset_id, "dataset_digest": card.dataset_digest}
        run = self._client.create_run(self._experiment(), run_name=card.model_id, tags=tags)
        for name, value in _parameters(card).items():
            self._client.log_param(run.info.run_id, name, value)
        for name, figure in _metrics(card, self._coverage(card, policy)).items():
            self._client.log_metric(run.info.run_id, name, figure)
        self._client.set_terminated(run.info.run_id, "FINISHED")
        return str(run.info.run_id)

    def _coverage(self, card: ModelCard, policy: Policy) -> Mapping[str, float]:
        try:
            return certified_coverage(Classifier.load(self._models / card.model_id), policy)
        except ModelError:  # its card could be read, its weights are damaged: there is nothing to certify
            return {}

    def _experiment(self) -> str:
        known = self._client.get_experiment_by_name(NAME)
        if known:
            return str(known.experiment_id)
        return str(self._client.create_experiment(NAME, artifact_location=self._models.as_uri()))

    def _tag(self, version: ModelVersion, model_id: str) -> None:
        try:
            release = read_release(self._models / model_id)
        except ModelError:
            return
        if release is None:
            return
        verdict = release["verdict"]
        said = str(verdict["sentence"]) if isinstance(verdict, dict) else ""
        wanted = {
            "release": str(release["sentence"]),
            "verdict": said[:MOST_TAG_CHARACTERS],
            "forced": str(release["forced"]).lower(),
        }
        for name, value in wanted.items():
            if version.tags.get(name) != value:
                self._client.set_model_version_tag(NAME, str(version.version), name, value)

    def _set_aliases(self, known: Mapping[str, ModelVersion]) -> None:
        if not known:
            return
        used = champion_id(self._models)
        newest = max(known.values(), key=lambda version: int(version.version)).tags["model_id"]
        wanted: dict[str, str | None] = {CHAMPION: used, CHALLENGER: newest if newest != used else None}
        current = self._client.get_registered_model(NAME).aliases
        for alias, model_id in wanted.items():
            number = str(known[model_id].version) if model_id and model_id in known else None
            if number and str(current.get(alias)) != number:
                self._client.set_registered_model_alias(NAME, alias, number)
            elif number is None and alias in current:
                self._client.delete_registered_model_alias(NAME, alias)


def _parameters(card: ModelCard) -> dict[str, object]:
    shared = {
        "seed": card.seed,
        "code_version": card.code_version,
        "encoder": card.encoder_fingerprint,
        "dataset": card.dataset,
        "tickets": card.tickets,
        "text": ",".join(card.text_columns),
        "features": ",".join(card.feature_columns),
    }
    fields = {
        f"{_plain(name)}.{what}": value
        for name, field in card.fields.items()
        for what, value in (
            ("term_weight", field.term_weight),
            ("steepness", field.steepness),
            ("regularisation", field.regularisation),
        )
    }
    return {**shared, **fields}


def _metrics(card: ModelCard, coverage: Mapping[str, float]) -> dict[str, float]:
    return {
        f"{_plain(name)}.{what}": value
        for name, field in card.fields.items()
        for what, value in (
            ("accuracy", field.accuracy),
            ("macro_f1", field.macro_f1),
            ("log_loss", field.log_loss),
            ("ece", field.ece),
            ("certified_coverage", coverage.get(name, 0.0)),
        )
    }


def _plain(name: str) -> str:
    """A field's name in the characters that MLflow takes (https://mlflow.org/docs/latest/ml/tracking/)."""
    return "".join(one if one.isalnum() or one in "_- " else "_" for one in name)[:200]


class _NewerMlflow(Exception):
    """The tables are of a revision that the installed MLflow does not know."""


def _open_client(url: str) -> MlflowClient:
    # Read when mlflow is imported (https://mlflow.org/docs/latest/community/usage-tracking.html).
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["DO_NOT_TRACK"] = "true"
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        # Of mlflow's own use of SQLAlchemy and pydantic; nothing that whoever runs this could mend.
        warnings.simplefilter("ignore")
        from mlflow.tracking import MlflowClient

        logging.getLogger("mlflow").setLevel(logging.ERROR)
        _upgrade_older(url)
        client = MlflowClient(tracking_uri=url, registry_uri=url)
        client.get_experiment_by_name(NAME)  # makes the tables, or checks that they fit
    return client


def _upgrade_older(url: str) -> None:
    """Bring tables of an older MLflow up to date, as its command `mlflow db upgrade` does."""
    import mlflow.store.db_migrations as migrations
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__path__[0])).replace("%", "%%"))
    newest, *older = [one.revision for one in ScriptDirectory.from_config(config).walk_revisions()]
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
            if found not in (None, newest, *older):
                raise _NewerMlflow("a newer version of MLflow made it; install that one again, or move it away")
            if found in older:  # None is a new database, which MLflow sets up itself
                config.attributes["connection"] = connection
                command.upgrade(config, newest)
    finally:
        engine.dispose()


def _reach(database_url: str) -> None:
    """Reach the database once with little patience: MLflow itself would try for minutes."""
    if make_url(database_url).get_backend_name() == "sqlite":
        engine = create_engine(registry_url(database_url), connect_args={"timeout": PATIENCE_S})
        statement = "BEGIN IMMEDIATE"
    else:
        engine = create_engine(database_url, connect_args={"connect_timeout": PATIENCE_S}, hide_parameters=True)
        statement = f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"
    try:
        with engine.begin() as connection:
            connection.execute(text(statement))
    finally:
        engine.dispose()


@contextmanager
def _explained(database_url: str) -> Iterator[None]:
    """Turn whatever MLflow or its database raises into one sentence that says where and what to do."""
    try:
        yield
    except (SQLAlchemyError, OSError, _NewerMlflow) as error:
        raise _unusable(database_url, str(getattr(error, "orig", None) or error)) from error
    except ImportError as error:
        raise RegistryUnusable("MLflow is not installed. Run: pip install 'triage[train]'") from error
    except Exception as error:  # narrowed below: MlflowException cannot be named before its import
        from alembic.util import CommandError
        from mlflow.exceptions import MlflowException

        if not isinstance(error, MlflowException | CommandError):
            raise
        raise _unusable(database_url, str(error)) from error


def _unusable(database_url: str, cause: str) -> RegistryUnusable:
    where = make_url(registry_url(database_url)).render_as_string(hide_password=True)
    cause = cause.splitlines()[0].rstrip(".")
    return RegistryUnusable(
        f"MLflow's database at {where} cannot be used: {cause}. Models are kept, promoted and served without it, and "
        "all that it holds is written anew by: triage models register"
    )
