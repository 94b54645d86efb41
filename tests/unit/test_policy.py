from pathlib import Path

import pytest

from tests.factories import incoming
from triage.errors import Misconfigured
from triage.policy import STARTING_POLICY, Policy, Rule, read_policy, unknown_values, write_policy


def policy_of(tmp_path: Path, text: str) -> Policy:
    path = tmp_path / "policy.toml"
    path.write_text(text, encoding="utf-8")
    return read_policy(path)


def test_missing_file_is_the_default_policy(tmp_path: Path) -> None:
    assert read_policy(tmp_path / "policy.toml") == Policy()


def test_starting_policy_equals_the_default_policy_but_for_its_digest(tmp_path: Path) -> None:
    read = policy_of(tmp_path, STARTING_POLICY)
    assert (read.fields, read.otherwise, read.rules) == ({}, Policy().otherwise, ())
    assert read.digest != Policy().digest


def test_starting_policy_never_overwrites_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    assert write_policy(path, "mine")
    assert not write_policy(path)
    assert path.read_text(encoding="utf-8") == "mine"


def test_field_without_a_table_takes_the_default_table(tmp_path: Path) -> None:
    policy = policy_of(tmp_path, '[default]\ntarget = 0.8\n[fields.queue]\ntarget = 0.9\ndefault = "desk"\n')
    assert policy.for_field("queue").target == 0.9
    assert policy.for_field("queue").default == "desk"
    assert policy.for_field("priority").target == 0.8


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[default]\ntarget = 1.5", "default.target"),
        ("[fields.queue]\ntraget = 0.9", "fields.queue.traget"),
        ("[default", "not valid TOML"),
        ('[[rules]]\nname = "all"\nset = { queue = "x" }', "matches every ticket"),
        ('[[rules]]\nname = "nothing"\nkeywords = ["x"]\nset = {}', "rules.0.set"),
    ],
)
def test_wrong_policy_is_refused_with_the_key_that_is_wrong(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(Misconfigured, match=named):
        policy_of(tmp_path, text)


def test_policy_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(Misconfigured, match="not valid TOML"):
        read_policy(path)


@pytest.mark.parametrize(
    ("keyword", "text", "matches"),
    [
        ("vip", "a VIP asks", True),
        ("vip", "two vipers", False),
        ("c++", "my c++ build", True),
        ("suspicious mail", "A Suspicious Mail came", True),
        ("Störung", "große STÖRUNG heute", True),
        ("(a+)+$", "a" * 10_000, False),
    ],
)
def test_keyword_matches_whole_words_whatever_their_case(keyword: str, text: str, matches: bool) -> None:
    rule = Rule("r", {"queue": "x"}, keywords=(keyword,))
    assert (rule.match(incoming(text)) is not None) is matches


def test_all_conditions_of_a_rule_must_hold() -> None:
    rule = Rule("r", {"queue": "x"}, keywords=("vpn",), requesters=("*@board.example.com",), channels=("email",))
    assert rule.match(incoming(requester="Eva@Board.example.com")) is not None
    assert rule.match(incoming(requester="eva@example.com")) is None
    assert rule.match(incoming(requester="eva@board.example.com", channel="slack")) is None


def test_rule_says_why_it_matched() -> None:
    rule = Rule("r", {"queue": "x"}, keywords=("vpn",), requesters=("ana@*",))
    assert rule.match(incoming()) == "the ticket says “VPN” and the requester is ana@*"


def test_values_that_no_training_ticket_had_are_named_with_the_most_alike(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(
        '[fields.queue]\ndefault = "servicedsk"\n[[rules]]\nname = "theft"\nkeywords = ["stolen"]\n'
        'set = { queue = "security", site = "anything" }\n',
        encoding="utf-8",
    )
    (said,) = unknown_values(read_policy(path), {"queue": ("security", "servicedesk")})
    assert "the default names the queue “servicedsk”" in said
    assert "did you mean “servicedesk”?" in said


def test_target_of_one_is_refused_with_what_to_give_instead(tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text("[fields.queue]\ntarget = 1.0\n", encoding="utf-8")
    with pytest.raises(Misconfigured, match=r"fields\.queue\.target.*cannot be shown on any number of tickets"):
        read_policy(path)
