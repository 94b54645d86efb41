"""What may stand in a channel's table of the kind ``github``?"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from triage.channels.common.system import Channel, Services, system_channel
from triage.channels.common.tables import Environment, FieldTable, Name, Secret, SystemTable, Url
from triage.channels.common.verify import HmacTable, Secrets, open_verifier
from triage.channels.github.fields import ASSIGNEE, LABEL
from triage.channels.github.hooks import parse
from triage.channels.github.issues import Issues


def _repository(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]{1,100}/(?!\.\.?$)[A-Za-z0-9_.-]{1,100}", value):
        raise ValueError(f"{value!r} is no repository such as owner/name")
    return value


class GithubTable(SystemTable):
    """``kind = "github"``.

    ``login`` is the bot's account, needed only for a token that may not ask for it (one of an app). GitHub has no
    internal notes: with ``notes = "comment"`` everybody who sees the issue reads them, otherwise none are written.
    """

    kind: Literal["github"]
    repository: Annotated[str, AfterValidator(_repository)]
    url: Url = "https://api.github.com"
    token: Secret
    login: Name | None = None
    hook_secrets: Secrets | None = None
    notes: Literal["none", "comment"] = "none"
    bots: Literal["ignore", "take"] = "ignore"
    fields: Annotated[dict[Name, FieldTable], Field(min_length=1)]

    @model_validator(mode="after")
    def _can_be_used(self) -> GithubTable:
        for name, field in self.fields.items():
            if field.to != ASSIGNEE and not field.to.startswith(LABEL):
                raise ValueError(f'fields.{name}.to must be "assignee", "label:PREFIX" or "label:"')
            if field.to == LABEL and not field.values:
                raise ValueError(
                    f"fields.{name} needs a prefix, as label:queue/, or values that say which labels it has"
                )
        if self.notes == "none" and self.policy.mode in ("dry-run", "suggest"):
            raise ValueError(
                f"in the mode {self.policy.mode} the bot only writes notes, and GitHub has no internal ones: "
                'set notes = "comment", which everybody who sees the issue reads, or policy.mode = "apply"'
            )
        return self

    def build(self, name: str, environment: Environment, _services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``."""
        verifier = None
        if self.hook_secrets:
            scheme = HmacTable(scheme="hmac", secrets=self.hook_secrets, header="X-Hub-Signature-256", prefix="sha256=")
            verifier = open_verifier(scheme, environment)
        issues = Issues(
            self.url,
            self.repository,
            self.token.read(environment),
            fields=self.fields,
            login=self.login,
            comments_notes=self.notes == "comment",
            takes_bots=self.bots == "take",
            has_hook=verifier is not None,
            timeout_s=self.sending.timeout_s,
        )
        take = partial(parse, repository=self.repository, take_bots=self.bots == "take")
        policy = self.policy.model_copy(update={"notes": self.policy.notes and self.notes == "comment"})
        return replace(system_channel(name, self, issues, verifier, take), policy=policy)
