"""What do the bodies of django-helpdesk tell, and what may stand in ours?"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import datetime

from triage.channels.common.moments import moment
from triage.channels.common.paths import items_at, parse_json, text_at
from triage.channels.common.values import Look, Received, Webhook
from triage.errors import BadInput

# What a template of Django begins and ends with: https://docs.djangoproject.com/en/5.2/ref/templates/language/
TEMPLATE = re.compile(r"\{(?=[{%#])|(?<=%)\}")


def parse(webhook: Webhook) -> Received:
    """``{ticket, queue_slug}`` of a new ticket, with ``followup_id`` of a follow-up; there is no other id of it."""
    body = parse_json(webhook.body)
    ticket, followup = text_at(body, "ticket.id"), text_at(body, "followup_id")
    if not is_number(ticket) or (followup and not is_number(followup)):
        raise BadInput("The body names no ticket as django-helpdesk does: ticket.id, and perhaps followup_id.")
    if followup:
        return Received(f"followup:{ticket}:{followup}", "followup", (Look(ticket),))
    return Received(f"new:{ticket}", "new", (Look(ticket),))


def untemplated(text: str) -> str:
    """The text so that it comes out of Django's templates as it was: helpdesk renders every follow-up as one."""
    return TEMPLATE.sub(lambda found: f'{{{{ "{found.group()}" }}}}', text)


def is_number(text: str) -> bool:
    """Whether it is a number as ids are, in ASCII."""
    return text.isascii() and text.isdigit()


def opening_of(ticket: object, followups: list[object]) -> object | None:
    """The follow-up that holds the ticket's own text; one that came by mail quotes more of it."""
    first = next(iter(followups), None)
    said, opened = _words(text_at(first, "comment")), _words(text_at(ticket, "description"))
    if first is not None and (said == opened or (not text_at(first, "user") and opened and opened in said)):
        return first
    return None


def _words(text: str) -> str:
    return " ".join(text.split())


def digest_of(ticket: object) -> str:
    """What tells that anything about the ticket was changed."""
    return hashlib.sha256(json.dumps(ticket, sort_keys=True).encode()).hexdigest()


def last_said(followups: list[object]) -> datetime | None:
    """When it was last spoken of; of an open ticket that is no moment of change, for PATCH leaves no trace."""
    return moment(text_at(followups[-1], "date")) if followups else None


def may_have_changed(ticket: object, since: datetime) -> bool:
    """Whether anything was said since then; where nothing ever was, nobody can tell."""
    moments = [at for one in items_at(ticket, "followup_set") if (at := moment(text_at(one, "date")))]
    return not moments or max(moments) >= since
