"""A real Dovecot with mailboxes of its own in a folder, on a free port; any user may log in with PASSWORD."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from imap_tools import MailBoxUnencrypted

from tests.processes import free_port, until

PASSWORD = "imap-password"
DOVECOT = "/usr/sbin/dovecot"

CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/dovecot.log
protocols = imap
listen = 127.0.0.1
ssl = {ssl}
{tls}
disable_plaintext_auth = no
auth_mechanisms = {mechanisms}
mail_location = maildir:{folder}/mail/%u
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 1
default_internal_user = dovecot
default_login_user = dovenull
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
passdb {{
{passdb}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u allow_all_users=yes
}}
"""


@dataclass(frozen=True)
class Dovecot:
    """Where it listens, and what may be done to it behind the back of those who are connected."""

    port: int
    folder: Path
    tls_port: int = 0

    @contextmanager
    def mailbox(self, user: str = "help@desk.example", folder: str = "INBOX") -> Iterator[MailBoxUnencrypted]:
        with MailBoxUnencrypted("127.0.0.1", self.port, timeout=20).login(user, PASSWORD, folder) as box:
            yield box

    def deliver(self, raw: bytes, user: str = "help@desk.example", at: datetime | None = None) -> None:
        """Put a mail into the inbox, as if it had come at that time."""
        with self.mailbox(user) as box:
            box.append(raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"), "INBOX", at)

    def cut(self, user: str = "help@desk.example") -> None:
        """Throw everybody off who is connected as that user."""
        self._doveadm("kick", user)

    def connected(self, user: str = "help@desk.example") -> bool:
        return user in self._doveadm("who", "-1")

    def renumber(self, user: str = "help@desk.example") -> None:
        """Lose the numbers of the inbox, as a restored backup does: UIDVALIDITY is another one afterwards."""
        self.cut(user)
        time.sleep(1.1)  # the number is the time of its making, in seconds
        home = self.folder / "mail" / user
        for name in home.glob("dovecot*"):
            shutil.rmtree(name) if name.is_dir() else name.unlink()

    def _doveadm(self, *arguments: str) -> str:
        command = ["doveadm", "-c", str(self.folder / "dovecot.conf"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout


@contextmanager
def dovecot(
    folder: Path, *, tls: tuple[Path, Path] | None = None, introspection: str | None = None
) -> Iterator[Dovecot]:
    """Start it (as root, as it wants to be); it is stopped when the block is left.

    ``tls`` are a certificate and its key; ``introspection`` is the address that vouches for access tokens, which are
    then the only way in (https://doc.dovecot.org/2.3/configuration_manual/authentication/oauth2/).
    """
    nobody = pwd.getpwnam("nobody")
    port, tls_port = free_port(), free_port() if tls else 0
    (folder / "mail").mkdir(parents=True)
    (folder / "run").mkdir()
    os.chown(folder / "mail", nobody.pw_uid, nobody.pw_gid)
    for one in (folder, *folder.parents):
        if one.stat().st_uid == os.getuid():
            one.chmod(one.stat().st_mode | 0o011)  # its processes run as others
    files = f"ssl_cert = <{tls[0]}\nssl_key = <{tls[1]}" if tls else ""
    text = CONFIGURATION.format(
        folder=folder,
        port=port,
        tls_port=tls_port,
        passdb=_passdb(folder, introspection),
        mechanisms="xoauth2" if introspection else "plain login",
        ssl="yes" if tls else "no",
        tls=files,
        user=nobody.pw_uid,
        group=nobody.pw_gid,
    )
    configuration = folder / "dovecot.conf"
    configuration.write_text(text)
    process = subprocess.Popen([DOVECOT, "-F", "-c", str(configuration)], start_new_session=True)
    peer = Dovecot(port, folder, tls_port)
    try:
        until(lambda: _answers(peer), what="Dovecot", timeout_s=20)
        yield peer
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _passdb(folder: Path, introspection: str | None) -> str:
    if introspection is None:
        return f"  driver = static\n  args = password={PASSWORD}"
    settings = f"introspection_url = {introspection}\nintrospection_mode = post\nactive_attribute = active\n"
    (folder / "oauth2.conf").write_text(f"{settings}active_value = true\nusername_attribute = username\n")
    return f"  driver = oauth2\n  mechanisms = xoauth2\n  args = {folder}/oauth2.conf"


def _answers(peer: Dovecot) -> bool:
    try:
        MailBoxUnencrypted("127.0.0.1", peer.port, timeout=20).logout()
        return True
    except OSError:
        return False
