"""What of a whole reply is shown, and what does its note say?"""

from __future__ import annotations

from tests.unit.reword.texts import STEPS
from triage.reword.checks import Fault
from triage.reword.judging import Lack, Source, judge
from triage.reword.sentences import Written, written_sentences


def kept(reply: str, *spans: str, language: str | None = "en") -> list[str]:
    return [one.text for one in judge(reply, [Source.of(span) for span in spans], language).sentences]


def test_marks_stand_before_or_behind_the_full_stop_and_several_on_a_line() -> None:
    reply = "Open FennGate [1]. Choose Leeds. [2] Wait, e.g. a minute [1][2]\nBye."
    assert written_sentences(reply) == (
        Written("Open FennGate.", (1,)),
        Written("Choose Leeds.", (2,)),
        Written("Wait, e.g. a minute", (1, 2)),
        Written("Bye.", ()),
    )


def test_a_thought_aloud_and_a_fence_are_no_part_of_a_reply() -> None:
    assert written_sentences("<think>What now? [1]</think>\n```\n- **Open** FennGate. [1]\n```") == (
        Written("Open FennGate.", (1,)),
    )


def test_a_good_reply_is_kept_with_its_citations() -> None:
    found = judge(
        "Open FennGate. [1]\nDo not restart the computer. [2]",
        [Source.of("Open FennGate first."), Source.of("Do not restart the computer.")],
        "en",
    )
    assert [(one.text, one.citation) for one in found.sentences] == [
        ("Open FennGate.", 0),
        ("Do not restart the computer.", 1),
    ]
    assert (found.note, found.lack) == ("", None)


def test_sentences_without_citation_are_dropped_and_counted() -> None:
    found = judge("Hello there. Open FennGate and choose Leeds. [1]", [Source.of("Open FennGate. Choose Leeds.")], "en")
    assert [one.text for one in found.sentences] == ["Open FennGate and choose Leeds."]
    assert found.dropped == {Fault.UNCITED: 1}
    assert found.note == "1 of its sentences dropped: 1 with no citation."


def test_a_citation_that_does_not_exist_is_none() -> None:
    found = judge("Open FennGate. [7]", [Source.of("Open FennGate.")], "en")
    assert found.dropped == {Fault.UNKNOWN_CITATION: 1}
    assert found.lack is Lack.TOO_LITTLE_LEFT


def test_a_sentence_is_checked_against_the_span_it_cites_and_no_other() -> None:
    spans = [Source.of("Open FennGate."), Source.of("Choose Leeds as the site.")]
    assert judge("Open FennGate. [2]\nChoose Leeds. [1]", spans, "en").sentences == ()


def test_verbatim_goes_alone_where_little_is_left() -> None:
    span = "Open FennGate. Choose Leeds. Enter the code. Confirm the message. Close the window."
    assert judge("Open FennGate. [1]", [Source.of(span)], "en").lack is Lack.TOO_LITTLE_LEFT
    assert judge("", [Source.of(span)], "en").lack is Lack.TOO_LITTLE_LEFT


def test_a_flood_of_sentences_is_not_even_checked() -> None:
    assert judge("Open FennGate. [1]\n" * 101, [Source.of("Open FennGate.")], "en").lack is Lack.TOO_MUCH
    assert judge(" " * 20_000 + "[1]", [Source.of("Open FennGate.")], "en").lack is Lack.TOO_LITTLE_LEFT


def test_a_missing_step_takes_the_whole_rewording() -> None:
    whole = "Open FennGate. [1]\nChoose Leeds as the site. [1]\nConfirm in the Authenticator app. [1]"
    assert len(kept(whole, STEPS)) == 3
    assert (
        judge(whole.replace("Choose Leeds as the site. [1]\n", ""), [Source.of(STEPS)], "en").lack is Lack.STEP_MISSING
    )
    changed = judge(whole.replace("Leeds", "London"), [Source.of(STEPS)], "en")
    assert (changed.lack, changed.dropped) == (Lack.STEP_MISSING, {Fault.NAME: 1})


def test_a_missing_warning_takes_the_whole_rewording() -> None:
    span = "Open FennGate. Choose Leeds. Do not restart the computer."
    assert judge("Open FennGate. [1]\nChoose Leeds. [1]", [Source.of(span)], "en").lack is Lack.NEGATION_MISSING


def test_another_language_than_the_requesters_is_not_shown() -> None:
    span = "Open the settings of FennGate and choose the site that is nearest to you."
    reply = "Open the settings of FennGate and choose the site nearest to you. [1]"
    assert judge(reply, [Source.of(span)], "de").lack is Lack.OTHER_LANGUAGE
    assert judge(reply, [Source.of(span)], "en").lack is None


def test_what_was_masked_is_put_back_only_where_it_is_one_thing() -> None:
    one = "When FennGate fails, write to desk@example.com."
    assert kept("Write to [email] when FennGate fails. [1]", one) == ["Write to desk@example.com when FennGate fails."]
    two = "When FennGate fails, write to desk@example.com or night@example.com."
    assert kept("Write to [email] when FennGate fails. [1]", two) == []


def test_an_invented_address_is_never_shown() -> None:
    assert (
        kept("Write to evil@example.net when FennGate fails. [1]", "When FennGate fails, write to desk@example.com.")
        == []
    )
