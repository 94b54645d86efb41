"""Which mails in the folder are new, and how is none of them lost or taken twice?

A mail is taken (stored and queued), then flagged, then the checkpoint moves behind it: whatever is cut short is done
again, and taking knows the mail by what stands in it. Numbers of mails hold only as long as the folder's UIDVALIDITY
(https://datatracker.ietf.org/doc/html/rfc3501#section-2.3.1.1); under a new one the last days are gone through again.
"""

from __future__ import annotations

import hashlib
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from imaplib import Internaldate2tuple
from typing import cast

import structlog
from imap_tools.errors import MailboxMoveError
from imap_tools.mailbox import BaseMailBox
from sqlalchemy.exc import SQLAlchemyError

from triage.channels.common.system import Services
from triage.channels.common.values import DeliveryFailed, Received, Said
from triage.channels.inbox import keep_unreadable
from triage.channels.mail.arriving import Reader
from triage.channels.mail.memory import Memory
from triage.channels.mail.reading import read_mail
from triage.channels.mail.servers import Imap
from triage.channels.mail.table import ImapTable, MailTable
from triage.db.tables import RemoteTicketRow

# The server's clock may be another than ours, and dates of arrival count whole seconds.
OVERLAP = timedelta(days=1)
EARLY = timedelta(minutes=10)
# So long the end of the program may have to wait for a connection that only listens.
SLICE_S = 1.0
WAITS_S = 15.0
MOST_REFUSALS = 6
BEGINNING_BYTES = 65_536

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The last mail that was taken, by its number under a UIDVALIDITY, and when (ISO) that was, and the first time."""

    validity: int
    uid: int
    at: str
    began: str


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder as it was opened: what its numbers hold for, the next of them, and which flags can be kept."""

    validity: int
    next_uid: int | None
    keeps: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A mail as the server gave it; ``size`` may be more than what was asked for of it."""

    raw: bytes
    size: int
    arrived_at: datetime | None


@dataclass(frozen=True, slots=True)
class Refused:
    """How often the server has refused to give a mail."""

    uid: int = 0
    times: int = 0


class Listener:
    """Takes the mails of a channel as they come."""

    def __init__(
        self, name: str, table: MailTable, imap: Imap, reader: Reader, memory: Memory, services: Services
    ) -> None:
        self._name = name
        self._table = table
        self._imap = imap
        self._reader = reader
        self._memory = memory
        self._services = services
        self._refused = Refused()
        folder = f"{imap.table.host}/{imap.table.user}/{imap.table.folder}"
        self._key = f"folder:{hashlib.sha256(folder.encode()).hexdigest()[:40]}"

    def listen(self, stop: threading.Event) -> None:
        """Take what is new and wait for more, until the event is set; raises ``DeliveryFailed`` where it cannot."""
        with self._imap.open() as box:
            folder = open_folder(box, self._imap.table)
            while not stop.is_set():
                # What arrives meanwhile is told of in answers that nobody reads: it is looked for until there is none.
                while self._take_new(box, folder, stop) and not stop.is_set():
                    pass
                wait(box, self._imap.table, stop)

    def _take_new(self, box: BaseMailBox, folder: Folder, stop: threading.Event) -> bool:
        """Take what has come since the checkpoint; whether there was any."""
        known = self._checkpoint()
        if known and known.validity == folder.validity:
            new = _uids(box, f"UID {known.uid + 1}:*", after=known.uid)
            for uid in new:
                if stop.is_set():
                    break
                self._take(box, folder, uid, None)
                self._keep(folder, uid, known.began)
            return bool(new)
        began = datetime.fromisoformat(known.began) if known else datetime.now(UTC)
        if known:
            log.warning("folder renumbered", channel=self._name, folder=self._table.imap.folder)
            since = max(began - EARLY, datetime.fromisoformat(known.at) - OVERLAP)
            uids = _uids(box, f"SINCE {imap_date(since)}")
        else:
            since, uids = None, self._first(box)
        for uid in uids:
            if stop.is_set():
                return False
            self._take(box, folder, uid, since)
        # Only now: what is cut short here is gone through again from its beginning.
        last = max([*uids, *([folder.next_uid - 1] if folder.next_uid else _uids(box, "ALL")), 0])
        self._keep(folder, last, began.isoformat())
        return True

    def _first(self, box: BaseMailBox) -> list[int]:
        match self._table.imap.begin:
            case "new":
                return []
            case "unread":
                return _uids(box, "UNSEEN")
            case _:
                return _uids(box, "ALL")

    def _take(self, box: BaseMailBox, folder: Folder, uid: int, since: datetime | None) -> None:
        fetched = self._fetch(box, folder, uid)
        if fetched is None or (since and fetched.arrived_at and fetched.arrived_at < since):
            return
        received = self._read(fetched)
        if received is not None:
            is_new = self._services.take(self._name, received, delay_s=self._delay_s(received))
            log.info("mail taken", channel=self._name, uid=uid, key=received.key, what=received.event, new=is_new)
        self._mark(box, folder, uid)

    def _fetch(self, box: BaseMailBox, folder: Folder, uid: int) -> Fetched | None:
        """The mail. Of one that the server again and again does not give, the beginning; then it is noted and left.

        Others wait behind it. Each try is a connection of its own that works up to there, so it is not the network.
        """
        times = self._refused.times if self._refused.uid == uid else 0
        if times >= MOST_REFUSALS:
            note = f"The IMAP server does not give mail number {uid} of {self._table.imap.folder}: look at it there."
            log.error("mail not given", channel=self._name, uid=uid, folder=self._table.imap.folder)
            self._services.take(self._name, Received(f"refused:{folder.validity}:{uid}", "unreadable", note=note))
            return None
        self._refused = Refused(uid, times + 1)
        most = int(self._table.most_mb * 1_000_000) if times < MOST_REFUSALS // 2 else BEGINNING_BYTES
        fetched = fetch(box, uid, most)
        self._refused = Refused()
        return fetched

    def _delay_s(self, received: Received) -> float:
        """A reply waits for the ticket of its thread where that came in the same moment."""
        threads = [one.remote_id for one in received.happenings if isinstance(one, Said)]
        with self._services.sessions() as session:
            is_there = all(session.get(RemoteTicketRow, (self._name, remote_id)) for remote_id in threads)
        return 0.0 if is_there else WAITS_S

    def _read(self, fetched: Fetched) -> Received | None:
        try:
            return self._reader.receive(read_mail(fetched.raw, size=fetched.size))
        except SQLAlchemyError:
            raise  # the database is away or busy: the mail is read again
        except Exception as error:  # our own mistake must not keep the mails behind it from being taken
            log.error("mail not read", channel=self._name, exc_info=error)
            says = f"Unexpected {type(error).__name__}: see the worker's log."
            keep_unreadable(self._services.sessions, self._name, fetched.raw, says)
            return None

    def _mark(self, box: BaseMailBox, folder: Folder, uid: int) -> None:
        """Show people that the mail was taken; where that is refused it is taken all the same."""
        imap = self._table.imap
        try:
            if imap.flag and folder.keeps(imap.flag):
                _command(box, "STORE", str(uid), "+FLAGS.SILENT", f"({imap.flag})")
            if imap.move_to and can_move(box):
                box.move([str(uid)], imap.move_to)
        except (DeliveryFailed, MailboxMoveError) as error:
            log.warning("mail not marked", channel=self._name, uid=uid, reason=str(error))

    def _checkpoint(self) -> Checkpoint | None:
        value = self._memory.recall(self._key)
        return Checkpoint(**cast(dict[str, object], value)) if isinstance(value, dict) else None  # type: ignore[arg-type]

    def _keep(self, folder: Folder, uid: int, began: str) -> None:
        checkpoint = Checkpoint(folder.validity, uid, datetime.now(UTC).isoformat(), began)
        self._memory.remember(self._key, asdict(checkpoint))


def open_folder(box: BaseMailBox, imap: ImapTable) -> Folder:
    """Choose the folder; raises ``DeliveryFailed`` where it cannot number its mails."""
    box.folder.set(imap.folder)
    validity, next_uid = _number(box, "UIDVALIDITY"), _number(box, "UIDNEXT")
    if validity is None:
        raise DeliveryFailed(f"The folder {imap.folder} has no UIDVALIDITY, so its mails cannot be told apart.")
    flags = b" ".join(one for one in box.client.response("PERMANENTFLAGS")[1] or () if one).decode("ascii", "replace")
    allowed = {flag.lower() for flag in re.findall(r"[^\s()]+", flags)}
    return Folder(validity, next_uid, lambda flag: "\\*" in allowed or flag.lower() in allowed)


def wait(box: BaseMailBox, imap: ImapTable, stop: threading.Event) -> None:
    """Until the server tells of something, the folder is to be looked at anyway, or the event is set."""
    until = time.monotonic() + imap.every_s
    if not (imap.idle and can_idle(box)):
        stop.wait(imap.every_s)
    else:
        with box.idle as idle:
            while not stop.is_set() and (left := until - time.monotonic()) > 0:
                asked, span = time.monotonic(), min(left, SLICE_S)
                # A closed connection is readable at once and says nothing.
                if idle.poll(timeout=span) or time.monotonic() - asked < span / 2:
                    break
    if not stop.is_set():
        box.client.noop()


def can_idle(box: BaseMailBox) -> bool:
    """Whether the server tells of new mail by itself."""
    return "IDLE" in box.client.capabilities


def can_move(box: BaseMailBox) -> bool:
    """Whether it can move a mail by itself; by copying and deleting, others' deleted mails would go as well."""
    return "MOVE" in box.client.capabilities


