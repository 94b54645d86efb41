from pathlib import Path

import numpy as np
import pytest

from kb import Encoder, KnowledgeBase
from tests.factories import incoming
from triage.desk import Desk
from triage.errors import Misconfigured
from triage.learning.registry import promote
from triage.pipeline import assess
from triage.policy import read_policy
from triage.tickets.model import Decision, Outcome
from triage.understand.descriptions import DescribedField, parts_of

QUEUES = {
    "network": "VPN, Wi-Fi, LAN, firewall, no connection",
    "printing": "printers, toner, paper jams",
    "access": "passwords, sign-on, locked accounts",
    "telephony": "desk phones, headsets, forwarding, voicemail",
}
CLEAR = "The Wi-Fi is gone and the VPN does not connect either, there is no network at all."


def policy_file(folder: Path, values: dict[str, str], field: str = "queue", keys: str = "") -> Path:
    lines = "".join(f'"{name}" = "{said}"\n' for name, said in values.items())
    path = folder / "policy.toml"
    path.write_text(f"[fields.{field}]\n{keys}\n[fields.{field}.values]\n{lines}", encoding="utf-8")
    return path


def open_desk(folder: Path, encoder: Encoder, models: Path | None = None) -> Desk:
    knowledge = KnowledgeBase.open(folder / "kb", encoder)
    return Desk(encoder, knowledge, models=models or folder / "models", policy_file=folder / "policy.toml")


def decide(desk: Desk, body: str, field: str = "queue") -> Decision:
    decisions = assess(incoming(body, subject=""), desk.current()).decisions
    return next(decision for decision in decisions if decision.field == field)


def top(described: DescribedField, encoder: Encoder, text: str) -> str:
    return described.predict(encoder.encode([text])[0]).top.label


def test_desk_with_descriptions_only_suggests_the_nearest_and_says_what_is_missing(
    tmp_path: Path, encoder: Encoder
) -> None:
    policy_file(tmp_path, QUEUES)
    decision = decide(open_desk(tmp_path, encoder), CLEAR)
    assert (decision.outcome, decision.value) == (Outcome.SUGGEST, "network")
    assert "nearest description" in decision.reason
    assert "nothing has been measured yet: 59 checked tickets" in decision.reason
    assert len(decision.alternatives) == 3


@pytest.mark.parametrize("text", ["network", "VPN VPN VPN Wi-Fi Wi-Fi", CLEAR, "printers toner paper jams"])
def test_description_is_never_applied_however_near_it_is(tmp_path: Path, encoder: Encoder, text: str) -> None:
    policy_file(tmp_path, QUEUES, keys="target = 0.01\nconfidence = 0.01\nsuggest_at = 0.0")
    assert decide(open_desk(tmp_path, encoder), text).outcome is Outcome.SUGGEST


def test_names_alone_will_do(tmp_path: Path, encoder: Encoder) -> None:
    policy_file(tmp_path, dict.fromkeys(QUEUES, ""))
    assert decide(open_desk(tmp_path, encoder), CLEAR).value == "network"


def test_text_about_nothing_is_left_to_the_default(tmp_path: Path, encoder: Encoder) -> None:
    policy_file(tmp_path, QUEUES, keys='default = "servicedesk"')
    decision = decide(open_desk(tmp_path, encoder), "Thank you and have a nice weekend!")
    assert (decision.outcome, decision.value) == (Outcome.LEAVE, "servicedesk")


def test_descriptions_in_the_tickets_own_language_are_found(encoder: Encoder) -> None:
    values = {"Drucker": "Drucker, Toner, Papierstau", "Netz": "VPN, WLAN, keine Verbindung", "密码": "密码, 登录"}
    described = DescribedField("queue", values, encoder)
    assert top(described, encoder, "Der Drucker meldet Papierstau") == "Drucker"
    assert top(described, encoder, "我忘记了密码") == "密码"


