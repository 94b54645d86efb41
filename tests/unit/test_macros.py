"""Which macros are suggested, and how are their variables filled?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kb import Article, Encoder
from tests.conftest import DESK
from tests.factories import incoming
from triage.errors import Misconfigured
from triage.macros import (
    Macro,
    MacroShelf,
    fill,
    known_values,
    macros_among,
    read_macros,
    read_vectors,
    suggest_macros,
    write_vectors,
)
from triage.tickets.model import Decision, IncomingTicket, Outcome

ANA = "Ana Müller <ana.mueller@example.com>"
VPN = Macro("vpn", "VPN drops", "Hello {{ticket.requester.first_name}}, please restart the VPN.", "en")
LEAVE = Macro("leave", "Payslip and leave", "Payslips and leave requests are in Tern under My pay.", "en")


def text_of(template: str, ticket: IncomingTicket, *decisions: Decision, ticket_id: str | None = "T-1") -> str:
    return fill(template, known_values(ticket, decisions, ticket_id))[0]


def decided(outcome: Outcome) -> Decision:
    return Decision("queue", outcome, "network", 0.9, "because")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ticket.requester.name}}", "Ana Müller"),  # Zendesk and Freshdesk
        ("{{ ticket.requester.first_name }}", "Ana"),  # Zendesk
        ("{{ticket.requester.firstname}}", "Ana"),  # Freshdesk
        ("{{ticket.requester.email}}", "ana.mueller@example.com"),
        ("{{requester}}", ANA),
        ("{{ticket.id}}", "T-1"),
        ("{{ticket.title}} = {{ticket.subject}}", "VPN drops = VPN drops"),
        ("{{feature.Site}}", "Leeds"),
        ("{{ticket.agent.name}}", "⟨ticket.agent.name?⟩"),
        ("{{ticket.requester.name | upcase}}", "⟨ticket.requester.name?⟩"),
        ("{% if x %}A{% endif %}", "⟨{% if x %}?⟩A⟨{% endif %}?⟩"),
        ("no { variable }} {{ here", "no { variable }} {{ here"),
    ],
)
def test_variables_are_filled_or_marked(template: str, text: str) -> None:
    assert text_of(template, incoming(requester=ANA, features={"site": "Leeds"})) == text


def test_offsets_say_what_was_filled() -> None:
    text, variables = fill(
        "Hi {{requester.name}}, {{agent.name}}: {{ticket.id}}", {"requester.name": "Ana", "ticket.id": "7"}
    )
    assert text == "Hi Ana, ⟨agent.name?⟩: 7"
    assert [(one.name, one.value, text[one.start : one.end]) for one in variables] == [
        ("requester.name", "Ana", "Ana"),
        ("agent.name", None, "⟨agent.name?⟩"),
        ("ticket.id", "7", "7"),
    ]


def test_no_name_is_guessed_from_an_address() -> None:
    assert text_of("{{ticket.requester.name}}", incoming(requester="ana.mueller@example.com")).startswith("⟨")


def test_a_family_name_first_is_turned_round() -> None:
    assert text_of("{{ticket.requester.name}}", incoming(requester="Müller, Ana <a@example.com>")) == "Ana Müller"


def test_a_field_is_said_only_where_it_is_set() -> None:
    assert text_of("{{field.queue}}", incoming(), decided(Outcome.APPLY)) == "network"
    assert text_of("{{field.queue}}", incoming(), decided(Outcome.SUGGEST)) == "⟨field.queue?⟩"


def test_what_a_requester_calls_himself_is_not_filled_again() -> None:
    assert text_of("{{requester}}", incoming(requester="{{ticket.id}}")) == "{{ticket.id}}"


def test_the_nearest_macro_of_the_tickets_language_is_suggested(encoder: Encoder) -> None:
    shelf = MacroShelf([LEAVE, VPN], encoder)
    ticket = incoming(requester=ANA)
    vector = encoder.encode(["The VPN drops every ten minutes."])[0]
    found = suggest_macros(shelf, ticket, vector, (), language="en")
    assert [(one.macro_id, one.text) for one in found] == [("vpn", "Hello Ana, please restart the VPN.")]
    assert suggest_macros(shelf, ticket, vector, (), language="de") == ()


def test_nothing_is_suggested_where_nothing_fits(encoder: Encoder) -> None:
    vector = encoder.encode(["Thanks, all is well again."])[0]
    assert MacroShelf([LEAVE, VPN], encoder).nearest(vector) == []
    assert MacroShelf([], encoder).nearest(vector) == []


def test_what_is_known_by_its_digest_is_not_embedded_again(encoder: Encoder) -> None:
    class Counting:
        def __init__(self) -> None:
            self.texts: list[str] = []

        def encode(self, texts: list[str]) -> object:
            self.texts += texts
            return encoder.encode(texts)

    counting = Counting()
    first = MacroShelf([VPN], counting)  # type: ignore[arg-type]  # all that a shelf asks of an encoder
    second = MacroShelf([VPN, LEAVE], counting, first.vectors)  # type: ignore[arg-type]
    assert [text.partition("\n")[0] for text in counting.texts] == ["VPN drops", "Payslip and leave"]
    assert MacroShelf([LEAVE], encoder, second.vectors).vectors.keys() == {LEAVE.digest}


def test_vectors_are_kept_whole_or_made_anew(encoder: Encoder, tmp_path: Path) -> None:
    file = tmp_path / "macros" / "vectors.npz"
    assert read_vectors(file) == {}
    shelf = MacroShelf([VPN, LEAVE], encoder)
    write_vectors(file, shelf.vectors)
    kept = read_vectors(file)
    assert all((kept[digest] == vector).all() for digest, vector in shelf.vectors.items())
    file.write_bytes(file.read_bytes()[:100])
    assert read_vectors(file) == {}


def test_macros_are_read_as_ours_zendesks_and_freshdesks(tmp_path: Path) -> None:
    file = tmp_path / "macros.json"
    zendesk = {
        "id": 1,
        "title": "A",
        "actions": [{"field": "status", "value": "open"}, {"field": "comment_value", "value": ["channel:all", "Hi"]}],
    }
    html = {"id": 2, "title": "B", "actions": [{"field": "comment_value_html", "value": "<p>One</p><p>two</p>"}]}
    freshdesk = {"id": 3, "title": "C", "content": "Hello"}
    ours = {"title": "D", "text": "Good day", "language": "en"}
    file.write_text(json.dumps({"macros": [zendesk, html, freshdesk, ours]}), encoding="utf-8")
    assert read_macros(file) == (
        Macro("1", "A", "Hi"),
        Macro("2", "B", "One\ntwo"),
        Macro("3", "C", "Hello"),
        Macro("D", "D", "Good day", "en"),
    )


@pytest.mark.parametrize(
    "content",
    ["a: [", "3", "- 7", "- {title: A}", "- {id: 1, title: A, text: x}\n- {id: 1, title: B, text: y}", "\x00"],
)
def test_a_wrong_file_is_refused_in_words(tmp_path: Path, content: str) -> None:
    file = tmp_path / "macros.yaml"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(Misconfigured, match=r"macros\.yaml"):
        read_macros(file)


def test_no_file_means_no_macros(tmp_path: Path) -> None:
    assert read_macros(tmp_path / "none.yaml") == ()


def test_macros_come_with_the_articles_too() -> None:
    articles = [
        Article("a", "Title", "Text"),
        Article("m", "Reply", "Hello {{requester}}", language="en", kind="macro"),
    ]
    assert macros_among(articles) == (Macro("m", "Reply", "Hello {{requester}}", "en"),)


def test_the_sample_desk_has_macros() -> None:
    assert len(read_macros(DESK / "macros.yaml")) == 18
