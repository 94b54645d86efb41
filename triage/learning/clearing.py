"""What may a model decide alone under a policy?"""

from __future__ import annotations

from triage.policy import FieldPolicy, Policy
from triage.understand.certificate import Evidence
from triage.understand.classifier import Classifier
from triage.understand.clearance import Aim, FieldClearance, applied, clear_field


def clear(classifier: Classifier, name: str, policy: Policy) -> FieldClearance:
    """Certify one field of the model for what the policy asks of it."""
    return clear_for(classifier, name, aim_of(policy.for_field(name)))


def clear_for(classifier: Classifier, name: str, aim: Aim) -> FieldClearance:
    """Certify one field of the model for this."""
    card = classifier.card
    evidence = Evidence(classifier.model_id, card.dataset_digest, card.created_at)
    return clear_field(name, classifier.checked(name), classifier.labels(name), aim, evidence)


def aim_of(wanted: FieldPolicy) -> Aim:
    """What the policy of a field wants to be certified."""
    return Aim(wanted.target, wanted.confidence, wanted.ask_target, wanted.by_value)


def certified_coverage(classifier: Classifier, policy: Policy) -> dict[str, float]:
    """Per field the share of the checked tickets that the model is certified to decide alone."""
    found = {}
    for name in classifier.fields:
        checked, labels = classifier.checked(name), classifier.labels(name)
        decided = applied(clear(classifier, name, policy), checked, labels)
        found[name] = float(decided.mean()) if len(checked) else 0.0
    return found
