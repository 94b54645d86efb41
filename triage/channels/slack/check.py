"""Does the app have what it needs in this workspace, and can it speak? In words."""

from __future__ import annotations

from collections.abc import Iterator

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from triage.channels.common.values import DeliveryFailed, Finding
from triage.channels.slack.desk import SlackDesk, failure
from triage.channels.slack.manifest import SCOPES


def check(desk: SlackDesk, app_token: str | None) -> Iterator[Finding]:
    """Tokens, scopes, channels, the desk's people, and a round trip; raises ``DeliveryFailed`` without a Slack."""
    try:
        yield from _findings(desk, app_token)
    except OSError as error:
        raise DeliveryFailed(f"Slack cannot be reached: {type(error).__name__}.", faulty=True) from error


def _findings(desk: SlackDesk, app_token: str | None) -> Iterator[Finding]:
    try:
        answer = desk.client.auth_test()
    except SlackApiError as error:
        yield Finding(False, "bot token", str(failure(error)))
        return
    yield Finding(True, "bot token", f"the bot is {answer.get('user')} in {answer.get('team')}.")
    yield _scopes(answer.headers.get("x-oauth-scopes") or answer.headers.get("X-OAuth-Scopes"))
    if app_token:
        yield _socket(desk, app_token)
    named = {*desk.table.watch, *desk.table.queues.values(), *filter(None, [desk.table.card_channel])}
    for channel in sorted(named):
        yield _channel(desk, channel)
    if desk.table.card_channel:
        yield _round_trip(desk, desk.table.card_channel)
    if not desk.table.desk:
        says = "`desk` is empty, so nobody may accept, change or take tickets; name a user group or people."
        yield Finding(False, "the desk", says)
    for one in desk.table.desk:
        yield _member(desk, one)


def _scopes(granted: str | None) -> Finding:
    if granted is None:
        return Finding(True, "scopes", "Slack does not tell which were granted.")
    missing = [scope for scope in SCOPES if scope not in {one.strip() for one in granted.split(",")}]
    if not missing:
        return Finding(True, "scopes", "all are granted.")
    said = "; ".join(f"{scope} ({SCOPES[scope]})" for scope in missing)
    return Finding(False, "scopes", f"missing: {said}. Paste the manifest of `triage slack manifest` and reinstall.")


def _socket(desk: SlackDesk, app_token: str) -> Finding:
    try:
        WebClient(token=app_token, base_url=f"{desk.table.api_url}/", timeout=10).apps_connections_open(
            app_token=app_token
        )
    except SlackApiError as error:
        return Finding(False, "app token", f"{failure(error)} It needs the scope connections:write.")
    return Finding(True, "app token", "Socket Mode can be opened.")


def _channel(desk: SlackDesk, channel: str) -> Finding:
    try:
        desk.client.conversations_history(channel=channel, limit=1)
    except SlackApiError as error:
        return Finding(False, f"channel {channel}", str(failure(error)))
    return Finding(True, f"channel {channel}", "the app is in it.")


def _round_trip(desk: SlackDesk, channel: str) -> Finding:
    """Write to the agents, and take it back."""
    try:
        ts = str(
            desk.client.chat_postMessage(channel=channel, text="A check of the help desk; it vanishes at once.")["ts"]
        )
        desk.client.chat_delete(channel=channel, ts=ts)
    except SlackApiError as error:
        return Finding(False, "round trip", str(failure(error)))
    return Finding(True, "round trip", f"a message to {channel} was written and taken back.")


def _member(desk: SlackDesk, one: str) -> Finding:
    try:
        if one.startswith("S"):
            number = len(desk.client.usergroups_users_list(usergroup=one)["users"] or [])
            says = f"{number} people are at the desk." if number else "nobody is in it, so nobody is at the desk."
            return Finding(number > 0, f"user group {one}", says)
        name = desk.client.users_info(user=one)["user"].get("name")
    except SlackApiError as error:
        return Finding(False, f"desk {one}", str(failure(error)))
    return Finding(True, f"person {one}", f"{name} is at the desk.")
