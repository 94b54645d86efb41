import gzip
import json
from datetime import date
from pathlib import Path

import pytest

from kb import Article, KnowledgeBase, Problem, SourceUnreadable
from kb.sources import read_source


def read(tmp_path: Path, name: str, content: object) -> tuple[dict[str, Article], list[Problem]]:
    path = tmp_path / name
    written = content if isinstance(content, str | bytes) else json.dumps(content)
    path.write_bytes(written if isinstance(written, bytes) else written.encode())
    articles, problems = read_source(path)
    assert {article.source for article in articles} <= {name}
    return {article.id: article for article in articles}, problems


def test_csv_is_read_by_the_names_of_its_columns(tmp_path: Path) -> None:
    table = (
        'number;Short_Description;text;visibility;lang;updated_at;labels;product\n7;VPN;"One.\n\nTwo.";staff;de-CH;'
        "2026-01-02 03:04:05;a, b;Kestrel\n"
    )
    assert read(tmp_path, "a.csv", table)[0]["7"] == Article(
        "7", "VPN", "One.\n\nTwo.", None, "staff", "de", date(2026, 1, 2), None, ("a", "b"), "a.csv", product="Kestrel"
    )


def test_bad_lines_are_told_of_and_the_others_go_in(tmp_path: Path) -> None:
    lines = [
        '{"id": "a", "title": "A", "text": "<p>One &amp; two</p>"}',
        '{"id": "a", "title": "B", "text": "again"}',
        "{broken",
        '{"title": "no id", "text": "x"}',
        '{"id": "empty", "title": "E", "text": " "}',
        '{"id": "half", "title": "\\ud800", "text": "Half a pair: \\ud800"}',
        '{"id": "draft", "title": "D", "text": "x", "status": "Draft"}',
        '{"id": "deep", "title": "D", "text": ' + json.dumps("<div>" * 10_000) + "}",
        "[" * 100_000,
    ]
    articles, problems = read(tmp_path, "a.jsonl", "\n".join(lines))
    assert {article_id: article.text for article_id, article in articles.items()} == {
        "a": "One & two",
        "half": "Half a pair: ?",
    }
    assert {problem.path for problem in problems} == {f"a.jsonl, line {n}" for n in (2, 3, 4, 5, 8, 9)} | {"a.jsonl"}
    assert "1 drafts left out." in [problem.sentence for problem in problems]


