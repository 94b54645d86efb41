"""A desk's past, read from a system that fails in the middle."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.integration.channels.conftest import MemorySystem
from triage.channels.common.system import Page
from triage.channels.common.values import DeliveryFailed, Message, RemoteTicket, Status
from triage.channels.importing import import_history
from triage.errors import BadInput
from triage.learning.dataset import read_tickets

SINCE = datetime(2026, 1, 1, tzinfo=UTC)


class Past(MemorySystem):
    """Tickets in pages of two, by number."""

    def changed_since(self, cursor: str | None, since: datetime) -> Iterator[Page]:
        self._fail("poll")
        numbers = [number for number in sorted(self.tickets, key=int) if int(number) > int(cursor or 0)]
        for start in range(0, len(numbers), 2):
            chosen = tuple(numbers[start : start + 2])
            yield Page(chosen, chosen[-1], len(self.tickets))


def past(number: int) -> Past:
    system = Past()
    for one in range(1, number + 1):
        answer = Message("m", "bea", f"Restart gateway {one}.", public=True, by_agent=True)
        note = Message("n", "bea", "Tired.", public=False, by_agent=True)
        values = {"fields": {"queue": "network" if one % 2 else "hardware"}, "messages": (answer, note)}
        system.open(str(one), f"VPN {one}", "It drops.", status=Status.SOLVED, **values)
    return system


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_final_labels_and_resolutions_are_there_to_train_on(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    imported = import_history(past(5), tmp_path, SINCE, progress=lambda done, total: told.append((done, total)))
    assert (imported.read, imported.usable, imported.resolved) == (5, 5, 5)
    assert imported.fields == {"queue": 2}
    assert told[-1] == (5, 5)
    assert lines(imported.solved)[0]["resolution"] == "Restart gateway 1."
    tickets = read_tickets(
        imported.tickets, text=["subject", "body"], labels=["queue"], features=["requester"], time="opened_at"
    )
    assert len(tickets.texts) == 5


def test_it_goes_on_where_it_was_cut_short_and_reads_nothing_twice(tmp_path: Path) -> None:
    system = past(6)
    read = system.read

    def die_at_five(remote_id: str) -> RemoteTicket:
        if remote_id == "5":
            raise KeyboardInterrupt
        return read(remote_id)

    system.read = die_at_five  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        import_history(system, tmp_path, SINCE)
    system.read = read  # type: ignore[method-assign]
    system.calls.clear()
    assert import_history(system, tmp_path, SINCE).usable == 6
    assert system.calls.count("read") == 2
    system.calls.clear()
    assert import_history(system, tmp_path, SINCE).usable == 6
    assert system.calls.count("read") == 0


def test_a_changed_ticket_counts_as_it_stands_last(tmp_path: Path) -> None:
    system = past(2)
    import_history(system, tmp_path, SINCE)
    system.tickets["3"] = replace(system.tickets["1"], remote_id="1", fields={"queue": "software"})
    imported = import_history(system, tmp_path, SINCE)
    assert imported.read == 2 and lines(imported.tickets)[0]["queue"] == "software"


def test_it_waits_as_it_is_asked_and_gives_up_on_a_system_that_stays_away(tmp_path: Path) -> None:
    waited: list[float] = []
    system = past(2)
    system.failures = [DeliveryFailed("It answered 429.", wait_s=7), DeliveryFailed("away", faulty=True)]
    assert import_history(system, tmp_path, SINCE, sleep=waited.append).usable == 2
    assert waited == [7, 4]
    system.failures = [DeliveryFailed("away", faulty=True)] * 20
    with pytest.raises(DeliveryFailed, match="away"):
        import_history(system, tmp_path / "other", SINCE, sleep=waited.append)


def test_what_teaches_nothing_is_left_out_and_counted(tmp_path: Path) -> None:
    system = past(5)
    system.tickets["1"] = replace(system.tickets["1"], status=Status.OPEN)
    system.tickets["2"] = replace(system.tickets["2"], status=Status.MERGED)
    system.tickets["3"] = replace(system.tickets["3"], subject=" ", body="")
    system.tickets["4"] = replace(system.tickets["4"], opened_by_us=True)
    imported = import_history(system, tmp_path, SINCE)
    assert imported.usable == 1
    assert imported.left_out == {"still open": 1, "merged or gone": 1, "without text": 1, "opened by the bot": 1}


def test_masked_storage_keeps_nothing_personal(tmp_path: Path) -> None:
    system = past(1)
    system.tickets["1"] = replace(system.tickets["1"], body="Mail me: ana@example.com")
    imported = import_history(system, tmp_path, SINCE, masked=True)
    assert "ana@example.com" not in lines(imported.tickets)[0]["body"]


def test_a_damaged_cursor_is_told_and_an_earlier_day_is_read_from_there(tmp_path: Path) -> None:
    system = past(2)
    import_history(system, tmp_path, SINCE)
    system.calls.clear()
    import_history(system, tmp_path, SINCE - timedelta(days=30))
    assert system.calls.count("read") == 2
    (tmp_path / "cursor.json").write_text("{")
    with pytest.raises(BadInput, match="remove it"):
        import_history(system, tmp_path, SINCE)
