"""How are the mail servers reached, and what do their refusals mean?"""

from __future__ import annotations

import imaplib
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from imap_tools import MailBox, MailBoxStartTls, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError, MailboxFolderSelectError, MailboxLoginError
from imap_tools.mailbox import BaseMailBox

from triage.channels.common.tables import Environment
from triage.channels.common.values import DeliveryFailed
from triage.channels.mail.addresses import ascii_address, domain_of
from triage.channels.mail.table import IMAP_PORTS, SMTP_PORTS, ImapTable, ServerTable, SmtpTable
from triage.errors import Misconfigured

# These concern the server or the login, not the one mail: https://datatracker.ietf.org/doc/html/rfc5321#section-4.2
_SERVER_CODES = (421, 432, 454, 530, 534, 535, 538)


class Imap:
    """The server that holds the mail."""

    def __init__(self, table: ImapTable, environment: Environment) -> None:
        self.table = table
        self.port = table.port or IMAP_PORTS[table.security]
        self._environment = environment
        self._tls = _tls(table)
        _credentials(table, environment)

    @contextmanager
    def open(self) -> Iterator[BaseMailBox]:
        """A connection that is logged in, no folder chosen; raises ``DeliveryFailed`` with what went wrong on it."""
        with imap_failures(self.table.host, self.port):
            box = self._connect()
            try:
                self._log_in(box)
                yield box
            finally:
                _hang_up(box)

    def _connect(self) -> BaseMailBox:
        host, timeout = self.table.host, self.table.timeout_s
        match self.table.security:
            case "tls":
                return MailBox(host, self.port, timeout=timeout, ssl_context=self._tls)
            case "starttls":
                return MailBoxStartTls(host, self.port, timeout=timeout, ssl_context=self._tls)
            case _:
                return MailBoxUnencrypted(host, self.port, timeout=timeout)

    def _log_in(self, box: BaseMailBox) -> None:
        user, secret = _credentials(self.table, self._environment)
        if self.table.token:
            box.xoauth2(user, secret, initial_folder=None)
        elif user.isascii() and secret.isascii():
            box.login(user, secret, initial_folder=None)
        else:
            box.login_utf8(user, secret, initial_folder=None)
        # imaplib keeps what the server told before the login, which is less.
        told = box.client.capability()[1][-1] or b""
        box.client.capabilities = tuple(told.decode("ascii", "replace").upper().split())


class Smtp:
    """The server that sends. ``address`` is the desk's own, which stands on the envelope."""

    def __init__(self, table: SmtpTable, environment: Environment, address: str) -> None:
        self.table = table
        self.port = table.port or SMTP_PORTS[table.security]
        self.address = address
        self._environment = environment
        self._tls = _tls(table)
        if table.user:
            _credentials(table, environment)

    def send(self, recipient: str, content: bytes) -> None:
        """Hand over a whole mail; raises ``DeliveryFailed`` that says whether the same may succeed later."""
        with self.open() as client, smtp_failures(self.table.host, self.port):
            sender, to = ascii_address(self.address), ascii_address(recipient)
            client.sendmail(sender or self.address, [to or recipient], content)

    @contextmanager
    def open(self) -> Iterator[smtplib.SMTP]:
        """A connection that is logged in."""
        with smtp_failures(self.table.host, self.port):
            client = self._connect()
        try:
            with smtp_failures(self.table.host, self.port):
                self._log_in(client)
            yield client
        finally:
            _quit(client)

    def _connect(self) -> smtplib.SMTP:
        host, timeout, name = self.table.host, self.table.timeout_s, domain_of(self.address)
        if self.table.security == "tls":
            return smtplib.SMTP_SSL(host, self.port, name, timeout=timeout, context=self._tls)
        return smtplib.SMTP(host, self.port, name, timeout=timeout)

    def _log_in(self, client: smtplib.SMTP) -> None:
        client.ehlo_or_helo_if_needed()
        if self.table.security == "starttls":
            client.starttls(context=self._tls)
            client.ehlo()
        if not self.table.user:
            return
        user, secret = _credentials(self.table, self._environment)
        if self.table.token:
            # https://learn.microsoft.com/exchange/client-developer/legacy-protocols/how-to-authenticate-an-imap-pop-smtp-application-by-using-oauth
            client.auth("XOAUTH2", lambda challenge=None: "" if challenge else f"user={user}\1auth=Bearer {secret}\1\1")
        else:
            client.login(user, secret)


