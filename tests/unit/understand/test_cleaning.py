import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.understand.cleaning import clean


def test_plain_text_passes_unchanged() -> None:
    assert clean("VPN", "It drops\n\nevery ten minutes.") == "VPN\nIt drops\n\nevery ten minutes."


@pytest.mark.parametrize(
    ("body", "written"),
    [
        ("It works now.\n\nOn Tue, 3 Mar 2026 at 10:12, IT <it@x.example> wrote:\n> please try", "It works now."),
        ("Geht nicht.\n\nVon: IT\nGesendet: Dienstag\nAn: Ana\nBetreff: Re\n\nBitte testen", "Geht nicht."),
        ("Toujours bloqué.\n\nLe mar. 3 mars 2026, IT <it@x.example> a écrit :\n> essayez", "Toujours bloqué."),
        ("See here\n-----Original Message-----\nold", "See here"),
        ("Broken\n\nKind regards\nTom Ashdown\nFinance | +44 7700 900114", "Broken"),
        ("Broken\n-- \nTom", "Broken"),
        ("Broken\n\nSent from my iPhone", "Broken"),
        ("Kaputt\n\nMit freundlichen Grüßen\nSabine Brandt", "Kaputt"),
        ("Thanks for the laptop but the screen is black and nothing I press brings it back to life", None),
        ("Sent from my desk, which is easier than my phone, but the desk is on fire", None),
        (
            "On site I can run it.\n\nOn 9 Jan 2026, at 2:47, Ana <ana@x.example> wrote:\n\n> Can you?",
            "On site I can run it.",
        ),
        ("Ok\n\n2026-03-03 16:32 GMT+01:00 Ana Ruiz <ana@x.example>:\n\nold", "Ok"),
        ("Ok\n\n---- On Wed, 24 Feb 2026 14:02:50 +0530 ana@x.example wrote ----\n\nold", "Ok"),
        ("Ok\n\nDate: Thu, 26 Jun 2026\nSubject: Test\nFrom: a@x.example\nTo: b@x.example\n\nold", "Ok"),
        ("Ok\n\nFrom: Ana Ruiz\nOn Behalf Of IT\n\nSent: Monday\n\nTo: Bo\n\nSubject: Test\n\nold", "Ok"),
        ("Ok\n\nОт: Ana\nОтправлено: вторник\nКому: Bo\n\nold", "Ok"),
        ("First the VPN.\n\n---\n\nSecond, my badge does not open the gate since this morning.", None),
        ("Steps:\n1. open it\n---\n2. close it\nIt hangs", None),
        ("Hi\nThis email is stuck in my outbox since Monday", None),
        ("Broken.\n\nThis e-mail is confidential and meant for the addressee only.", "Broken."),
        ("> > only a quote", "only a quote"),
        ("<blockquote>only a quote</blockquote>", "only a quote"),
        ("<table><tr><td>Name</td><td>Ana</td></tr></table>", "Name Ana"),
        ('<p><img src="x.png" alt="Error 0x80070005"></p>', "Error 0x80070005"),
        ("\x1b[31mred\x1b[0m and \u202eturned", "red and turned"),
        ("<div>Screen <b>black</b><br>since noon</div><script>x()</script>", "Screen black\nsince noon"),
    ],
)
def test_only_what_was_written_now_is_kept(body: str, written: str | None) -> None:
    assert clean("", body) == (body if written is None else written)


def test_answers_below_and_between_quoted_lines_stay() -> None:
    body = "Hi,\nOn Tue, 1 Mar 2026 at 18:02, Ana wrote:\n> Which printer?\nThe one in bay 2.\n> Since when?\nMonday.\n"
    assert clean("", body) == "Hi,\nThe one in bay 2.\nMonday."


@pytest.mark.parametrize(
    ("subject", "own"),
    [("", "See below"), ("", "FYI, please handle\n\nThanks,\nTom Ashdown"), ("Fw: VPN", "Tom has this")],
)
@pytest.mark.parametrize(
    "divider", ["", "---------- Forwarded message ---------\n", "________________________________\n"]
)
def test_what_a_forward_points_at_is_the_ticket(subject: str, own: str, divider: str) -> None:
    mail = (
        f"{own}\n\n{divider}From: Bo\nSent: Monday\nTo: Tom\nSubject: No VPN\n\nThe tunnel closes at once.\n\nBest\nBo"
    )
    kept = clean(subject, mail)
    assert kept.endswith("No VPN\nThe tunnel closes at once.")
    assert "Sent:" not in kept


def test_forward_without_own_words_keeps_what_was_forwarded() -> None:
    assert "certificate" in clean(
        "Fwd: error", "---------- Forwarded message ----------\nFrom: A\nmy certificate expired"
    )


@pytest.mark.parametrize(
    "body",
    [
        "> quoted\n" * 10_000,
        ">" * 200_000,
        "<div>" * 100_000,
        "On " + "x" * 1_000_000,
        "From: a\n" * 100_000,
        "a" * 5_000_000,
        "On 1 wrote @ x\n" * 100_000,
        "From: a\n\nTo: b\n\n" * 50_000,
        "this message confidential\n" * 100_000,
    ],
    ids=["quoted lines", "quote marks", "open tags", "endless On", "headers", "5 MB", "wrote", "apart", "disclaimers"],
)
def test_hostile_text_takes_no_time(body: str) -> None:
    began = time.process_time()
    clean("s", body)
    assert time.process_time() - began < 1  # at most .1 s here; quadratic work would take minutes


@given(st.text(), st.text())
def test_ticket_with_words_is_never_cleaned_to_nothing(subject: str, body: str) -> None:
    has_words = any(c.isalnum() for c in subject + body)
    assert bool(clean(subject, body)) or not has_words
