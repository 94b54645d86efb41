"""What is done about a ticket in the system that it lives in, and was it really done?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from triage.channels.common import wording
from triage.channels.common.system import Steps, System
from triage.channels.common.tables import PolicyTable
from triage.channels.common.values import DeliveryFailed, Outgoing, Plan, RemoteTicket, Status
from triage.tickets.model import Outcome

FIELDS, NOTE, REPLY = "fields", "note", "reply"


@dataclass(frozen=True, slots=True)
class Sent:
    """What was done, in words, how the ticket stands afterwards, and how many things the bot did to it."""

    says: str
    ticket: RemoteTicket
    actions: int = 0


def plan_for(outgoing: Outgoing, policy: PolicyTable, ticket: RemoteTicket, now: datetime) -> Plan:
    """What the policy lets be done about the ticket as it stands; ``why`` tells what keeps it from anything."""
    if why := _why_not(outgoing, policy, ticket, now):
        return Plan(why=why)
    mode = policy.mode_at(now)
    decided = decided_by(outgoing, policy)
    answers = outgoing.answer is not None and outgoing.answer.given and policy.answers
    if mode == "apply":
        changed = {name: value for name, value in decided.items() if ticket.fields.get(name) != value}
        note = wording.note(outgoing, applied=list(decided), replied=answers, dry_run=False) if policy.notes else None
        reply = wording.reply(outgoing, outgoing.answer) if answers and outgoing.answer else None
        return Plan(changed, note, reply)
    if not policy.notes:
        return Plan(why=f"Nothing was done: in the mode {mode} only notes are written, and this channel has none.")
    dry_run = mode == "dry-run"
    applied = list(decided) if dry_run else []
    return Plan(note=wording.note(outgoing, applied=applied, replied=False, dry_run=dry_run))


def decided_by(outgoing: Outgoing, policy: PolicyTable) -> dict[str, str]:
    """The values that were decided for fields which the policy lets be set."""
    return {
        decision.field: decision.value
        for decision in outgoing.decisions
        if decision.outcome is Outcome.APPLY
        and decision.value is not None
        and (policy.fields is None or decision.field in policy.fields)
    }


def send_to(system: System, outgoing: Outgoing, policy: PolicyTable, done: Steps, now: datetime) -> Sent:
    """Do what the plan says, each step once however often this is tried; raises ``DeliveryFailed``.

    Fields are read back, for a system may answer yes and keep what it had; the note and the reply go out all the
    same, and the delivery then fails for good with the words of what was refused.
    """
    ticket = system.read(outgoing.remote_id)
    plan = plan_for(outgoing, policy, ticket, now)
    if plan.why and not outgoing.done:
        return Sent(plan.why, ticket)
    refused, actions = "", 0
    if plan.fields and FIELDS not in outgoing.done:
        system.set_fields(ticket, plan.fields)
        ticket = system.read(outgoing.remote_id)
        refused = _refused(plan, ticket)
        actions += 1
        done(FIELDS, refused)
    for step, text, public in ((NOTE, plan.note, False), (REPLY, plan.reply, True)):
        if text is None or step in outgoing.done:
            continue
        earlier = _posted(ticket, outgoing.marker, public) if outgoing.is_repeat else None
        done(step, earlier or system.post(ticket, text, public=public))
        actions += 1
    refused = refused or outgoing.done.get(FIELDS, "")
    if refused:
        raise DeliveryFailed(refused, retryable=False)
    return Sent(wording.summary(list(plan.fields), plan.note is not None, plan.reply is not None), ticket, actions)


def _why_not(outgoing: Outgoing, policy: PolicyTable, ticket: RemoteTicket, now: datetime) -> str:
    if policy.mode_at(now) == "off":
        return "Nothing was sent: the channel's policy is off at this time."
    if ticket.status is not Status.OPEN:
        return f"Nothing was done: the ticket is {ticket.status.value}."
    person = ticket.touched_by or ("somebody" if outgoing.human_touched else None)
    if person:
        return f"Nothing was done: {person} works on the ticket."
    if now - outgoing.received_at > timedelta(hours=policy.fresh_hours):
        return f"Nothing was done: the ticket is older than {policy.fresh_hours:g} hours."
    if outgoing.bot_actions >= policy.most_actions:
        return (
            f"Nothing was done: of {policy.most_actions} actions on a ticket the bot has taken {outgoing.bot_actions}."
        )
    return ""


def _refused(plan: Plan, ticket: RemoteTicket) -> str:
    stands = {name: ticket.fields.get(name) for name, value in plan.fields.items() if ticket.fields.get(name) != value}
    if not stands:
        return ""
    said = "; ".join(
        f"{name} stands at {value or 'nothing'}, not {plan.fields[name]}" for name, value in stands.items()
    )
    return (
        f"The system took the change and did not make it: {said}. Check the names in the channel's table, and what its "
        "user may do."
    )


def _posted(ticket: RemoteTicket, marker: str, public: bool) -> str | None:
    """The id of our own message with that marker, where an earlier attempt posted it and never heard so."""
    return next((one.message_id for one in ticket.messages if marker in one.text and one.public == public), None)
