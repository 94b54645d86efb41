"""How are files of a thread fetched, and others put into it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

import structlog
from slack_sdk.errors import SlackApiError, SlackRequestError

from triage.channels.common.calling import Caller, TooLong
from triage.channels.common.files import MOST_BYTES, MOST_FILES, File
from triage.channels.common.values import DeliveryFailed, Gone
from triage.channels.slack.desk import SlackDesk, failure, in_words, place_of
from triage.channels.slack.messages import files_in, lines_of
from triage.channels.slack.threads import FORM, Messages, Place

# Slack's own, to which alone the token may go (https://docs.slack.dev/reference/objects/file-object).
HOST = "slack.com"
PAGE_FOR_PEOPLE = b"<!doctype html"

log = structlog.get_logger(__name__)


def files_of(desk: SlackDesk, remote_id: str, message_id: str) -> Iterator[File]:
    """The files of a message of the ticket; with an empty id those that it was opened with. An edit brings none.

    Raises ``DeliveryFailed`` where they may be had later, or the app may not have them.
    """
    ts, slash, _ = message_id.partition("/")
    if slash:
        return
    held = [
        one for place in _places(desk, remote_id) for message in _written(desk, place, ts) for one in files_in(message)
    ]
    with Caller("", timeout_s=desk.table.sending.timeout_s, headers=_signed(desk), most_bytes=MOST_BYTES) as caller:
        for one in held[:MOST_FILES]:
            try:
                yield _fetched(desk, caller, one)
            except (Gone, TooLong) as error:
                log.warning("file left where it is", file=str(one.get("name")), reason=str(error))


def hand_over(desk: SlackDesk, place: Place, files: Sequence[File], there: Messages) -> None:
    """Put files into a thread, but for those that we have put ``there`` before; raises ``DeliveryFailed``."""
    put = Counter(str(file.get("name")) for one in there if one.get("bot_id") for file in files_in(one))
    uploads = []
    for one in files:
        if put[one.name]:
            put[one.name] -= 1
        else:
            uploads.append({"content": one.content, "filename": one.name, "title": one.name})
    if not uploads:
        return
    try:
        desk.client.files_upload_v2(channel=place[0], thread_ts=place[1], file_uploads=uploads)
    except SlackApiError as error:
        refused = failure(error)
        if refused.retryable_later and error.response.get("error") != "missing_scope":
            raise refused from error
        # Their names stand in the words that were said already.
        log.warning("files not handed over", reason=str(refused))
    except (SlackRequestError, OSError) as error:
        raise DeliveryFailed("Slack did not take a file.", faulty=True) from error


def _places(desk: SlackDesk, remote_id: str) -> Iterator[Place]:
    if not remote_id.startswith(FORM):
        yield place_of(remote_id)
    moved = desk.recall(f"thread:{desk.ticket_at(remote_id)}")
    if isinstance(moved, str):
        yield place_of(moved)


def _written(desk: SlackDesk, place: Place, ts: str) -> list[Mapping[str, object]]:
    """The message of that moment, or without one the lines that opened the ticket."""
    try:
        with in_words():
            thread = desk.thread(*place)
            if ts:
                return [one for one in thread if one.get("ts") == ts]
            root = next((one for one in thread if one.get("ts") == place[1]), None)
            return lines_of(desk, place[0], root) if root else []
    except Gone:  # the ticket goes on elsewhere
        return []


def _fetched(desk: SlackDesk, caller: Caller, file: Mapping[str, object]) -> File:
    name, url = str(file.get("name") or "file"), str(file.get("url_private_download") or file.get("url_private") or "")
    if not _is_slacks(desk, url):
        raise Gone(f"{name!r} does not lie in Slack.")
    media_type = str(file.get("mimetype") or "application/octet-stream")
    content = caller.call("GET", url).body
    if content[:200].lstrip()[: len(PAGE_FOR_PEOPLE)].lower() == PAGE_FOR_PEOPLE and media_type != "text/html":
        raise Gone("Slack showed its sign-in page instead: give the app the scope files:read.")
    return File(name, media_type, content)


def _is_slacks(desk: SlackDesk, url: str) -> bool:
    there, api = urlsplit(url), urlsplit(desk.table.api_url)
    host = there.hostname or ""
    if (there.scheme, there.netloc) == (api.scheme, api.netloc):
        return True
    return there.scheme == "https" and (host == HOST or host.endswith(f".{HOST}")) and "@" not in there.netloc


def _signed(desk: SlackDesk) -> dict[str, str]:
    return {"Authorization": f"Bearer {desk.client.token}"}
