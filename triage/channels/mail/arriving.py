"""What follows from a mail: a new ticket, a message on one, or nothing, and why?"""

from __future__ import annotations

from dataclasses import replace

from triage.channels.common.values import Happening, Message, Opened, Received, Said, Webhook
from triage.channels.mail.addresses import domain_of, is_one_of
from triage.channels.mail.guards import Nature, answer_to, nature_of, requester_of
from triage.channels.mail.memory import Memory
from triage.channels.mail.reading import Mail, names_of_attachments, read_mail
from triage.channels.mail.table import MailTable
from triage.channels.mail.threads import Thread, Threads, fingerprint, remote_id_of
from triage.understand.cleaning import clean

LONGEST_FEATURE = 1_000


class Reader:
    """Reads the mails of a channel. What it learns of threads is kept before anything follows from it."""

    def __init__(self, table: MailTable, memory: Memory) -> None:
        self._table = table
        self._threads = Threads(memory, domain_of(table.address))

    def parse(self, webhook: Webhook) -> Received:
        """A raw mail as the body of a request: for trying one out."""
        return self.receive(read_mail(webhook.body))

    def receive(self, mail: Mail) -> Received:
        """What follows from the mail. The same mail gives the same key, whenever and however often it comes."""
        key = fingerprint(mail)
        if self._threads.is_ours(mail.message_id):
            return Received(key, "ours", note="We sent this mail ourselves.")
        thread = self._threads.find(mail)
        nature, silent = nature_of(mail, self._table.own, self._table.lists, in_thread=thread is not None)
        if thread is None and nature is not Nature.BOUNCE:
            thread = self._same(mail)
        match nature:
            case Nature.BOUNCE if thread is not None:
                return Received(key, nature.value, (_said(thread, mail, by_agent=False),), f"No reply: {silent}.")
            case Nature.BOUNCE | Nature.ANSWER:
                return Received(key, nature.value, note=f"No ticket and no reply: {silent}.")
            case Nature.MACHINE if self._table.automatic == "ignore" and thread is None:
                return Received(key, nature.value, note=f"No ticket and no reply: {silent}.")
        happening = self._said(thread, mail) if thread else self._opened(mail, silent)
        event = "reply" if thread else "new"
        return Received(key, event, (happening,), f"It gets no reply: {silent}." if silent else "")

    def _same(self, mail: Mail) -> Thread | None:
        """The thread of a copy of this mail that came before by another way, such as through a mailing list."""
        known = self._threads.of_message(mail.message_id) if mail.message_id else None
        return known if known and known.requester.lower() == requester_of(mail, self._table.own).lower() else None

    def _said(self, thread: Thread, mail: Mail) -> Happening:
        if thread.remote_id in (remote_id_of(mail), fingerprint(mail)):
            # It came before, and what followed then may not have been stored.
            return self._as_opened(thread, mail)
        self._threads.join(mail.message_id, thread)
        by_agent = is_one_of(mail.sender.address, self._table.agents) or mail.sender.key in self._table.own
        said = _said(thread, mail, by_agent=by_agent)
        return replace(said, otherwise=self._as_opened(thread, mail))

    def _opened(self, mail: Mail, silent: str) -> Opened:
        # A known Message-ID on another mail is a mistake of its program or an attempt to hide it: it counts as new.
        is_taken = bool(mail.message_id) and self._threads.of_message(mail.message_id) is not None
        remote_id = fingerprint(mail) if is_taken else remote_id_of(mail)
        thread = Thread(
            remote_id=remote_id,
            message_id="" if is_taken else mail.message_id,
            references=mail.references or mail.in_reply_to,
            subject=mail.subject,
            requester=requester_of(mail, self._table.own),
            answer_to=answer_to(mail, self._table.own),
            silent=silent,
        )
        self._threads.begin(thread)
        return self._as_opened(thread, mail)

    def _as_opened(self, thread: Thread, mail: Mail) -> Opened:
        return Opened(
            remote_id=thread.remote_id,
            subject=mail.subject,
            body=_text(mail),
            requester=requester_of(mail, self._table.own),
            channel="mail",
            features=_features(mail, self._table.own),
        )


def _said(thread: Thread, mail: Mail, *, by_agent: bool) -> Said:
    written = clean("", _text(mail)) or _text(mail)
    message = Message(
        message_id=fingerprint(mail),
        author=mail.sender.address,
        text=written,
        public=True,
        by_agent=by_agent,
        at=mail.date,
    )
    return Said(thread.remote_id, message)


def _text(mail: Mail) -> str:
    """Never empty, for a ticket must say something."""
    if mail.text:
        return f"{mail.text}\n\n(This mail was too long and is cut here.)" if mail.is_cut else mail.text
    names = names_of_attachments(mail.attachments)
    return f"(No text, only: {names})" if names else "(This mail has no text.)"


def _features(mail: Mail, own: frozenset[str]) -> dict[str, str]:
    """What is known besides the text, by which rules may go: to which of the desk's addresses it was written, …"""
    to = next((person.key for person in mail.to if person.key in own), mail.to[0].key if mail.to else "")
    importance = mail.first("importance").strip().lower() or mail.first("x-priority").strip()[:1]
    found = {
        "mail_to": to,
        "mail_from_domain": mail.sender.key.rpartition("@")[2],
        "mail_attachments": names_of_attachments(mail.attachments),
        "mail_list": mail.first("list-id"),
        "mail_importance": {"1": "high", "2": "high", "5": "low", "4": "low", "3": ""}.get(importance, importance),
    }
    return {name: value[:LONGEST_FEATURE] for name, value in found.items() if value}
