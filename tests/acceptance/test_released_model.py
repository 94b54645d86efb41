"""Is the champion never disturbed: not by a promotion, a damaged model, or a training that is killed?"""

import csv
import itertools
import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy.orm import Session

from kb import Encoder
from tests.conftest import DESK, FEATURES, LABELS, TEXT
from tests.desks import small_desk
from tests.processes import TRIAGE, environment, free_port, is_ready, run, running, until
from triage.db.engine import open_engine
from triage.learning.dataset import read_tickets
from triage.learning.folders import is_intact, write_whole
from triage.learning.registry import champion, champion_id, promote
from triage.tickets.model import Correction
from triage.tickets.store import add_correction
from triage.understand.classifier import Classifier

pytestmark = pytest.mark.acceptance

COLUMNS = ["--text", "text", "--label", "queue"]


def write_csv(path: Path, tickets: int) -> Path:
    desk = small_desk(tickets)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("text", "queue"), *zip(desk.texts, desk.labels["queue"], strict=True)])
    return path


class Callers:
    """Ask the server without pause from several threads, and keep every answer that is not one."""

    def __init__(self, url: str) -> None:
        self.answered, self.failed = 0, list[str]()
        self._url = url
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(4)]

    def _call(self) -> None:
        with httpx.Client(timeout=30) as client:
            while not self._stop.is_set():
                try:
                    response = client.post(f"{self._url}/v1/triage", json={"body": "The VPN drops every minute"})
                except httpx.TransportError as error:
                    self.failed.append(repr(error))
                    continue
                if response.status_code == 200:
                    self.answered += 1
                else:
                    self.failed.append(response.text)

    @contextmanager
    def calling(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in self._threads:
                thread.join()


def test_promotions_and_a_corrupt_champion_cost_no_request(
    home: Path, encoder: Encoder, encoder_folder: Path, database_url: str, tmp_path: Path
) -> None:
    from triage.learning.candidate import make_candidate

    models = home / "models"
    first = champion_id(models)
    assert first
    tickets = read_tickets(DESK / "tickets.csv", text=TEXT, labels=LABELS[:1], features=FEATURES)
    second = make_candidate(tickets, encoder, models=models, datasets=home / "datasets").model_id
    corrupt = "m-corrupt00000"
    shutil.copytree(models / second, models / corrupt)
    (models / corrupt / "arrays.npz").write_bytes(b"PK")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    env = environment(home, encoder_folder, port=str(port), database_url=database_url)

    def in_use(url: str) -> str:
        response = httpx.get(f"{url}/readyz", timeout=30)
        assert response.status_code == 200
        return str(response.json()["model"]["says"])

    log = tmp_path / "log"
    with running(env, "serve", "--no-worker", log=log):
        until(lambda: is_ready(url), what="readiness")
        callers = Callers(url)
        with callers.calling():
            for model_id in (second, first, second):
                promote(models, model_id)
                until(lambda wanted=model_id: wanted in in_use(url), what="the new champion")  # type: ignore[misc]
            write_whole(models / "champion", corrupt + "\n")
            until(lambda: "refused" in in_use(url), what="the refusal")
            assert second in in_use(url)
            before = callers.answered
            until(lambda: callers.answered > before + 20, what="answers after the refusal")
            promote(models, first)
            until(lambda: in_use(url).startswith(f"model {first} predicts"), what="the end of the refusal")
        assert callers.failed == []
        assert callers.answered > 0
    assert log.read_text().count("new champion refused") == 1


def test_rollback_and_force_over_the_command_line(encoder_folder: Path, tmp_path: Path) -> None:
    env = environment(tmp_path, encoder_folder)
    first = json.loads(run(env, "train", str(write_csv(tmp_path / "a.csv", 90)), *COLUMNS, "--json").stdout)
    assert first["release"]["promoted"] and first["registered"]
    other = run(env, "train", str(write_csv(tmp_path / "b.csv", 60)), *COLUMNS, "--no-promote", "--json")
    second = json.loads(other.stdout)
    assert not second["release"]["promoted"]
    compared = json.loads(run(env, "models", "compare", second["model_id"], first["model_id"], "--json").stdout)
    assert compared["fields"]["queue"]["n"] == 60
    forced = run(env, "models", "promote", second["model_id"], "--force")
    assert forced.returncode == 0, forced.stderr
    assert run(env, "models", "rollback").returncode == 0
    refused = run(env, "models", "rollback")
    assert (refused.returncode, "nothing to go back to" in refused.stderr) == (1, True)
    listed = json.loads(run(env, "models", "list", "--json").stdout)
    assert listed["champion"] == first["model_id"]
    assert [entry["how"] for entry in listed["history"]][-1] == "rollback"
    shown = run(env, "models", "show", first["model_id"])
    assert "Certificates" in shown.stdout and "-confusion.png" in shown.stderr
    assert "champion: " + first["model_id"] in run(env, "models", "register").stderr
    datasets = json.loads(run(env, "datasets", "list", "--json").stdout)["datasets"]
    assert {one["dataset_id"] for one in datasets} == {first["dataset_id"], second["dataset_id"]}
    assert "vectors" not in run(env, "datasets", "show", first["dataset_id"]).stderr


def test_corrections_are_learned_from_with_and_without_a_file(encoder_folder: Path, tmp_path: Path) -> None:
    env = environment(tmp_path, encoder_folder)
    assert run(env, "db", "upgrade").returncode == 0
    nothing = run(env, "train", "--from-history")
    assert (nothing.returncode, "triage tickets correct" in nothing.stderr) == (1, True)
    desk = small_desk(24, start=200)
    lines = [json.dumps({"body": text}) for text in desk.texts]
    submitted = run(env, "tickets", "submit", "-", given="\n".join(lines))
    assert submitted.returncode == 0, submitted.stderr
    listed = json.loads(run(env, "tickets", "list", "--limit", "100", "--json").stdout)["tickets"]
    label = dict(zip(desk.texts, desk.labels["queue"], strict=True))
    engine = open_engine(f"sqlite:///{tmp_path / 'triage.db'}")
    with Session(engine) as session, session.begin():
        for ticket in listed:
            add_correction(session, ticket["id"], Correction("queue", label[ticket["body"]], "eva"))
    engine.dispose()
    alone = json.loads(run(env, "train", "--from-history", "--json").stdout)
    assert (alone["tickets"], list(alone["fields"])) == (24, ["queue"])
    both = run(env, "train", str(write_csv(tmp_path / "a.csv", 90)), *COLUMNS, "--from-history", "--json")
    assert json.loads(both.stdout)["tickets"] == 114


def test_same_tickets_give_the_same_bytes_in_another_process(encoder_folder: Path, tmp_path: Path) -> None:
    homes = [tmp_path / "one", tmp_path / "two"]
    contents = []
    for seed, home in enumerate(homes, 1):
        home.mkdir()
        env = {**environment(home, encoder_folder), "PYTHONHASHSEED": str(seed)}
        columns = ["--text", "subject", "--text", "body", "--label", "queue", "--label", "category"]
        done = run(env, "train", str(DESK / "tickets.csv"), *columns, "--feature", "requester", "--json")
        assert done.returncode == 0, done.stderr
        contents.append({str(path.relative_to(home)): undated(path) for path in files_in(home)})
    assert contents[0].keys() == contents[1].keys()
    assert [name for name in contents[0] if contents[0][name] != contents[1][name]] == []


def files_in(home: Path) -> list[Path]:
    kept = [*(home / "models").glob("m-*/*"), *(home / "datasets").glob("d-*/*")]
    assert len(kept) > 12
    return kept


def undated(path: Path) -> bytes:
    """The content without the moment of its making: that may stand in what people read and in manifests only."""
    content = path.read_bytes()
    if path.name in ("README.md", "release.json", "manifest.json"):
        return re.sub(rb"20\d\d-\d\d-\d\dT[\d:]+\+00:00", b"", content)
    return content


# What is to be seen in the home at the moment of the kill.
MOMENTS = ("", "datasets/.new-*", "datasets/d-*", "models/.new-*", "models/m-*", "models/m-*/release.json")


def test_training_that_is_killed_leaves_the_champion_and_nothing_half(encoder_folder: Path, tmp_path: Path) -> None:
    env = environment(tmp_path, encoder_folder)
    first = run(env, "train", str(write_csv(tmp_path / "first.csv", 60)), *COLUMNS, "--json")
    assert first.returncode == 0, first.stderr
    sizes = itertools.count(240, 3)
    for moment in MOMENTS:
        kill_training(env, tmp_path, moment, sizes)
        used = champion(tmp_path / "models")
        assert used is not None, moment
        Classifier.load(used)
        whole = [*(tmp_path / "models").glob("m-*"), *(tmp_path / "datasets").glob("d-*")]
        assert all(is_intact(folder) for folder in whole), moment
        listed = run(env, "models", "list", "--json")
        assert json.loads(listed.stdout)["champion"] == used.name, moment
    again = run(env, "train", str(tmp_path / "next.csv"), *COLUMNS, "--json")
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["registered"]
    assert [*tmp_path.glob("*/.new-*"), *tmp_path.glob("*/.old-*")] == []


def kill_training(env: dict[str, str], home: Path, moment: str, sizes: Iterator[int]) -> None:
    """Kill one as soon as there is one more of what the pattern names; at once where it names nothing.

    Some of it is there for milliseconds only, so a training may be over before it is seen; then with others again.
    """
    for size in itertools.islice(sizes, 6):
        # Others each time, so that nothing is there already.
        file = write_csv(home / "next.csv", size)
        before = count(home, moment)
        command = [TRIAGE, "train", str(file), *COLUMNS]
        with subprocess.Popen(
            command, env=env, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as training:
            while moment and count(home, moment) <= before and training.poll() is None:
                time.sleep(0.001)
            training.kill()
        if training.returncode == -signal.SIGKILL:
            return
        assert training.returncode == 0, f"it failed before there was {moment}"
    pytest.fail(f"{moment} was never seen")


def count(home: Path, pattern: str) -> int:
    return len(list(home.glob(pattern))) if pattern else 0


def test_training_does_not_depend_on_the_registry(encoder_folder: Path, tmp_path: Path) -> None:
    env = environment(tmp_path, encoder_folder)
    (tmp_path / "mlflow.db").write_text("no database " * 100)
    done = run(env, "train", str(write_csv(tmp_path / "a.csv", 60)), *COLUMNS, "--json")
    assert done.returncode == 0
    result = json.loads(done.stdout)
    assert result["release"]["promoted"] and not result["registered"]
    assert "triage models register" in done.stderr
    (tmp_path / "mlflow.db").unlink()
    registered = run(env, "models", "register")
    assert f"champion: {result['model_id']}" in registered.stderr


def test_serving_process_never_imports_the_registry_or_the_plots(home: Path, encoder_folder: Path) -> None:
    program = """
import sys
from triage.app import open_desk
from triage.cli import cli
from triage.settings import read_settings
import triage.web
open_desk(read_settings()).current()
print([name for name in ("mlflow", "matplotlib", "sklearn", "scipy.stats") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(home, encoder_folder),
        cwd=home.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"
