"""What follows from a mail: a new ticket, a message on one, or nothing, and why?"""

from __future__ import annotations

from dataclasses import replace

from triage.channels.common.values import Message, Opened, Received, Said, Webhook
from triage.channels.mail.addresses import domain_of, is_one_of
from triage.channels.mail.guards import Nature, answer_to, nature_of, requester_of
from triage.channels.mail.memory import Memory
from triage.channels.mail.reading import Mail, names_of_attachments, read_mail
from triage.channels.mail.table import MailTable
from triage.channels.mail.threads import LONGEST_REMOTE_ID, Thread, Threads, fingerprint
from triage.understand.cleaning import clean

LONGEST_FEATURE = 1_000
MOST_REFERENCES = 50


class Reader:
    """Reads the mails of a channel. What it learns of threads is kept before anything follows from it.

    ``keeps_subjects``: False where nothing that people write may be stored unmasked; replies then have a plain subject.
    """

    def __init__(self, table: MailTable, memory: Memory, *, keeps_subjects: bool = True) -> None:
        self._table = table
        self._keeps_subjects = keeps_subjects
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
            thread = self._same(mail, key)
        match nature:
            case Nature.BOUNCE if thread is not None:
                return Received(key, nature.value, (_said(thread, mail, key, by_agent=False),), f"No reply: {silent}.")
            case Nature.BOUNCE | Nature.ANSWER:
                return Received(key, nature.value, note=f"No ticket and no reply: {silent}.")
            case Nature.MACHINE if self._table.automatic == "ignore" and thread is None:
                return Received(key, nature.value, note=f"No ticket and no reply: {silent}.")
        # One that began its thread came before, and what followed then may not have been stored.
        is_reply = thread is not None and thread.key != key
        happening = self._said(thread, mail, key, silent) if thread and is_reply else self._opened(mail, key, silent)
        event = "reply" if is_reply else "new"
        return Received(key, event, (happening,), f"It gets no reply: {silent}." if silent else "")

    def _same(self, mail: Mail, key: str) -> Thread | None:
        """The thread of this mail, or of a copy that came before by another way, such as through a mailing list."""
        known = self._threads.of_message(mail.message_id) if mail.message_id else None
        known = known or self._threads.of_ticket(key)
        return known if known and known.requester.lower() == requester_of(mail, self._table.own).lower() else None

    def _said(self, thread: Thread, mail: Mail, key: str, silent: str) -> Said:
        """A message on the thread's ticket. Should that never come about, it is a ticket of its own."""
        self._threads.join(mail.message_id, thread)
        by_agent = is_one_of(mail.sender.address, self._table.agents) or mail.sender.key in self._table.own
        said = _said(thread, mail, key, by_agent=by_agent)
        own = self._thread(mail, key, key, silent)
        self._threads.begin(own)
        return replace(said, otherwise=self._as_opened(own.remote_id, mail))

    def _opened(self, mail: Mail, key: str, silent: str) -> Opened:
        # A known Message-ID on another mail is a mistake of its program or an attempt to hide it: it counts as new.
        known = self._threads.of_message(mail.message_id) if mail.message_id else None
        is_taken = known is not None and known.key != key
        remote_id = key if is_taken or not 0 < len(mail.message_id) <= LONGEST_REMOTE_ID else mail.message_id
        thread = self._thread(mail, remote_id, key, silent)
        self._threads.begin(thread)
        self._threads.join(mail.message_id, thread)
        return self._as_opened(remote_id, mail)

    def _thread(self, mail: Mail, remote_id: str, key: str, silent: str) -> Thread:
        return Thread(
            remote_id=remote_id,
            key=key,
            message_id=mail.message_id,
            references=(mail.references or mail.in_reply_to)[-MOST_REFERENCES:],
            subject=mail.subject if self._keeps_subjects else "",
            requester=requester_of(mail, self._table.own),
            answer_to=answer_to(mail, self._table.own),
            silent=silent,
        )

    def _as_opened(self, remote_id: str, mail: Mail) -> Opened:
        return Opened(
            remote_id=remote_id,
            subject=mail.subject,
            body=_text(mail),
            requester=requester_of(mail, self._table.own),
            channel="mail",
            features=_features(mail, self._table.own),
        )


def _said(thread: Thread, mail: Mail, key: str, *, by_agent: bool) -> Said:
    written = clean("", _text(mail)) or _text(mail)
    message = Message(
        message_id=key,
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
