"""Where are telephone numbers in a text full of other numbers?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from triage.privacy.words import hex_groups_around, in_hex_dump, words_before, words_of

_LONGEST = 15  # digits, ITU-T E.164
_SHORTEST = 7
# Digits of a whole number after its country code, where the national plan has one length; elsewhere up to E.164.
_LENGTHS = {"1": 11, "33": 11, "34": 11, "44": 12}
_GAP = r"[ ./()-]{0,3}"

_INTERNATIONAL = re.compile(rf"(?<![\w+.])\(?\+(?: (?=\d{{1,3}} ))?\(?([1-9])(?:{_GAP}\d){{7,17}}(?!\w)")
# Country codes of two and three digits: ITU-T E.164, annex.
_COUNTRY = r"(?:[134]\d|20|21\d|2[2-6]\d|3[578]\d|4[02]\d|5[1-8]|6[0-6]|7|8[1246]|9[0-58])"
_DOUBLE_ZERO = re.compile(rf"(?<![\w+.,/:-])00 ?{_COUNTRY}{_GAP}(?:\d{_GAP}){{6,11}}\d(?!\w)")
_WORD = (
    r"(?:tel(?:e(?:phone|fon|fono|foon))?(?:nummer|nr)?|téléphone|teléfono|phone|mobile?|mob|cell(?:phone)?|"
    r"handy(?:nummer)?|fax|telefax|whatsapp|sms|signal|festnetz|rufnummer|durchwahl|portable|móvil|celular|hotline|"
    r"call ?back|rückruf)"
)
_REACH = (
    r"(?:(?:call|ring|reach|phone|contact|text|ruf\w{0,4}|erreich\w{0,4}|appele\w{0,4}|joign\w{0,4}) "
    r"(?:me|us|him|her|mich|uns|moi|nous)|r?appele[zr]-moi|joigne[zr]-moi|ll[aá]m[ae](?:me|nos|dme))"
)
_LETTER = r"(?:^|(?<=[\n|,;])) ?[mtfph](?= ?[:.]| {1,6}[+0(])"  # "t: 089 1234567" in signatures
_FILLER = (
    r"(?: {1,2}(?:number|no|nr|num|numéro|número|nummer|is|ist|est|es|at|on|under|unter|auf|au|al|dienstl|privat|work|"
    r"office|home)){0,3}"
)
_LABELLED = re.compile(
    rf"(?:(?<![^\W_])(?:{_WORD}|{_REACH})|{_LETTER}){_FILLER}[ .:=#>)/\t-]{{0,6}}"
    rf"(?P<number>\+?\(?\d(?:{_GAP}\d){{6,16}})(?!\w)",
    re.IGNORECASE,
)
_NATIONAL = re.compile(
    r"(?<![\w+.,/:-])(?:"
    r"(?:1[ .-])?\([2-9]\d{2}\)[ ]?[2-9]\d{2}[ .-]\d{4}"  # (415) 555-0134
    r"|(?:1[ .-])?[2-9]\d{2}(?P<us>[ .-])[2-9]\d{2}(?P=us)\d{4}"  # 415-555-0134
    r"|0[1-9](?P<fr>[ .-])\d{2}(?:(?P=fr)\d{2}){3}"  # 01 23 45 67 89
    r"|\(0\d{1,5}\)[ /-]{0,3}\d{2,8}(?:[ -]{1,3}\d{1,8}){0,4}"  # (089) 1234-56
    r"|0[1-9]\d{1,4}[ ]?[/-][ ]?\d{3,8}(?:[ -]{1,3}\d{1,6}){0,3}"  # 089/123456
    r"|0[1-9]\d{1,4}(?:[ ]\d{2,8}){1,4}(?:-\d{1,5})?"  # 0171 234 5678, 020 7946 0958
    r"|01(?:5\d|6[02-3]|7\d)\d{7,8}|0[67]\d{8}|07\d{9}"  # mobile numbers in one: DE, FR, UK
    r"|[67]\d{2}(?P<es>[ -])\d{3}(?P=es)\d{3}|[6789]\d{2} \d{2} \d{2} \d{2}|9[1-8] \d{3} \d{2} \d{2}"  # 612 345 678
    r")(?!\w|[-/.,:]\d| ?(?:€|%|eur|usd|euro|kb|mb|gb|bytes|km))",
    re.IGNORECASE,
)
# Numbers of things, whatever they look like.
_THINGS = words_of(
    """order orders ticket tickets invoice invoices serial sn asset po rma case incident ref reference article part item
    sku material delivery shipment tracking customer account code id lot quote contract
    bestellung bestellnummer auftrag auftragsnummer rechnung rechnungsnummer seriennummer artikelnummer kundennummer
    materialnummer lieferung liefernummer sendungsnummer vertragsnummer commande facture série pedido factura serie"""
)
_NUMBERED = words_of("number numbers no nr nummer num numéro número n id")


_GROUP_BEFORE = re.compile(r"(?<![^\s(])\d{1,10} \(?$")


def phones(text: str) -> Iterator[tuple[int, int]]:
    """Telephone numbers with ``+`` or ``00``, after a word such as "call me at", or written as US, DE, FR, ES, UK do.

    A plain long number is none of them, nor is one that a word before it calls an order, a ticket, a serial.
    """
    found = [_shortened(match.start(), match.end(), text) for match in _INTERNATIONAL.finditer(text)]
    found += [match.span("number") for match in _LABELLED.finditer(text)]
    found += [
        match.span()
        for pattern in (_DOUBLE_ZERO, _NATIONAL)
        for match in pattern.finditer(text)
        if _is_phone(match, text)
    ]
    last = 0
    for start, end in sorted(found):
        if start >= last and _count(text[start:end]) >= _SHORTEST:
            last = end
            yield start, end


def _count(written: str) -> int:
    return sum(c.isdigit() for c in written)


def _is_phone(match: re.Match[str], text: str) -> bool:
    before = words_before(text, match.start())
    thing = before[-2] if before[-1] in _NUMBERED else before[-1]
    if _GROUP_BEFORE.search(text, max(0, match.start() - 12), match.start()):
        return False  # only the end of a longer row of digits
    is_thing = thing in _THINGS or text[match.start() - 1 : match.start()] == "#"
    amid_groups = len(hex_groups_around(text, *match.span())) == 2
    return 9 <= _count(match[0]) <= _LONGEST and not (is_thing or amid_groups or in_hex_dump(text, *match.span()))


def _shortened(start: int, end: int, text: str) -> tuple[int, int]:
    """The number cut at the last gap before it gets too long: what follows is a date or another number."""
    written = text[start:end]
    digits = re.sub(r"\D", "", written.replace("(0)", ""))
    most = next((_LENGTHS[digits[:n]] for n in (1, 2, 3) if digits[:n] in _LENGTHS), _LONGEST)
    most += written.count("(0)")
    while _count(written) > most:
        cut = re.match(r"(.*\d)\D+\d+$", written, re.DOTALL)
        if cut is None or _count(cut[1]) < _SHORTEST:
            break
        written = cut[1]
    return start, start + len(written)
