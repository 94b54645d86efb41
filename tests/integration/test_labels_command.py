import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.orm import sessionmaker

from tests.conftest import ROOT
from tests.factories import incoming
from triage.db.engine import open_engine
from triage.db.upgrade import upgrade_database
from triage.intake import accept
from triage.jobs import Jobs
from triage.policy import read_policy
from triage.tickets.model import Correction
from triage.tickets.store import add_correction


@pytest.fixture
def desk(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRIAGE_HOME", str(home))
    monkeypatch.delenv("TRIAGE_DATABASE_URL", raising=False)
    upgrade_database(f"sqlite:///{home / 'triage.db'}")
    return home


def correct(home: Path, *values: str) -> None:
    """One ticket, corrected again and again."""
    engine = open_engine(f"sqlite:///{home / 'triage.db'}")
    jobs = Jobs(engine)
    with sessionmaker(engine).begin() as session:
        ticket_id = accept(session, jobs, incoming()).ticket_id
    with sessionmaker(engine).begin() as session:
        for value in values:
            add_correction(session, ticket_id, Correction("queue", value, author="ana"))
    jobs.close()
    engine.dispose()


def run(*options: str) -> subprocess.CompletedProcess[str]:
    # A process of its own: a command sets up logging for as long as its process lives.
    command = [sys.executable, "-m", "triage", "labels", "status", *options]
    return subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False)


def status(*options: str) -> str:
    done = run(*options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_status_counts_what_taught_each_value_and_what_it_lacks(desk: Path) -> None:
    (field,) = json.loads(status("--field", "queue", "--json"))["fields"]
    values = {value["value"]: value for value in field["values"]}
    target = read_policy(desk / "policy.toml").for_field("queue").target
    assert (field["field"], field["target"], field["measured"]) == ("queue", target, True)
    assert len(values) == 15
    assert values["network"]["labelled"] == 42
    assert sum(value["checked"] for value in values.values()) == 508
    for value in values.values():
        assert (value["missing"] == 0) == (value["certified_by"] is not None)


def test_last_correction_of_a_ticket_counts(desk: Path) -> None:
    correct(desk, "network", "facilities")
    (field,) = json.loads(status("--field", "queue", "--json"))["fields"]
    corrected = {value["value"]: value["corrected"] for value in field["values"] if value["corrected"]}
    assert corrected == {"facilities": 1}


def test_text_names_every_field_and_what_is_missing(desk: Path) -> None:
    said = status()
    for name in ("queue", "category", "priority", "telephony", "missing"):
        assert name in said


def test_desk_without_a_model_lacks_everything_for_described_values(desk: Path) -> None:
    (desk / "models" / "champion").unlink()
    (desk / "policy.toml").write_text('[fields.queue.values]\nnetwork = "VPN"\nemail = ""\n', encoding="utf-8")
    found = json.loads(status("--json"))
    assert found["model"] is None
    assert [(value["value"], value["missing"]) for value in found["fields"][0]["values"]] == [
        ("email", 59),
        ("network", 59),
    ]
    assert "No model knows this field" in status()


def test_unknown_field_is_refused(desk: Path) -> None:
    done = run("--field", "colour")
    assert done.returncode == 1
    assert "There is no field colour; there is queue" in done.stderr
