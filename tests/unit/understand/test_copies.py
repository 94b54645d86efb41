import pytest

from triage.understand.copies import LEAST_COSINE, form_of, is_near_copy

VPN = "The VPN drops every ten minutes since this morning"


def say_the_same(text: str, other: str, cosine: float = 1.0) -> bool:
    return is_near_copy(text, other, lambda: cosine)


def test_same_words_are_a_near_copy_without_asking_for_vectors() -> None:
    def refuse() -> float:
        raise AssertionError("vectors cost milliseconds")

    assert is_near_copy("ERP P11 password reset", "password  reset: erp p11.", refuse)


def test_text_that_says_more_is_a_near_copy_where_the_meaning_is_near() -> None:
    assert say_the_same(VPN, f"{VPN}. Any news?", LEAST_COSINE)
    assert say_the_same(f"{VPN}. Any news?", VPN, LEAST_COSINE)
    assert not say_the_same(VPN, f"{VPN}. Any news?", LEAST_COSINE - 0.01)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("job Job_1332 failed in the scheduler", "job Job_1387 failed in the scheduler"),
        ("please create the delivery for order 5019", "please create the delivery for order 5020"),
        ("the printer prt01 is offline", "the printer is offline"),
        ("please unlock the user ana.lopez", "please unlock the user tom.reid"),
        ("password reset", "password reset"),
        ("", ""),
    ],
)
def test_another_number_code_or_name_or_too_few_words_are_no_near_copy(text: str, other: str) -> None:
    assert not say_the_same(text, other)


def test_texts_of_one_form_share_its_number() -> None:
    assert form_of("Job 17 failed at\n08:15") == form_of("job 23 FAILED at 09:30")
    assert form_of("Job 17 failed") != form_of("Job 17 finished")
    assert form_of("half a character \ud800") == form_of("half a character \ud800")
