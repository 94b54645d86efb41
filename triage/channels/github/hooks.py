"""What does a webhook of GitHub tell? Of https://docs.github.com/en/webhooks/webhook-events-and-payloads."""

from __future__ import annotations

from triage.channels.common.paths import parse_json, text_at, value_at
from triage.channels.common.values import Look, Received, Webhook
from triage.errors import BadInput

EVENTS = ("issues", "issue_comment")


def parse(webhook: Webhook, repository: str, *, take_bots: bool) -> Received:
    """An event of ``issues`` or ``issue_comment`` in the repository; all others are accepted and ignored."""
    key, event = (webhook.headers.get(f"x-github-{name}", "") for name in ("delivery", "event"))
    if not key or not event:
        raise BadInput("The request has no X-GitHub-Delivery and X-GitHub-Event.")
    if webhook.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise BadInput("The webhook sends a form: choose the content type application/json in its settings.")
    body = parse_json(webhook.body)
    name = f"{event}.{text_at(body, 'action')}".rstrip(".")
    if event not in EVENTS:
        return Received(key, name, note=f"The event {event[:100]} is not one of issues.")
    if text_at(body, "repository.full_name").casefold() != repository.casefold():
        return Received(key, name, note=f"It is not about {repository}.")
    number = text_at(body, "issue.number")
    if not (number.isascii() and number.isdigit()):
        raise BadInput("The body names no issue: there is no number at issue.number.")
    if value_at(body, "issue.pull_request") is not None:
        return Received(key, name, note="It is about a pull request.")
    if is_bot(value_at(body, "issue.user")) and not take_bots:
        return Received(key, name, note="A bot opened the issue, and the channel's table ignores bots.")
    return Received(key, name, (Look(number),))


def is_bot(user: object) -> bool:
    """Whether an account is that of an app or a machine: https://docs.github.com/en/rest/users/users."""
    return text_at(user, "type") == "Bot" or text_at(user, "login").endswith("[bot]")
