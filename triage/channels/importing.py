"""How does a desk's own past come in, so that it can be learned from? A call goes on where the last one broke off.

``read.jsonl`` grows while it is read, ``cursor.json`` says how far that is; ``tickets.jsonl`` to train on and
``solved.jsonl`` for the knowledge base are made of it at the end, each ticket once, as it stands last.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from triage.channels.common.system import Page, System
from triage.channels.common.values import DeliveryFailed, Gone, RemoteTicket, Status
from triage.errors import BadInput, Misconfigured
from triage.privacy import mask, names_of

READ, CURSOR, TICKETS, SOLVED = "read.jsonl", "cursor.json", "tickets.jsonl", "solved.jsonl"
ARTICLES = "articles.json"
# A system that fails so often in a row is away; the import goes on there when it is called again.
MOST_TRIES = 6
LONGEST_WAIT_S = 300.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """What was read, and where it lies: counts of tickets; ``fields`` how many values each field has."""

    tickets: Path
    solved: Path
    read: int
    usable: int
    resolved: int
    left_out: Mapping[str, int]
    fields: Mapping[str, int]


def import_history(
    system: System,
    folder: Path,
    since: datetime,
    *,
    masked: bool = False,
    progress: Progress | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Imported:
    """Read what was changed since then, or since an earlier call broke off or ended; returns what is there now.

    Raises ``DeliveryFailed`` where the system stays away, ``Misconfigured`` where the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _read_all(system, folder, since, masked, progress, sleep)
        return _gather(folder)
    except OSError as error:
        raise Misconfigured(f"{folder} cannot be written: {error.strerror}.") from error


def import_articles(parts: Iterator[Mapping[str, object]], folder: Path) -> Path:
    """Write the parts of a help centre as one file in the shape of its export, which the knowledge base reads."""
    whole: dict[str, dict[str, object]] = {}
    for part in parts:
        for name, records in part.items():
            for record in records if isinstance(records, list) else []:
                whole.setdefault(name, {})[str(record.get("id"))] = record  # what every part repeats stands once
    folder.mkdir(parents=True, exist_ok=True)
    lists = {name: list(records.values()) for name, records in whole.items()}
    _replace(folder / ARTICLES, json.dumps(lists, ensure_ascii=False))
    return folder / ARTICLES


def _read_all(
    system: System,
    folder: Path,
    since: datetime,
    masked: bool,
    progress: Progress | None,
    sleep: Callable[[float], None],
) -> None:
    done = 0
    for page in _tried(lambda: system.changed_since(_cursor(folder, since), since), sleep):
        with (folder / READ).open("a", encoding="utf-8") as file:
            for remote_id in page.remote_ids:
                ticket = _read(system, remote_id, sleep)
                if ticket is not None:
                    file.write(json.dumps(_record(ticket, masked), ensure_ascii=False) + "\n")
                done += 1
                if progress:
                    progress(done, max(page.total or 0, done))
            file.flush()
            os.fsync(file.fileno())
        _replace(folder / CURSOR, json.dumps({"since": since.isoformat(), "cursor": page.cursor}))


def _tried(start: Callable[[], Iterator[Page]], sleep: Callable[[float], None]) -> Iterator[Page]:
    """The pages, begun again where the last one was stored when the system fails for a while."""
    failures = 0
    while True:
        try:
            for item in start():
                failures = 0
                yield item
            return
        except DeliveryFailed as error:
            failures += 1
            _wait(error, failures, sleep)


def _read(system: System, remote_id: str, sleep: Callable[[float], None]) -> RemoteTicket | None:
    failures = 0
    while True:
        try:
            return system.read(remote_id)
        except Gone:
            return None
        except DeliveryFailed as error:
            failures += 1
            _wait(error, failures, sleep)


def _wait(error: DeliveryFailed, failures: int, sleep: Callable[[float], None]) -> None:
    if failures >= MOST_TRIES or not error.retryable_later:
        raise error
    sleep(min(error.wait_s if error.wait_s is not None else 2.0**failures, LONGEST_WAIT_S))


