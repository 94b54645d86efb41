"""What has the operator decided about fields, rules and answers?"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from triage.errors import Misconfigured
from triage.tickets.model import IncomingTicket

# The start of a policy file; `triage init` writes it with comments.
NO_POLICY_DIGEST = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class FieldPolicy:
    """How sure the bot must be about one field.

    ``target`` of the applied values must be right, and that must be certified with ``confidence``, ``by_value`` for
    each value that has tickets enough. Below that, two or three values are asked about where it is certified that
    ``ask_target`` of such questions offer the right one, and values from ``suggest_at`` on are suggested. A ticket less
    familiar than ``least_familiarity`` (0..1, the share of training tickets that were stranger) is left. ``default``
    stands in for what is left. ``values`` are the names of the field's values with a description each, which may be
    empty: until a model knows the field, the nearest is suggested.
    """

    target: float = 0.95
    confidence: float = 0.95
    by_value: bool = True
    ask: bool = True
    ask_target: float = 0.90
    suggest_at: float = 0.30
    least_familiarity: float = 0.01
    apply: bool = True
    default: str | None = None
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnswerPolicy:
    """How sure an answer must be.

    ``target`` of the answers given must be right, and that must be certified with ``confidence``; below that, the words
    are shown to agents from the probability ``suggest_at`` on.
    """

    target: float = 0.95
    confidence: float = 0.95
    suggest_at: float = 0.50


@dataclass(frozen=True)
class Rule:
    """Sets fields of every ticket that matches: any of the keywords, and any of the requesters and channels."""

    name: str
    sets: Mapping[str, str]
    keywords: tuple[str, ...] = ()
    requesters: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # Whole words: "vip" must not match "vipers"; a keyword may itself begin or end with punctuation.
        words = "|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in self.keywords)
        return re.compile(words, re.IGNORECASE)

    def match(self, ticket: IncomingTicket) -> str | None:
        """Why the rule matches, in words, or None."""
        because: list[str] = []
        if self.keywords:
            found = self._pattern.search(f"{ticket.subject}\n{ticket.body}")
            if not found:
                return None
            because.append(f"the ticket says “{found.group()}”")
        if self.requesters:
            pattern = _first_match(ticket.requester, self.requesters)
            if pattern is None:
                return None
            because.append(f"the requester is {pattern}")
        if self.channels:
            if _first_match(ticket.channel, self.channels) is None:
                return None
            because.append(f"it came by {ticket.channel}")
        return " and ".join(because)


@dataclass(frozen=True, slots=True)
class Policy:
    """All that the operator decided, the text of the file it stands in, and its SHA-256."""

    fields: Mapping[str, FieldPolicy] = field(default_factory=dict)
    otherwise: FieldPolicy = field(default_factory=FieldPolicy)
    rules: tuple[Rule, ...] = ()
    answers: AnswerPolicy = field(default_factory=AnswerPolicy)
    digest: str = NO_POLICY_DIGEST
    text: str = ""

    @property
    def descriptions(self) -> dict[str, Mapping[str, str]]:
        """By field what its values mean, for the fields that have any."""
        return {name: one.values for name, one in self.fields.items() if one.values}

    def for_field(self, name: str) -> FieldPolicy:
        """The policy of the field, or the one for all fields that have none."""
        return self.fields.get(name, self.otherwise)


def read_policy(path: Path) -> Policy:
    """Read ``policy.toml``; a missing file is the default policy.

    Raises ``Misconfigured`` that names the line or the key where the file is wrong.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Policy()
    except OSError as error:
        raise Misconfigured(f"The policy file {path} cannot be read: {error.strerror}.") from error
    return parse_policy(content, path)


