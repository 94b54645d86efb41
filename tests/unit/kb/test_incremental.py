"""A change of a large knowledge base is written and indexed beside it."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kb import Article, KnowledgeBase, SnapshotDamaged, knowledge, lexical, revision, store, vectors, views
from kb.articles import MACRO
from tests.unit.kb.doubles import WordEncoder
from tests.unit.kb.test_store import run

WORDS = st.sampled_from(("printer", "badge", "tunnel", "KES-2041", "headset", "mend", "turn", "press", "the", "red"))
TEXTS = st.lists(WORDS, min_size=1, max_size=6).map(" ".join)
IDS = st.sampled_from([f"a{number}" for number in range(6)])
PUTS = st.builds(
    Article,
    IDS,
    TEXTS,
    TEXTS,
    audience=st.sampled_from(["public", "internal"]),
    kind=st.sampled_from(["article", MACRO]),
)
CHANGES = st.lists(st.one_of(PUTS, IDS), min_size=1, max_size=6)
ADDED_FILES = [store.REMOVED, *(store.ADDED + file for file in store.FILES)]


@pytest.fixture(autouse=True, scope="module")
def _large_is_small() -> Iterator[None]:
    """Every knowledge base counts as a large one; four changes are kept beside it, in cells from the tenth vector."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lexical, "REBUILT_UP_TO", 0)
        patch.setattr(revision, "REBUILT_UP_TO", 0)
        patch.setattr(views, "REBUILT_UP_TO", 0)
        patch.setattr(revision, "MOST_CHANGED", 4.0)
        patch.setattr(knowledge, "ADDED_UP_TO", 4)
        yield


def article(article_id: str, text: str = "Some words.") -> Article:
    return Article(article_id, f"Title {article_id}", text)


def with_a_change(folder: Path) -> KnowledgeBase:
    """A base of one article, and one beside it."""
    base = KnowledgeBase.open(folder, WordEncoder())
    base.put(article("1", "printer paper"))
    base.put(article("2", "tunnel drops"))
    return base


@settings(max_examples=40, deadline=None)
@given(st.lists(PUTS, min_size=1, max_size=6, unique_by=lambda one: one.id), CHANGES, TEXTS)
def test_changes_one_by_one_make_what_is_read_again_and_what_a_fresh_one_holds(
    tmp_path_factory: pytest.TempPathFactory, first: list[Article], changes: list[Article | str], query: str
) -> None:
    folder = tmp_path_factory.mktemp("kb")
    live = KnowledgeBase.open(folder, WordEncoder())
    reader = KnowledgeBase.open(folder, WordEncoder())
    wanted: dict[str, Article] = {}
    for change in [*first, *changes]:
        if isinstance(change, Article):
            live.put(change)
            wanted[change.id] = change
        else:
            assert live.delete(change) == (wanted.pop(change, None) is not None)
        again, named = (
            KnowledgeBase.open(folder, WordEncoder()),
            KnowledgeBase.open_snapshot(folder, WordEncoder(), live.snapshot),
        )
        reader.refresh()
        assert named is not None
        for audiences in (None, ["public"]):
            hits = live.search(query, audiences=audiences)
            allowed = {
                one.id for one in wanted.values() if one.kind != MACRO and one.audience in (audiences or [one.audience])
            }
            assert {hit.article_id for hit in hits} == allowed
            for other in (again, named, reader):
                assert other.search(query, audiences=audiences) == hits
        for each in (live, again, named, reader):
            assert list(each.articles()) == sorted(wanted.values(), key=lambda one: one.id)
            assert each.passages == len(each.embedded_passages()[0]) == len(each.embedded_passages()[1])


def test_change_shares_the_files_of_the_base_and_writes_its_own_beside(tmp_path: Path) -> None:
    base = KnowledgeBase.open(tmp_path, WordEncoder())
    base.put(article("1"))
    before = tmp_path / "snapshots" / base.snapshot
    base.put(article("2"))
    after = tmp_path / "snapshots" / base.snapshot
    assert [(before / file).stat().st_ino for file in store.FILES] == [
        (after / file).stat().st_ino for file in store.FILES
    ]
    assert json.loads((after / "manifest.json").read_text())["format"] == store.FORMAT_WITH_CHANGES
    assert all((after / file).exists() for file in ADDED_FILES)


def test_change_embeds_and_reads_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = with_a_change(tmp_path)
    reader = KnowledgeBase.open(tmp_path, WordEncoder())
    encoder = writer._encoder
    assert isinstance(encoder, WordEncoder)
    encoder.encoded.clear()
    writer.put(article("3", "headset mended"))
    assert {text.split("\n")[0] for text in encoder.encoded} == {"Title 3"}
    read: list[str] = []
    real = store._sha256
    monkeypatch.setattr(store, "_sha256", lambda path: read.append(path.name) or real(path))
    assert reader.refresh()
    assert sorted(read) == sorted(ADDED_FILES)
    assert reader.search("headset mended")[0].article_id == "3"


def test_base_is_made_anew_when_much_has_changed(tmp_path: Path) -> None:
    base = KnowledgeBase.open(tmp_path, WordEncoder())
    made = []
    for number in range(7):
        base.put(article(str(number)))
        made.append(not (tmp_path / "snapshots" / base.snapshot / store.REMOVED).exists())
    assert made == [True, False, False, False, False, True, False]


