"""A storm of alerts from a real Alertmanager makes the right number of tickets, and its end closes them."""

from __future__ import annotations

import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text

from tests.peers.alertmanager import alertmanager
from tests.processes import environment, free_port, is_ready, running, until
from triage.db.upgrade import upgrade_database

CHANNEL = """
[channels.alerts]
kind = "alerts"
format = "alertmanager"
by = "{by}"
verify = {{ scheme = "header", header = "Authorization", prefix = "Bearer ", secrets = ["env:ALERT_TOKEN"] }}
"""
KINDS, INSTANCES = 20, 25


def alert(kind: int, instance: int, *, over: bool = False) -> dict[str, Any]:
    now = datetime.now(UTC)
    began = now - timedelta(minutes=5)
    ends = now - timedelta(seconds=1) if over else now + timedelta(hours=1)
    return {
        "labels": {"alertname": f"DiskFull{kind}", "instance": f"db-{instance}", "severity": "critical"},
        "annotations": {"summary": f"The disk of db-{instance} is full", "description": "Less than 1 % is left."},
        "startsAt": began.replace(microsecond=0, minute=0, second=0).isoformat(),
        "endsAt": ends.isoformat(),
    }


@pytest.mark.parametrize(("by", "expected"), [("group", KINDS), ("alert", KINDS * INSTANCES)])
def test_a_storm_of_five_hundred(
    by: str, expected: int, sample_home: Path, encoder_folder: Path, tmp_path: Path
) -> None:
    home = Path(shutil.copytree(sample_home, tmp_path / "home"))
    database = f"sqlite:///{home / 'triage.db'}"
    upgrade_database(database)
    (home / "channels.toml").write_text(CHANNEL.format(by=by))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = environment(home, encoder_folder, port=str(port), poll_interval_s="0.05")
    env |= {"ALERT_TOKEN": "s3cret"}
    engine = create_engine(database)

    def count(query: str) -> int:
        with engine.connect() as connection:
            return int(connection.execute(text(query)).scalar_one())

    storm = [alert(kind, instance) for kind in range(KINDS) for instance in range(INSTANCES)]
    over = [alert(kind, instance, over=True) for kind in range(KINDS) for instance in range(INSTANCES)]
    with (
        running(env, "serve", log=tmp_path / "serve.log"),
        alertmanager(tmp_path, f"{url}/v1/webhooks/alerts", "s3cret") as address,
    ):
        until(lambda: is_ready(url), what="the server")
        for _ in range(2):  # a monitor repeats itself
            for start in range(0, len(storm), 100):
                httpx.post(f"{address}/api/v2/alerts", json=storm[start : start + 100], timeout=20).raise_for_status()
        tickets = "SELECT count(*) FROM tickets"
        until(lambda: count(tickets) >= expected, what="the tickets", timeout_s=60)
        httpx.post(f"{address}/api/v2/alerts", json=over, timeout=20).raise_for_status()
        solved = "SELECT count(*) FROM remote_tickets WHERE status = 'solved'"
        until(lambda: count(solved) == expected, what="all solved", timeout_s=60)
        assert count(tickets) == expected
        if by == "group":  # the same trouble a second time is a second ticket
            httpx.post(f"{address}/api/v2/alerts", json=storm[:1], timeout=20).raise_for_status()
            until(lambda: count(tickets) == expected + 1, what="a second ticket", timeout_s=60)
        dead = count("SELECT count(*) FROM received WHERE state = 'dead'")
    with engine.connect() as connection:
        said = Counter(row[0] for row in connection.execute(text("SELECT detail FROM received WHERE state = 'dead'")))
    engine.dispose()
    assert dead == 0, said
