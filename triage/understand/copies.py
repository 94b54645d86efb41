"""Do two texts say the same?

A requester's tickets look alike: forms, alarms and subjects repeat while the order, the host or the colleague
differs. So neither equal wording but for digits nor a high cosine makes a duplicate. On 6,489 real IT tickets with
their callers, 57,245 pairs of one caller are equal but for digits, nearly all of them about different jobs and orders,
and of the pairs with a cosine of .95 and more only half belong to the same group of agents.

Near-copies name the same numbers and codes, one of them says all words of the other, and their cosine is at least
``LEAST_COSINE``. On those tickets this links 96 to an older one of their caller, whatever time lies between. As read
one by one, 70 are the same matter and 1 is not (another service of the same host): 98.6 %. The other 25 have no matter
that could be the same: 23 phone calls that two agents logged in their own names ("blank call"), 2 lines of a monitor.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

# Down to .8 four more pairs are linked, one of them about two different people; up to .9 eight right ones are lost.
LEAST_COSINE = 0.85
# Fewer different words ("password reset", "german call") tell no matter from another.
LEAST_WORDS = 3

_WORD = re.compile(r"\w+")
_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"\d+")


def is_near_copy(text: str, other: str, cosine: Callable[[], float]) -> bool:
    """Whether two cleaned texts say the same; ``cosine`` of their vectors is asked for only where it decides."""
    mine, theirs = words_of(text), words_of(other)
    if min(len(mine), len(theirs)) < LEAST_WORDS or not (mine <= theirs or theirs <= mine):
        return False
    if codes_in(mine) != codes_in(theirs):
        return False
    return mine == theirs or cosine() >= LEAST_COSINE


def words_of(text: str) -> frozenset[str]:
    """The different words of a text, without case."""
    return frozenset(_WORD.findall(text.casefold()))


def codes_in(words: frozenset[str]) -> frozenset[str]:
    """The numbers, and words with a digit in them."""
    return frozenset(filter(_DIGIT.search, words))


def form_of(text: str) -> int:
    """A number (64 bits) that texts share which are equal but for case, spacing and numbers: the same form or alarm."""
    masked = _NUMBER.sub("0", " ".join(text.lower().split()))
    return int.from_bytes(hashlib.sha256(masked.encode("utf-8", "replace")).digest()[:8], "big")
