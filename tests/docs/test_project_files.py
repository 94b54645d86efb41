"""Do the files around the code say the same as the code?"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT
from triage.settings import Settings

SCRIPTS = [*sorted((ROOT / "scripts").iterdir()), ROOT / ".ci/run"]
SETTINGS = {f"TRIAGE_{name.upper()}" for name in Settings.model_fields}


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def stage(name: str) -> str:
    """The instructions of one stage of the Dockerfile, comments and continued lines resolved."""
    text = "\n".join(line for line in read("Dockerfile").splitlines() if not line.lstrip().startswith("#"))
    found = re.search(rf"^FROM \S+ AS {name}\n(.*?)(?=^FROM |\Z)", text.replace("\\\n", ""), re.MULTILINE | re.DOTALL)
    assert found, f"the Dockerfile has no stage {name}"
    return found[1]


def begun_from() -> dict[str, str]:
    """Each stage with the one that it begins from."""
    return {child: parent for parent, child in re.findall(r"^FROM (\S+) AS (\S+)$", read("Dockerfile"), re.MULTILINE)}


def lineage(name: str) -> list[str]:
    """A stage and all that it begins from, but for the outside image."""
    parents = begun_from()
    return [name, *lineage(parents[name])] if name in parents else []


def pins() -> dict[str, str]:
    lines = [line for line in read("constraints.txt").splitlines() if line and not line.startswith("#")]
    assert all("==" in line for line in lines)
    return dict(line.split("==") for line in lines)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_scripts_can_be_executed(script: Path) -> None:
    assert os.access(script, os.X_OK)
    first = script.read_text(encoding="utf-8").partition("\n")[0]
    assert first in ("#!/usr/bin/env bash", "#!/usr/bin/env python3")
    if first.endswith("bash"):
        subprocess.run(["bash", "-n", script], check=True)


def test_set_up_of_an_installed_folder_does_nothing() -> None:
    stamp = ROOT / ".venv/.installed"
    wanted = hashlib.sha256((read("pyproject.toml") + read("constraints.txt")).encode()).hexdigest()
    if not stamp.exists() or stamp.read_text(encoding="utf-8").strip() != wanted:
        pytest.skip("this folder was not set up, or its requirements were edited since; set-up would install now")
    done = subprocess.run([ROOT / "scripts/setup"], capture_output=True, text=True, timeout=10, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_check_refuses_what_it_does_not_know() -> None:
    done = subprocess.run([ROOT / "scripts/check", "--quick"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage" in done.stderr


def test_make_help_names_every_target() -> None:
    makefile = read("Makefile")
    targets = set(re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)[0].split())
    assert targets == set(re.findall(r"^([a-z-]+):.*##", makefile, re.MULTILINE))
    assert {"setup", "run", "test", "check"} <= targets


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/howto/deploy.md"])
def test_make_targets_that_a_page_names_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z]+)", read(page), re.MULTILINE)) <= targets


def test_torch_is_pinned() -> None:
    assert pins()["torch"] == "2.13.0"


def test_every_requirement_is_pinned_within_its_range() -> None:
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    project = tomllib.loads(read("pyproject.toml"))["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    pinned = pins()
    for requirement in map(Requirement, wanted):
        version = pinned.get(canonicalize_name(requirement.name))
        assert version, f"constraints.txt does not pin {requirement.name}"
        assert version in requirement.specifier, f"{requirement.name} {version} is not {requirement.specifier}"


def test_packages_that_replace_torch_are_not_named() -> None:
    assert not {"optimum-intel", "nncf", "nccf"} & set(pins())


def test_the_image_that_serves_is_the_last_stage_and_has_no_torch() -> None:
    assert [*begun_from()][-1] == "serve"
    everything = "".join(stage(name) for name in [*lineage("serve"), *lineage("application")])
    for name in ("torch", "scikit-learn", "encoder.txt", "train.txt", "sentence-transformers"):
        assert name not in everything
    copied = re.findall(r"^COPY --from=(\S+) (\S+)", "".join(stage(name) for name in lineage("serve")), re.MULTILINE)
    assert sorted(copied) == [("application", "/opt/triage/venv"), ("encoder", "/opt/triage/encoder")]


@pytest.mark.parametrize("name", ["serve", "train"])
def test_images_do_not_run_as_root(name: str) -> None:
    assert re.findall(r"^USER (\S+)$", stage(name), re.MULTILINE) == ["triage"]
    assert "--uid 10001" in stage("runtime")


def test_the_image_that_serves_checks_its_health_and_starts_the_api() -> None:
    serve = stage("serve")
    assert "/healthz" in serve
    assert 'CMD ["triage", "serve", "--host", "0.0.0.0", "--no-worker"]' in serve


def test_what_the_dockerfile_copies_is_sent_to_the_builder() -> None:
    allowed = {line[1:] for line in read(".dockerignore").splitlines() if line.startswith("!")}
    copied = set()
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", read("Dockerfile"), re.MULTILINE):
        copied |= set(line.split())
    assert copied <= allowed
    assert all((ROOT / name).exists() for name in allowed)


@pytest.mark.parametrize("name", ["compose.yaml", ".env.example", "Dockerfile", "Makefile", "docs/howto/deploy.md"])
def test_settings_that_a_file_names_exist(name: str) -> None:
    assert set(re.findall(r"\bTRIAGE_[A-Z_]+\b", read(name))) <= SETTINGS


def test_the_example_of_an_env_file_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS:
        monkeypatch.delenv(name, raising=False)
    text = re.sub(r"^#([A-Z_]+=)", r"\1", read(".env.example"), flags=re.MULTILINE)
    (tmp_path / ".env").write_text(text, encoding="utf-8")
    settings = Settings(_env_file=tmp_path / ".env")
    for name in re.findall(r"^TRIAGE_([A-Z_]+)=", text, re.MULTILINE):
        if name not in ("THREADS", "DATABASE_URL", "HOME"):
            assert getattr(settings, name.lower()) == Settings.model_fields[name.lower()].default, name


def test_compose_waits_for_the_database_and_the_migration() -> None:
    services = yaml.safe_load(read("compose.yaml"))["services"]
    assert services["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    for name in ("api", "worker", "train"):
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
        assert "home:/data" in services[name]["volumes"]
    stages = begun_from()
    assert all(service["build"]["target"] in stages for service in services.values() if "build" in service)
    assert services["train"]["profiles"] == ["tools"]
    assert all(port.startswith("127.0.0.1:") for port in services["api"]["ports"])


def test_variables_of_compose_stand_in_the_example() -> None:
    example = set(re.findall(r"^#?([A-Z_]+)=", read(".env.example"), re.MULTILINE))
    assert set(re.findall(r"\$\{([A-Z_]+)", read("compose.yaml"))) <= example
    given = yaml.safe_load(read("compose.yaml"))["services"]["api"]["environment"]
    assert {name for name, value in given.items() if value is None} <= example


def test_the_licence_is_the_one_that_is_declared() -> None:
    assert tomllib.loads(read("pyproject.toml"))["project"]["license"] == "Apache-2.0"
    assert "Apache License" in read("LICENSE")[:200]
