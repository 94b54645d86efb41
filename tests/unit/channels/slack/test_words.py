"""Every sentence in every language, with the same places for values."""

from __future__ import annotations

import string

import pytest

from kb import AbstentionReason
from triage.channels.slack.words import LANGUAGES, TEXTS, say, why_not
from triage.tickets.model import SilenceReason


def places(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", TEXTS)
def test_it_is_there_in_every_language(key: str) -> None:
    texts = TEXTS[key]
    assert set(texts) == set(LANGUAGES)
    assert len({frozenset(places(text)) for text in texts.values()}) == 1
    assert all(text.strip() == text and text for text in texts.values())


def test_other_languages_and_none_read_english() -> None:
    assert say("solved", "fi") == say("solved", None) == say("solved", "en-GB") == "Solved it"
    assert say("solved", "de") == "Gelöst"
    with pytest.raises(KeyError):
        say("no such sentence")


@pytest.mark.parametrize("reason", [*AbstentionReason, *SilenceReason])
def test_every_reason_for_no_answer_has_its_words(reason: AbstentionReason | SilenceReason) -> None:
    for language in LANGUAGES:
        assert "{" not in why_not(reason.value, 0.42, language) and say(f"silent_{reason.value}", language)
    assert why_not("not_sure", 0.42, "de").endswith("von 42%.")


@pytest.mark.parametrize("language", LANGUAGES)
def test_words_of_buttons_and_titles_fit_what_slack_takes(language: str) -> None:
    for key in ("solved", "not_helpful", "person", "share", "new_ticket", "accept", "change", "take"):
        assert len(say(key, language)) <= 75
    assert len(say("new_ticket", language)) <= 24 and len(say("send", language)) <= 24
