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
        ROWS.replace("\n", "\r\n"),
        gzip.compress(ROWS.encode()),
        '{"subject": "VPN", "body": "drops", "queue": "network"}\n\n'
        '{"subject": "Print", "body": "jam", "queue": "printing"}\n',
    ],
    ids=["comma", "BOM", "semicolon", "tab", "CRLF", "gzip", "JSON Lines"],
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
        (b"PK\x03\x04\x00\x00", "not a text file"),
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


def test_digest_changes_with_any_label(tmp_path: Path) -> None:
    first = read(tmp_path / "t", ROWS)
    second = read(tmp_path / "t", ROWS.replace("printing", "hardware"))
    assert first.digest != second.digest
