import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binomtest

from triage.learning.gate import Compared, Paired, Verdict, compare, judge_candidate

Bools = npt.NDArray[np.bool_]


def rights(both: int, only_first: int, only_second: int, neither: int = 0) -> tuple[Bools, Bools]:
    first = np.repeat([True, True, False, False], [both, only_first, only_second, neither])
    second = np.repeat([True, False, True, False], [both, only_first, only_second, neither])
    return first, second


def paired(both: int, only_first: int, only_second: int) -> Paired:
    first, second = rights(both, only_first, only_second)
    return compare(first, second, np.arange(len(first), dtype=np.uint64))


def against(pair: Paired, *, margin: float = 0.01, ours: float = 0.0, theirs: float = 0.0) -> Verdict:
    return judge_candidate("m-new", "m-old", {"queue": Compared("queue", pair, ours, theirs)}, margin=margin)


def test_p_value_is_that_of_mcnemars_exact_test() -> None:
    assert paired(80, 5, 15).p_value == pytest.approx(binomtest(5, 20, 0.5).pvalue)
    assert paired(80, 0, 0).p_value == 1


def test_interval_agrees_with_the_formula_of_the_paired_difference() -> None:
    pair = paired(1_700, 150, 150)
    deviation = np.sqrt(300 / 2_000 / 2_000)
    assert pair.interval == pytest.approx((-1.96 * deviation, 1.96 * deviation), abs=0.001)


def test_interval_holds_the_true_difference_as_often_as_it_says() -> None:
    draw = np.random.default_rng(7)
    held = 0
    for _ in range(400):
        counts = draw.multinomial(600, [0.78, 0.08, 0.04, 0.1])
        first, second = rights(*counts.tolist())
        low, high = compare(first, second, np.arange(600, dtype=np.uint64)).interval
        held += low <= 0.04 <= high
    assert binomtest(held, 400, 0.95).pvalue > 0.01


def test_near_copies_do_not_narrow_the_interval() -> None:
    first, second = rights(80, 12, 8)
    alone = compare(first, second, np.arange(100, dtype=np.uint64))
    tenfold = compare(np.tile(first, 10), np.tile(second, 10), np.tile(np.arange(100, dtype=np.uint64), 10))
    assert tenfold.interval == pytest.approx(alone.interval, abs=0.005)


def test_same_tickets_give_the_same_interval() -> None:
    assert paired(50, 9, 4) == paired(50, 9, 4)


def test_equal_model_passes() -> None:
    assert against(paired(400, 0, 0)).passed


def test_better_model_passes() -> None:
    verdict = against(paired(1_800, 150, 50))
    assert verdict.passed
    assert "+5.0" in verdict.fields[0].sentence


def test_worse_model_does_not_pass_and_the_sentence_has_the_figures() -> None:
    verdict = against(paired(1_800, 50, 150))
    assert not verdict.passed
    assert "97.5%" in verdict.fields[0].sentence and "margin of 1 points" in verdict.fields[0].sentence
    assert "did not pass" in verdict.sentence


def test_wider_margin_lets_a_slightly_worse_model_pass() -> None:
    pair = paired(1_900, 40, 60)
    assert not against(pair).passed
    assert against(pair, margin=0.03).passed


def test_too_few_tickets_to_tell_do_not_pass_and_say_how_many_would_do() -> None:
    verdict = against(paired(180, 10, 10))
    assert not verdict.passed
    assert "about 3,842 would" in verdict.fields[0].sentence


def test_field_that_the_candidate_lost_stops_it() -> None:
    lost = Compared("queue", None, why_not="the candidate does not predict it")
    verdict = judge_candidate("m-new", "m-old", {"queue": lost})
    assert not verdict.passed and "queue: the candidate does not" in verdict.fields[0].sentence


@pytest.mark.parametrize(
    ("ours", "theirs", "passed"),
    [(0.3, 0.3, True), (0.26, 0.3, True), (0.2, 0.3, False), (0.0, 0.04, False), (0, 0, True)],
)
def test_certificate_of_the_champion_must_hold_for_about_as_many_tickets(
    ours: float, theirs: float, passed: bool
) -> None:
    assert against(paired(400, 0, 0), ours=ours, theirs=theirs).passed is passed


def first_model(**pairs: Paired) -> Verdict:
    return judge_candidate("m-new", None, {name: Compared(name, pair) for name, pair in pairs.items()})


def test_first_model_must_beat_the_most_frequent_label_in_some_field() -> None:
    assert first_model(queue=paired(40, 30, 10)).passed
    assert not first_model(queue=paired(40, 10, 10)).passed
    verdict = first_model(queue=paired(40, 30, 10), priority=paired(40, 10, 30))
    assert verdict.passed
    assert [field.passed for field in verdict.fields] == [True, False]
    assert "of no use" in verdict.fields[1].sentence
