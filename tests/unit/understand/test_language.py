import threading

import pytest

from triage.understand.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The printer in bay 2 has been jammed since this morning.", "en"),
        ("Der Drucker druckt seit gestern nicht mehr.", "de"),
        ("Je ne peux plus me connecter au réseau depuis ce matin.", "fr"),
        ("El correo no funciona desde ayer por la tarde.", "es"),
        ("המדפסת בקומה השלישית לא עובדת מאז הבוקר", "he"),
    ],
)
def test_language_of_a_sentence_is_told_without_a_network(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("text", ["", "VPN", "login ok", "😀😀😀", "0 11 22 333", "\0\0", "x" * 100_000])
def test_language_that_cannot_be_told_is_none(text: str) -> None:
    assert language_of(text) is None


def test_several_threads_may_ask_at_once() -> None:
    found: list[str | None] = []
    ask = [threading.Thread(target=lambda: found.append(language_of("Der Drucker druckt nicht."))) for _ in range(4)]
    for thread in ask:
        thread.start()
    for thread in ask:
        thread.join()
    assert found == ["de"] * 4
