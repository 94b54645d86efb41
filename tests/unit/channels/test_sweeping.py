"""Is each changed ticket named, whatever moves in the list while it is read?"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.channels.common.sweeping import Listed, sweep
from triage.channels.common.system import Page
from triage.channels.common.values import DeliveryFailed

BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass
class Desk:
    """Lists its tickets by their last change, and lets them change between two questions."""

    seconds: dict[int, int]
    size: int = 3
    slack_s: int = 0
    changes: list[int] = field(default_factory=list)
    calls: int = 0

    def ask(self, begin: datetime, page: int) -> tuple[list[Listed], bool]:
        self.calls += 1
        assert self.calls < 2_000, "it never comes to an end"
        since = begin - timedelta(seconds=self.slack_s)
        order = sorted(self.seconds, key=lambda one: (self.seconds[one], one))
        found = [Listed(str(one), self.stamp(one)) for one in order if self.at(one) >= since]
        if self.changes:
            self.seconds[self.changes.pop()] = max(self.seconds.values()) + self.calls % 2
        return found[(page - 1) * self.size : page * self.size], len(found) > page * self.size

    def at(self, ticket: int) -> datetime:
        return BEGIN + timedelta(seconds=self.seconds[ticket])

    def stamp(self, ticket: int) -> str:
        return self.at(ticket).strftime("%Y-%m-%dT%H:%M:%SZ")

    def states(self) -> set[tuple[int, str]]:
        return {(one, self.stamp(one)) for one in self.seconds}


def named_states(desk: Desk, pages: Iterator[Page]) -> Iterator[tuple[set[tuple[int, str]], str]]:
    """Which tickets were named, each as it stood then, and the cursor."""
    for page in pages:
        yield {(int(one), desk.stamp(int(one))) for one in page.remote_ids}, page.cursor


@given(
    moments=st.lists(st.integers(0, 12), min_size=1, max_size=40),
    size=st.integers(1, 8),
    slack_s=st.sampled_from([0, 1, 150]),
    changes=st.lists(st.integers(0, 39), max_size=30),
    broken_off_after=st.integers(1, 6),
)
def test_every_last_change_is_named(
    moments: list[int], size: int, slack_s: int, changes: list[int], broken_off_after: int
) -> None:
    known = [one % len(moments) for one in changes]
    desk = Desk(dict(enumerate(moments)), size, slack_s, changes=known)
    named: set[tuple[int, str]] = set()
    cursors: list[str | None] = [None]
    try:
        for found, at in islice(named_states(desk, sweep(None, BEGIN, desk.ask)), broken_off_after):
            named |= found
            cursors.append(at)
    except DeliveryFailed:
        pass  # so much moved at one moment that the next poll tries again
    desk.changes.clear()
    for found, at in named_states(desk, sweep(cursors[-1], BEGIN, desk.ask)):
        named |= found
        cursors.append(at)
    assert desk.states() <= named
    assert [page.remote_ids for page in sweep(cursors[-1], BEGIN, desk.ask) if page.remote_ids] == [], "named once"


def test_what_moves_to_the_end_pulls_no_other_past_the_reader() -> None:
    desk = Desk({one: one for one in range(250)}, 100)
    named: set[str] = set()
    for page in sweep(None, BEGIN, desk.ask):
        named |= set(page.remote_ids)
        for one in range(40):
            desk.seconds[one] = 1_000 + len(named)
    assert named == {str(one) for one in range(250)}


def test_a_list_that_never_holds_still_is_read_again_later() -> None:
    desk = Desk(dict.fromkeys(range(30), 5), 3, changes=[one % 30 for one in range(400)])
    with pytest.raises(DeliveryFailed, match="change faster") as failed:
        list(sweep(None, BEGIN, desk.ask))
    assert failed.value.retryable_later and not failed.value.faulty


def test_an_index_that_lags_behind_does_not_let_the_reader_jump() -> None:
    """The search index still lists ticket 2 by its old change, but shows the new one."""
    desk = Desk({one: one for one in range(30)}, 10)

    def ask(begin: datetime, page: int) -> tuple[list[Listed], bool]:
        found, goes_on = desk.ask(begin, page)
        late = (BEGIN + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
        return [Listed(one.remote_id, late) if one.remote_id in ("9", "19") else one for one in found], goes_on

    named = {one for page in sweep(None, BEGIN, ask) for one in page.remote_ids}
    assert named == {str(one) for one in range(30)}


@pytest.mark.parametrize("changed", ["", "yesterday", "0"])
def test_a_list_without_moments_is_a_failure_in_words(changed: str) -> None:
    with pytest.raises(DeliveryFailed, match="without the moment"):
        list(sweep(None, BEGIN, lambda _begin, _page: ([Listed("7", changed)], False)))


def test_a_cursor_of_an_earlier_version_is_a_moment_alone() -> None:
    desk = Desk({1: 10, 2: 4_000})
    (page,) = sweep(desk.stamp(2), BEGIN, desk.ask)
    assert page.remote_ids == ("2",)
