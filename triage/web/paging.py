"""How does a client go through a long list page by page?"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from urllib.parse import urlencode

from triage.errors import BadInput

_ID = re.compile(r"[0-9a-f-]{36}")


def readable(row_id: str) -> str:
    """An id that cannot upset a database: anything that is no UUID becomes one that nothing has."""
    return row_id if _ID.fullmatch(row_id) else "unknown"


def cursor_after(last: str) -> str:
    """The cursor of the page that follows the item with this id; opaque, so that what is in it may change."""
    return base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")


def id_in(cursor: str) -> str:
    """The id that ``cursor_after`` was given; raises ``BadInput``."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except ValueError as error:
        raise BadInput("The cursor is none that this API gave; take `next` of the page before.") from error


def next_link(path: str, query: Mapping[str, object], cursor: str | None) -> dict[str, str]:
    """The Link header (RFC 8288) of the following page; empty on the last one."""
    if cursor is None:
        return {}
    given = {name: value for name, value in query.items() if value is not None} | {"cursor": cursor}
    return {"Link": f'<{path}?{urlencode(given)}>; rel="next"'}
