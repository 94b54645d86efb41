"""Was a mail written by a machine, and why must it get no reply?

By RFC 3834 (https://datatracker.ietf.org/doc/html/rfc3834#section-2) and, for Exchange, MS-OXCMAIL 2.2.3.2.14
(https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcmail).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum

from triage.channels.mail.addresses import is_address, is_one_of
from triage.channels.mail.reading import Mail


class Nature(StrEnum):
    """Who speaks: a person; a machine of its own accord; a machine that answers; our own."""

    PERSON = "person"
    MACHINE = "machine"  # an alarm, a newsletter: perhaps a ticket, never replied to
    ANSWER = "answer"  # out of office, a receipt: never a ticket
    BOUNCE = "bounce"  # never a ticket, but its thread should know
    OURS = "ours"


_ROBOTS = re.compile(
    r"(?:no|do-?not|dont)[-_.]?reply\b|mailer-daemon$|postmaster$|bounces?\b|owner-|listserv$|majordomo$|.*-(?:request|owner|bounces)$",
    re.IGNORECASE,
)
_REPLYING = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-auto-reply-from", "x-mail-autoreply")
_SUPPRESSED = ("all", "autoreply", "oof")


def nature_of(mail: Mail, own: Collection[str], lists: Collection[str], *, in_thread: bool) -> tuple[Nature, str]:
    """Who wrote it, and why it must get no reply (nothing where it may).

    ``own`` are the desk's addresses in small letters, ``lists`` the List-Ids that its own mail comes through.
    """
    if why := _bounce(mail):
        return Nature.BOUNCE, why
    if why := _answering(mail, in_thread):
        return Nature.ANSWER, why
    if why := _machine(mail, lists):
        return Nature.MACHINE, why
    return Nature.PERSON, _unanswerable(mail, own)


def _bounce(mail: Mail) -> str:
    if mail.content_type == "multipart/report" and mail.report_type in ("delivery-status", ""):
        return "it reports on a delivery"
    local = mail.sender.key.partition("@")[0]
    if local == "mailer-daemon" or (local == "postmaster" and mail.first("return-path").strip() == "<>"):
        return "a mail server wrote it"
    if mail.first("x-failed-recipients"):
        return "it reports on a delivery (X-Failed-Recipients)"
    return ""


def _answering(mail: Mail, in_thread: bool) -> str:
    submitted = _token(mail.first("auto-submitted"))
    if mail.content_type == "multipart/report":
        return f"it is a report ({mail.report_type})"
    if submitted in ("auto-replied", "auto-notified"):
        return f"it is an automatic reply (Auto-Submitted: {submitted})"
    # Exchange calls its absence notes auto-generated; what makes them replies is what they reply to.
    if in_thread and submitted not in ("", "no"):
        return f"it is an automatic reply (Auto-Submitted: {submitted[:40]})"
    if any(mail.first(name) for name in _REPLYING):
        return "it is an automatic reply (X-Autoreply)"
    if _token(mail.first("precedence")) == "auto_reply":
        return "it is an automatic reply (Precedence: auto_reply)"
    return ""


def _machine(mail: Mail, lists: Collection[str]) -> str:
    submitted, precedence = _token(mail.first("auto-submitted")), _token(mail.first("precedence"))
    suppress = {part.strip().lower() for part in mail.first("x-auto-response-suppress").split(",")}
    list_id = mail.first("list-id")
    is_own_list = bool(list_id) and is_one_of(_bare(list_id), lists)
    checks = (
        (submitted not in ("", "no"), f"a machine wrote it (Auto-Submitted: {submitted[:40]})"),
        (mail.first("return-path").strip() == "<>", "it has no sender to return it to (Return-Path: <>)"),
        (not suppress.isdisjoint(_SUPPRESSED), "it wants no automatic reply (X-Auto-Response-Suppress)"),
        (bool(list_id) and not is_own_list, "it comes from a mailing list (List-Id)"),
        (precedence in ("bulk", "list", "junk") and not is_own_list, f"it is {precedence} mail (Precedence)"),
        (bool(mail.first("list-unsubscribe")) and not is_own_list, "it comes from a mailing list (List-Unsubscribe)"),
        (mail.first("x-spam-flag").upper() == "YES", "it was marked as spam (X-Spam-Flag)"),
        (bool(mail.first("feedback-id")), "it is a mass mailing (Feedback-ID)"),
    )
    return next((why for holds, why in checks if holds), "")


def _unanswerable(mail: Mail, own: Collection[str]) -> str:
    person = requester_of(mail, own)
    if not person:
        return "it names no sender that can be written to"
    if person.lower() in own:
        return "it comes from the desk's own address"
    if _ROBOTS.match(person.partition("@")[0]):
        return f"nobody reads what is sent to {person}"
    to = answer_to(mail, own)
    if not to or to.lower() in own:
        return "its replies would go to the desk itself"
    return ""


def requester_of(mail: Mail, own: Collection[str]) -> str:
    """Whose ticket it is. A form on the web writes from the desk's own address and names its user in Reply-To."""
    if (not mail.sender.address or mail.sender.key in own) and mail.reply_to:
        return mail.reply_to[0].address
    return mail.sender.address


def answer_to(mail: Mail, own: Collection[str]) -> str:
    """Where a reply goes: the first address of Reply-To, for one mail never gets more than one reply."""
    wanted = mail.reply_to[0].address if mail.reply_to else requester_of(mail, own)
    return wanted if is_address(wanted) else ""


def _token(value: str) -> str:
    """The first word; parameters and comments may follow (RFC 3834, section 5)."""
    return re.split(r"[;\s(]", value.strip().lower(), maxsplit=1)[0]


def _bare(list_id: str) -> str:
    found = re.search(r"<([^<>]+)>", list_id)
    return found[1] if found else list_id.strip()
