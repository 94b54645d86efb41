"""Which words decide whether a name or a password is one?"""

from __future__ import annotations

import re

from triage.privacy.folding import FOUND

_CONTEXT = 48  # characters before a number that are looked at
_HEX_BEFORE = re.compile(r"(?<!\w)(?:[0-9a-f]{4,8} ){1,6}$", re.IGNORECASE)
_HEX_AFTER = re.compile(r"(?: [0-9a-f]{4}(?!\w)){1,6}", re.IGNORECASE)
_WORD = re.compile(r"[^\W_][\w.]*")


def words_of(written: str) -> frozenset[str]:
    """A list of words as a set."""
    return frozenset(written.split())


def line_before(text: str, place: int) -> str:
    """What stands before a place in its line, up to 48 characters, and not beyond what was found before."""
    return text[max(0, place - _CONTEXT) : place].rpartition("\n")[2].rpartition(FOUND)[2]


def words_before(text: str, place: int) -> list[str]:
    """The last words of the line before a place, in lower case; begins with three empty ones."""
    line = line_before(text, place)
    return ["", "", "", *(word.rstrip(".") for word in _WORD.findall(line.lower()))]


def in_hex_dump(text: str, start: int, end: int) -> bool:
    """Whether the groups of digits stand among groups of hex digits, as in "0d06 0601 0180 67a4"."""
    return any(re.search("[a-f]", group, re.IGNORECASE) for group in hex_groups_around(text, start, end))


def hex_groups_around(text: str, start: int, end: int) -> list[str]:
    """The groups of hex digits right before and right after, where there are any."""
    before = _HEX_BEFORE.search(text[max(0, start - 40) : start])
    after = _HEX_AFTER.match(text[end : end + 40])
    return [found[0] for found in (before, after) if found and re.search("[0-9]", found[0])]


# Features of a ticket that hold the requester's own name.
NAME_RECORDS = words_of(
    """name first_name firstname given_name last_name lastname surname family_name full_name fullname display_name
    displayname requester_name caller caller_name reporter contact contact_name email mail user username"""
)

# Not names of people, though they stand where names stand.
ROLES = words_of(
    """admin administrator service servicedesk helpdesk help desk support info office sales team noreply no-reply reply
    no root system test user users it hr mail postmaster webmaster contact billing accounts accounting hello monitoring
    monitor tool bot alert alerts notification notifications automation operator reception warehouse dr prof mr mrs ms
    herr frau madame monsieur sr sra von van der den de la le du del dos da di el al bin ext external guest unknown"""
)

# Names that are everyday words of tickets too, in English, German, French or Spanish.
EVERYDAY = words_of(
    """will may mark post grant bill rose hope art frank pat drew chase faith joy page price king young long short
    black white brown green gray grey cook rich guy dean ray max banks case day best good strong sharp wise chip don
    gene jan april june august summer autumn josh lance miles norm pearl rob rod ruby sandy sky sue tab victor ward ace
    amber angel basil bell berry bond bowl bridge brook bull carpenter church clay cliff cross dawn field fields ford
    forest fox free french gates glen gold hand hill holly hunt hunter ivy jay jewel land lane law love major marsh mill
    moon moss noble north olive park penny piper porter power rain reed rice river rock root sage savage sea shepherd
    skip smart snow speed spring star stone storm sun swan temple trip violet wall water waters way wells west wild
    winter wood woods work worth key link web page pages cloud port print

    klein gross groß lang kurz schnell sommer stein schwarz weiß weiss braun grün neu alt bach kern kraft sauer stark
    sturm teich zimmer ernst fromm herz hoffnung engel mai juni karte kunde haus tisch

    petit grand blanc noir roux roi clair bon claire france marine prudence aimé

    rosa luz flores león blanco rico campo mar sol paz ángel iglesia torres ríos vega luna rubio bueno calvo guerra mata
    mora pastor prado reina salas sierra soto valle pilar dolores consuelo esperanza gloria victoria"""
)

# What is said about a password rather than a password, where it stands after "password:".
PASSWORD_STATES = words_of(
    """reset resets resetting expire expired expires expiring expiry change changed changes changing forgot forgotten
    wrong incorrect invalid unknown locked unlocked unlock lost missing needed required issue issues problem problems
    error errors failed failure yes nope none null true false same blank empty please help request requested update
    updated login logon username user users manager policy string text varchar hidden redacted removed unchanged
    attached below above separately telephone phone email confirm confirmed correct broken rejected refused not working
    does doesn't cannot can't isn't management sync synchronization protected protection recovery security
    authentication account accounts screen field prompt page link the

    abgelaufen vergessen falsch zurücksetzen zurückgesetzt geändert ändern änderung gesperrt unbekannt ungültig nötig
    bitte nein keine leer verloren läuft abläuft entsperren wechseln nicht hilfe anmeldung benutzer

    expiré oublié perdu incorrecte invalide erroné inconnu bloqué réinitialiser réinitialisation réinitialisé changer
    changé aucun vide nécessaire aide

    caducada caducado caducó olvidada olvidado olvidé perdida incorrecta bloqueada bloqueado inválida errónea
    restablecer restablecida cambiar cambiada desconocida vacía ninguna ayuda acceso"""
)
