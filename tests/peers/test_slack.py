"""The Slack help desk on a Slack server, over Socket Mode and signed HTTP: every way in, every button and form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.peers.homes import new_home
from tests.peers.slack import (
    AGENTS,
    ANA,
    BEA,
    CARL,
    HELP,
    SIGNING_SECRET,
    WATCHED,
    LocalSlack,
    connected,
    local_slack,
    screen,
)
from tests.processes import environment, free_port, is_ready, running, until

ASKED = "How do I connect to the VPN with FennGate from home?"
UNKNOWN = "The parrot of the canteen has swallowed the key of the tuba."
# Any: messages, tickets and views are plain dictionaries.
Message = dict[str, Any]

CHANNEL = """
[channels.slack]
kind = "slack"
bot_token = "env:BOT"
{way}
api_url = "{api}"
desk = ["U02BEA"]
admins = ["U02BEA"]
card_channel = "C03AGENTS"
burst_s = 6
settle_s = 1
policy = {{ mode = "apply" }}
[channels.slack.watch.C02WATCHED]
[channels.slack.form.product]
label = "Which product?"
options = ["Laptop", "Phone"]
"""


@dataclass
class HelpDesk:
    """triage as a process, and the Slack that it is in."""

    slack: LocalSlack
    url: str
    bot: str
    app: str

    def tickets(self) -> list[Message]:
        return list(httpx.get(f"{self.url}/v1/tickets", params={"limit": 200}, timeout=20).json()["tickets"])

    def ticket(self, text: str) -> Message:
        def found() -> list[Message]:
            return [one for one in self.tickets() if text in one["body"] + one["subject"] and one["state"] == "triaged"]

        until(lambda: bool(found()), what=f"a ticket about {text!r}", timeout_s=30)
        return found()[0]

    def reply(self, channel: str, ts: str, place: int = 0) -> Message:
        until(lambda: len(self.from_bot(channel, ts)) > place, what="a reply in the thread", timeout_s=30)
        return self.from_bot(channel, ts)[place]

    def from_bot(self, channel: str, ts: str) -> list[Message]:
        return [one for one in self.slack.thread(channel, ts) if one.get("bot_id")]

    def card(self, ticket: Message) -> Message:
        def found() -> list[Message]:
            return [one for one in self.slack.messages(AGENTS) if ticket["id"] in str(one.get("blocks"))]

        until(lambda: bool(found()), what="the agents' card", timeout_s=30)
        return found()[-1]

    def story(self, ticket: Message) -> Message:
        answer: Message = httpx.get(f"{self.url}/v1/tickets/{ticket['id']}", timeout=20).json()
        return answer


@pytest.fixture(scope="module", params=["socket", "http"])
def desk(
    request: pytest.FixtureRequest,
    peers: Path,
    sample_home: Path,
    encoder_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[HelpDesk]:
    folder = tmp_path_factory.mktemp("slack")
    home = new_home(sample_home, folder)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    by_socket = request.param == "socket"
    with local_slack(peers, folder, None if by_socket else f"{url}/v1/webhooks/slack") as slack:
        way = 'app_token = "env:APP"' if by_socket else 'signing_secret = "env:SIGNING"'
        (home / "channels.toml").write_text(CHANNEL.format(way=way, api=f"{slack.url}/api"))
        env = environment(home, encoder_folder, port=str(port), poll_interval_s="0.05", duplicate_days="0")
        env |= {"BOT": "xoxb-sock" if by_socket else "xoxb-http", "APP": "xapp-sock", "SIGNING": SIGNING_SECRET}
        with running(env, "serve", log=folder / "serve.log"):
            until(lambda: is_ready(url), what="the server")
            if by_socket:
                until(lambda: connected(slack), what="the socket")
            yield HelpDesk(slack, url, "U0SOCK" if by_socket else "U0HTTP", "A01SOCK" if by_socket else "A02HTTP")


def buttons(message: Message) -> list[str]:
    return [
        element["action_id"]
        for block in message.get("blocks", [])
        if block["type"] == "actions"
        for element in block["elements"]
    ]


def words(message: Message) -> str:
    return str(message.get("blocks") or message.get("text"))


def test_a_mention_is_answered_in_its_thread_with_words_of_an_article(desk: HelpDesk) -> None:
    ts = desk.slack.write(ANA, HELP, f"<@{desk.bot}> {ASKED}")
    reply = desk.reply(HELP, ts)
    ticket = desk.ticket("FennGate from home")
    answer = ticket["runs"][0]["answer"]
    assert answer["answered"], answer
    assert "triage_solved" in buttons(reply)
    assert answer["citations"][0]["title"] in words(reply)
    assert ticket["requester"] == "ana@fennvale.example"
    assert len([one for one in desk.tickets() if ticket["body"] == one["body"]]) == 1, "mention and message are one"


def test_solved_it_is_feedback_and_closes_the_ticket(desk: HelpDesk) -> None:
    ts = desk.slack.write(ANA, HELP, f"<@{desk.bot}> Please tell me: {ASKED}")
    reply = desk.reply(HELP, ts)
    desk.slack.click(ANA, HELP, reply, "triage_solved")
    ticket = desk.ticket("Please tell me")
    until(lambda: bool(desk.story(ticket)["runs"][0]["feedback"]), what="feedback")
    assert desk.story(ticket)["runs"][0]["feedback"][0]["verdict"] == "solved"
    until(lambda: not buttons(desk.reply(HELP, ts)), what="the buttons gone")


def test_somebody_else_may_not_judge_the_answer(desk: HelpDesk) -> None:
    ts = desk.slack.write(ANA, HELP, f"<@{desk.bot}> Once more, {ASKED}")
    reply = desk.reply(HELP, ts)
    desk.slack.click(CARL, HELP, reply, "triage_not_helpful")
    until(lambda: any("their own tickets" in str(one.get("text")) for one in desk.slack.messages(HELP)), what="refusal")
    assert desk.story(desk.ticket("Once more"))["runs"][0]["feedback"] == []
    desk.slack.click(ANA, HELP, reply, "triage_not_helpful")
    ticket = desk.ticket("Once more")
    until(lambda: bool(desk.story(ticket)["runs"][0]["feedback"]), what="feedback")
    card = desk.card(ticket)
    until(lambda: any("asks for a person" in one["text"] for one in desk.slack.thread(AGENTS, card["ts"])), what="call")


def test_what_nobody_knows_is_filed_and_said_so(desk: HelpDesk) -> None:
    ts = desk.slack.write(ANA, HELP, f"<@{desk.bot}> {UNKNOWN}")
    reply = desk.reply(HELP, ts)
    assert "filed this for the help desk" in words(reply) and "triage_person" in buttons(reply)


def test_five_lines_in_a_watched_channel_are_one_ticket_and_thanks_are_none(desk: HelpDesk) -> None:
    before = len(desk.tickets())
    first = desk.slack.write(ANA, WATCHED, "hi all!")
    lines = ["the beamer in room 7 shows no picture", "tried two cables", "and my laptop", "and Carl's", "thanks!"]
    stamps = [desk.slack.write(ANA, WATCHED, line) for line in lines]
    ticket = desk.ticket("beamer in room 7")
    assert "tried two cables" in ticket["body"] and "and Carl's" in ticket["body"] and "thanks" not in ticket["body"]
    desk.reply(WATCHED, stamps[0])
    assert desk.from_bot(WATCHED, first) == []
    assert len(desk.tickets()) == before + 1


def test_a_direct_message_and_what_follows_in_its_thread(desk: HelpDesk) -> None:
    from slack_sdk import WebClient

    token = "xoxb-sock" if desk.app == "A01SOCK" else "xoxb-http"
    client = WebClient(token=token, base_url=f"{desk.slack.url}/api/")
    conversation = str(client.conversations_open(users=ANA)["channel"]["id"])
    ts = desk.slack.write(ANA, conversation, f"{UNKNOWN} And its feathers are all over.")
    desk.reply(conversation, ts)
    ticket = desk.ticket("feathers are all over")
    desk.slack.write(ANA, conversation, "The tuba player is angry.", ts)
    received = httpx.get(f"{desk.url}/v1/received", timeout=20)
    assert received.is_success
    assert len([one for one in desk.tickets() if one["id"] == ticket["id"]]) == 1


def test_the_bot_is_quiet_where_a_person_of_the_desk_has_spoken(desk: HelpDesk) -> None:
    ts = desk.slack.write(CARL, WATCHED, "The coffee machine on floor 3 has eaten my badge.")
    desk.slack.write(BEA, WATCHED, "I am on it, Carl.", ts)
    ticket = desk.ticket("eaten my badge")
    until(lambda: deliveries(desk, ticket) == ["delivered"], what="the delivery")
    assert "A person works on it" in desk.story(ticket)["runs"][0]["deliveries"][0]["detail"]
    assert desk.from_bot(WATCHED, ts) == []


def deliveries(desk: HelpDesk, ticket: Message) -> list[str]:
    return [one["state"] for one in desk.story(ticket)["runs"][0]["deliveries"]]


def test_the_emoji_makes_a_ticket_of_any_message_once(desk: HelpDesk) -> None:
    ts = desk.slack.write(CARL, HELP, "The window in the archive does not close any more.")
    for user in (BEA, ANA):
        desk.slack.control("reaction", channel=HELP, ts=ts, user=user, name="ticket")
    ticket = desk.ticket("window in the archive")
    assert ticket["requester"] == "carl@fennvale.example"
    desk.reply(HELP, ts)
    assert len([one for one in desk.tickets() if "window in the archive" in one["body"]]) == 1


def command(desk: HelpDesk, text: str, user: str = ANA) -> None:
    desk.slack.control("command", channel=HELP, user=user, command="/triage", text=text, appId=desk.app)


def whispered(desk: HelpDesk, user: str, says: str) -> Callable[[], bool]:
    return lambda: any(
        says in words(one) + str(one.get("text"))
        for one in desk.slack.messages(HELP)
        if one.get("ephemeral_to") == user
    )


def test_the_command_helps_asks_and_tells_the_status(desk: HelpDesk) -> None:
    command(desk, "help")
    command(desk, f"ask {ASKED}")
    until(whispered(desk, ANA, "FennGate"), what="the answer")
    tickets = len(desk.tickets())
    command(desk, "status")
    until(whispered(desk, ANA, "open"), what="the status")
    command(desk, "ask")
    assert len(desk.tickets()) == tickets, "a question is no ticket"


def test_the_form_files_a_ticket_with_the_desks_own_fields(desk: HelpDesk) -> None:
    with screen(desk.slack) as page:
        command(desk, "new My badge is broken", user=CARL)
        form = page.form()
        assert [block["block_id"] for block in form["blocks"]] == ["subject", "details", "field_product"]
        assert form["blocks"][0]["element"]["initial_value"] == "My badge is broken"
        values = {
            "subject": {"entered": {"type": "plain_text_input", "value": "My badge is broken in two"}},
            "details": {"entered": {"type": "plain_text_input", "value": "It fell <!channel> under a bus."}},
            "field_product": {
                "chosen": {"type": "static_select", "selected_option": form["blocks"][2]["element"]["options"][1]}
            },
        }
        page.submit(CARL, values)
    ticket = desk.ticket("broken in two")
    assert ticket["features"]["product"] == "Phone" and ticket["requester"] == "carl@fennvale.example"
    card = desk.card(ticket)
    assert "<!channel>" not in words(card)


def test_an_agent_accepts_changes_and_takes(desk: HelpDesk) -> None:
    ts = desk.slack.write(ANA, HELP, f"<@{desk.bot}> The Wi-Fi of the warehouse drops every morning at nine.")
    ticket = desk.ticket("Wi-Fi of the warehouse")
    desk.reply(HELP, ts)
    card = desk.card(ticket)
    assert buttons(card) == ["triage_accept", "triage_change", "triage_take"]
    desk.slack.click(CARL, AGENTS, card, "triage_accept")
    with screen(desk.slack) as page:
        desk.slack.click(BEA, AGENTS, card, "triage_change")
        form = page.form()
        queue = next(block for block in form["blocks"] if block["block_id"] == "field_queue")
        chosen = queue["element"]["options"][-1]
        page.submit(BEA, {"field_queue": {"chosen": {"type": "static_select", "selected_option": chosen}}})
        until(lambda: bool(desk.story(ticket)["corrections"]), what="the correction")
    (correction,) = [one for one in desk.story(ticket)["corrections"] if one["field"] == "queue"]
    assert correction["value"] == chosen["text"]["text"] and correction["author"] == "bea@fennvale.example"
    desk.slack.click(BEA, AGENTS, card, "triage_take")
    until(lambda: any(f"<@{BEA}>" in one["text"] for one in desk.from_bot(HELP, ts)), what="the word in the thread")


def test_accepting_confirms_what_was_suggested(desk: HelpDesk) -> None:
    desk.slack.write(ANA, HELP, f"<@{desk.bot}> The printer in the copy room prints only stripes.")
    ticket = desk.ticket("prints only stripes")
    desk.slack.click(BEA, AGENTS, desk.card(ticket), "triage_accept")
    until(lambda: len(desk.story(ticket)["corrections"]) >= 1, what="the confirmation")
    assert {one["author"] for one in desk.story(ticket)["corrections"]} == {"bea@fennvale.example"}


def test_home_shows_ones_own_tickets_and_to_agents_what_waits(desk: HelpDesk) -> None:
    desk.slack.write(CARL, HELP, f"<@{desk.bot}> Only Carl knows of the squirrel in the server room.")
    desk.ticket("squirrel in the server room")
    with screen(desk.slack) as page:
        for user in (ANA, CARL, BEA):
            desk.slack.control("open-home", user=user, appId=desk.app)
        assert "squirrel" in str(page.home(CARL)) and "squirrel" not in str(page.home(ANA))
        assert "Waiting for the desk" in str(page.home(BEA)) and "Waiting for the desk" not in str(page.home(CARL))


def test_an_edit_and_a_late_word_are_noted_with_the_ticket(desk: HelpDesk) -> None:
    ts = desk.slack.write(ANA, HELP, f"<@{desk.bot}> The lamp over desk 12 flickers.")
    desk.reply(HELP, ts)
    before = len(desk.tickets())
    desk.slack.control("edit-message", channel=HELP, ts=ts, user=ANA, text="The lamp over desk 13 flickers.")
    desk.slack.write(ANA, HELP, "It is the left one.", ts)

    def noted() -> bool:
        newest = httpx.get(f"{desk.url}/v1/received", params={"limit": 5}, timeout=20).json()["received"]
        return {"message", "message_changed"} <= {one["event"] for one in newest if one["state"] == "done"}

    until(noted, what="the edit and the late word")
    assert len(desk.tickets()) == before


def test_bots_are_not_talked_to(desk: HelpDesk) -> None:
    before = len(desk.tickets())
    httpx.post(
        f"{desk.slack.url}/api/chat.postMessage",
        json={"channel": WATCHED, "text": "Deploy 7 failed in the pipeline of the shop."},
        headers={"Authorization": "Bearer xoxb-other"},
        timeout=20,
    )
    desk.slack.write(ANA, WATCHED, "The scale in the mail room shows 3 kg with nothing on it.")
    desk.ticket("scale in the mail room")
    assert len(desk.tickets()) == before + 1


def test_forged_and_stale_requests_are_refused(desk: HelpDesk) -> None:
    if desk.app == "A01SOCK":
        assert httpx.post(f"{desk.url}/v1/webhooks/slack", json={}, timeout=20).status_code == 404
        return
    headers = {"X-Slack-Signature": "v0=00", "X-Slack-Request-Timestamp": "1"}
    assert httpx.post(f"{desk.url}/v1/webhooks/slack", json={}, headers=headers, timeout=20).status_code == 401
    assert httpx.post(f"{desk.url}/v1/webhooks/slack", json={}, timeout=20).status_code == 401
