"""What `triage slack check` says of a workspace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from slack_sdk import WebClient

from tests.integration.channels.test_slack_upkeep import desk, slack  # noqa: F401 - fixtures
from tests.peers.slack.server import SlackServer
from triage.channels.common.values import DeliveryFailed
from triage.channels.slack.check import check
from triage.channels.slack.desk import SlackDesk
from triage.channels.slack.manifest import SCOPES


@pytest.fixture
def told(desk: SlackDesk, slack: SlackServer) -> SlackDesk:  # noqa: F811
    slack.scopes = ",".join(SCOPES)
    settings: dict[str, object] = {
        "api_url": slack.api,
        "desk": ("S0DESK",),
        "watch": {"C0HELP": {}},
        "queues": {"network": "C0NET"},
    }
    return replace(desk, table=desk.table.model_copy(update=settings))


def findings(told: SlackDesk) -> Mapping[str, tuple[bool, str]]:
    return {one.what: (one.ok, one.says) for one in check(told, "xapp-1")}


def test_a_workspace_that_has_everything_is_fine_and_nothing_stays_in_it(
    told: SlackDesk,
    slack: SlackServer,  # noqa: F811
) -> None:
    found = findings(told)
    assert all(ok for ok, _ in found.values()), found
    names = {"bot token", "scopes", "app token", "round trip", "user group S0DESK"}
    assert set(found) == names | {"channel C0HELP", "channel C0NET", "channel C0AGENTS"}
    assert len(slack.called("chat.postMessage")) == len(slack.called("chat.delete")) == 1


@pytest.mark.parametrize(
    ("method", "error", "what", "says"),
    [
        ("auth.test", "invalid_auth", "bot token", "check the tokens"),
        ("apps.connections.open", "missing_scope", "app token", "connections:write"),
        ("conversations.history", "not_in_channel", "channel C0HELP", "invite it there"),
        ("chat.postMessage", "is_archived", "round trip", "archived"),
        ("usergroups.users.list", "missing_scope", "desk S0DESK", "check the tokens and scopes"),
    ],
)
def test_what_is_missing_is_said_with_what_to_do(
    told: SlackDesk,
    slack: SlackServer,  # noqa: F811
    method: str,
    error: str,
    what: str,
    says: str,
) -> None:
    slack.errors[method] = error
    ok, said = findings(told)[what]
    assert not ok and says in said and error in said


def test_scopes_that_were_not_granted_are_named_with_what_they_are_for(told: SlackDesk, slack: SlackServer) -> None:  # noqa: F811
    slack.scopes = ",".join(scope for scope in SCOPES if scope != "reactions:read")
    ok, said = findings(told)["scopes"]
    assert not ok and "reactions:read (to make a ticket of a message by emoji)" in said and "chat:write" not in said


def test_an_empty_desk_is_said(told: SlackDesk) -> None:
    nobody = replace(told, table=told.table.model_copy(update={"desk": ()}))
    assert not findings(nobody)["the desk"][0]
    empty = replace(told, table=told.table.model_copy(update={"desk": ("S0OTHER",)}))
    assert findings(empty)["user group S0OTHER"] == (False, "nobody is in it, so nobody is at the desk.")


def test_a_slack_that_is_not_there_is_said_in_words(told: SlackDesk) -> None:
    nowhere = replace(told, client=WebClient(token="x", base_url="http://127.0.0.1:9/api/", retry_handlers=[]))
    with pytest.raises(DeliveryFailed, match="Slack cannot be reached"):
        findings(nowhere)
    half = replace(told, table=told.table.model_copy(update={"api_url": "http://127.0.0.1:9/api"}))
    with pytest.raises(DeliveryFailed, match="Slack cannot be reached"):
        findings(half)
