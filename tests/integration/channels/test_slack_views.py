"""What a form of Slack's says is understood again, and App Home fits Slack."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from tests.integration.channels.conftest import Office
from tests.integration.channels.test_slack_upkeep import desk, opened, slack  # noqa: F401 - fixtures
from tests.peers.slack.server import SlackServer
from triage.channels.common.values import Webhook
from triage.channels.slack.app import SlackApp
from triage.channels.slack.desk import SlackDesk
from triage.channels.slack.home import NEW_BUTTON, home_view
from triage.channels.slack.modal import change_view, changed_values, labels_of
from triage.db.tables import DecisionRow

LONG = "Network and remote access, for everybody who works from home or from a train, in all of Europe"


def signed(form: dict[str, str]) -> Webhook:
    body, stamp = urlencode(form), str(int(time.time()))
    signature = hmac.new(b"s", f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"content-type": "application/x-www-form-urlencoded", "x-slack-request-timestamp": stamp}
    return Webhook({**headers, "x-slack-signature": f"v0={signature}"}, body.encode(), datetime.now(UTC))


COMMAND = {"command": "/triage", "text": "new", "user_id": "U1", "channel_id": "C1", "trigger_id": "1.2"}
CLICK = {
    "type": "block_actions",
    "user": {"id": "U1"},
    "trigger_id": "1.2",
    "actions": [{"type": "button", "action_id": NEW_BUTTON, "block_id": "home", "value": "new"}],
}


@pytest.mark.parametrize(
    ("form", "says", "place"),
    [(COMMAND, "chat.postEphemeral", "C1"), ({"payload": json.dumps(CLICK)}, "chat.postMessage", "D1")],
    ids=["command", "App Home"],
)
def test_who_waits_for_a_form_that_came_too_late_is_told(
    desk: SlackDesk,  # noqa: F811
    slack: SlackServer,  # noqa: F811
    form: dict[str, str],
    says: str,
    place: str,
) -> None:
    slack.errors["views.open"] = "expired_trigger_id"
    if place == "D1":  # App Home is no channel
        slack.errors["chat.postEphemeral"] = "channel_not_found"
    app = SlackApp(desk, "s", None)
    assert app.dispatch(signed(form)).status == 200
    app.close()
    [told] = slack.called(says)
    assert told["channel"] == place and told["text"] == "That took too long for Slack. Please press it once more."


def test_a_value_longer_than_slacks_options_is_taken_whole(office: Office, desk: SlackDesk) -> None:  # noqa: F811
    opened(office, desk, quiet_days=0)
    ticket_id = desk.ticket_at("C1:1.1") or ""
    with office.sessions.begin() as session:
        row = session.get_one(DecisionRow, (desk.story(ticket_id).runs[-1].id, "queue"))
        row.alternatives = [{"label": LONG, "probability": 0.2}, {"label": f"{LONG}, too", "probability": 0.1}]
    ticket = desk.story(ticket_id)
    view = change_view(ticket, labels_of(desk, ticket), {"channel": "C9", "ts": "1.1"})
    form = next(one for one in view["blocks"] if one["block_id"] == "field_queue")  # type: ignore[attr-defined]
    taken = set()
    for option in form["element"]["options"]:
        submitted = {"field_queue": {"chosen": {"selected_option": option}}, "field_other": {"chosen": {}}}
        sent = {"private_metadata": view["private_metadata"], "state": {"values": submitted}}
        found, values, card = changed_values(desk, sent)
        assert found == ticket_id and card == {"channel": "C9", "ts": "1.1"}
        taken.add(values["queue"])
    assert taken == {"network", LONG, f"{LONG}, too"}


def test_a_value_that_nobody_offers_is_not_taken(office: Office, desk: SlackDesk) -> None:  # noqa: F811
    opened(office, desk, quiet_days=0)
    ticket = desk.story(desk.ticket_at("C1:1.1") or "")
    view = change_view(ticket, labels_of(desk, ticket), {"channel": "C9", "ts": "1.1"})
    forged = {"field_queue": {"chosen": {"selected_option": {"value": "0"}}}}
    sent = {"private_metadata": view["private_metadata"], "state": {"values": forged}}
    assert changed_values(desk, sent)[1] == {}


def test_app_home_shows_ones_own_ticket_and_not_anothers(office: Office, desk: SlackDesk) -> None:  # noqa: F811
    opened(office, desk, quiet_days=0)
    assert "VPN drops" in str(home_view(desk, "U1"))
    assert "VPN drops" not in str(home_view(desk, "U2"))
    assert "<!date^" in str(home_view(desk, "U1"))
