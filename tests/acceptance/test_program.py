"""Does the program do its main job when it is run as a person would run it?"""

import json
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.conftest import DESK
from tests.processes import environment, free_port, is_ready, run, running, until

pytestmark = pytest.mark.acceptance


def test_demo_trains_indexes_and_triages_and_repeats_nothing(encoder_folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    env = environment(home, encoder_folder, port=str(free_port()))
    first = run(env, "demo", str(DESK), "--no-serve")
    assert first.returncode == 0, first.stderr
    assert "KES-5003 posting period is closed" in first.stdout
    models = sorted((home / "models").iterdir())
    second = run(env, "demo", str(DESK), "--no-serve")
    assert second.returncode == 0, second.stderr
    assert "was trained on these tickets before" in second.stderr
    assert "0 added, 0 updated, 0 removed" in second.stderr
    assert sorted((home / "models").iterdir()) == models
    listed = json.loads(run(env, "tickets", "list", "--limit", "100", "--json").stdout)
    assert len(listed["tickets"]) == 30
    assert all(ticket["state"] == "triaged" and len(ticket["runs"]) == 1 for ticket in listed["tickets"])


def test_served_ticket_comes_back_finished_and_the_server_stops_on_interrupt(
    home: Path, encoder_folder: Path, database_url: str, tmp_path: Path
) -> None:
    port = free_port()
    env = environment(home, encoder_folder, port=str(port), database_url=database_url)
    url = f"http://127.0.0.1:{port}"
    with running(env, "serve", log=tmp_path / "log") as server:
        until(lambda: is_ready(url), what="readiness")
        ticket = {"subject": "Printer", "body": "Error 0x0000011b when adding it", "requester": "a@fennvale.example"}
        response = httpx.post(f"{url}/v1/tickets?wait=20", json=ticket, timeout=30)
        assert response.status_code == 200, response.text
        story = httpx.get(url + response.headers["location"]).json()
        assert story == response.json()
        decided = {decision["field"]: decision for decision in story["runs"][0]["decisions"]}
        assert decided["queue"]["value"] == "printing"
        assert story["runs"][0]["answer"]["citations"][0]["article_id"] == "printer-error-0x0000011b"
        server.send_signal(signal.SIGINT)
        assert server.wait(20) == 0


def test_second_server_on_the_same_port_says_so(home: Path, encoder_folder: Path, tmp_path: Path) -> None:
    port = free_port()
    env = environment(home, encoder_folder, port=str(port))
    assert run(env, "db", "upgrade").returncode == 0
    with running(env, "serve", "--no-worker", log=tmp_path / "log"):
        until(lambda: is_ready(f"http://127.0.0.1:{port}"), what="readiness")
        second = run(env, "serve")
    assert second.returncode == 1
    assert "TRIAGE_PORT" in second.stderr


def test_two_inits_at_once_both_succeed(encoder_folder: Path, tmp_path: Path) -> None:
    env = environment(tmp_path, encoder_folder)
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: run(env, "init"), range(2)))
    assert [one.returncode for one in done] == [0, 0], done


def test_serving_process_never_imports_torch_or_scikit_learn(home: Path, encoder_folder: Path) -> None:
    program = """
import sys
from triage.app import open_desk
from triage.cli import serve, tickets
from triage.pipeline import assess
from triage.settings import read_settings
from triage.tickets.model import IncomingTicket
import triage.web
assess(IncomingTicket("VPN", "it drops"), open_desk(read_settings()).current())
print([name for name in ("torch", "sklearn", "transformers", "sentence_transformers") if name in sys.modules])
"""
    env = environment(home, encoder_folder)
    done = subprocess.run(
        [sys.executable, "-c", program], env=env, cwd=home.parent, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_outdated_database_is_refused_with_the_command_that_helps(home: Path, encoder_folder: Path) -> None:
    done = run(environment(home, encoder_folder), "serve")
    assert done.returncode == 1
    assert "triage db upgrade" in done.stderr
    assert "Traceback" not in done.stderr


def test_damaged_files_are_named_with_the_command_that_helps(home: Path, encoder_folder: Path) -> None:
    env = environment(home, encoder_folder)
    vectors = next((home / "kb" / "snapshots").rglob("passage_vectors.npy"))
    vectors.write_bytes(vectors.read_bytes()[:1000])
    done = run(env, "ask", "vpn")
    assert done.returncode == 1
    assert "triage kb sync PATH --rebuild" in done.stderr
    rebuilt = run(env, "kb", "sync", str(DESK / "kb"), "--rebuild")
    assert rebuilt.returncode == 0, rebuilt.stderr
    assert run(env, "ask", "vpn").returncode == 0


def test_preview_of_a_lone_text_on_standard_input_decides_and_stores_nothing(home: Path, encoder_folder: Path) -> None:
    env = environment(home, encoder_folder)
    done = run(env, "preview", "-", "--json", given="Kestrel says KES-5003 when I post")
    (ticket,) = json.loads(done.stdout)["tickets"]
    assert ticket["decisions"][0]["value"] == "kestrel"
    assert not (home / "triage.db").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"\xff\xfe\x00bad", "not text"),
        ("Größe".encode("latin-1"), "not UTF-8"),
        (b'{"subject": "x"\n{"a": 1}', "not JSON"),
        (b"[1, 2]", "not an object"),
        (b'{"id": 7}', "has no text"),
    ],
)
def test_unreadable_ticket_file_is_explained(home: Path, encoder_folder: Path, content: bytes, says: str) -> None:
    path = home / "tickets.jsonl"
    path.write_bytes(content)
    done = run(environment(home, encoder_folder), "preview", str(path))
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_training_and_evaluation_print_one_json_object(encoder_folder: Path, tmp_path: Path) -> None:
    env = environment(tmp_path, encoder_folder)
    tickets = tmp_path / "tickets.csv"
    shutil.copy(DESK / "tickets.csv", tickets)
    columns = ["--text", "subject", "--text", "body", "--label", "category", "--feature", "requester"]
    evaluated = run(env, "evaluate", str(tickets), str(tickets), *columns, "--json")
    assert evaluated.returncode == 0, evaluated.stderr
    result = json.loads(evaluated.stdout)
    figures = {"accuracy", "macro_f1", "top3_accuracy", "log_loss", "ece", "certified", "prediction_sets"}
    assert set(result["labels"]["category"]) == figures
    trained = run(env, "train", str(tickets), *columns, "--json")
    assert json.loads(trained.stdout)["fields"]["category"]["tickets"] == 508
    assert json.loads(run(env, "models", "list", "--json").stdout)["champion"] == json.loads(trained.stdout)["model_id"]
