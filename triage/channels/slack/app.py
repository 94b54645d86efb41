"""Which events, commands and clicks lead where? The bolt application.

Whatever brings a ticket is stored before Slack is answered, so that Slack sends it again if that fails; all else is
answered at once and done afterwards.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import structlog
from slack_bolt import Ack, App, Assistant, BoltContext, BoltRequest, SetStatus, SetSuggestedPrompts
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from triage.channels.common.system import WebAnswer
from triage.channels.common.values import Webhook
from triage.channels.slack import actions, cards, home, messages, modal, replies
from triage.channels.slack.asking import ask, offer
from triage.channels.slack.desk import SlackDesk, failure
from triage.channels.slack.escape import escaped
from triage.channels.slack.limits import fit
from triage.channels.slack.manifest import SHORTCUT
from triage.channels.slack.upkeep import tick
from triage.channels.slack.words import say
from triage.tickets.model import Verdict

# Any: bolt hands bodies over as plain dictionaries.
Body = dict[str, Any]

MOST_AT_ONCE = 8
UPKEEP_S = 60.0
# A connection that breaks without a word is taken for dead after four of these without an answer, and made again.
PING_S = 3.0

log = structlog.get_logger(__name__)


class SlackApp:
    """The application of one workspace, for Socket Mode and signed HTTP alike."""

    def __init__(self, desk: SlackDesk, signing_secret: str | None, app_token: str | None) -> None:
        self._desk = desk
        self._app_token = app_token
        self._pool = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="slack")
        self._app = App(
            client=desk.client,
            signing_secret=signing_secret or "not used in Socket Mode",
            # Else Slack would be told that all is well before anything is stored.
            process_before_response=True,
            token_verification_enabled=False,
            raise_error_for_unhandled_request=False,
            logger=None,
        )
        self._register()

    def dispatch(self, webhook: Webhook) -> WebAnswer:
        """Answer one signed request; a forged or stale one gets 401."""
        body = webhook.body.decode("utf-8", "replace")
        headers: dict[str, str | Sequence[str]] = dict(webhook.headers)
        answer = self._app.dispatch(BoltRequest(body=body, headers=headers))
        given = {name: values[0] for name, values in answer.headers.items() if values}
        return WebAnswer(answer.status, (answer.body or "").encode(), given)

    def listen(self, stop: threading.Event) -> None:
        """Hold a Socket Mode connection, if there is one, and keep the threads tidy until told to stop."""
        if self._app_token is None:
            self._keep_tidy(stop)
            return
        # Trailing slash: the SDK puts the method's name right behind it.
        client = WebClient(token=self._app_token, base_url=f"{self._desk.table.api_url}/")
        handler = SocketModeHandler(self._app, self._app_token, web_client=client, ping_interval=PING_S)
        try:
            handler.connect()  # type: ignore[no-untyped-call]  # bolt leaves it without types
            self._keep_tidy(stop)
        except SlackApiError as error:
            raise failure(error) from error
        finally:
            handler.close()  # type: ignore[no-untyped-call]

    def _keep_tidy(self, stop: threading.Event) -> None:
        while not stop.wait(UPKEEP_S):
            tick(self._desk, datetime.now(UTC))

    def close(self) -> None:
        """Finish what is in hand."""
        self._pool.shutdown(wait=True, cancel_futures=False)

    def _later(self, work: Callable[..., None], *arguments: object) -> None:
        """Do something after Slack was answered; what goes wrong is logged, as nobody waits for it any more."""

        def run() -> None:
            try:
                work(*arguments)
            except SlackApiError as error:
                log.warning("Slack refused", work=work.__name__, reason=str(failure(error)))
            except Exception as error:  # the edge of the thread
                log.error("failed after the answer", work=work.__name__, exc_info=error)

        self._pool.submit(run)

    def _register(self) -> None:
        self._events()
        self._clicks()
        self._forms()
        self._assistant()
        self._app.command(self._desk.table.command)(self._on_command)
        # Everything else is accepted, so that Slack does not send it again.
        self._app.event({"type": "message"})(self._on_message)

    def _events(self) -> None:
        desk, app = self._desk, self._app

        @app.event("app_mention")
        def mention(event: Body) -> None:
            messages.on_mention(desk, event)

        @app.event("reaction_added")
        def reaction(event: Body) -> None:
            messages.on_reaction(desk, event)

        @app.event("app_home_opened")
        def opened(event: Body) -> None:
            if event.get("tab", "home") == "home":
                self._later(self._publish_home, str(event["user"]))

    def _on_message(self, event: Body, context: BoltContext) -> None:
        messages.on_message(self._desk, event, context.bot_user_id or "")

    def _publish_home(self, user: str) -> None:
        self._desk.client.views_publish(user_id=user, view=home.home_view(self._desk, user))

    def _clicks(self) -> None:
        followed: dict[str, Callable[[SlackDesk, Body], None]] = {
            replies.SOLVED: lambda d, b: actions.on_verdict(d, b, Verdict.SOLVED),
            replies.NOT_HELPFUL: lambda d, b: actions.on_verdict(d, b, Verdict.NOT_SOLVED),
            replies.PERSON: actions.on_person,
            replies.SHARE: actions.on_share,
            cards.ACCEPT: actions.on_accept,
            cards.TAKE: actions.on_take,
        }
        for place in range(3):
            followed[f"{replies.CHOOSE_ARTICLE}_{place}"] = actions.on_article
            followed[f"{replies.CHOOSE_VALUE}_{place}"] = actions.on_value
        for action_id, follow in followed.items():
            self._app.action(action_id)(self._click(follow))
        # These open a form, for which Slack gives three seconds from the click.
        self._app.action(cards.CHANGE)(self._click(actions.on_change))

        @self._app.action(home.NEW_BUTTON)
        def new(ack: Ack, body: Body) -> None:
            ack()
            self._later(self._open_form, body, "", "")

        @self._app.action(re.compile(f"^(?:{home.SET_MODE}|{home.SET_ANSWERS}.*)$"))
        def setting(ack: Ack, body: Body) -> None:
            ack()
            self._later(self._set, body)

        @self._app.action(replies.FILE)
        def file(ack: Ack, body: Body) -> None:
            ack()
            channel, _, rest = str(body["actions"][0]["value"]).partition(":")
            ts, _, text = rest.partition(" ")
            self._later(self._open_form, body, text, f"{channel}:{ts}")

    def _set(self, body: Body) -> None:
        user = str(body["user"]["id"])
        if home.on_setting(self._desk, user, body["actions"][0]):
            log.info("setting changed", channel=self._desk.name, by=user, setting=body["actions"][0]["action_id"])
        self._publish_home(user)

    def _click(self, follow: Callable[[SlackDesk, Body], None]) -> Callable[[Ack, Body], None]:
        def clicked(ack: Ack, body: Body) -> None:
            ack()
            self._later(follow, self._desk, body)

        return clicked

    def _forms(self) -> None:
        desk, app = self._desk, self._app

        @app.view(modal.NEW)
        def new(ack: Ack, body: Body, view: Body) -> None:
            modal.on_new(desk, body, view)
            ack()

        @app.view(modal.CHANGED)
        def changed(ack: Ack, body: Body, view: Body) -> None:
            ticket_id, values, card = modal.changed_values(desk, view)
            user = str(body["user"]["id"])
            if desk.people.at_desk(user):
                for field, value in values.items():
                    actions.correct(desk, ticket_id, field, value, desk.people.person(user).address)
                self._later(self._mark_card, card, user)
            ack()

        @app.shortcut(SHORTCUT)
        def make_ticket(ack: Ack, body: Body) -> None:
            messages.on_shortcut(desk, str(body["channel"]["id"]), body["message"], str(body["user"]["id"]))
            ack()

    def _mark_card(self, card: dict[str, str], user: str) -> None:
        found = self._desk.client.conversations_history(
            channel=card["channel"], oldest=card["ts"], latest=card["ts"], inclusive=True, limit=1
        )["messages"]
        blocks = found[0].get("blocks") or [] if found else []
        name = self._desk.people.person(user).name
        note = say("changed_by", self._desk.table.language, agent=escaped(name))
        self._desk.client.chat_update(
            channel=card["channel"], ts=card["ts"], text=note, blocks=replies.settled(blocks, note)
        )

    def _on_command(self, ack: Ack, command: Body) -> None:
        verb, _, rest = str(command.get("text") or "").strip().partition(" ")
        user = str(command["user_id"])
        match verb.lower():
            case "new":
                ack()
                self._later(self._open_form, {**command, "user": {"id": user}}, rest, "")
            case "status":
                ack()
                self._later(self._tell_status, command, user)
            case "ask" if rest.strip():
                ack()
                self._later(self._tell_answer, command, rest.strip(), user)
            case "ask":
                ack(say("ask_what", self._desk.people.person(user).language, command=self._desk.table.command))
            case _:
                ack(say("help", self._desk.people.person(user).language, command=self._desk.table.command))

    def _open_form(self, body: Body, text: str, origin: str) -> None:
        user = str(body["user"]["id"])
        language = self._desk.people.person(user).language
        view = modal.new_view(self._desk, language, text=text, origin=origin)
        try:
            self._desk.client.views_open(trigger_id=str(body["trigger_id"]), view=view)
        except SlackApiError as error:  # mostly because Slack gives three seconds from the click
            log.warning("form not opened", reason=str(failure(error)))
            channel = body.get("channel_id") or (body.get("channel") or {}).get("id") or user
            self._whisper({"channel_id": channel}, user, say("expired", language), None)

    def _tell_status(self, command: Body, user: str) -> None:
        self._whisper(command, user, home.status_lines(self._desk, user), None)

    def _tell_answer(self, command: Body, question: str, user: str) -> None:
        said = ask(self._desk, question, user)
        self._whisper(command, user, said.text, said.blocks)

    def _whisper(self, command: Body, user: str, text: str, blocks: list[dict[str, object]] | None) -> None:
        """Say something to one person, where the command was given or, if the app is not there, in a conversation."""
        channel = str(command["channel_id"])
        try:
            self._desk.client.chat_postEphemeral(channel=channel, user=user, text=text, blocks=blocks)
        except SlackApiError:
            own = str(self._desk.client.conversations_open(users=user)["channel"]["id"])
            self._desk.client.chat_postMessage(channel=own, text=text, blocks=blocks)

    def _assistant(self) -> None:
        desk, assistant = self._desk, Assistant()

        @assistant.thread_started
        def started(context: BoltContext, set_suggested_prompts: SetSuggestedPrompts) -> None:
            language = desk.people.person(context.user_id or "").language
            self._later(self._greet, context, set_suggested_prompts, say("greeting", language))

        @assistant.user_message
        def asked(payload: Body, context: BoltContext, set_status: SetStatus) -> None:
            # bolt takes every thread of a direct conversation for the pane; one that is a ticket stays one.
            if messages.is_ticket(desk, str(context.channel_id), str(context.thread_ts)):
                messages.on_message(desk, payload, context.bot_user_id or "")
            elif messages.is_written_by_a_person(payload):
                self._later(self._answer_in_pane, payload, context, set_status)

        self._app.use(assistant)

    def _greet(self, context: BoltContext, prompts: SetSuggestedPrompts, greeting: str) -> None:
        self._desk.client.chat_postMessage(
            channel=str(context.channel_id), thread_ts=str(context.thread_ts), text=greeting
        )
        if self._desk.table.prompts:
            prompts(prompts=list(self._desk.table.prompts))

    def _answer_in_pane(self, payload: Body, context: BoltContext, set_status: SetStatus) -> None:
        """Stream the cited answer; where there is none, offer to file a ticket."""
        user, question = str(payload["user"]), messages.plain(str(payload.get("text") or ""))
        channel, thread = str(context.channel_id), str(context.thread_ts)
        language = self._desk.people.person(user).language
        with suppress(SlackApiError):  # it only decorates
            set_status(say("thinking", language))
        said = ask(self._desk, question, user)
        filing = offer(said.language, f"{channel}:{thread}", question)
        try:
            stream = self._desk.client.chat_stream(
                channel=channel,
                thread_ts=thread,
                recipient_team_id=context.team_id,
                recipient_user_id=user,
                buffer_size=256,
            )
            for start in range(0, len(said.markdown), 1_000):
                stream.append(markdown_text=said.markdown[start : start + 1_000])
            stream.stop(blocks=filing)
        except SlackApiError as error:  # where a workspace has no streaming, the words come all at once
            log.warning("not streamed", reason=str(failure(error)))
            self._desk.client.chat_postMessage(
                channel=channel,
                thread_ts=thread,
                text=said.text,
                blocks=fit([*said.blocks, *filing]),
            )