@pytest.mark.parametrize(
    "step",
    ["mkdtemp", "_linked", "_write_changes", "_write_articles", "_sync_to_disk", "os.replace 1", "os.replace 2",
     "_forget_old"],
)  # fmt: skip
def test_writer_killed_at_any_step_of_a_change_leaves_a_whole_knowledge_base(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    tmp_path = tmp_path_factory.mktemp("kb")
    # Who is killed leaves what he had in the folder for temporary files.
    monkeypatch.setenv("TMPDIR", str(tmp_path_factory.mktemp("left")))
    with_a_change(tmp_path)
    code = """
        from kb import lexical, revision, store, views
        lexical.REBUILT_UP_TO = revision.REBUILT_UP_TO = views.REBUILT_UP_TO = 0
        revision.MOST_CHANGED = 4.0
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
    left = KnowledgeBase.open(tmp_path, WordEncoder())
    assert [one.id for one in left.articles()] in (["1", "2"], ["1", "2", "new"])
    assert left.search("tunnel drops")[0].article_id == "2"
    left.put(article("next"))
    assert "next" in [one.id for one in KnowledgeBase.open(tmp_path, WordEncoder()).articles()]
    assert not list(tmp_path.glob("snapshots/.new-*"))


def test_base_is_made_anew_when_a_small_share_of_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = KnowledgeBase.open(tmp_path, WordEncoder())
    base.put(article("1"))
    monkeypatch.setattr(revision, "MOST_CHANGED", 0.5)
    base.put(article("2"))
    assert not (tmp_path / "snapshots" / base.snapshot / store.REMOVED).exists()
    base.put(article("3"))
    assert (tmp_path / "snapshots" / base.snapshot / store.REMOVED).exists()


def test_article_changed_back_leaves_no_change(tmp_path: Path) -> None:
    base = KnowledgeBase.open(tmp_path, WordEncoder())
    base.put(article("1"))
    name = base.snapshot
    base.put(article("1", "Other words."))
    base.put(article("1"))
    assert base.snapshot == name


def test_old_snapshots_outlive_the_one_whose_files_they_share(tmp_path: Path) -> None:
    base = with_a_change(tmp_path)
    name = base.snapshot
    for number in range(store.KEPT - 2):
        base.put(replace(article("2"), text=f"tunnel {number}"))
    kept = {place.name for place in (tmp_path / "snapshots").iterdir()}
    assert len(kept) == store.KEPT
    base.put(article("2", "tunnel last"))  # takes the first one away, which was the base alone
    assert name in {place.name for place in (tmp_path / "snapshots").iterdir()}
    past = KnowledgeBase.open_snapshot(tmp_path, WordEncoder(), name)
    assert past is not None
    assert past.search("tunnel drops")[0].citation.text == "tunnel drops"
    assert past.search("printer paper")[0].article_id == "1"


@pytest.mark.parametrize("file", [*ADDED_FILES, *store.FILES])
def test_harmed_file_of_a_change_is_named(tmp_path: Path, file: str) -> None:
    base = with_a_change(tmp_path)
    path = tmp_path / "snapshots" / base.snapshot / file
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(SnapshotDamaged, match="--rebuild") as raised:
        KnowledgeBase.open(tmp_path, WordEncoder())
    assert file in str(raised.value)


def test_manifest_that_forgets_a_file_of_a_change_is_a_damage(tmp_path: Path) -> None:
    base = with_a_change(tmp_path)
    path = tmp_path / "snapshots" / base.snapshot / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["files"][store.REMOVED]
    path.write_text(json.dumps(manifest))
    with pytest.raises(SnapshotDamaged):
        KnowledgeBase.open(tmp_path, WordEncoder())


def test_rebuild_keeps_what_was_added_to_a_damaged_index(tmp_path: Path, source: Path) -> None:
    base = with_a_change(tmp_path / "kb")
    base.delete("1")
    [path] = (tmp_path / "kb" / "snapshots" / base.snapshot).glob("added-passage_vectors.npy")
    os.truncate(path, 10)
    rebuilt = KnowledgeBase.open(tmp_path / "kb", WordEncoder(), ignore_damage=True)
    rebuilt.sync(source, rebuild=True)
    assert [one.id for one in rebuilt.articles()] == ["2", "printer", "vpn"]


def test_index_in_cells_is_stored_with_the_base_and_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "EXACT_UP_TO", 10)
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(300):
        (folder / f"{number}.md").write_text(f"# Case {number}\n\nword{number} and word{number % 7}\n")
    base = KnowledgeBase.open(tmp_path / "kb", WordEncoder())
    base.sync(folder)
    base.put(article("new", "headset mended"))
    place = tmp_path / "kb" / "snapshots" / base.snapshot
    assert json.loads((place / "manifest.json").read_text())["settings"]["index"].startswith("IVF")
    built: list[int] = []
    real = vectors._trained
    monkeypatch.setattr(vectors, "_trained", lambda rows, kind: built.append(len(rows)) or real(rows, kind))
    again = KnowledgeBase.open(tmp_path / "kb", WordEncoder())
    assert max(built) <= 1  # of what was added alone
    assert again.search("headset mended") == base.search("headset mended")
    os.truncate(place / store.PASSAGE_INDEX, 100)
    with pytest.raises(SnapshotDamaged, match=store.PASSAGE_INDEX):
        KnowledgeBase.open(tmp_path / "kb", WordEncoder())
