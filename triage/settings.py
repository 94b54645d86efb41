"""Which knobs does an operator have, and what are they set to?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from triage.errors import Misconfigured

SQLITE_FILE = "triage.db"


class Settings(BaseSettings):
    """Every setting, read from ``TRIAGE_*`` variables or a ``.env`` file in the current folder; frozen."""

    model_config = SettingsConfigDict(
        env_prefix="TRIAGE_", env_file=".env", env_file_encoding="utf-8", frozen=True, extra="ignore"
    )

    home: Path = Field(
        default=Path("~/.triage"),
        description="Folder of encoder, datasets, models, articles, policy and (without a database URL) the database.",
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="For example `postgresql://user:password@host/triage`. Default: SQLite in the home folder.",
    )
    encoder: str = Field(
        default="all-MiniLM-L6-v2",
        description="The sentence-transformers model, by name or folder, that turns text into vectors.",
    )
    encoder_path: Path | None = Field(
        default=None,
        description="Folder of the prepared encoder, if not in the home folder (as in a container image).",
    )
    reranker: str | None = Field(
        default=None,
        description="A cross-encoder that reads the first twenty articles of a search again: a folder with "
        "`model.onnx` and `tokenizer.json`, or the dotted path of a class with `score(query, passages)`. None ships.",
    )
    host: str = Field(default="127.0.0.1", description="Address that the REST API listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port that the REST API listens on.")
    threads: int | None = Field(
        default=None, ge=1, description="Processor threads of the encoder. Default: one for each core."
    )
    workers: int = Field(default=2, ge=1, le=64, description="Tickets that one worker process looks at side by side.")
    poll_interval_s: float = Field(
        default=0.1, gt=0, le=60, description="Seconds between two looks of a worker at its queue."
    )
    heartbeat_s: float = Field(
        default=2.0,
        gt=0,
        description="Seconds between two signs of life of a worker; after five missed ones another takes over.",
    )
    max_body_bytes: int = Field(
        default=1_000_000, ge=1_000, description="Largest request body, in bytes, that the REST API reads."
    )
    request_timeout_s: float = Field(
        default=30.0, gt=0, description="Seconds that a client may take to send its request."
    )
    max_wait_s: float = Field(
        default=30.0, ge=0, description="Upper bound, in seconds, of `?wait=` on `POST /v1/tickets`."
    )
    audiences: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("public",),
        description="Comma-separated audiences whose articles may be quoted in answers.",
    )
    keep_days: int = Field(
        default=90,
        ge=0,
        le=3_650,
        description="Days for which finished jobs, what channels brought and told, and the words that were said of "
        "solved tickets are kept; tickets, decisions and answers are kept for good. 1 to 7 count as 7, 0 keeps all.",
    )
    duplicate_days: int = Field(
        default=7,
        ge=0,
        le=365,
        description="Days for which a ticket that repeats an open one of the same requester is linked to it instead of "
        "being answered again. 0 links none.",
    )
    mask_stored: bool = Field(
        default=False,
        description="Store subject and body of new tickets without addresses, numbers, passwords and the requester's "
        "names. The originals are then nowhere; see [privacy](privacy.md).",
    )
    llm_url: str | None = Field(
        default=None,
        description="An OpenAI-compatible endpoint that rewords answers, such as `http://127.0.0.1:8080/v1`. Off where "
        "it is not set; see [rewording](../howto/llm.md).",
    )
    llm_model: str | None = Field(default=None, description="The name of the model at that endpoint.")
    llm_api_key: SecretStr | None = Field(default=None, description="The key for that endpoint, if it wants one.")
    llm_timeout_s: float = Field(
        default=10.0,
        gt=0,
        le=120,
        description="Seconds for the whole exchange with that endpoint; the verbatim answer goes out alone after that.",
    )
    macros: Path | None = Field(
        default=None,
        description="A YAML or JSON file of [macros](../howto/macros.md) to suggest to agents. Default: `macros.yaml` "
        "in the home folder, if it is there.",
    )
    log_level: str = Field(default="info", description="debug, info, warning or error.")
    log_json: bool = Field(default=False, description="Log JSON lines instead of text for people.")

    @field_validator("audiences", mode="before")
    @classmethod
    def _split_audiences(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("log_level")
    @classmethod
    def _known_level(cls, value: str) -> str:
        if value.lower() not in {"debug", "info", "warning", "error"}:
            raise ValueError("must be debug, info, warning or error")
        return value.lower()

    @field_validator("llm_url", "llm_model", "llm_api_key", "macros", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value  # as compose hands on what is not set

    @field_validator("llm_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        address = urlsplit(value)
        if address.scheme not in ("http", "https") or not address.hostname or address.port == 0:
            raise ValueError("must be an address such as https://host/v1")
        if address.username or address.password or address.query:
            raise ValueError("must be without a key, for it is shown; set TRIAGE_LLM_API_KEY")
        return value

    @field_validator("home", "encoder_path", "macros")
    @classmethod
    def _absolute(cls, value: Path | None) -> Path | None:
        return value.expanduser().absolute() if value else None

    @property
    def sqlalchemy_url(self) -> str:
        """The database's URL with its driver: psycopg for Postgres; SQLite in the home folder by default."""
        if self.database_url is None:
            return f"sqlite:///{self.home / SQLITE_FILE}"
        url = self.database_url.get_secret_value()
        for prefix in ("postgres://", "postgresql://"):
            if url.startswith(prefix):
                return "postgresql+psycopg://" + url.removeprefix(prefix)
        return url

    @property
    def encoder_folder(self) -> Path:
        """Where the prepared encoder lies."""
        return self.encoder_path or self.home / "encoder"

    @property
    def models_folder(self) -> Path:
        """Where trained classifiers and the pointer to the champion lie."""
        return self.home / "models"

    @property
    def datasets_folder(self) -> Path:
        """Where the snapshots of what models were trained on lie."""
        return self.home / "datasets"

    @property
    def knowledge_folder(self) -> Path:
        """Where the snapshots of the knowledge base lie."""
        return self.home / "kb"

    @property
    def macros_file(self) -> Path:
        """Where the macros lie; a missing file means none."""
        return self.macros or self.home / "macros.yaml"

    @property
    def channels_file(self) -> Path:
        """Where the channels are set up; a missing file means none."""
        return self.home / "channels.toml"

    @property
    def policy_file(self) -> Path:
        """Where the route policy lies; a missing file means the defaults."""
        return self.home / "policy.toml"


def read_settings(**overrides: object) -> Settings:
    """Read the settings once; raises ``Misconfigured`` naming each wrong variable, never its secret value."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]  # pydantic checks the values itself
    except ValidationError as error:
        wrong = "; ".join(
            f"TRIAGE_{'_'.join(str(part) for part in item['loc']).upper()}: {item['msg']}" for item in error.errors()
        )
        raise Misconfigured(
            f"A setting is wrong ({wrong}). See docs/reference/settings.md for what each takes."
        ) from error
