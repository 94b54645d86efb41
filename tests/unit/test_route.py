import pytest

from tests.factories import incoming, prediction
from triage.policy import FieldPolicy, Policy, Rule
from triage.route import Clearance, route
from triage.tickets.model import Decision, Outcome, Prediction
from triage.understand.certificate import Certificate, Shortfall

CERTIFIED = Clearance({"queue": Certificate("queue", 0.95, 0.95, 0.9, 120, 1, 0.96, 0.5)})
SHORT = Clearance({"queue": Shortfall("queue", 0.95, 0.95, 31, 0, 28)})


def decide(given: Prediction | None, clearance: Clearance = CERTIFIED, **policy: object) -> Decision:
    field = FieldPolicy(**policy)  # type: ignore[arg-type]  # tests name only what matters
    (decision,) = route(incoming(), [given] if given else [], Policy({"queue": field}), clearance)
    return decision


def test_probability_above_the_certified_threshold_is_applied_with_its_certificate() -> None:
    decision = decide(prediction(network=0.93, email=0.05))
    assert (decision.outcome, decision.value, decision.probability) == (Outcome.APPLY, "network", 0.93)
    assert "119 of 120 checked tickets were right" in decision.reason


def test_probability_below_the_threshold_is_suggested_with_its_alternatives() -> None:
    decision = decide(prediction(network=0.6, email=0.3, files=0.1))
    assert (decision.outcome, decision.value) == (Outcome.SUGGEST, "network")
    assert [label.label for label in decision.alternatives] == ["network", "email", "files"]


def test_without_a_certificate_nothing_is_applied_and_the_missing_labels_are_counted() -> None:
    decision = decide(prediction(network=0.999), SHORT)
    assert decision.outcome is Outcome.SUGGEST
    assert "28 more without an error" in decision.reason


def test_field_that_the_policy_only_suggests_is_never_applied() -> None:
    assert decide(prediction(network=0.999), apply=False).outcome is Outcome.SUGGEST


@pytest.mark.parametrize("given", [prediction(network=0.2, email=0.1), prediction(network=0.99, familiarity=0.0)])
def test_unsure_or_unfamiliar_ticket_is_left_to_the_default(given: Prediction) -> None:
    decision = decide(given, default="servicedesk")
    assert (decision.outcome, decision.value) == (Outcome.LEAVE, "servicedesk")
    assert "servicedesk" in decision.reason


def test_rule_overrides_the_model_and_says_so() -> None:
    policy = Policy(rules=(Rule("vpn first", {"queue": "net-ops"}, keywords=("VPN",)),))
    (decision,) = route(incoming(), [prediction(email=0.99)], policy, CERTIFIED)
    assert (decision.outcome, decision.value, decision.rule) == (Outcome.APPLY, "net-ops", "vpn first")
    assert "VPN" in decision.reason


def test_first_of_two_matching_rules_wins() -> None:
    rules = tuple(Rule(name, {"queue": name}, keywords=("vpn",)) for name in ("one", "two"))
    (decision,) = route(incoming(), [], Policy(rules=rules), Clearance({}))
    assert decision.value == "one"


def test_desk_without_a_model_leaves_every_field_and_says_what_to_run() -> None:
    decision = decide(None, Clearance({}))
    assert decision.outcome is Outcome.LEAVE
    assert "triage train" in decision.reason