def fetch(box: BaseMailBox, uid: int, most_bytes: int) -> Fetched | None:
    """The mail without marking it as read, at most so many bytes of it; None where it is gone meanwhile."""
    parts = f"(UID INTERNALDATE RFC822.SIZE BODY.PEEK[]<0.{most_bytes}>)"
    told, raw = b"", None
    for item in _command(box, "FETCH", str(uid), parts):
        if isinstance(item, tuple):
            told, raw = told + item[0], item[1]
        elif isinstance(item, bytes):
            told += item
    if raw is None:
        return None
    size = re.search(rb"RFC822\.SIZE (\d+)", told)
    stamp = Internaldate2tuple(told)
    arrived = datetime.fromtimestamp(time.mktime(stamp), UTC) if stamp else None
    return Fetched(raw, int(size[1]) if size else len(raw), arrived)


def imap_date(moment: datetime) -> str:
    """As a search wants it, whatever the locale."""
    month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][moment.month - 1]
    return f"{moment.day:02}-{month}-{moment.year}"


def _uids(box: BaseMailBox, criteria: str, *, after: int = 0) -> list[int]:
    """Ascending. A search for n:* gives the last mail also where its number is below n."""
    found = _command(box, "SEARCH", criteria)
    numbers = (int(number) for line in found if isinstance(line, bytes) for number in line.split())
    return sorted(number for number in numbers if number > after)


def _command(box: BaseMailBox, *arguments: str) -> Iterator[object] | list[object]:
    status, answer = box.client.uid(*arguments)
    if status != "OK":
        raise DeliveryFailed(f"The IMAP server answered {status} to {arguments[0]}: {answer!r:.200}", faulty=True)
    return cast(list[object], answer or [])


def _number(box: BaseMailBox, name: str) -> int | None:
    answers: list[bytes | None] = box.client.response(name)[1] or []
    told = next((one for one in reversed(answers) if one), None)
    return int(told) if told and told.isdigit() else None
