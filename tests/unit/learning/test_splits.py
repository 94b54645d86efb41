from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from triage.errors import BadInput
from triage.learning.dataset import LabelledTickets
from triage.learning.splits import parts_of, split

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


def tickets(texts: list[str], *, days: list[int] | None = None, threads: list[str] | None = None) -> LabelledTickets:
    times = tuple(BEGIN + timedelta(days=day) for day in days) if days else ()
    labels = {"queue": tuple("ab"[row % 2] for row in range(len(texts)))}
    features = tuple({} for _ in texts)
    return LabelledTickets("t.csv", tuple(texts), labels, features, ("text",), (), times, tuple(threads or ()))


def test_every_ticket_is_judged_once_and_never_beside_a_copy_of_itself() -> None:
    given = tickets([f"printer {'abcdefgh'[row % 8]} on floor {row}" for row in range(80)])
    folds = split(given)
    masked = np.array(given.masked())
    assert sorted(np.concatenate([judge for _, judge in folds])) == list(range(80))
    for learn, judge in folds:
        assert not set(masked[learn]) & set(masked[judge])


def test_tickets_of_a_thread_stay_together_and_bring_their_copies_along() -> None:
    texts = [*(f"ticket {'abcdefghijklmnopqrst'[row]}" for row in range(20)), "ticket a"]
    threads = ["t1", "t1", *("" for _ in range(18)), "t2"]
    groups = tickets(texts, threads=threads).groups()
    assert groups[0] == groups[1] == groups[20]
    assert len(set(groups)) == 19


def test_with_dates_only_newer_tickets_are_judged_by_older_ones() -> None:
    random = np.random.default_rng(0)
    days = random.permutation(200).tolist()
    given = tickets([f"{'abcdefghij'[day % 10]} {'klmnopqrst'[day // 20]}" for day in days], days=days)
    age = np.array(days)
    masked = np.array(given.masked())
    folds = split(given)
    for learn, judge in folds:
        assert age[learn].max() < age[judge].min()
        assert not set(masked[learn]) & set(masked[judge])
    part = parts_of(folds, 200)
    assert (age[part >= 0] >= 100).all()
    assert (part == -1).sum() == 100


def test_a_missing_date_means_no_split_by_time() -> None:
    given = tickets([f"ticket {'abcdefghijklmnop'[row]}" for row in range(16)], days=list(range(16)))
    given = replace(given, times=(None, *given.times[1:]))
    assert sorted(np.concatenate([judge for _, judge in split(given)])) == list(range(16))


def test_where_all_newer_tickets_are_copies_time_is_refused_with_what_to_do() -> None:
    with pytest.raises(BadInput, match="Leave --time out"):
        split(tickets(["the same"] * 20, days=list(range(20))))
