from collections.abc import Sequence

from triage.learning.dataset import LabelledTickets
from triage.learning.noise import find_contradictions, warnings_of


def labelled(texts: Sequence[str], **labels: Sequence[str | None]) -> LabelledTickets:
    return LabelledTickets(
        name="t.csv",
        texts=tuple(texts),
        labels={name: tuple(values) for name, values in labels.items()},
        features=({},) * len(texts),
        text_columns=("text",),
        feature_columns=(),
    )


def numbered(number: int) -> list[str]:
    return [f"ticket {'abcdefghij'[row]}" for row in range(number)]


def test_clean_labels_give_no_warning() -> None:
    assert warnings_of(labelled(numbered(4), queue=["a", "b", "a", None])) == []


def test_same_text_with_several_labels_is_a_contradiction_whatever_its_digits() -> None:
    tickets = labelled(["Order 17 failed", "order 99  failed", "Other"], queue=["shop", "it", "it"])
    (found,) = find_contradictions(tickets)
    assert (found.field, dict(found.labels)) == ("queue", {"shop": 1, "it": 1})
    (said,) = warnings_of(tickets)
    assert "2 tickets that say the same carry different labels" in said and "“shop” 1×" in said


def test_labels_that_differ_in_case_or_spaces_only_are_named_and_kept() -> None:
    tickets = labelled(numbered(4), queue=["Net work", "network", "NETWORK", "access"])
    (said,) = warnings_of(tickets)
    assert "“NETWORK” (1), “Net work” (1) and “network” (1)" in said
    assert len(set(tickets.labels["queue"])) == 4


def test_accents_and_scripts_are_not_mistaken_for_one_another() -> None:
    assert warnings_of(labelled(numbered(4), queue=["日本", "中国", "öl", "ol"])) == []


def test_vanished_labels_and_fields_are_named() -> None:
    said = warnings_of(labelled(numbered(2), queue=["a", "b"]), {"queue": ["a", "b", "c"], "priority": ["high", "low"]})
    assert any("“c” had tickets before" in one for one in said)
    assert any(one.startswith("priority: predicted until now") for one in said)


def test_many_exact_copies_are_said() -> None:
    (said,) = warnings_of(labelled(["same"] * 4 + numbered(6), queue=["a"] * 10))
    assert said.startswith("3 of 10 tickets repeat")


def test_labels_that_are_all_numbers_are_questioned() -> None:
    (said,) = warnings_of(labelled(numbered(3), price=["1,5", "2", "7.25"]))
    assert "all 3 labels are numbers" in said
