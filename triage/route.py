"""What is done about each field of a ticket, and why?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from triage.policy import FieldPolicy, Policy, Rule
from triage.tickets.model import Decision, IncomingTicket, Outcome, Prediction
from triage.understand.certificate import Certificate, percent
from triage.understand.clearance import FieldClearance

SUGGESTIONS = 3
NEVER_MEASURED = "This field was never measured; train the model again."


@dataclass(frozen=True, slots=True)
class Clearance:
    """What each field's predictions have been measured to be worth: certificates, or what is missing for them."""

    fields: Mapping[str, FieldClearance]
    # Why a field's predictions are worth no more than a suggestion, for fields that nothing was measured of.
    unmeasured: Mapping[str, str] = field(default_factory=dict)
    absence: str = "No model has been trained yet; run `triage train`."


def route(
    ticket: IncomingTicket,
    predictions: Sequence[Prediction],
    policy: Policy,
    clearance: Clearance,
    settled: Mapping[str, str] | None = None,
) -> tuple[Decision, ...]:
    """Decide every field: what people settled, then rules, certified predictions, questions, suggestions, the default.

    ``settled`` are the values that people gave: their fields are left alone. The fields are those of the predictions in
    their order, then those that only the policy or a rule names.
    """
    predicted = {prediction.field: prediction for prediction in predictions}
    ruled = _matching_rules(ticket, policy.rules)
    settled = settled or {}
    names = dict.fromkeys((*predicted, *policy.fields, *ruled, *settled))
    return tuple(
        _settled(name, settled[name])
        if name in settled
        else _decide(name, predicted.get(name), ruled.get(name), policy.for_field(name), clearance)
        for name in names
    )


def _matching_rules(ticket: IncomingTicket, rules: Sequence[Rule]) -> dict[str, tuple[Rule, str]]:
    """The first matching rule of each field, with the words that matched."""
    found: dict[str, tuple[Rule, str]] = {}
    for rule in rules:
        if because := rule.match(ticket):
            for name in rule.sets:
                found.setdefault(name, (rule, because))
    return found


def _settled(name: str, value: str) -> Decision:
    return Decision(name, Outcome.LEAVE, value, None, f"A person has set it to {value}; that stands.")


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
        reason = f"Rule “{rule.name}” says so: {because}."
        return Decision(name, Outcome.APPLY, rule.sets[name], None, reason, rule.name, alternatives)
    if prediction is None:
        return Decision(name, Outcome.LEAVE, policy.default, None, _with_default(clearance.absence, policy))
    measured = clearance.fields.get(name)
    choices = measured.choices(_masses(prediction)) if policy.ask and measured else 0
    unmeasured = clearance.unmeasured.get(name, NEVER_MEASURED)
    outcome, reason = _judge(prediction, policy, measured, choices, unmeasured)
    value = policy.default if outcome is Outcome.LEAVE else prediction.top.label
    if outcome is Outcome.ASK:
        alternatives = prediction.ranked[:choices]
    return Decision(name, outcome, value, prediction.top.probability, reason, None, alternatives)


def _judge(
    prediction: Prediction, policy: FieldPolicy, measured: FieldClearance | None, choices: int, unmeasured: str
) -> tuple[Outcome, str]:
    """What is done and why; ``choices`` labels may be asked about, none where 0."""
    top = prediction.top
    said = f"{top.label} at {percent(top.probability)}"
    if prediction.familiarity < policy.least_familiarity:
        return Outcome.LEAVE, _with_default(
            f"Out of scope: unlike the tickets the model knows (familiarity {prediction.familiarity:.3f}, "
            f"at least {policy.least_familiarity:.3f} is asked for)",
            policy,
        )
    if policy.apply and measured and measured.applies(top.label, top.probability):
        found = measured.of(top.label)
        assert isinstance(found, Certificate)
        return Outcome.APPLY, f"{said}. {found.says}"
    why_not = f"{said}{_why_not_applied(top.label, policy, measured, unmeasured)}"
    if choices and measured:
        assert isinstance(measured.ask, Certificate)
        offered = _either([label.label for label in prediction.ranked[:choices]])
        return Outcome.ASK, f"Which is it, {offered}? {measured.ask.says} {why_not}"
    if top.probability < policy.suggest_at:
        return Outcome.LEAVE, _with_default(
            f"Not sure enough to suggest anything: {said}, {percent(policy.suggest_at)} is asked for", policy
        )
    return Outcome.SUGGEST, why_not


def _why_not_applied(label: str, policy: FieldPolicy, measured: FieldClearance | None, unmeasured: str) -> str:
    """The rest of the sentence that begins with the label and its probability."""
    if measured is None:
        return f". {unmeasured}"
    if not policy.apply:
        return "; the policy does not apply this field."
    found = measured.of(label)
    if isinstance(found, Certificate):
        return f"; {percent(found.threshold)} is needed to be right {found.target:.0%} of the time."
    return f". {found.says}"


def _masses(prediction: Prediction) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(k,) probability of the first one, two, three labels together; the last is repeated where there are fewer."""
    p = [label.probability for label in prediction.ranked[:SUGGESTIONS]]
    return np.pad(np.cumsum(p), (0, SUGGESTIONS - len(p)), mode="edge")


def _either(labels: Sequence[str]) -> str:
    return f"{', '.join(labels[:-1])} or {labels[-1]}"


def _with_default(reason: str, policy: FieldPolicy) -> str:
    reason = reason.rstrip(".")
    return f"{reason}. The default “{policy.default}” stands in." if policy.default else f"{reason}."
