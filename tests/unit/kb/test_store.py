import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from kb import Article, KnowledgeBase, SnapshotDamaged, SnapshotMismatch, store
from kb.store import FILES
from tests.unit.kb.doubles import WordEncoder

ROOT = Path(__file__).parents[3]


def article(article_id: str, text: str = "Some words.") -> Article:
    return Article(article_id, f"Title {article_id}", text)


def ids(folder: Path) -> list[str]:
    return [one.id for one in KnowledgeBase.open(folder, WordEncoder()).articles()]


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Run code in a process of its own, with ``put(folder, id)`` at hand."""
    prelude = """
        import os, signal, sys, time
        from pathlib import Path
        from kb import Article, KnowledgeBase
        from tests.unit.kb.doubles import WordEncoder
        def put(folder, article_id):
            KnowledgeBase.open(Path(folder), WordEncoder()).put(Article(article_id, "T", "Some words."))
        """
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(prelude) + textwrap.dedent(code), *arguments], cwd=ROOT, check=False
    )


def test_what_was_published_is_read_again_unchanged(tmp_path: Path) -> None:
    knowledge = KnowledgeBase.open(tmp_path, WordEncoder())
    knowledge.put(Article("ä/1", "Tïtle", "שלום 🙂\n\n" + "word " * 500, "https://example.com", tags=("a",)))
    again = KnowledgeBase.open(tmp_path, WordEncoder())
    assert (again.articles(), again.passages, again.snapshot) == (
        knowledge.articles(),
        knowledge.passages,
        knowledge.snapshot,
    )


def test_snapshots_name_comes_from_its_content(tmp_path: Path) -> None:
    names = []
    for folder in ("a", "b"):
        knowledge = KnowledgeBase.open(tmp_path / folder, WordEncoder())
        knowledge.put(article("1"))
        names.append(knowledge.snapshot)
    assert names[0] == names[1]


@pytest.mark.parametrize(
    "step", ["mkdtemp", "_write_articles", "_sync_to_disk", "os.replace 1", "os.replace 2", "_forget_old"]
)
def test_writer_killed_at_any_step_leaves_a_whole_knowledge_base(tmp_path: Path, step: str) -> None:
    KnowledgeBase.open(tmp_path, WordEncoder()).put(article("old"))
    code = """
        from kb import store
        folder, step = sys.argv[1:]
        name, _, nth = step.partition(" ")
        left = [int(nth or 1)]
        owner = {"os.replace": store.os, "mkdtemp": store.tempfile}.get(name, store)
        name = name.removeprefix("os.")
        real = getattr(owner, name)
        def dying(*args, **kwargs):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)
        setattr(owner, name, dying)
        put(folder, "new")
        """
    assert run(code, str(tmp_path), step).returncode == -signal.SIGKILL
    assert ids(tmp_path) in (["old"], ["new", "old"])
    KnowledgeBase.open(tmp_path, WordEncoder()).put(article("next"))
    assert "next" in ids(tmp_path)
    assert not list(tmp_path.glob("snapshots/.new-*"))


def test_disk_that_fails_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    knowledge = KnowledgeBase.open(tmp_path, WordEncoder())
    knowledge.put(article("old"))

    def full(_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(store, "_sync_to_disk", full)
        with pytest.raises(OSError, match="No space"):
            knowledge.put(article("new"))
    assert [one.id for one in knowledge.articles()] == ids(tmp_path) == ["old"]
    assert len(list((tmp_path / "snapshots").iterdir())) == 1


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path\nfrom kb import Article, KnowledgeBase\n"
    code += "from tests.unit.kb.doubles import WordEncoder\n"
    code += "for i in range(5): KnowledgeBase.open(Path(sys.argv[1]), WordEncoder())"
    code += ".put(Article(f'{sys.argv[2]}{i}', 'T', 'Some words.'))"
    writers = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name], cwd=ROOT) for name in "abc"]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert ids(tmp_path) == sorted(f"{name}{i}" for name in "abc" for i in range(5))


def test_publishing_the_same_again_does_not_touch_what_is_in_force(tmp_path: Path, source: Path) -> None:
    folder = tmp_path / "kb"
    knowledge = KnowledgeBase.open(folder, WordEncoder())
    knowledge.sync(source)
    manifest = folder / "snapshots" / knowledge.snapshot / "manifest.json"
    before = manifest.stat().st_ino
    knowledge.sync(source, rebuild=True)
    assert manifest.stat().st_ino == before


def test_old_snapshots_go_but_the_last_ones_stay(tmp_path: Path) -> None:
    knowledge = KnowledgeBase.open(tmp_path, WordEncoder())
    names = []
    for number in range(store.KEPT + 3):
        knowledge.put(article(str(number)))
        names.append(knowledge.snapshot)
    assert {place.name for place in (tmp_path / "snapshots").iterdir()} == set(names[-store.KEPT :])


def test_snapshot_that_is_no_longer_in_force_can_be_opened_and_stays_as_it_was(tmp_path: Path) -> None:
    writer = KnowledgeBase.open(tmp_path, WordEncoder())
    writer.put(article("1", "printer paper"))
    name = writer.snapshot
    writer.delete("1")
    past = KnowledgeBase.open_snapshot(tmp_path, WordEncoder(), name)
    assert past is not None
    assert not past.refresh()
    assert [hit.article_id for hit in past.search("printer paper")] == ["1"]
    assert KnowledgeBase.open_snapshot(tmp_path, WordEncoder(), "not kept") is None
    nothing = KnowledgeBase.open_snapshot(tmp_path, WordEncoder(), store.EMPTY)
    assert nothing is not None
    assert not nothing.articles()


def test_reader_outlives_the_snapshot_it_searches(tmp_path: Path) -> None:
    reader = KnowledgeBase.open(tmp_path, WordEncoder())
    reader.put(article("kept", "printer paper"))
    writer = KnowledgeBase.open(tmp_path, WordEncoder())
    for number in range(4):
        writer.put(article(str(number)))
    writer.delete("kept")
    assert reader.search("printer paper")[0].article_id == "kept"
    assert reader.refresh()
    assert reader.article("kept") is None


def test_snapshot_taken_away_while_it_is_opened_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = KnowledgeBase.open(tmp_path, WordEncoder())
    writer.put(article("1"))
    real, published = store._recorded_files, []

    def slow(place: Path, fingerprint: str) -> dict[str, str]:
        if not published:
            published.append(True)
            for number in range(2, store.KEPT + 2):
                writer.put(article(str(number)))
        return real(place, fingerprint)

    monkeypatch.setattr(store, "_recorded_files", slow)
    assert len(ids(tmp_path)) == store.KEPT + 1


@pytest.mark.parametrize("file", [*FILES, "manifest.json"])
@pytest.mark.parametrize("harm", ["cut short", "altered", "removed"])
def test_harmed_file_is_named_with_what_to_do(tmp_path: Path, file: str, harm: str) -> None:
    KnowledgeBase.open(tmp_path, WordEncoder()).put(article("1"))
    [path] = tmp_path.glob(f"snapshots/*/{file}")
    content = path.read_bytes()
    if harm == "removed":
        path.unlink()
    else:
        path.write_bytes(content[:-20] if harm == "cut short" else content.replace(content[20:30], b"{" * 10, 1))
    with pytest.raises(SnapshotDamaged, match=r"triage kb sync PATH --rebuild") as raised:
        KnowledgeBase.open(tmp_path, WordEncoder())
    assert file in str(raised.value)


@pytest.mark.parametrize("pointer", [b"\xff\xfe", b"nowhere", b"../.."])
def test_pointer_to_nothing_is_a_damage(tmp_path: Path, pointer: bytes) -> None:
    KnowledgeBase.open(tmp_path, WordEncoder()).put(article("1"))
    (tmp_path / "CURRENT").write_bytes(pointer)
    with pytest.raises(SnapshotDamaged):
        KnowledgeBase.open(tmp_path, WordEncoder())


def test_manifest_that_vouches_for_no_file_is_a_damage(tmp_path: Path) -> None:
    KnowledgeBase.open(tmp_path, WordEncoder()).put(article("1"))
    [path] = tmp_path.glob("snapshots/*/manifest.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"files": {}}))
    with pytest.raises(SnapshotDamaged):
        KnowledgeBase.open(tmp_path, WordEncoder())


def test_another_encoder_is_refused(tmp_path: Path) -> None:
    KnowledgeBase.open(tmp_path, WordEncoder()).put(article("1"))
    with pytest.raises(SnapshotMismatch, match="another encoder"):
        KnowledgeBase.open(tmp_path, WordEncoder("other"))


def test_another_format_is_refused(tmp_path: Path) -> None:
    KnowledgeBase.open(tmp_path, WordEncoder()).put(article("1"))
    [path] = tmp_path.glob("snapshots/*/manifest.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99}))
    with pytest.raises(SnapshotMismatch, match="format 99"):
        KnowledgeBase.open(tmp_path, WordEncoder())


def test_rebuild_mends_a_damage(tmp_path: Path, source: Path) -> None:
    folder = tmp_path / "kb"
    KnowledgeBase.open(folder, WordEncoder()).sync(source)
    [path] = folder.glob("snapshots/*/passage_vectors.npy")
    os.truncate(path, 10)
    KnowledgeBase.open(folder, WordEncoder(), ignore_damage=True).sync(source, rebuild=True)
    assert ids(folder) == ["printer", "vpn"]


def test_rebuild_for_another_encoder_keeps_articles_from_elsewhere(tmp_path: Path, source: Path) -> None:
    folder = tmp_path / "kb"
    knowledge = KnowledgeBase.open(folder, WordEncoder())
    knowledge.put(article("from-the-api"))
    other = WordEncoder("other")
    KnowledgeBase.open(folder, other, ignore_damage=True).sync(source, rebuild=True)
    again = KnowledgeBase.open(folder, other)
    assert [one.id for one in again.articles()] == ["from-the-api", "printer", "vpn"]
    assert "Title from-the-api\nSome words." in other.encoded