def parse_policy(content: bytes, path: Path) -> Policy:
    """The policy that a file says; ``path`` is for the words of an error, which is as in ``read_policy``."""
    try:
        text = content.decode("utf-8")
        parsed = _PolicyFile.model_validate(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"The policy file {path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
        raise Misconfigured(
            f"The policy file {path} is wrong ({wrong}). docs/reference/policy.md lists all keys."
        ) from error
    return parsed.policy(text, hashlib.sha256(content).hexdigest())


def unknown_values(policy: Policy, labels: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """A sentence for each value that the policy names and no training ticket had, given the labels of each field.

    It may be a new queue, so it is no error; it may be a slip, so the most alike known value is named.
    """
    named = [(name, field.default, "the default") for name, field in policy.fields.items() if field.default]
    named += [(name, value, f"rule “{rule.name}”") for rule in policy.rules for name, value in rule.sets.items()]
    sentences = []
    for name, value, where in named:
        known = labels.get(name)
        if known is not None and value not in known:
            alike = get_close_matches(value, known, 1)
            hint = f"; did you mean “{alike[0]}”?" if alike else "."
            sentences.append(f"In the policy, {where} names the {name} “{value}”, which no training ticket had{hint}")
    return tuple(dict.fromkeys(sentences))


def _first_match(value: str, patterns: tuple[str, ...]) -> str | None:
    return next((pattern for pattern in patterns if fnmatchcase(value.lower(), pattern.lower())), None)


Share = Annotated[float, Field(ge=0, le=1)]


def _between(value: float) -> float:
    if not 0 < value < 1:
        raise ValueError(
            f"{value:g} cannot be shown on any number of tickets; give a share above 0 and below 1, such as 0.95"
        )
    return value


Certainty = Annotated[float, AfterValidator(_between)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Description = Annotated[str, Field(max_length=2_000)]
# As many as a model may have labels: more are names or numbers rather than places to send a ticket to.
MOST_VALUES = 1_000


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _FieldTable(_Strict):
    target: Certainty = 0.95
    confidence: Certainty = 0.95
    by_value: bool = True
    ask: bool = True
    ask_target: Certainty = 0.90
    suggest_at: Share = 0.30
    least_familiarity: Share = 0.01
    apply: bool = True
    default: Name | None = None

    def policy(self) -> FieldPolicy:
        return FieldPolicy(**self.model_dump())


class _NamedFieldTable(_FieldTable):
    values: Annotated[dict[Name, Description], Field(max_length=MOST_VALUES)] = {}


class _AnswerTable(_Strict):
    target: Certainty = 0.95
    confidence: Certainty = 0.95
    suggest_at: Share = 0.50


class _RuleTable(_Strict):
    name: Name
    keywords: tuple[Name, ...] = ()
    requesters: tuple[Name, ...] = ()
    channels: tuple[Name, ...] = ()
    set: Annotated[dict[Name, Name], Field(min_length=1)]


class _PolicyFile(_Strict):
    default: _FieldTable = _FieldTable()
    fields: dict[Name, _NamedFieldTable] = {}
    rules: tuple[_RuleTable, ...] = ()
    answers: _AnswerTable = _AnswerTable()

    def policy(self, text: str, digest: str) -> Policy:
        for rule in self.rules:
            if not (rule.keywords or rule.requesters or rule.channels):
                raise Misconfigured(
                    f"Rule “{rule.name}” of the policy file matches every ticket: "
                    "give it keywords, requesters or channels."
                )
        return Policy(
            fields={name: table.policy() for name, table in self.fields.items()},
            otherwise=self.default.policy(),
            rules=tuple(Rule(r.name, r.set, r.keywords, r.requesters, r.channels) for r in self.rules),
            answers=AnswerPolicy(**self.answers.model_dump()),
            digest=digest,
            text=text,
        )


STARTING_POLICY = """\
# What may the bot do on its own? Every key is described in docs/reference/policy.md.
# The file is read again as soon as it is saved.

# For every field that has no table of its own:
[default]
target = 0.95           # of the values applied, at least this share must be right ...
confidence = 0.95       # ... and that must be certified with this confidence; else it is not applied
by_value = true         # certify each value that has tickets enough by itself, the others together
ask = true              # where two or three values are certified to hold the right one, ask which ...
ask_target = 0.90       # ... of such questions, at least this share must offer it
suggest_at = 0.30       # suggest from this probability on; below it, leave the field alone
least_familiarity = 0.01  # leave tickets that are stranger than all but this share of the training tickets

# [fields.queue]
# target = 0.90
# default = "servicedesk"   # stands in where the field is left
# [fields.queue.values]     # before there is a model: suggest the value whose description is nearest
# network = "VPN, Wi-Fi, network sockets, no connection"
# printing = ""             # the name alone will do

# Answers of the knowledge base, once they are checked on your own questions (triage kb calibrate --queries FILE):
[answers]
target = 0.95           # of the answers given, at least this share must be right ...
confidence = 0.95       # ... and that must be certified with this confidence; else none is given
suggest_at = 0.50       # below that, show the words to agents from this probability on

# Rules override the model, and say so. All conditions of a rule must hold; any word of a list will do.
# [[rules]]
# name = "the board first"
# requesters = ["*@board.example.com"]
# set = { priority = "high" }
#
# [[rules]]
# name = "phishing"
# keywords = ["phishing", "suspicious mail"]
# set = { queue = "security" }
"""


def write_policy(path: Path, text: str = STARTING_POLICY) -> bool:
    """Write the policy to begin with, unless there is a file already; True where it was written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True
