"""Mail, both ways: an IMAP folder is read as it fills, replies go out by SMTP."""

from __future__ import annotations

from functools import partial

from triage.channels.common.system import Channel, Services
from triage.channels.common.tables import Environment
from triage.channels.mail.arriving import Reader
from triage.channels.mail.checking import check
from triage.channels.mail.listening import Listener
from triage.channels.mail.memory import DurableMemory, PassingMemory
from triage.channels.mail.replying import Replier
from triage.channels.mail.servers import Imap, Smtp
from triage.channels.mail.table import MailTable as _Table

__all__ = ["MailTable"]


class MailTable(_Table):
    """``kind = "mail"``; its keys are those of ``table.MailTable``."""

    def build(self, name: str, environment: Environment, services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``. Without services it only reads what it is given."""
        imap = Imap(self.imap, environment)
        smtp = Smtp(self.smtp, environment, self.address) if self.smtp else None
        memory = DurableMemory(services.sessions, name) if services else PassingMemory()
        reader = Reader(self, memory, keeps_subjects=services is None or not services.mask_stored)
        listener = Listener(name, self, imap, reader, memory, services) if services else None
        replier = Replier(self, smtp, memory) if smtp and services else None
        return Channel(
            name=name,
            kind=self.kind,
            policy=self.policy,
            sending=self.sending,
            # It takes no webhooks; a mail in a file can be tried.
            parse=None if services else reader.parse,
            listen=listener.listen if listener else None,
            send=replier.send if replier else None,
            check=partial(check, self, imap, smtp),
        )
