import threading
from collections.abc import Sequence

import numpy as np
import pytest

from triage.tickets.model import LabelOrigin, PastLabel, PastSource
from triage.understand.similar import PastTicket, PastTickets, similar, title_of

DIMENSION = 32


def vector(*weights: float) -> np.ndarray:
    """A unit vector with these first components."""
    row = np.zeros(DIMENSION, dtype=np.float32)
    row[: len(weights)] = weights
    return row / np.linalg.norm(row)


def near(cosine: float, axis: int) -> np.ndarray:
    """A unit vector with that cosine to ``vector(1)``; those of two axes are apart from one another."""
    row = np.zeros(DIMENSION, dtype=np.float32)
    row[0], row[axis] = cosine, np.sqrt(1 - cosine**2)
    return row


def labelled(value: str, origin: LabelOrigin = LabelOrigin.LABELLED) -> tuple[PastLabel, ...]:
    return (PastLabel("queue", value, origin),)


def past(
    *rows: tuple[str, np.ndarray], source: PastSource = PastSource.DESK, ids: Sequence[str] | None = None
) -> PastTickets:
    tickets = PastTickets(source, DIMENSION)
    known = [PastTicket.of(text, labelled(text), ids[row] if ids else None) for row, (text, _) in enumerate(rows)]
    if rows:
        tickets.add(known, np.stack([row for _, row in rows]))
    return tickets


def test_nearest_of_all_sources_come_first_with_their_labels() -> None:
    trained = past(("vpn", near(0.8, 1)), ("mail", near(0.6, 2)), source=PastSource.TRAINING)
    here = past(("printer", near(0.7, 3)), ids=["t-1"])
    found = similar((trained, here), vector(1))
    assert [(one.title, one.source, one.ticket_id) for one in found] == [
        ("vpn", "training", None),
        ("printer", "desk", "t-1"),
        ("mail", "training", None),
    ]
    assert [one.cosine for one in found] == pytest.approx([0.8, 0.7, 0.6], abs=1e-3)
    assert found[1].labels == labelled("printer")


def test_ticket_is_not_similar_to_itself() -> None:
    here = past(("a", vector(1)), ("b", near(0.8, 1)), ids=["t-1", "t-2"])
    assert [one.ticket_id for one in similar((here,), vector(1), without="t-1")] == ["t-2"]


def test_what_is_far_away_is_not_shown() -> None:
    assert similar((past(("far", near(0.3, 1))),), vector(1)) == ()


@pytest.mark.parametrize("parts", [(), (past(),)])
def test_empty_history_has_nothing_similar(parts: tuple[PastTickets, ...]) -> None:
    assert similar(parts, vector(1)) == ()


def test_near_copies_are_shown_once_however_many_there_are() -> None:
    alarms = [(f"job {number} failed", near(0.9, 1 + number % 20)) for number in range(400)]
    copies = [("vpn", near(0.8, 25)), ("VPN!", near(0.801, 25)), ("mail", near(0.7, 26))]
    found = similar((past(*alarms), past(*copies, source=PastSource.TRAINING)), vector(1))
    first, *others = [one.title for one in found]
    assert first.startswith("job")
    assert others == ["VPN!", "mail"]


def test_limit_is_kept() -> None:
    rows = [(f"text {chr(97 + axis)}", near(0.5 + axis / 50, axis)) for axis in range(1, 20)]
    assert len(similar((past(*rows),), vector(1), limit=7)) == 7


def test_ticket_that_is_read_again_takes_the_place_of_the_former() -> None:
    here = past(("first reading", vector(1)), ids=["t-1"])
    here.add([PastTicket.of("second reading", labelled("network"), "t-1")], near(0.9, 1)[None, :])
    (found,) = similar((here,), vector(1))
    assert (found.title, found.cosine) == ("second reading", pytest.approx(0.9, abs=1e-3))


def test_corrected_ticket_has_its_new_labels() -> None:
    here = past(("a", vector(1)), ids=["t-1"])
    here.relabel("t-1", labelled("network", LabelOrigin.CORRECTED))
    here.relabel("unknown", labelled("network"))
    assert similar((here,), vector(1))[0].labels == labelled("network", LabelOrigin.CORRECTED)


def test_title_is_the_beginning_of_the_text_on_one_line() -> None:
    assert title_of("Printer\n\n  broken " + "x" * 200) == ("Printer broken " + "x" * 200)[:80]


def test_searches_and_additions_at_once_give_whole_results() -> None:
    here = past(("seed", near(0.45, 31)), ids=["t-seed"])
    stop = threading.Event()
    failures: list[BaseException] = []

    def search() -> None:
        while not stop.is_set():
            try:
                assert similar((here,), vector(1))
            except BaseException as error:  # noqa: BLE001  # what a thread raises must reach the test
                failures.append(error)
                return

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(500):
        here.add([PastTicket.of(f"text {number}", labelled("x"), f"t-{number % 50}")], near(0.6, 1 + number % 30)[None])
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
