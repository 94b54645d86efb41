"""Who may call the REST API, and to do what?"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from triage.db.tables import ApiKeyRow
from triage.errors import Conflict, NotFound
from triage.tickets.ids import new_id

PREFIX = "trg_"


class Scope(StrEnum):
    """What a key may do."""

    TICKETS_WRITE = "tickets:write"
    TICKETS_READ = "tickets:read"
    ANSWERS = "answers"
    ARTICLES_READ = "articles:read"
    ARTICLES_WRITE = "articles:write"
    MODELS_READ = "models:read"


def make_key(session: Session, name: str, scopes: Collection[Scope]) -> str:
    """Make a key and return its secret, which is shown this once; raises ``Conflict`` where the name is taken."""
    if session.scalar(select(ApiKeyRow.id).where(ApiKeyRow.name == name)):
        raise Conflict(f"There is a key named {name} already: choose another name, or revoke that one.")
    secret = PREFIX + secrets.token_urlsafe(32)
    session.add(
        ApiKeyRow(
            id=new_id(),
            name=name,
            prefix=secret[: len(PREFIX) + 6],
            digest=digest_of(secret),
            scopes=sorted(scope.value for scope in scopes),
            created_at=datetime.now(UTC),
        )
    )
    return secret


def find_key(session: Session, secret: str) -> ApiKeyRow | None:
    """The key with that secret that has not been revoked. A random secret needs no slow hash."""
    query = select(ApiKeyRow).where(ApiKeyRow.digest == digest_of(secret), ApiKeyRow.revoked_at.is_(None))
    return session.scalars(query).one_or_none()


def list_keys(session: Session) -> Sequence[ApiKeyRow]:
    """All keys, the revoked ones among them, oldest first."""
    return session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.id)).all()


def count_keys(session: Session) -> int:
    """How many keys were ever made; from the first on, every call needs one."""
    return session.scalar(select(func.count()).select_from(ApiKeyRow)) or 0


def revoke_key(session: Session, name: str) -> None:
    """Take a key out of use for good; raises ``NotFound``."""
    row = session.scalars(select(ApiKeyRow).where(ApiKeyRow.name == name)).one_or_none()
    if row is None:
        raise NotFound(f"There is no key named {name}; `triage keys list` shows those there are.")
    row.revoked_at = row.revoked_at or datetime.now(UTC)


def digest_of(secret: str) -> str:
    """SHA-256 of a secret, in hex: what is stored and looked for, so that nothing depends on comparing secrets."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
