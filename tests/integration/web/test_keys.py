import pytest
from sqlalchemy.orm import Session, sessionmaker

from triage.errors import Conflict, NotFound
from triage.tickets.keys import PREFIX, Scope, count_keys, digest_of, find_key, list_keys, make_key, revoke_key


@pytest.fixture
def secret(sessions: sessionmaker[Session]) -> str:
    with sessions.begin() as session:
        return make_key(session, "zendesk", [Scope.TICKETS_WRITE])


def test_secret_is_long_and_only_its_digest_is_stored(sessions: sessionmaker[Session], secret: str) -> None:
    assert secret.startswith(PREFIX) and len(secret) == len(PREFIX) + 43  # 32 bytes in base64
    with sessions() as session:
        (row,) = list_keys(session)
    assert row.digest == digest_of(secret)
    assert row.scopes == ["tickets:write"]
    assert secret not in {str(value) for value in vars(row).values()}


def test_key_is_found_by_its_secret_only(sessions: sessionmaker[Session], secret: str) -> None:
    with sessions() as session:
        found = find_key(session, secret)
        assert found is not None and found.name == "zendesk"
        for wrong in ("", secret[:-1], secret + "x", found.digest, "trg_ü\ud800"):
            assert find_key(session, wrong) is None


def test_revoked_key_is_not_found_but_still_closes_the_api(sessions: sessionmaker[Session], secret: str) -> None:
    for _ in range(2):
        with sessions.begin() as session:
            revoke_key(session, "zendesk")
    with sessions() as session:
        assert find_key(session, secret) is None
        assert count_keys(session) == 1


def test_name_is_given_once_and_must_exist_to_be_revoked(sessions: sessionmaker[Session], secret: str) -> None:
    with sessions.begin() as session:
        with pytest.raises(Conflict, match="another name"):
            make_key(session, "zendesk", list(Scope))
        with pytest.raises(NotFound, match="triage keys list"):
            revoke_key(session, "nobody")
