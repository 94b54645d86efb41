"""Is nothing personal shown where a person asks for that, and stored where a setting forbids it?"""

import json
from pathlib import Path

import pytest

from tests.processes import environment, run

pytestmark = pytest.mark.acceptance

TICKET = {
    "subject": "VPN of ana@fennvale.example",
    "body": "I am Ana Müller, call +49 171 1234567. Error 0x80070005 on 10.16.4.5, password: Hunter2",
    "requester": "Ana Müller <ana@fennvale.example>",
}
SECRETS = ("ana@", "Müller", "1234567", "10.16.4.5", "Hunter2")


@pytest.fixture
def ticket(tmp_path: Path) -> str:
    file = tmp_path / "ticket.json"
    file.write_text(json.dumps(TICKET), encoding="utf-8")
    return str(file)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_preview_shows_nothing_personal_when_masked(
    home: Path, encoder_folder: Path, ticket: str, options: list[str]
) -> None:
    env = environment(home, encoder_folder)
    assert "ana@" in run(env, "preview", ticket, *options).stdout
    shown = run(env, "preview", ticket, "--mask", *options).stdout
    assert "VPN of [email]" in shown
    assert not [secret for secret in SECRETS if secret in shown]


def test_shown_ticket_has_nothing_personal_when_masked(home: Path, encoder_folder: Path, ticket: str) -> None:
    env = environment(home, encoder_folder)
    ticket_id = submitted(env, ticket)
    assert json.loads(run(env, "tickets", "show", ticket_id, "--json").stdout)["body"] == TICKET["body"]
    for options in [[], ["--json"]]:
        shown = run(env, "tickets", "show", ticket_id, "--mask", *options).stdout
        assert "Error 0x80070005 on [ip], password: [password]" in shown
        assert ticket_id in shown
        assert not [secret for secret in SECRETS if secret in shown]


def test_ticket_is_stored_masked_where_the_setting_says_so(home: Path, encoder_folder: Path, ticket: str) -> None:
    env = environment(home, encoder_folder, mask_stored="true")
    ticket_id = submitted(env, ticket)
    stored = json.loads(run(env, "tickets", "show", ticket_id, "--json").stdout)
    assert stored["subject"] == "VPN of [email]"
    assert stored["body"] == "I am [name], call [phone]. Error 0x80070005 on [ip], password: [password]"


def submitted(env: dict[str, str], file: str) -> str:
    assert run(env, "db", "upgrade").returncode == 0
    done = run(env, "tickets", "submit", file)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
