"""Where are e-mail and IP addresses in a text?"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from triage.privacy.words import words_before, words_of

# Also as people write them against collectors, and as links and HTML do.
_AT = re.compile(r"@|%40|&#64;|&commat;|[ ]?[\[({<][ ]?(?:at|@)[ ]?[\])}>][ ]?", re.IGNORECASE)
_DOT = r"(?:\.|[ ]?[\[({][ ]?(?:dot|punkt|point|punto|\.)[ ]?[\])}][ ]?)"
_DOMAIN = re.compile(
    rf"(?:[^\W_](?:[\w-]{{0,61}}[^\W_])?{_DOT}){{1,10}}[^\W\d_]{{2,24}}+(?![0-9])|\[[0-9a-f.:]{{7,45}}\]", re.IGNORECASE
)
_LOCAL = "._%+-'"
_LOCAL_MOST = 64  # RFC 5321, section 4.5.3.1.1

_IPV4 = re.compile(r"(?<![\w.-])(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})(?![\w-]|\.\d)")
_IPV6 = re.compile(
    r"(?<![\w:.])[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7}(?:(?:\.\d{1,3}){3})?(?:%\w{1,15})?(?![\w:]|\.\d)", re.IGNORECASE
)
# "Version 10.2.0.1", "update from 10.2.0.1 to 10.2.0.2", "Chrome/115.0.5790.98", "section 2.1.3.4".
_VERSIONED = words_of(
    """v ver version versions versión versione versie build release rel revision rev firmware fw driver treiber engine
    patch hotfix sdk runtime pilote section chapter kapitel abschnitt chapitre step oid chrome chromium firefox edg edge
    edga opr opera safari headlesschrome java jre jdk"""
)
_RENEWED = words_of("update updated upgrade upgraded aktualisiert")
_BETWEEN = words_of("to or and from auf bis und oder von à et ou de a y o")
_ADDRESSED = words_of(
    """ip ipv4 host server dns gateway address adresse dirección ping from to at von de relay src dst inside outside
    http https ftp ssh rdp"""
)


_PORT = re.compile(r"[:/]\d")


def emails(text: str) -> Iterator[tuple[int, int]]:
    """E-mail addresses, also written ``ana (at) example (dot) com``; the domain must end in letters."""
    done = 0
    for at in _AT.finditer(text):
        start = _local_start(text, at.start(), max(done, at.start() - _LOCAL_MOST))
        domain = _DOMAIN.match(text, at.end()) if start < at.start() else None
        if domain:
            done = domain.end()
            yield start, done


def _local_start(text: str, end: int, earliest: int) -> int:
    start = end
    while start > earliest and (text[start - 1].isalnum() or text[start - 1] in _LOCAL):
        start -= 1
    while start < end and not text[start].isalnum():  # "....ana@", "'ana@": drawn lines and quotes
        start += 1
    return start


def ip_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Addresses of both kinds that may be a person's; not loopback, masks of networks, versions or times."""
    found = [match.span() for match in _IPV4.finditer(text) if _is_host(match, text)]
    found += [match.span() for match in _IPV6.finditer(text) if _is_ipv6(match[0])]
    yield from sorted(found)


def _is_host(match: re.Match[str], text: str) -> bool:
    octets = match.groups()
    numbers = [int(octet) for octet in octets]
    if max(numbers) > 255 or any(len(octet) > 1 and octet[0] == "0" for octet in octets):
        return False
    if numbers[0] in (0, 127, 255):  # this host, loopback, masks and broadcast: nobody's address
        return False
    before = words_before(text, match.start())
    if _is_version(before) or (text[match.start() - 1 : match.start()] == "/" and numbers[2:] == [0, 0]):
        return False
    # 4.5.5.64 is a version of some package more often than a machine.
    return numbers[0] > 9 or before[-1] in _ADDRESSED or _PORT.match(text, match.end()) is not None


def _is_version(before: list[str]) -> bool:
    """Whether the words before say so: "version", or "version 1.2.3.4 to"."""
    if before[-1] not in _BETWEEN:
        return before[-1] in _VERSIONED
    word = next((word for word in reversed(before) if word not in _BETWEEN and not word[:1].isdigit()), "")
    return word in _VERSIONED or word in _RENEWED


def _is_ipv6(written: str) -> bool:
    try:
        address = ipaddress.IPv6Address(written)
    except ValueError:
        return False
    groups = [group for group in re.split("[:.]", written) if group]
    # `std::cafe` and `12::30` are well-formed too; an address of two groups is not met outside of routers.
    return len(groups) > 2 and any(c.isdigit() for c in written) and not (address.is_loopback or address.is_unspecified)
