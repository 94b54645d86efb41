from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.channels.mail.charsets import decode
from triage.channels.mail.reading import Mail, names_of_attachments, read_mail

FIXTURES = Path(__file__).parents[3] / "fixtures" / "mail"


def mail(name: str) -> Mail:
    return read_mail((FIXTURES / f"{name}.eml").read_bytes())


def test_a_plain_mail_is_read_with_its_threading_headers() -> None:
    found = mail("reply")
    assert (found.subject, found.sender.address, found.sender.name) == (
        "Re: VPN drops",
        "ana@customer.example",
        "Ana Ruiz",
    )
    assert found.in_reply_to == ("<m1@customer.example>",)
    assert found.references == ("<m0@customer.example>", "<m1@customer.example>")
    assert found.text.startswith("Still broken.\n\nOn Mon")
    assert found.date and found.date.isoformat() == "2026-11-23T09:00:00+00:00"


@pytest.mark.parametrize(
    ("name", "subject", "text"),
    [
        ("html-only", "Drücker streikt", "Der Drücker streikt.\nSeit heute\nfrueh."),
        ("wrong-charset", "café", "Le café est fermé."),
        ("unknown-charset", "Grüße", "Grüße"),
        ("split-word", "Grüßeサーバー", "x"),
        ("nested", "Invoice", "Please see the invoice.\n\nIt is for March."),
        ("stub", "Hello", "The projector in room 4 shows no picture since the update of last night."),
        ("signed", "Signed", "Signed words."),
        ("forwarded", "Fwd: please help", "Badge does not open the door\n\nMy badge opens nothing."),
        ("empty", "", ""),
    ],
)
def test_subject_and_text_are_what_a_person_sees(name: str, subject: str, text: str) -> None:
    found = mail(name)
    assert (found.subject, found.text) == (subject, text)


def test_what_hangs_on_a_mail_is_named_and_not_kept() -> None:
    assert names_of_attachments(mail("nested").attachments) == "logo.png (1 kB), Rechnung März.pdf (1 kB)"
    assert mail("signed").attachments == ()
    found = mail("winmail")
    assert "winmail.dat" in found.text and [one.name for one in found.attachments] == ["winmail.dat"]


def test_an_encrypted_mail_says_so() -> None:
    part = b"--e\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n--e--\r\n"
    raw = b"Content-Type: multipart/encrypted; boundary=e\r\n\r\n" + part
    assert "encrypted" in read_mail(raw).text


def test_encoded_words_can_add_neither_headers_nor_addresses() -> None:
    found = mail("injection")
    assert "\n" not in found.subject and "\r" not in found.subject
    assert [one.address for one in found.reply_to] == ["eve@customer.example"]
    assert found.sender.address == "eve@customer.example" and "\n" not in found.sender.name


def test_a_report_names_the_mail_that_it_is_about() -> None:
    found = mail("bounce")
    assert (found.report_type, found.about_id) == ("delivery-status", "<m1@customer.example>")


BOMBS = {
    "nested multiparts": lambda: b"".join(
        b'Content-Type: multipart/mixed; boundary="b%d"\r\n\r\n--b%d\r\n' % (i, i) for i in range(20_000)
    ),
    "parts": lambda: b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\n" * 1_000_000,
    "tags": lambda: b"Content-Type: text/html\r\n\r\n" + b"<b>" * 3_000_000,
    "depth": lambda: b"Content-Type: text/html\r\n\r\n" + b"<div>" * 2_000_000 + b"x",
    "recipients": lambda: b"To: " + b"a@b.example, " * 500_000 + b"\r\n\r\nx",
    "references": lambda: b"References: " + b"<a@b>" * 1_000_000 + b"\r\n\r\nx",
    "headers": lambda: b"X-A: b\r\n" * 500_000 + b"\r\nx",
    "brackets": lambda: b"From: " + b"(" * 1_000_000 + b"\r\nSubject: " + b"=?" * 500_000 + b"\r\n\r\nx",
    "10 MB": lambda: b"Content-Type: text/plain\r\n\r\n" + b"a line of a log\r\n" * 700_000,
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_hostile_mail_is_read_in_seconds(kind: str) -> None:
    raw = BOMBS[kind]()
    began = time.monotonic()
    found = read_mail(raw)
    assert len(found.text) <= 200_000
    assert time.monotonic() - began < 20, "a listener would stand still"


@given(
    st.binary(max_size=400),
    st.sampled_from(["plain", "nested", "bounce", "injection", "split-word"]),
    st.integers(0, 900),
)
def test_no_bytes_are_unreadable(noise: bytes, name: str, at: int) -> None:
    raw = (FIXTURES / f"{name}.eml").read_bytes()
    read_mail(raw[:at] + noise + raw[at + len(noise) :]).text.encode("utf-8", "surrogatepass")


@pytest.mark.parametrize(
    "charset", ["base64", "zlib", "idna", "punycode", "undefined", "", "\0", "x" * 10_000, "utf-8*en"]
)
def test_a_charset_that_is_none_harms_nothing(charset: str) -> None:
    assert decode("über".encode(), charset) == "über"
