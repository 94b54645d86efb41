import pytest
from hypothesis import given
from hypothesis import strategies as st

from triage.errors import BadInput
from triage.web.paging import cursor_after, id_in, next_link


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_cursor_leads_back_to_the_id_it_was_made_of(last: str) -> None:
    assert id_in(cursor_after(last)) == last


@pytest.mark.parametrize("cursor", ["!!!", "a", "_w", "ü", "a b"])
def test_invented_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(BadInput, match="cursor"):
        id_in(cursor)


def test_link_of_the_next_page_keeps_the_filters_and_escapes_them() -> None:
    link = next_link("/v1/tickets", {"limit": 2, "state": "a&b", "none": None}, "abc")
    assert link == {"Link": '</v1/tickets?limit=2&state=a%26b&cursor=abc>; rel="next"'}
    assert next_link("/v1/tickets", {"limit": 2}, None) == {}