def test_solved_tickets_are_marked_and_for_agents(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    ticket = {
        "number": 12,
        "description": "# My VPN\n```\nit drops",
        "resolution": "Restarted the client.",
        "closed_at": "2026-03-04T05:06:07Z",
    }
    articles, problems = read(tmp_path, "solved.jsonl", ticket)
    article = articles["solved/12"]
    assert (article.kind, article.audience, article.updated, problems) == ("solved", "internal", date(2026, 3, 4), [])
    assert article.text == "## Question\n\nMy VPN\n\nit drops\n\n## Resolution\n\nRestarted the client."
    knowledge.sync(tmp_path / "solved.jsonl")
    assert knowledge.article("solved/12") == article
    assert {passage.heading_path for passage in knowledge.embedded_passages()[0]} == {("Question",), ("Resolution",)}


ZENDESK = {
    "user_segments": [{"id": 5, "name": "Partners", "user_type": "signed_in_users"}, {"id": 6, "user_type": "staff"}],
    "articles": [
        {
            "id": 35467,
            "title": "Reset a password",
            "body": "<h2>Steps</h2><ol><li>Open it</li></ol><script>x</script>",
            "html_url": "https://help.example/hc/en-us/articles/35467",
            "locale": "en-us",
            "draft": False,
            "user_segment_id": None,
            "label_names": ["password"],
            "edited_at": "2026-02-03T04:05:06Z",
        },
        {"id": 2, "title": "D", "body": "<p>x</p>", "draft": True, "section_id": 1},
        {"id": 3, "title": "P", "body": "<p>x</p>", "draft": False, "user_segment_id": 5},
        {"id": 4, "title": "S", "body": "<p>x</p>", "draft": False, "user_segment_id": 6},
        {"id": 5, "title": "U", "body": "<p>x</p>", "draft": False, "user_segment_id": 7},
        {"id": 6, "title": "M", "body": "<p>x</p>", "draft": False, "user_segment_id": 5, "user_segment_ids": [5, 6]},
    ],
}


def test_zendesk_articles(tmp_path: Path) -> None:
    articles, [problem] = read(tmp_path, "zendesk.json", ZENDESK)
    assert articles["zendesk/35467"] == Article(
        "zendesk/35467",
        "Reset a password",
        "## Steps\n\n1. Open it",
        "https://help.example/hc/en-us/articles/35467",
        "public",
        "en",
        date(2026, 2, 3),
        None,
        ("password",),
        "zendesk.json",
    )
    audiences = [articles[f"zendesk/{number}"].audience for number in (3, 4, 5, 6)]
    assert audiences == ["Partners", "internal", "zendesk-segment-7", "internal"]
    assert problem.sentence == "1 drafts left out."


def test_pages_of_an_export_may_follow_one_another(tmp_path: Path) -> None:
    second = {"articles": [{"id": 9, "title": "Next", "body": "<p>x</p>", "draft": False}]}
    assert len(read(tmp_path, "all.json", json.dumps(ZENDESK) + "\n" + json.dumps(second))[0]) == 6
    assert len(read(tmp_path, "all.json.gz", gzip.compress(json.dumps([ZENDESK, second]).encode()))[0]) == 6


def test_zendesk_macros_are_their_comment(tmp_path: Path) -> None:
    def macro(number: int, value: object, field: str = "comment_value", **more: object) -> dict[str, object]:
        actions = [{"field": "status", "value": "solved"}, {"field": field, "value": value}]
        return {"id": number, "title": f"M{number}", "actions": actions, "active": True, **more}

    macros = [
        macro(1, "Hello {{ticket.requester.first_name}},\n\nplease restart."),
        macro(2, ["channel:all", "For all."]),
        macro(3, "<p>Dear <b>you</b></p>", "comment_value_html"),
        macro(4, "x", active=False),
        macro(5, "x", restriction={"type": "User", "id": 3}),
        macro(6, "high", "priority"),
    ]
    articles, problems = read(tmp_path, "macros.json", {"macros": macros, "count": 6})
    assert [article.text for article in articles.values()] == [
        "Hello {{ticket.requester.first_name}},\n\nplease restart.",
        "For all.",
        "Dear you",
    ]
    assert {(article.kind, article.audience) for article in articles.values()} == {("macro", "internal")}
    assert len(problems) == 3


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("macros.yaml", "- id: hi\n  title: Hello\n  text: |\n    Hello **{{name}}**\n"),
        ("macros.json", [{"id": "hi", "title": "Hello", "text": "Hello **{{name}}**"}]),
    ],
)
def test_bare_list_of_templates_is_macros(tmp_path: Path, name: str, content: object) -> None:
    article = read(tmp_path, name, content)[0]["macro/hi"]
    assert (article.kind, article.title, article.text) == ("macro", "Hello", "Hello **{{name}}**")


def test_list_with_more_than_names_and_texts_is_articles(tmp_path: Path) -> None:
    record = {"id": "a", "title": "A", "text": "Words.", "audience": "public"}
    assert read(tmp_path, "a.json", [record])[0]["a"].kind == "article"


def test_freshdesk_articles_are_for_agents_unless_their_folder_is_for_everybody(tmp_path: Path) -> None:
    def article(number: int, folder: int, status: int = 2) -> dict[str, object]:
        html = f"<p>Text {number}</p>"
        levels = [{"level": 0, "type": "category", "data": {"id": 3, "name": "c", "language": "fr"}}]
        return {"id": number, "type": 1, "category_id": 3, "folder_id": folder, "title": f"A{number}"} | {
            "description": html, "description_text": "", "status": status, "hierarchy": levels, "tags": ["t"],
            "updated_at": "2026-02-03T04:05:06Z",
        }  # fmt: skip

    folders = [{"id": 1, "name": "open", "visibility": 1}, {"id": 2, "name": "closed", "visibility": 3}]
    pages = [{"folders": folders}, article(1, 1), article(2, 2), article(3, 9), article(4, 1, status=1)]
    articles, problems = read(tmp_path, "freshdesk.json", pages)
    assert {article.id: article.audience for article in articles.values()} == {
        "freshdesk/1": "public",
        "freshdesk/2": "internal",
        "freshdesk/3": "internal",
    }
    first = articles["freshdesk/1"]
    assert (first.text, first.language, first.tags, first.updated) == ("Text 1", "fr", ("t",), date(2026, 2, 3))
    assert len(problems) == 2


