"""Forms fit what Slack takes (https://docs.slack.dev/reference/views), whatever a desk calls its values."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from triage.channels.slack.limits import Block
from triage.channels.slack.modal import change_view
from triage.db.tables import DecisionRow, RunRow, TicketRow

NAMES = st.text(min_size=1, max_size=90)
LABELS = st.dictionaries(NAMES, st.lists(NAMES, min_size=1, max_size=130, unique=True), min_size=1, max_size=25)


def ticket(field: str, value: str) -> TicketRow:
    decided = DecisionRow(field=field, ordinal=0, outcome="apply", value=value, reason="", alternatives=[])
    run = RunRow(number=1, decisions=[decided])
    return TicketRow(id="01a20894", received_at=datetime.now(UTC), runs=[run], corrections=[])


def check(view: Block) -> None:
    assert all(1 <= len(view[part]["text"]) <= 24 for part in ("title", "submit", "close"))  # type: ignore[index]
    assert len(str(view["private_metadata"])) <= 3_000
    blocks = view["blocks"]
    assert isinstance(blocks, list) and 1 <= len(blocks) <= 100
    for block in blocks:
        assert len(block["block_id"]) <= 255 and 1 <= len(block["label"]["text"]) <= 2_000
        options = block["element"]["options"]
        assert 1 <= len(options) <= 100
        assert len({one["value"] for one in options}) == len(options)
        assert all(1 <= len(one["text"]["text"]) <= 75 and 1 <= len(one["value"]) <= 75 for one in options)
        assert block["element"].get("initial_option", options[0]) in options


@given(LABELS)
def test_the_form_of_a_change_fits_whatever_the_values_are(labels: dict[str, list[str]]) -> None:
    field = next(iter(labels))
    present = labels[field][-1]
    view = change_view(ticket(field, present), labels, {"channel": "C1", "ts": "1.1"})
    check(view)
    first = view["blocks"][0]["element"]  # type: ignore[index]
    assert first["initial_option"] == first["options"][0]
