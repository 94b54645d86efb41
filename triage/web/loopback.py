"""Who can reach a server: only this machine, or others too?"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Container

# A reverse proxy on this machine makes a caller from elsewhere look like one from here; these give it away.
PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")

_HOST = re.compile(r"(?P<name>\[[0-9a-f:.]+\]|[^:\[\]]+)(:\d{1,5})?", re.IGNORECASE)


def is_loopback_address(address: str) -> bool:
    """Whether a name or an address to listen on can be reached from this machine only."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address.lower() == "localhost"


def is_loopback_name(host: str) -> bool:
    """Whether a Host header names this machine's loopback, whatever the port.

    A page that a browser of this machine shows can only come here under a name that its author controls
    (DNS rebinding), so a loopback address or ``localhost`` in the header tells that it is not such a page.
    """
    found = _HOST.fullmatch(host)
    return found is not None and is_loopback_address(found["name"].strip("[]"))


def came_through_a_proxy(headers: Container[str]) -> bool:
    """Whether the request was passed on by a proxy, so that its sender may be anywhere."""
    return any(name in headers for name in PROXY_HEADERS)
