from datetime import UTC, datetime

import pytest

from triage.errors import BadInput
from triage.learning.moments import read_moments

MARCH = datetime(2026, 3, 31, 14, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        "2026-03-31T14:05",
        "2026-03-31T14:05:00Z",
        "2026-03-31 16:05:00+02:00",
        "31/3/2026 14:05",
        "31.03.2026 14:05:00",
        "3/31/2026 14:05",
        str(int(MARCH.timestamp())),
        str(int(MARCH.timestamp()) * 1000),
    ],
)
def test_usual_ways_to_write_a_moment_are_read(written: str) -> None:
    assert read_moments("opened", [written]) == (MARCH,)


def test_one_clear_row_tells_how_the_whole_column_is_written() -> None:
    first, second = read_moments("opened", ["3/4/2026", "25/4/2026"])
    assert first == datetime(2026, 4, 3, tzinfo=UTC)
    assert second == datetime(2026, 4, 25, tzinfo=UTC)


@pytest.mark.parametrize("column", [["3/4/2026"], ["13/4/2026", "4/13/2026"]])
def test_day_and_month_that_might_be_either_are_refused(column: list[str]) -> None:
    with pytest.raises(BadInput, match="day first and month first"):
        read_moments("opened", column)


def test_empty_cells_are_missing() -> None:
    assert read_moments("opened", ["", "  "]) == (None, None)


@pytest.mark.parametrize("wrong", ["yesterday", "2026-02-30", "99999999999999", "31/31/2026", "🔥" * 50])
def test_what_is_no_date_is_named_with_its_column(wrong: str) -> None:
    with pytest.raises(BadInput, match=r"“.+” in the column opened is not a date|day first"):
        read_moments("opened", ["2026-01-01", wrong])