def test_zammad_answers_in_every_state(tmp_path: Path) -> None:
    past, future = "2025-03-12T14:52:38.014Z", "2999-01-01T00:00:00.000Z"
    states = {
        1: {"published_at": past},
        2: {"internal_at": past},
        3: {"published_at": past, "archived_at": past},
        4: {"published_at": future},
        5: {"published_at": past, "category_id": 2},
    }
    empty = {"published_at": None, "internal_at": None, "archived_at": None, "category_id": 1, "tags": ["t"]}
    bundle = {
        "KnowledgeBaseCategory": {"1": {"id": 1, "permission_ids": []}, "2": {"id": 2, "permission_ids": [4]}},
        "KnowledgeBaseLocale": {"1": {"id": 1, "system_locale_id": 8}},
        "Locale": {"8": {"id": 8, "locale": "de-de"}},
        "KnowledgeBaseAnswer": {str(n): {"id": n, **empty, **state} for n, state in states.items()},
        "KnowledgeBaseAnswerTranslation": {
            str(n): {"id": n, "answer_id": n, "title": f"A{n}", "kb_locale_id": 1, "content_id": n, "updated_at": past}
            for n in states
        },
        "KnowledgeBaseAnswerTranslationContent": {str(n): {"id": n, "body": f"<p>Text {n}</p>"} for n in states},
    }
    articles, problems = read(tmp_path, "zammad.json", {"id": 1, "assets": bundle})
    assert {article.id: article.audience for article in articles.values()} == {
        "zammad/1": "public",
        "zammad/2": "internal",
        "zammad/5": "internal",
    }
    first = articles["zammad/1"]
    assert (first.text, first.language, first.updated) == ("Text 1", "de", date(2025, 3, 12))
    assert {problem.sentence for problem in problems} == {"1 archived articles left out.", "1 drafts left out."}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", "{"),
        ("a.json", "7"),
        ("a.jsonl", ""),
        ("a.csv", b"id,text\n\xff,x"),
        ("a.csv", "id,text\n\0,x"),
        ("a.yaml", "a: [b"),
        ("a.json", {"articles": []}),
        ("a.jsonl.gz", b"\x1f\x8b\x08 damaged"),
    ],
)
def test_file_that_holds_no_records_is_refused(tmp_path: Path, name: str, content: object) -> None:
    with pytest.raises(SourceUnreadable):
        read(tmp_path, name, content)


def test_yaml_that_multiplies_itself_is_read_at_once(tmp_path: Path) -> None:
    steps = "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
    with pytest.raises(SourceUnreadable):
        read(tmp_path, "a.yaml", f"a0: &a0 [x]\n{steps}")


def test_cell_of_three_megabytes_costs_its_own_row_only(tmp_path: Path) -> None:
    table = "id,title,text\n" + "big,B," + "x" * 3_000_000 + "\n" + "a,A,Words.\n"
    articles, [problem] = read(tmp_path, "a.csv", table)
    assert list(articles) == ["a"]
    assert problem.path == "a.csv, line 2"


def test_new_export_takes_away_what_it_no_longer_has(tmp_path: Path, knowledge: KnowledgeBase) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "a", "title": "A", "text": "x"}\n{"id": "b", "title": "B", "text": "y"}\n')
    knowledge.sync(path)
    path.write_text('{"id": "b", "title": "B", "text": "y"}\n')
    assert knowledge.sync(path).removed == 1
    assert [article.id for article in knowledge.articles()] == ["b"]
