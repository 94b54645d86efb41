"""What is sent of a result by mail, to whom, and when is it better to keep silent?"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

from triage.channels.common import wording
from triage.channels.common.journey import NOTE, REPLY, plan_for
from triage.channels.common.system import Steps
from triage.channels.common.values import DeliveryFailed, Outgoing, Plan, RemoteTicket, Status
from triage.channels.mail import words
from triage.channels.mail.addresses import domain_of
from triage.channels.mail.composing import Letter, compose, reply_subject
from triage.channels.mail.memory import Memory
from triage.channels.mail.servers import Smtp
from triage.channels.mail.table import MailTable
from triage.channels.mail.threads import Thread, Threads, own_message_id
from triage.tickets.model import Outcome

RECEIPT = "receipt"


class Replier:
    """Sends replies, receipts and notes. Each attempt at the same delivery sends mails with the same Message-IDs.

    A server that has taken a mail and cannot say so any more gets it twice: SMTP has no way to ask.
    """

    def __init__(self, table: MailTable, smtp: Smtp, memory: Memory) -> None:
        self._table = table
        self._smtp = smtp
        self._memory = memory
        self._domain = domain_of(table.address)
        self._threads = Threads(memory, self._domain)

    def send(self, outgoing: Outgoing, done: Steps) -> str:
        """Do what the policy lets be done; returns what was, in words. Raises ``DeliveryFailed``."""
        thread = self._threads.of_ticket(outgoing.remote_id)
        if thread is None:
            says = "The mail of this ticket is not known any more, so nobody can tell whether it may get a reply."
            raise DeliveryFailed(says, retryable=False)
        now = datetime.now(UTC)
        status = Status.OPEN if outgoing.is_open else Status.SOLVED
        remote = RemoteTicket(outgoing.remote_id, outgoing.subject, "", status=status)
        plan = plan_for(replace(outgoing, bot_actions=thread.actions), self._table.policy, remote, now)
        if plan.why and not outgoing.done:
            return plan.why
        what, text = self._words(outgoing, plan, thread, now)
        why_silent = self._why_silent(outgoing, thread, now) if text else ""
        failed = self._reply(outgoing, thread, done, what, text) if text and not why_silent else None
        replied = what == REPLY and not why_silent and not failed
        noted = self._note(outgoing, thread, done, now, replied=replied)
        if failed:
            raise failed
        return _summary(what if text else "", why_silent, noted)

    def _words(self, outgoing: Outgoing, plan: Plan, thread: Thread, now: datetime) -> tuple[str, str]:
        """A reply where there is an answer, else a receipt where the desk wants such; each in the mode apply only."""
        if plan.reply:
            return REPLY, plan.reply
        # One is enough: a ticket that is triaged again needs no second.
        is_new = thread.actions == 0 or RECEIPT in outgoing.done
        if self._table.receipt and is_new and self._table.policy.mode_at(now) == "apply":
            return RECEIPT, _receipt(outgoing, thread)
        return RECEIPT, ""

    def _why_silent(self, outgoing: Outgoing, thread: Thread, now: datetime) -> str:
        if thread.silent:
            return thread.silent
        if not thread.answer_to:
            return "it names no address that can be written to"
        if REPLY in outgoing.done or RECEIPT in outgoing.done:
            return ""
        sent = self._sent_today(thread, now)
        if sent >= self._table.most_replies_a_day and not outgoing.is_repeat:
            return f"{thread.answer_to} has got {sent} mails from the bot within a day"
        return ""

    def _reply(self, outgoing: Outgoing, thread: Thread, done: Steps, what: str, text: str) -> DeliveryFailed | None:
        """None where it was sent; a failure for good is returned, for the desk's note is sent all the same."""
        if what in outgoing.done:
            return None
        letter = self._letter(outgoing, thread, what, text, to=thread.answer_to)
        try:
            self._smtp.send(letter.to, compose(letter))
        except DeliveryFailed as error:
            if error.retryable_later:
                raise
            return error
        done(what, letter.message_id)
        self._threads.acted(thread)
        self._count(thread, datetime.now(UTC))
        return None

    def _note(self, outgoing: Outgoing, thread: Thread, done: Steps, now: datetime, *, replied: bool) -> bool:
        if not self._table.notes_to:
            return False
        if NOTE not in outgoing.done:
            dry_run = self._table.policy.mode_at(now) == "dry-run"
            text = wording.note(outgoing, applied=(), replied=replied, dry_run=dry_run)
            end = words.NOTE_END.format(requester=thread.requester or "the requester")
            letter = self._letter(outgoing, thread, NOTE, f"{text}\n\n{end}", to=self._table.notes_to)
            self._smtp.send(letter.to, compose(replace(letter, submitted="auto-generated")))
            done(NOTE, letter.message_id)
        return True

    def _letter(self, outgoing: Outgoing, thread: Thread, what: str, text: str, *, to: str) -> Letter:
        otherwise = words.in_language(words.NO_SUBJECT, outgoing.language)
        return Letter(
            message_id=own_message_id(outgoing.delivery_id, thread.token, what, self._domain),
            sender=self._table.address,
            sender_name=self._table.name,
            to=to,
            subject=reply_subject(thread.subject, thread.token, otherwise),
            text=text,
            references=(*thread.references, thread.message_id) if thread.message_id else (),
            reply_to=self._table.reply_to,
        )

    def _sent_today(self, thread: Thread, now: datetime) -> int:
        value = self._memory.recall(_sent_key(thread, now))
        return value if isinstance(value, int) else 0

    def _count(self, thread: Thread, now: datetime) -> None:
        self._memory.remember(_sent_key(thread, now), self._sent_today(thread, now) + 1)


def _receipt(outgoing: Outgoing, thread: Thread) -> str:
    decided = (one.value for one in outgoing.decisions if one.field == "queue" and one.outcome is Outcome.APPLY)
    queue = next((value for value in decided if value), None)
    said = words.in_language(words.QUEUE, outgoing.language).format(queue=queue) if queue else ""
    text = words.in_language(words.RECEIPT, outgoing.language)
    return f"{text.format(token=f'[#{thread.token}]', queue=said)}\n\n[{outgoing.marker}]"


def _summary(what: str, why_silent: str, noted: bool) -> str:
    parts = []
    if what:
        parts.append(f"No mail was sent: {why_silent}." if why_silent else f"A {what} was sent.")
    if noted:
        parts.append("A note went to the desk.")
    return " ".join(parts) or "There was nothing to send."


def _sent_key(thread: Thread, now: datetime) -> str:
    digest = hashlib.sha256(thread.answer_to.lower().encode()).hexdigest()[:40]
    return f"sent:{now:%Y-%m-%d}:{digest}"