def test_identical_descriptions_are_told_apart_by_their_names_only(encoder: Encoder) -> None:
    described = DescribedField("queue", {"a": "printers", "b": "printers", "network": "Wi-Fi"}, encoder)
    first, second, third = described.predict(encoder.encode(["the printer is broken"])[0]).ranked
    assert {first.label, second.label} == {"a", "b"}
    assert third.probability < 0.1 < second.probability


def test_probabilities_leave_room_for_none_of_the_values(encoder: Encoder) -> None:
    prediction = DescribedField("queue", QUEUES, encoder).predict(encoder.encode(["zxqv blorp 12-99 ///"])[0])
    assert 0 < sum(label.probability for label in prediction.ranked) < 0.95


def test_what_was_nearest_is_shown(encoder: Encoder) -> None:
    prediction = DescribedField("queue", QUEUES, encoder).predict(encoder.encode(["the toner is empty"])[0])
    assert prediction.evidence == ("toner",)


def test_name_is_read_as_words_and_repeated_parts_count_once() -> None:
    assert parts_of("card_not-working", "lost, stolen;lost.  Broken") == [
        "card not working",
        "lost",
        "stolen",
        "Broken",
    ]
    assert parts_of("--", "") == ["--"]
    assert len(parts_of("all", ",".join(str(number) for number in range(500)))) == 20


def test_vectors_have_unit_length_in_the_order_of_the_values(encoder: Encoder) -> None:
    vectors = DescribedField("queue", {"a": "printers, toner", "b": ""}, encoder).vectors
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.allclose(vectors[1], encoder.encode(["b"])[0], atol=1e-5)


def test_no_values_are_no_prediction(tmp_path: Path, encoder: Encoder) -> None:
    (tmp_path / "policy.toml").write_text("[fields.queue.values]\n", encoding="utf-8")
    decision = decide(open_desk(tmp_path, encoder), CLEAR)
    assert decision.outcome is Outcome.LEAVE
    assert "triage train" in decision.reason


def test_five_thousand_values_are_refused_with_the_key(tmp_path: Path) -> None:
    path = policy_file(tmp_path, {f"queue {number}": "" for number in range(5_000)})
    with pytest.raises(Misconfigured, match=r"fields\.queue\.values"):
        read_policy(path)


def test_trained_field_goes_by_the_model_and_another_by_its_descriptions(
    tmp_path: Path, sample_home: Path, encoder: Encoder
) -> None:
    text = policy_file(tmp_path, QUEUES).read_text(encoding="utf-8")
    site = '[fields.topic.values]\nnetwork = "Wi-Fi and VPN"\nmeals = "the canteen"\n'
    (tmp_path / "policy.toml").write_text(text + site, encoding="utf-8")
    desk = open_desk(tmp_path, encoder, sample_home / "models")
    assert "nearest description" not in decide(desk, CLEAR).reason
    assert decide(desk, CLEAR, "topic").value == "network"
    assert "nearest description" in decide(desk, CLEAR, "topic").reason


def test_values_are_embedded_again_only_where_they_changed(tmp_path: Path, encoder: Encoder) -> None:
    policy_file(tmp_path, QUEUES)
    desk = open_desk(tmp_path, encoder)
    (before,) = desk.current().described
    policy_file(tmp_path, QUEUES, keys="target = 0.8")
    (same,) = desk.current().described
    policy_file(tmp_path, {**QUEUES, "network": "cables"})
    (after,) = desk.current().described
    assert same is before
    assert after is not before


def test_model_takes_over_from_the_descriptions_without_a_restart(tmp_path: Path, home: Path, encoder: Encoder) -> None:
    champion = (home / "models" / "champion").read_text(encoding="utf-8").strip()
    (home / "models" / "champion").unlink()
    policy_file(tmp_path, QUEUES)
    desk = open_desk(tmp_path, encoder, home / "models")
    assert "nearest description" in decide(desk, CLEAR).reason
    promote(home / "models", champion)
    assert "nearest description" not in decide(desk, CLEAR).reason
