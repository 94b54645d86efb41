"""The Slack help desk. No type of Slack's own libraries leaves this package."""

from __future__ import annotations

from functools import partial

from slack_sdk import WebClient
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from triage.channels.common.system import Channel, Services
from triage.channels.common.tables import Environment
from triage.channels.slack.app import SlackApp
from triage.channels.slack.check import check
from triage.channels.slack.delivery import relay, send
from triage.channels.slack.desk import SlackDesk
from triage.channels.slack.files import files_of
from triage.channels.slack.messages import complete, read_thread
from triage.channels.slack.people import People
from triage.channels.slack.table import SlackTable as _Table
from triage.errors import Misconfigured

__all__ = ["SlackTable"]

# People are looked up before Slack is answered, which must be within three seconds.
QUICK_S = 1


class SlackTable(_Table):
    """``kind = "slack"``; its keys are those of ``table.SlackTable``."""

    def build(self, name: str, environment: Environment, services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``. Nothing is called yet."""
        token = self.bot_token.read(environment)
        signing = self.signing_secret.read(environment) if self.signing_secret else None
        app_token = self.app_token.read(environment) if self.app_token else None
        if services is None:
            raise Misconfigured("A Slack channel needs the desk; it cannot be tried by itself.")
        # Trailing slash: the SDK puts the method's name right behind it.
        base = f"{self.api_url}/"
        people = People(WebClient(token=token, base_url=base, timeout=QUICK_S), self.desk, self.admins)
        # A job that is told to wait is queued again; a click that is told to wait just waits a little.
        sending = WebClient(token=token, base_url=base, timeout=int(self.sending.timeout_s) or 1)
        patient = WebClient(token=token, base_url=base, timeout=int(self.sending.timeout_s) or 1)
        patient.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=2))
        desk = SlackDesk(name, self, services, sending, people)
        app = SlackApp(SlackDesk(name, self, services, patient, people), signing, app_token)

        return Channel(
            name=name,
            kind=self.kind,
            policy=self.policy,
            sending=self.sending,
            dispatch=app.dispatch if signing else None,
            listen=app.listen,
            read=partial(read_thread, desk),
            complete=partial(complete, desk),
            send=partial(send, desk),
            filed_in=self.filed_in,
            relay=partial(relay, desk),
            files=partial(files_of, desk),
            check=partial(check, desk, app_token),
            close=app.close,
        )
