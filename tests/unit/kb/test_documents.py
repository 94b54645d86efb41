import io
import shutil
import zipfile
from datetime import date
from pathlib import Path

import pytest

from kb import Article, Problem, SourceUnreadable
from kb.sources import documents, read_folder, read_source
from kb.sources.documents import read_docx, read_pdf
from kb.sources.html import TooDeep, read_page, readable_html
from tests.unit.kb.documents import docx, encrypted_pdf, paragraph, pdf, table


def read(tmp_path: Path, **files: bytes) -> tuple[dict[str, Article], list[Problem]]:
    for name, content in files.items():
        stem, ending = name.rsplit("_", 1)
        (tmp_path / f"{stem}.{ending}").write_bytes(content)
    articles, problems = read_folder(tmp_path)
    return {article.id: article for article in articles}, problems


def test_pdf_is_read_page_by_page_with_its_title_and_date(tmp_path: Path) -> None:
    articles, problems = read(tmp_path, vpn_pdf=pdf(["The tunnel drops.", "Restart the client."], title="VPN manual"))
    article = articles["vpn"]
    assert (article.title, article.updated, problems) == ("VPN manual", date(2026, 1, 2), [])
    assert article.text == "## Page 1\n\nThe tunnel drops.\n\n## Page 2\n\nRestart the client."


def test_bad_documents_are_told_of_and_the_others_go_in(tmp_path: Path) -> None:
    articles, problems = read(
        tmp_path,
        good_pdf=pdf(["Fine."]),
        locked_pdf=encrypted_pdf(),
        scanned_pdf=pdf(["", ""]),
        cut_pdf=pdf(["Fine."])[:200],
        text_pdf=b"not a PDF",
        broken_docx=b"PK\x03\x04 not a zip",
        empty_docx=docx(""),
        good_docx=docx(paragraph("Fine.")),
    )
    assert set(articles) == {"good"}
    said = {problem.path: problem.sentence for problem in problems}
    assert "encrypted" in said["locked.pdf"]
    assert "pictures" in said["scanned.pdf"]
    assert "cannot be read" in said["text.pdf"]
    assert "no Word document" in said["broken.docx"]
    assert "no text" in said["empty.docx"]
    assert said.keys() == {"locked.pdf", "scanned.pdf", "cut.pdf", "text.pdf", "broken.docx", "empty.docx", "good.pdf"}


def test_pdf_of_five_hundred_pages_is_cut_and_says_so() -> None:
    document = read_pdf(pdf([f"Page {number} of the manual." for number in range(500)]))
    assert document.text.count("## Page") == documents.MAX_PAGES
    assert document.problem is not None
    assert document.problem.startswith("Of 500 pages the first 300 are read")


def test_document_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pdf.py").write_text(
        'import time\nprint(\'{"pages": 9}\\n{"text": "One."}\\n{"te\', end=\'\', flush=True)\ntime.sleep(60)'
    )
    monkeypatch.setattr(documents, "_HERE", tmp_path)
    document = read_pdf(b"", seconds=2)
    assert document.text == "## Page 1\n\nOne."
    assert document.problem == "Of 9 pages the first 1 are read; the others took too long. Split the PDF."


def test_word_document_keeps_headings_and_tables(tmp_path: Path) -> None:
    body = paragraph("Ports", "Heading1") + paragraph("Open these:") + table([["Name", "Port"], ["VPN", "443"]])
    article = read(tmp_path, net_docx=docx(body, title="Network"))[0]["net"]
    assert (article.title, article.updated) == ("Network", date(2026, 1, 2))
    assert article.text == "# Ports\n\nOpen these:\n\n| Name | Port |\n| --- | --- |\n| VPN | 443 |"


def test_zip_bomb_is_refused() -> None:
    bomb = docx(paragraph("Boom."), bomb=b"\0" * (documents.MAX_UNPACKED + 1))
    assert len(bomb) < 1_000_000
    assert "unpacks to far more" in str(read_docx(bomb).problem)


def test_zip_bomb_that_lies_about_its_size_is_refused() -> None:
    honest = docx(paragraph("Boom."), bomb=b"\0" * 5_000_000)
    size = (5_000_000).to_bytes(4, "little")
    assert honest.count(size) == 2
    document = read_docx(honest.replace(size, (10).to_bytes(4, "little")))
    assert document.text == ""
    assert document.problem


