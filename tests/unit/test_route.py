import pytest

from tests.factories import incoming, prediction
from triage.policy import FieldPolicy, Policy, Rule
from triage.route import Clearance, route
from triage.tickets.model import Decision, Outcome, Prediction
from triage.understand.certificate import Certificate, Evidence, Shortfall
from triage.understand.clearance import FieldClearance

EVERYTHING = ("queue", None, 1, 0.95, 0.95, 0.05)
QUESTION = ("queue", None, 3, 0.9, 0.95, 0.05)
SURE = Certificate(*EVERYTHING, threshold=0.9, n=120, errors=1, lower_bound=0.96, coverage=0.5, evidence=Evidence())
UNSURE = Shortfall(*EVERYTHING, n=31, errors=0, missing=28)
ASKABLE = Certificate(*QUESTION, threshold=0.8, n=200, errors=9, lower_bound=0.92, coverage=0.4, evidence=Evidence())
UNASKABLE = Shortfall(*QUESTION, n=12, errors=1, missing=34)
CERTIFIED = Clearance({"queue": FieldClearance({}, SURE, UNASKABLE)})
SHORT = Clearance({"queue": FieldClearance({}, UNSURE, UNASKABLE)})
ASKING = Clearance({"queue": FieldClearance({}, SURE, ASKABLE)})


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


def test_value_with_a_certificate_of_its_own_is_judged_by_that() -> None:
    clearance = Clearance({"queue": FieldClearance({"email": UNSURE}, SURE, UNASKABLE)})
    assert decide(prediction(email=0.99), clearance).outcome is Outcome.SUGGEST
    assert decide(prediction(network=0.99), clearance).outcome is Outcome.APPLY


@pytest.mark.parametrize(
    ("given", "offered"),
    [
        (prediction(network=0.6, email=0.3, files=0.1), ["network", "email"]),
        (prediction(network=0.4, email=0.3, files=0.2, phone=0.1), ["network", "email", "files"]),
    ],
)
def test_unsure_field_is_asked_about_with_the_fewest_values_that_are_certified(
    given: Prediction, offered: list[str]
) -> None:
    decision = decide(given, ASKING)
    assert decision.outcome is Outcome.ASK
    assert [label.label for label in decision.alternatives] == offered
    assert "191 of 200 checked tickets" in decision.reason
    assert decision.reason.startswith(f"Which is it, {', '.join(offered[:-1])} or {offered[-1]}?")


def test_no_question_is_asked_where_no_small_set_is_certified_or_the_policy_says_not_to() -> None:
    assert decide(prediction(network=0.4, email=0.2, files=0.1, phone=0.1), ASKING).outcome is Outcome.SUGGEST
    assert decide(prediction(network=0.6, email=0.3), ASKING, ask=False).outcome is Outcome.SUGGEST


def test_field_that_the_policy_does_not_apply_may_be_asked_about() -> None:
    decision = decide(prediction(network=0.7, email=0.2), ASKING, apply=False)
    assert decision.outcome is Outcome.ASK
    assert "the policy does not apply this field" in decision.reason
    assert decide(prediction(network=0.97, email=0.02), ASKING, apply=False).outcome is Outcome.SUGGEST


def test_what_a_person_has_set_stands_even_against_rules() -> None:
    policy = Policy(rules=(Rule("vpn first", {"queue": "net-ops"}, keywords=("VPN",)),))
    (decision,) = route(incoming(), [prediction(email=0.99)], policy, CERTIFIED, {"queue": "files"})
    assert (decision.outcome, decision.value, decision.rule) == (Outcome.LEAVE, "files", None)
    assert "A person has set it to files" in decision.reason
