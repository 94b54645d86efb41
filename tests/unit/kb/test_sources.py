import os
from datetime import date
from pathlib import Path

import pytest

from kb import Article, Problem, SourceUnreadable
from kb.sources import read_folder


def read(tmp_path: Path, **files: str | bytes) -> tuple[dict[str, Article], list[Problem]]:
    folder = tmp_path / "articles"
    for name, content in files.items():
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    articles, problems = read_folder(folder)
    return {article.id: article for article in articles}, problems


def test_front_matter_says_what_an_article_is(tmp_path: Path) -> None:
    head = "title: T\naudience: internal\nlanguage: de-CH\nupdated: 2026-01-02\ntags: [a, b]\nurl: https://example.com"
    articles, problems = read(tmp_path, a=f"---\n{head}\n---\nThe text.\n")
    assert articles["a"] == Article(
        "a", "T", "The text.", "https://example.com", "internal", "de", date(2026, 1, 2), None, ("a", "b"), "articles"
    )
    assert problems == []


@pytest.mark.parametrize(
    ("content", "title"),
    [("---\ntitle: Front\n---\n# Head\nx", "Front"), ("# Head\n\nx", "Head"), ("x", "a")],
)
def test_title_is_that_of_the_front_matter_else_the_first_heading_else_the_file_name(
    tmp_path: Path, content: str, title: str
) -> None:
    assert read(tmp_path, a=content)[0]["a"].title == title


def test_heading_that_repeats_the_title_is_not_doubled(tmp_path: Path) -> None:
    assert read(tmp_path, a="---\ntitle: VPN drops\n---\n# VPN drops!\n\nText.")[0]["a"].text == "Text."


def test_broken_front_matter_is_reported_with_its_line_and_the_article_is_read(tmp_path: Path) -> None:
    articles, [problem] = read(tmp_path, a="---\ntitle: 'T\ntags: [x\n---\nText.")
    assert articles["a"].text == "Text."
    assert problem.path == "a.md"
    assert problem.sentence.startswith("Line ")


@pytest.mark.parametrize(
    "head",
    [
        "---\ntitle: 'x\naudience: internal\n---\n",
        "---\naudience: internal\nupdated: 2026-13-45\n---\n",
        "---\naudience: internal\n\n",
        "---\naudience: [staff, board]\n---\n",
        "---\nms.date: 1/2/2026\naudience: Internal\n---\n",
        "---\r\naudience: internal\r\n---\r\n",
    ],
    ids=["broken YAML", "impossible date", "never closed", "a list", "Microsoft's keys", "CRLF"],
)
def test_mistake_in_the_front_matter_never_makes_an_internal_article_public(tmp_path: Path, head: str) -> None:
    assert read(tmp_path, a=f"{head}The safe is behind the plant.")[0]["a"].audience == "internal"


def test_audience_in_microsofts_sense_restricts_nobody(tmp_path: Path) -> None:
    assert read(tmp_path, a="---\nms.date: 1/2/2026\naudience: ITPro\n---\nText.")[0]["a"].audience == "public"


def test_front_matter_that_multiplies_itself_is_read_at_once(tmp_path: Path) -> None:
    steps = "".join(f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}\n" for i in range(1, 40))
    articles, _ = read(tmp_path, a=f"---\na0: &a0 {{x: 1}}\n{steps}tags: *a39\nupdated: *a39\n---\nText.")
    assert articles["a"].tags == ()


def test_bad_files_are_reported_and_the_others_go_in(tmp_path: Path) -> None:
    articles, problems = read(
        tmp_path,
        good="Text.",
        latin="caf\u00e9".encode("latin-1"),
        binary=b"\x00\x01",
        huge=b"x" * 2_000_001,
        empty="",
    )
    assert list(articles) == ["good"]
    assert {problem.path for problem in problems} == {"latin.md", "binary.md", "huge.md", "empty.md"}


def test_what_is_no_article_is_not_read(tmp_path: Path) -> None:
    articles, _ = read(tmp_path, **{"a": "x", "sub/b": "x", ".git/c": "x", "node_modules/d": "x", "includes/e": "x"})
    assert set(articles) == {"a", "sub/b"}


def test_links_pipes_and_strange_names_stop_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "articles"
    folder.mkdir()
    (tmp_path / "secret.md").write_text("secret")
    (folder / "good.md").write_text("Text.")
    (folder / "out.md").symlink_to(tmp_path / "secret.md")
    (folder / "loop.md").symlink_to("loop.md")
    (folder / "again").symlink_to(".")
    os.mkfifo(folder / "pipe.md")
    with open(os.path.join(os.fsencode(folder), b"caf\xe9.md"), "w") as file:
        file.write("Text.")
    articles, problems = read_folder(folder)
    assert [article.id for article in articles] == ["good"]
    assert len(problems) == 4


def test_second_file_of_the_same_id_is_left_out_and_reported(tmp_path: Path) -> None:
    (tmp_path / "articles").mkdir()
    (tmp_path / "articles" / "a.markdown").write_text("first")
    articles, [problem] = read(tmp_path, a="second")
    assert articles["a"].text == "first"
    assert "a.md" in problem.path


def test_include_is_taken_from_inside_the_folder_only(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("secret")
    text = "[!INCLUDE [n](includes/n.md)]\n\n[!INCLUDE [s](../secret.md)]\n\n[!INCLUDE [l](" + "x" * 5000 + ")]\n\nEnd."
    articles, problems = read(tmp_path, **{"a": text, "includes/n": "A note."})
    assert articles["a"].text == "A note.\n\nEnd."
    assert len(problems) == 2


def test_include_of_an_include_is_found_beside_it(tmp_path: Path) -> None:
    files = {"a": "[!INCLUDE [n](includes/n.md)]", "includes/n": "N [!INCLUDE [m](m.md)]", "includes/m": "M"}
    assert read(tmp_path, **files)[0]["a"].text == "N M"


def test_includes_that_multiply_end(tmp_path: Path) -> None:
    files = {"a": "[!INCLUDE [n](includes/n.md)]\n" * 3000, "includes/n": "word " * 20_000}
    articles, problems = read(tmp_path, **files)
    assert len(articles["a"].text) < 2_100_000
    assert len(problems) == 1


def test_include_of_itself_ends(tmp_path: Path) -> None:
    articles, _ = read(tmp_path, a="Text. [!INCLUDE [a](a.md)]")
    assert articles["a"].text.startswith("Text.")


def test_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="is not a folder"):
        read_folder(tmp_path / "nowhere")


def test_folder_without_articles_is_reported(tmp_path: Path) -> None:
    assert "no article in this folder" in read_folder(tmp_path)[1][0].sentence
