"""Does a mail channel work: logins, folders, new mail as it comes, and a mail to itself?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

from imap_tools.mailbox import BaseMailBox

from triage.channels.common.values import DeliveryFailed, Finding
from triage.channels.mail.addresses import domain_of
from triage.channels.mail.composing import Letter, compose
from triage.channels.mail.listening import can_idle, can_move, open_folder
from triage.channels.mail.servers import Imap, Smtp, smtp_failures
from triage.channels.mail.table import MailTable
from triage.channels.mail.threads import own_message_id, token_of

ROUND_TRIP_S = 60.0
LOOPBACK = ("127.0.0.1", "::1", "localhost")


def check(table: MailTable, imap: Imap, smtp: Smtp | None) -> Iterator[Finding]:
    """Try everything that the channel will do, without touching any mail of people's."""
    yield from _encryption(table, imap, smtp)
    try:
        with imap.open() as box:
            yield Finding(True, "IMAP", f"{imap.table.user} can log in to {imap.table.host}:{imap.port}.")
            yield from _folder(table, box)
    except DeliveryFailed as error:
        yield Finding(False, "IMAP", str(error))
        return
    if smtp is None:
        yield Finding(True, "SMTP", "No server is set up, so nothing is ever sent.")
        return
    try:
        yield from _sending(table, smtp)
        if table.round_trip:
            yield _round_trip(table, imap, smtp)
    except DeliveryFailed as error:
        yield Finding(False, "SMTP", str(error))


def _encryption(table: MailTable, imap: Imap, smtp: Smtp | None) -> Iterator[Finding]:
    for what, server in (("IMAP", imap.table), ("SMTP", smtp.table if smtp else None)):
        if server and server.security == "none" and server.user and server.host not in LOOPBACK:
            says = f"The password for {server.host} is sent unencrypted: set security to tls or starttls."
            yield Finding(False, f"{what} encryption", says)


def _folder(table: MailTable, box: BaseMailBox) -> Iterator[Finding]:
    folder = open_folder(box, table.imap)
    number = box.folder.status(table.imap.folder, ["MESSAGES"])["MESSAGES"]
    yield Finding(True, "folder", f"{table.imap.folder} opens; {number} mails lie there.")
    idle = "tells of new mail by itself" if can_idle(box) else "does not tell of new mail (IDLE)"
    yield Finding(True, "new mail", f"The server {idle}; the folder is looked at every {table.imap.every_s:g} s.")
    if table.imap.flag and not folder.keeps(table.imap.flag):
        says = f"The folder keeps no flag {table.imap.flag}: set imap.flag to nothing, or imap.move_to to a folder."
        yield Finding(False, "flag", says)
    if table.imap.move_to:
        there = box.folder.exists(table.imap.move_to)
        says = "is there" if there else "does not exist: make it, or change imap.move_to"
        yield Finding(there, "move to", f"The folder {table.imap.move_to} {says}.")
        if not can_move(box):
            yield Finding(False, "move to", "The server cannot move mails (MOVE): leave imap.move_to out.")


def _sending(table: MailTable, smtp: Smtp) -> Iterator[Finding]:
    """As far as a mail can be offered without being sent."""
    host, port = smtp.table.host, smtp.port
    with smtp.open() as client:
        login = f"{smtp.table.user} can log in to" if smtp.table.user else "No login is needed at"
        yield Finding(True, "SMTP", f"{login} {host}:{port}.")
        for to in dict.fromkeys(one for one in (table.address, table.notes_to) if one):
            with smtp_failures(host, port):
                client.ehlo_or_helo_if_needed()
                answers = [client.mail(table.address), client.rcpt(to)]
                client.rset()
            refused = next(((code, said) for code, said in answers if code >= 300), None)
            said = f" {refused[0]} {refused[1].decode('utf-8', 'replace')[:200]}" if refused else ""
            what = f"a mail from {table.address} to {to}"
            yield Finding(not refused, "sender", f"The server {'refuses' if refused else 'takes'} {what}.{said}")


def _round_trip(table: MailTable, imap: Imap, smtp: Smtp) -> Finding:
    token = token_of(table.address)
    message_id = own_message_id(uuid4().hex, token, "check", domain_of(table.address))
    text = "This mail tests whether the desk can write to itself. It may be deleted."
    letter = Letter(message_id, table.address, table.name, table.address, "Test", text, submitted="auto-generated")
    began = time.monotonic()
    smtp.send(table.address, compose(letter))
    with imap.open() as box:
        while time.monotonic() - began < ROUND_TRIP_S:
            # Chosen anew each time, for some servers show new mail only then.
            box.folder.set(table.imap.folder)
            found = box.uids(f'HEADER Message-ID "{message_id}"')
            if found:
                return Finding(True, "round trip", f"A mail to itself came after {time.monotonic() - began:.1f} s.")
            time.sleep(0.5)
    says = f"A mail to {table.address} did not come into {table.imap.folder} within {ROUND_TRIP_S:g} s."
    return Finding(False, "round trip", says)
