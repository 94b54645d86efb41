import gzip
from pathlib import Path

import pytest

from triage.errors import BadInput
from triage.learning.dataset import LabelledTickets, read_tickets, refuse_untrainable

ROWS = "id,subject,body,queue\n1,VPN,drops,network\n2,Print,jam,printing\n"


def read(path: Path, content: bytes | str, **columns: list[str]) -> LabelledTickets:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    given = {"text": ["subject", "body"], "labels": ["queue"]} | columns
    return read_tickets(path, **given)


@pytest.mark.parametrize(
    "content",
    [
        ROWS,
        "\ufeff" + ROWS,
        ROWS.replace(",", ";"),
        ROWS.replace(",", "\t"),
        ROWS.replace(",", "|"),
        ROWS.replace("\n", "\r\n"),
        ROWS.replace("id,subject", '"id;a;b;c", subject'),
        gzip.compress(ROWS.encode()),
        '{"subject": "VPN", "body": "drops", "queue": "network"}\n\n'
        '{"subject": "Print", "body": "jam", "queue": "printing"}\n',
        '{"subject": "VPN", "body": "drops", "queue": "network", "site": null}\n'
        '{"subject": "Print\\njam", "queue": "printing"}\n',
    ],
    ids=["comma", "BOM", "semicolon", "tab", "bar", "CRLF", "odd heading", "gzip", "JSON Lines", "JSON without a key"],
)
def test_same_tickets_come_out_of_every_form_of_file(tmp_path: Path, content: bytes | str) -> None:
    tickets = read(tmp_path / "t", content)
    assert tickets.texts == ("VPN\ndrops", "Print\njam")
    assert tickets.labels == {"queue": ("network", "printing")}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("id,subject\n1,x\n", "has no column body, queue; it has id, subject"),
        ("id,subject,body,queue\n1,,,x\n", "no ticket with any text"),
        (ROWS + "1,again,again,network\n", "has the id 1 twice"),
        (b"id,subject,body,queue\n1,Gr\xf6\xdfe,x,y\n", "not UTF-8 (line 2"),
        (ROWS.encode("utf-16"), "iconv -f utf-16"),
        (b"PK\x03\x04\x00\x00", "Excel or zip"),
        (ROWS + "3,a\0,b,c\n", "not a text file"),
        ('[{"subject": "x"}]', "one JSON list"),
        ('{"subject": 1' + "0" * 5000 + "}", "is not JSON"),
        ('{"subject": ' + "[" * 100_000, "is not JSON"),
        ("id,subject,body,body,queue\n1,a,b,c,d\n", "the column body twice"),
        (ROWS + '3,"a "b" c",d,e\n', "Line 4 of"),
        (ROWS + '3,"a,b,c\n', "a quote too many"),
        ('{"subject": "x"\n', "is not JSON"),
        ("id,subject,body,queue\n1,a,b,c,d\n", "more cells than the heading"),
        (b"\x1f\x8bbroken", "damaged gzip|cannot be read"),
    ],
)
def test_unreadable_file_is_explained(tmp_path: Path, content: bytes | str, says: str) -> None:
    with pytest.raises(BadInput) as refused:
        read(tmp_path / "t", content)
    assert any(one in str(refused.value) for one in says.split("|"))


def test_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        read_tickets(tmp_path / "none", text=["a"], labels=["b"])


def test_cell_of_a_megabyte_and_of_many_lines_is_read(tmp_path: Path) -> None:
    tickets = read(tmp_path / "t", 'id,subject,body,queue\n1,x,"' + "long line\n" * 100_000 + '",a\n')
    assert tickets.texts[0].startswith("x\nlong line")


def test_one_label_cannot_be_learned(tmp_path: Path) -> None:
    content = "subject,body,queue\n" + "".join(f"s{row},b,only\n" for row in range(20))
    with pytest.raises(BadInput, match="only the label “only”"):
        refuse_untrainable(read(tmp_path / "t", content))


@pytest.mark.parametrize(
    ("texts", "labels", "says"),
    [
        (["same 1", "Same  2"] * 10, ["a", "b"] * 10, "say the same"),
        ([f"text {word}" for word in "abcdefghijkl"], list("abcdefghijkl"), "of its own for every ticket"),
        ([f"text x{row:x}y" for row in range(2400)], [f"l{row // 2}" for row in range(2400)], "1200 labels; 1000"),
    ],
)
def test_what_cannot_be_learned_is_explained(texts: list[str], labels: list[str], says: str) -> None:
    tickets = LabelledTickets("t", tuple(texts), {"queue": tuple(labels)}, ({},) * len(texts), ("text",), ())
    with pytest.raises(BadInput, match=says):
        refuse_untrainable(tickets)


def test_label_may_not_be_read_by_the_model_that_predicts_it(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="queue cannot be"):
        read(tmp_path / "t", ROWS, features=["queue"])


def test_half_a_character_is_replaced(tmp_path: Path) -> None:
    tickets = read(tmp_path / "t", r'{"subject": "a", "body": "b", "queue": "\ud800"}')
    assert tickets.labels["queue"] == ("?",)


def test_digest_changes_with_any_label(tmp_path: Path) -> None:
    first = read(tmp_path / "t", ROWS)
    second = read(tmp_path / "t", ROWS.replace("printing", "hardware"))
    assert first.digest != second.digest


def test_of_a_ticket_with_a_history_the_first_text_and_the_last_label_count(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(
        "id,at,text,queue\n7,2026-01-02T10:00,second note,network\n7,2026-01-01T10:00,VPN drops,servicedesk\n"
        "8,2026-01-01T09:00,Printer,print\n7,2026-01-03T10:00,closing,\n",
        encoding="utf-8",
    )
    tickets = read_tickets(path, text=["text"], labels=["queue"], time="at", ticket="id")
    assert tickets.texts == ("VPN drops", "Printer")
    assert tickets.labels["queue"] == ("network", "print")
    assert tickets.times[0] is not None
    assert tickets.times[0].day == 1


def test_repeated_ids_are_refused_with_the_option_that_reads_a_history(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text("id,text,queue\n7,a,x\n7,b,y\n", encoding="utf-8")
    with pytest.raises(BadInput, match="--ticket id"):
        read_tickets(path, text=["text"], labels=["queue"])
