"""Where are numbers that carry a checksum: payment cards and bank accounts?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from triage.privacy.words import in_hex_dump, line_before

# Length by country: https://www.swift.com/standards/data-standards/iban-international-bank-account-number
_IBAN_LENGTHS = {
    code: length
    for length, codes in {
        15: "NO", 16: "BE", 18: "DK FO FI GL NL FK SD", 19: "MK SI", 20: "AT BA EE KZ LT LU XK MN",
        21: "CH HR LI LV", 22: "BG BH CR DE GB GE IE ME RS VA", 23: "AE GI IL IQ TL OM SO",
        24: "AD CZ ES MD PK RO SA SE SK TN VG", 25: "LY PT ST", 26: "IS TR", 27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV", 29: "BR EG PS QA UA", 30: "JO KW MU YE",
        31: "MT SC", 32: "LC", 33: "RU",
    }.items()
    for code in codes.split()
}  # fmt: skip
_IBAN_BEGIN = re.compile(r"(?<![^\W_])[A-Za-z]{2}[ ]?\d{2}")
_IBAN_REST = {
    length: re.compile(rf"(?:[ .-]{{0,2}}[A-Za-z0-9]){{{length - 4}}}(?![^\W_])")
    for length in set(_IBAN_LENGTHS.values())
}

# A group of digits that is no part of a word or of a name such as PO-4500001234.
_DIGITS = re.compile(r"(?<![\w/#])(?<![A-Za-z]-)\d++(?!\w)")
_MOST_GROUPS = 6
_CARD_WORD = re.compile(r"card|karte|carte|tarjeta|visa|master|amex|credit|kredit|crédit|crédito|debit", re.IGNORECASE)


def ibans(text: str) -> Iterator[tuple[int, int]]:
    """International bank account numbers of the right length for their country and with a right checksum."""
    done = 0
    for begin in _IBAN_BEGIN.finditer(text):
        length = _IBAN_LENGTHS.get(begin[0][:2].upper())
        rest = _IBAN_REST[length].match(text, begin.end()) if length and begin.start() >= done else None
        if rest and _is_iban(begin[0] + rest[0]):
            done = rest.end()
            yield begin.start(), done


def _is_iban(written: str) -> bool:
    """ISO 7064 mod 97-10: the first four moved to the end, letters as 10 to 35, remainder 1."""
    compact = re.sub("[ .-]", "", written)
    # One text in ninety-seven fits by chance: "at 1400 hrs I will be free". Half of every number is digits.
    return (
        2 * sum(map(str.isdigit, compact)) >= len(compact)
        and int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1
    )


def cards(text: str) -> Iterator[tuple[int, int]]:
    """Card numbers of known issuers, in groups or not, that satisfy Luhn's checksum."""
    groups = [match.span() for match in _DIGITS.finditer(text)]
    done = 0
    for first in range(len(groups)):
        start, stop = groups[first]
        # The first group of a card has four digits or all of them; looking at less would make "4 4 4 4…" slow.
        if start < done or stop - start < 4 or text[start] not in "23456":
            continue
        end = _card_end(text, groups, first)
        if end and not in_hex_dump(text, start, end):
            done = end
            yield start, end


def _card_end(text: str, groups: list[tuple[int, int]], first: int) -> int | None:
    """Where the card number ends that begins with this group; the longest that fits wins."""
    start, digits, best = groups[first][0], "", None
    for number in range(first, min(first + _MOST_GROUPS, len(groups))):
        begin, end = groups[number]
        if number > first and not _continues(text, groups[number - 1], groups[number]):
            break
        digits += text[begin:end]
        if len(digits) > 19:
            break
        if _is_card(digits, line_before(text, start)):
            best = end
    return best


def _continues(text: str, one: tuple[int, int], next_one: tuple[int, int]) -> bool:
    """Whether two groups may be parts of one number; a time stamp such as 2582318221.714106 is none."""
    is_gap = re.fullmatch("[ .-]{1,2}", text[one[1] : next_one[0]]) is not None
    return is_gap and one[1] - one[0] <= 8 and next_one[1] - next_one[0] <= 8


def _is_card(digits: str, before: str) -> bool:
    if len(digits) < 13 or not _known_issuer(digits) or not satisfies_luhn(digits):
        return False
    # One number in ten satisfies Luhn. Visa's old 13 digits look like an article's barcode (EAN 400 to 499).
    return len(digits) > 13 or _CARD_WORD.search(before) is not None


def _known_issuer(digits: str) -> bool:
    """Prefix and length as in https://en.wikipedia.org/wiki/Payment_card_number (ISO/IEC 7812)."""
    size, six = len(digits), int(digits[:6])
    return (
        (digits[0] == "4" and size in (13, 16, 19))  # Visa
        or ((510000 <= six < 560000 or 222100 <= six < 272100) and size == 16)  # Mastercard
        or (digits[:2] in ("34", "37") and size == 15)  # American Express
        or ((601100 <= six < 601200 or 644000 <= six < 660000) and size in (16, 19))  # Discover
        or ((300000 <= six < 306000 or digits[:2] in ("36", "38", "39")) and size in (14, 16))  # Diners Club
        or (352800 <= six < 359000 and size in (16, 19))  # JCB
        or (digits[:2] == "62" and size in (16, 18, 19))  # UnionPay
        or (digits[:4] in ("5018", "5020", "5038", "5893", "6304", "6759", "6761", "6762", "6763") and size >= 16)
    )


def satisfies_luhn(digits: str) -> bool:
    """ISO/IEC 7812-1, annex B: every second digit from the right doubled, their digits add up to a multiple of ten."""
    doubled = digits[-2::-2].translate(_TWICE)
    return (sum(map(int, digits[-1::-2])) + sum(map(int, doubled))) % 10 == 0


_TWICE = str.maketrans("0123456789", "0246813579")
