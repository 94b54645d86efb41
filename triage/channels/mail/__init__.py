"""Mail, both ways: an IMAP folder is read as it fills, replies go out by SMTP."""

from triage.channels.mail.table import MailTable

__all__ = ["MailTable"]