@contextmanager
def imap_failures(host: str, port: int) -> Iterator[None]:
    """Turn what goes wrong on the connection into ``DeliveryFailed`` with a sentence."""
    where = f"The IMAP server {host}:{port}"
    try:
        yield
    except MailboxLoginError as error:
        says = f"{where} refused the login: check user and password."
        raise DeliveryFailed(says, faulty=True) from error
    except MailboxFolderSelectError as error:
        raise DeliveryFailed(f"{where} does not open the folder: check its name.", faulty=True) from error
    except (imaplib.IMAP4.error, ImapToolsError) as error:
        said = str(error)[:200].rstrip(".")
        # As RFC 5530 codes it; a refused token comes as another error than a refused password.
        if "AUTHENTICATIONFAILED" in said:
            raise DeliveryFailed(f"{where} refused the login: check user and token.", faulty=True) from error
        raise DeliveryFailed(f"{where} broke off: {said}.", faulty=True) from error
    except OSError as error:
        raise DeliveryFailed(_unreachable(where, error), faulty=True) from error


@contextmanager
def smtp_failures(host: str, port: int) -> Iterator[None]:
    """Turn what the server says into ``DeliveryFailed``: 4xx may be tried again, 5xx not, unless it is the login's."""
    where = f"The SMTP server {host}:{port}"
    try:
        yield
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()), (550, b""))
        raise _refused(where, code, said, "the recipient") from error
    except smtplib.SMTPSenderRefused as error:
        raise _refused(where, error.smtp_code, error.smtp_error, "the sender") from error
    except smtplib.SMTPAuthenticationError as error:
        raise _refused(where, error.smtp_code, error.smtp_error, "the login") from error
    except smtplib.SMTPResponseException as error:
        raise _refused(where, error.smtp_code, error.smtp_error, "the mail") from error
    except smtplib.SMTPNotSupportedError as error:
        raise DeliveryFailed(f"{where} cannot do what the table asks for: {error}", faulty=True) from error
    except smtplib.SMTPException as error:
        raise DeliveryFailed(f"{where} broke off: {error}", faulty=True) from error
    except UnicodeError as error:
        says = f"{where} cannot be told of letters beyond ASCII: look at address, user and password."
        raise DeliveryFailed(says, faulty=True) from error
    except OSError as error:
        raise DeliveryFailed(_unreachable(where, error), faulty=True) from error


def _refused(where: str, code: int, said: bytes | str, what: str) -> DeliveryFailed:
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    concerns_server = code in _SERVER_CODES or what == "the login" or code < 400
    retryable = concerns_server or code < 500
    says = f"{where} refused {what}: {code} {' '.join(words.split())[:300]}"
    return DeliveryFailed(says, retryable=retryable, faulty=concerns_server)


def _unreachable(where: str, error: OSError) -> str:
    if isinstance(error, TimeoutError):
        return f"{where} did not answer in time."
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"{where} shows a certificate that is not trusted: {error.verify_message}. Give its CA as ca_file."
    if isinstance(error, ssl.SSLError):
        return f"{where} does not speak TLS as expected: check port and security."
    return f"{where} cannot be reached: {error.strerror or type(error).__name__}."


def _tls(table: ServerTable) -> ssl.SSLContext | None:
    if table.security == "none":
        return None
    try:
        return ssl.create_default_context(cafile=table.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Misconfigured(f"The certificates in {table.ca_file} cannot be read: {type(error).__name__}.") from error


def _credentials(table: ServerTable, environment: Environment) -> tuple[str, str]:
    secret = table.token or table.password
    assert table.user is not None and secret is not None
    return table.user, secret.read(environment)


def _hang_up(box: BaseMailBox) -> None:
    try:
        box.logout()
    except (imaplib.IMAP4.error, ImapToolsError, OSError):
        box.client.shutdown()  # it is gone already


def _quit(client: smtplib.SMTP) -> None:
    try:
        client.quit()
    except (smtplib.SMTPException, OSError):
        client.close()
