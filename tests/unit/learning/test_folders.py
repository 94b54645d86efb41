import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from triage.learning.folders import clean_scratch, is_intact, publish, scratch_folder, write_manifest, write_whole

LIVE = """
import sys, time
from pathlib import Path
from triage.learning.folders import scratch_folder
with scratch_folder(Path(sys.argv[1])) as scratch:
    (scratch / "half").write_text("x")
    print(scratch, flush=True)
    time.sleep(60)
"""


def write(parent: Path, content: str, place: str = "d-1") -> Path:
    with scratch_folder(parent) as scratch:
        (scratch / "content").write_text(content)
        write_manifest(scratch, {})
        publish(scratch, parent / place)
    return parent / place


def test_published_folder_is_intact_and_nothing_else_is_left(tmp_path: Path) -> None:
    folder = write(tmp_path, "one")
    assert is_intact(folder)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "d-1"]


def test_intact_folder_is_never_replaced_and_a_damaged_one_is(tmp_path: Path) -> None:
    folder = write(tmp_path, "one")
    write(tmp_path, "two")
    assert (folder / "content").read_text() == "one"
    (folder / "content").write_text("altered")
    write(tmp_path, "two")
    assert (folder / "content").read_text() == "two" and is_intact(folder)


def test_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stop"), scratch_folder(tmp_path) as scratch:
        (scratch / "half").write_text("x")
        raise ValueError("stop")
    assert clean_scratch(tmp_path) == 0
    assert list(tmp_path.glob(".new-*")) == []


def test_scratch_of_a_killed_writer_is_cleaned_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", LIVE, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout
        scratch = Path(writer.stdout.readline().strip())
        assert clean_scratch(tmp_path) == 0 and (scratch / "half").exists()
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait(10)
    assert clean_scratch(tmp_path) == 1 and not scratch.exists()


def test_text_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "page"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "half a pair \ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.glob(".new-*")) == []