def _cursor(folder: Path, since: datetime) -> str | None:
    """Where to go on; an earlier beginning than last time is read from that."""
    try:
        kept = json.loads((folder / CURSOR).read_text(encoding="utf-8"))
        began, cursor = datetime.fromisoformat(kept["since"]), str(kept["cursor"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{folder / CURSOR} is damaged: remove it, and the history is read from its beginning."
        ) from error
    return None if since < began else cursor


def _record(ticket: RemoteTicket, masked: bool) -> dict[str, object]:
    names = names_of(ticket.requester, ticket.features) if masked else ()

    def shown(text: str) -> str:
        return mask(text, names=names) if masked else text

    return {
        "id": ticket.remote_id,
        "subject": shown(ticket.subject),
        "body": shown(ticket.body),
        "requester": ticket.requester,
        "status": ticket.status.value,
        "ours": ticket.opened_by_us,
        "opened_at": ticket.opened_at.isoformat() if ticket.opened_at else "",
        "updated_at": ticket.updated_at.isoformat() if ticket.updated_at else "",
        "url": ticket.url or "",
        "fields": dict(ticket.fields),
        "features": dict(ticket.features),
        "resolution": shown(_resolution(ticket)),
    }


def _resolution(ticket: RemoteTicket) -> str:
    """The last that an agent told the requester of a solved ticket."""
    if ticket.status is not Status.SOLVED:
        return ""
    said = [one.text for one in ticket.messages if one.public and one.by_agent and not one.is_ours and one.text.strip()]
    return said[-1] if said else ""


def _gather(folder: Path) -> Imported:
    latest: dict[str, dict[str, object]] = {}
    if (folder / READ).exists():
        with (folder / READ).open(encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):  # else the process died in the middle of it, and reads it again
                    record = json.loads(line)
                    latest[record["id"]] = record
    left_out = {"still open": 0, "merged or gone": 0, "without text": 0, "opened by the bot": 0}
    usable = []
    for record in latest.values():
        why = _why_left_out(record)
        if why:
            left_out[why] += 1
        else:
            usable.append(record)
    names = sorted({name for record in usable for name in _mapping(record["fields"])})
    rows = [_row(record, names) for record in usable]
    solved = [_solved(record) for record in usable if record["resolution"]]
    _replace(folder / TICKETS, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    _replace(folder / SOLVED, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in solved))
    return Imported(
        tickets=folder / TICKETS,
        solved=folder / SOLVED,
        read=len(latest),
        usable=len(rows),
        resolved=len(solved),
        left_out={why: number for why, number in left_out.items() if number},
        fields={name: len({row[name] for row in rows if row[name]}) for name in names},
    )


def _why_left_out(record: Mapping[str, object]) -> str:
    if record["ours"]:
        return "opened by the bot"
    if record["status"] in (Status.MERGED.value, Status.GONE.value):
        return "merged or gone"
    if record["status"] != Status.SOLVED.value:
        return "still open"  # its labels are not its last ones
    return "" if f"{record['subject']}{record['body']}".strip() else "without text"


def _row(record: Mapping[str, object], names: list[str]) -> dict[str, str]:
    fields = _mapping(record["fields"])
    plain = {name: str(record[name]) for name in ("id", "subject", "body", "requester", "opened_at")}
    return {**plain, **{name: str(fields.get(name, "")) for name in names}}


def _solved(record: Mapping[str, object]) -> dict[str, str]:
    return {
        "id": str(record["id"]),
        "title": str(record["subject"]),
        "question": str(record["body"]) or str(record["subject"]),
        "resolution": str(record["resolution"]),
        "solved_at": str(record["updated_at"])[:10],
        "url": str(record["url"]),
    }


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _replace(path: Path, content: str) -> None:
    """Write the file beside itself, then put it in its place, so that it is whole at every moment."""
    aside = path.with_suffix(".part")
    aside.write_text(content, encoding="utf-8")
    os.replace(aside, path)
