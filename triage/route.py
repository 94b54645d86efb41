"""What is done about each field of a ticket, and why?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from triage.policy import FieldPolicy, Policy, Rule
from triage.tickets.model import Decision, IncomingTicket, Outcome, Prediction
from triage.understand.certificate import Certificate, Shortfall

SUGGESTIONS = 3


@dataclass(frozen=True, slots=True)
class Clearance:
    """What each field's predictions have been measured to be worth: a certificate or what is missing for one."""

    fields: Mapping[str, Certificate | Shortfall]
    absence: str = "No model has been trained yet; run `triage train`."


def route(
    ticket: IncomingTicket,
    predictions: Sequence[Prediction],
    policy: Policy,
    clearance: Clearance,
) -> tuple[Decision, ...]:
    """Decide every field: rules first, then certified predictions, then suggestions, then the default.

    The fields are those of the predictions in their order, then those that only the policy or a rule names.
    """
    predicted = {prediction.field: prediction for prediction in predictions}
    ruled = _matching_rules(ticket, policy.rules)
    names = [*predicted, *(name for name in (*policy.fields, *ruled) if name not in predicted)]
    return tuple(
        _decide(name, predicted.get(name), ruled.get(name), policy.for_field(name), clearance)
        for name in dict.fromkeys(names)
    )


def _matching_rules(ticket: IncomingTicket, rules: Sequence[Rule]) -> dict[str, tuple[Rule, str]]:
    """The first matching rule of each field, with the words that matched."""
    found: dict[str, tuple[Rule, str]] = {}
    for rule in rules:
        if because := rule.match(ticket):
            for name in rule.sets:
                found.setdefault(name, (rule, because))
    return found


def _decide(
    name: str,
    prediction: Prediction | None,
    ruled: tuple[Rule, str] | None,
    policy: FieldPolicy,
    clearance: Clearance,
) -> Decision:
    alternatives = prediction.ranked[:SUGGESTIONS] if prediction else ()
    if ruled:
        rule, because = ruled
        return Decision(
            name,
            Outcome.APPLY,
            rule.sets[name],
            None,
            f"Rule “{rule.name}” says so: {because}.",
            rule.name,
            alternatives,
        )
    if prediction is None:
        return Decision(name, Outcome.LEAVE, policy.default, None, _with_default(clearance.absence, policy))
    outcome, reason = _judge(prediction, policy, clearance.fields.get(name))
    value = policy.default if outcome is Outcome.LEAVE else prediction.top.label
    return Decision(name, outcome, value, prediction.top.probability, reason, None, alternatives)


def _judge(
    prediction: Prediction, policy: FieldPolicy, measured: Certificate | Shortfall | None
) -> tuple[Outcome, str]:
    top = prediction.top
    said = f"{top.label} at {top.probability:.0%}"
    if prediction.familiarity < policy.least_familiarity:
        return Outcome.LEAVE, _with_default(
            f"Unlike the tickets the model knows (familiarity {prediction.familiarity:.3f}, "
            f"at least {policy.least_familiarity:.3f} is asked for)",
            policy,
        )
    if top.probability < policy.suggest_at:
        return Outcome.LEAVE, _with_default(
            f"Not sure enough to suggest anything: {said}, {policy.suggest_at:.0%} is asked for", policy
        )
    if not policy.apply:
        return Outcome.SUGGEST, f"{said}; the policy only suggests this field."
    if isinstance(measured, Certificate):
        if top.probability >= measured.threshold:
            return Outcome.APPLY, f"{said}. {measured.sentence}"
        return (
            Outcome.SUGGEST,
            f"{said}; {measured.threshold:.0%} is needed to be right {measured.target:.0%} of the time.",
        )
    missing = measured.explanation if measured else "This field was never measured; train the model again."
    return Outcome.SUGGEST, f"{said}. {missing}"


def _with_default(reason: str, policy: FieldPolicy) -> str:
    reason = reason.rstrip(".")
    return f"{reason}. The default “{policy.default}” stands in." if policy.default else f"{reason}."