def test_entities_that_multiply_are_refused() -> None:
    steps = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    bomb = docx("")
    hostile = f'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY e0 "lol">{steps}]><d>&e11;</d>'.encode()
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bomb)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(name, hostile if name == "word/document.xml" else old.read(name))
    document = read_docx(out.getvalue(), seconds=30)
    assert document.text == ""
    assert document.problem


PAGE = b"""<!doctype html><html lang="de-CH"><head><title>VPN drops - Help</title><style>p {}</style>
<link rel="canonical" href="https://help.example/vpn"><meta name="audience" content="internal">
<meta name="product" content="Kestrel"><meta property="article:modified_time" content="2026-02-03T04:05:06Z"></head>
<body><nav>Home</nav><script>alert(1)</script><main><h1 id="top">VPN drops</h1><p>Do <b>this</b>&nbsp;&lt;now&gt;:
<a href="../wifi.html#keys">keys</a>, <a href="https://a.example/x">portal</a></p>
<ol><li>One<ul><li>Sub</li></ul></li><li>Two</li></ol><img alt="The tray." src="a.png">
<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td><code>x  y</code></td></tr></table>
<pre><code class="language-sh">ls   -l
# all</code></pre></main><footer>(c)</footer></body></html>"""


def test_html_is_read_as_it_is_shown(tmp_path: Path) -> None:
    [article] = read(tmp_path, vpn_html=PAGE)[0].values()
    assert article.text == (
        "Do this <now>: keys, portal (https://a.example/x)\n\n1. One\n   - Sub\n2. Two\n\n(Image: The tray)\n\n"
        "| A | B |\n| --- | --- |\n| 1 | `x y` |\n\n```sh\nls   -l\n# all\n```"
    )
    assert (article.title, article.language, article.url) == ("VPN drops", "de", "https://help.example/vpn")
    assert (article.audience, article.product, article.updated) == ("internal", "Kestrel", date(2026, 2, 3))
    assert (article.links, article.anchors) == (("../wifi.html#keys",), ("top",))


@pytest.mark.parametrize("element", ["div", "b", "table", "ul", "span", "div></b", "p><i"])
def test_html_nested_without_end_is_refused_at_once(element: str) -> None:
    with pytest.raises(TooDeep):
        read_page(f"<{element}>" * 100_000 + "x")


@pytest.mark.parametrize("piece", ["<p>", "<li>a", "<td>", "<br>", "<", "<!--", "</div>", "&amp;", "<p><b>x</b>"])
def test_megabyte_of_broken_html_is_read_in_seconds(piece: str) -> None:
    readable_html(piece * (1_000_000 // len(piece)))


def test_layout_table_is_no_table() -> None:
    assert readable_html("<table><tr><td><h2>A</h2><p>x</p></td></tr></table>") == "## A\n\nx"


def test_one_document_is_a_source_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_bytes(PAGE)
    (tmp_path / "b.md").write_text("Text.")
    [article], problems = read_source(tmp_path / "a.html")
    assert (article.id, article.source, problems) == ("a", "a.html", [])


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.exe").write_bytes(b"MZ")
    with pytest.raises(SourceUnreadable, match="no file of a known kind"):
        read_source(tmp_path / "a.exe")


def test_folder_that_vanishes_half_way_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "share"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.md").write_text("Text.")
    opened = Path.open

    def opening(path: Path, *given: str) -> object:
        file = opened(path, *given)
        if path.name == "b.md":
            shutil.rmtree(folder)
        return file

    monkeypatch.setattr(Path, "open", opening)
    with pytest.raises(SourceUnreadable, match="vanished"):
        read_folder(folder)


def test_file_that_vanishes_half_way_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        (tmp_path / f"{name}.md").write_text("Text.")
    opened = Path.open

    def opening(path: Path, *given: str) -> object:
        if path.name == "a.md":
            (tmp_path / "b.md").unlink(missing_ok=True)
        return opened(path, *given)

    monkeypatch.setattr(Path, "open", opening)
    articles, [problem] = read_folder(tmp_path)
    assert [article.id for article in articles] == ["a", "c"]
    assert problem.path == "b.md"
