"""Does the real program show past tickets, link duplicates, and keep others' words out of public places?"""

import json
from pathlib import Path

import pytest

from tests.processes import environment, run, running

pytestmark = pytest.mark.acceptance

WORDS = "Zoltan Okonkwo asks: FennGate disconnects every ten minutes since this morning."
TICKETS = [
    {"subject": "VPN drops", "body": WORDS, "requester": "zoltan@fennvale.example"},
    {"subject": "VPN drops", "body": f"{WORDS} Any news?", "requester": "Zoltan@fennvale.example"},
    {"subject": "VPN", "body": "FennGate disconnects every few minutes", "requester": "ana@fennvale.example"},
]


def test_past_tickets_and_duplicates_are_told_by_the_commands(home: Path, encoder_folder: Path, tmp_path: Path) -> None:
    env = environment(home, encoder_folder)
    assert run(env, "db", "upgrade").returncode == 0
    ids = []
    with running(env, "worker", log=tmp_path / "worker.log"):
        for number, ticket in enumerate(TICKETS):
            file = tmp_path / f"{number}.json"
            file.write_text(json.dumps(ticket), encoding="utf-8")
            ids.append(run(env, "tickets", "submit", str(file), "--wait", "60").stdout.split()[0])
    stories = [json.loads(run(env, "tickets", "show", ticket_id, "--json").stdout) for ticket_id in ids]
    assert [story["duplicate_of"] for story in stories] == [None, ids[0], None]
    assert f"A duplicate of {ids[0]}" in run(env, "tickets", "show", ids[1]).stdout

    found = json.loads(run(env, "tickets", "similar", ids[2], "--json").stdout)
    assert found["ticket"] == ids[2]
    assert found["similar"][0]["ticket_id"] in ids[:2]
    assert len(found["similar"]) == 1  # the duplicate says nothing new
    assert "Zoltan" in run(env, "tickets", "similar", ids[2]).stdout
    preview = run(env, "preview", str(tmp_path / "2.json")).stdout
    assert "Zoltan" in preview
    for options in [[], ["--json"]]:
        assert "Zoltan" not in run(env, "tickets", "show", ids[2], "--mask", *options).stdout
        assert "Zoltan" not in run(env, "preview", str(tmp_path / "2.json"), "--mask", *options).stdout
    assert run(env, "tickets", "similar", "unknown").returncode != 0
