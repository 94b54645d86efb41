"""What may stand in a mail channel's table?"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from triage.channels.common.tables import ChannelTable, Name, Secret, Table
from triage.channels.mail.addresses import is_address

Security = Literal["tls", "starttls", "none"]
Port = Annotated[int, Field(ge=1, le=65_535)]
IMAP_PORTS = {"tls": 993, "starttls": 143, "none": 143}
SMTP_PORTS = {"tls": 465, "starttls": 587, "none": 25}


def _address(value: str) -> str:
    if not is_address(value):
        raise ValueError(f"{value[:80]!r} is no mail address such as help@example.com")
    return value


def _keyword(value: str) -> str:
    # A flag is an atom: https://datatracker.ietf.org/doc/html/rfc3501#section-9
    if not re.fullmatch(r"[A-Za-z0-9$_.-]{1,64}", value):
        raise ValueError("must be a keyword of letters, digits and $ _ . - only")
    return value


Address = Annotated[str, AfterValidator(_address)]
Keyword = Annotated[str, AfterValidator(_keyword)]


class ServerTable(Table):
    """How a mail server is reached. ``token`` is an OAuth 2.0 access token, read anew at each connection."""

    host: Name
    port: Port | None = None
    security: Security = "tls"
    user: Name | None = None
    password: Secret | None = None
    token: Secret | None = None
    ca_file: Name | None = None
    timeout_s: Annotated[float, Field(gt=0, le=300)] = 30.0

    @model_validator(mode="after")
    def _one_way_in(self) -> ServerTable:
        if self.password and self.token:
            raise ValueError("give either password or token")
        if (self.password or self.token) and not self.user:
            raise ValueError("user is missing")
        if self.user and not (self.password or self.token):
            raise ValueError("password or token is missing")
        return self


class ImapTable(ServerTable):
    """The folder that is read. ``begin`` says which of the mails that lie there at the first start are taken.

    A mail that was taken gets ``flag``, and goes to the folder ``move_to`` where there is one. ``every_s`` is how
    often the folder is looked at, also where the server tells of new mail by itself (IDLE).
    """

    folder: Name = "INBOX"
    begin: Literal["new", "unread", "all"] = "new"
    flag: Keyword | None = "$Triage"
    move_to: Name | None = None
    idle: bool = True
    every_s: Annotated[float, Field(gt=0, le=1_500)] = 60.0

    @model_validator(mode="after")
    def _somebody(self) -> ImapTable:
        if not self.user:
            raise ValueError("user is missing")
        return self


class SmtpTable(ServerTable):
    """The server that sends; one that wants no login needs no user."""

    security: Security = "starttls"


class MailTable(ChannelTable):
    """``kind = "mail"``. Without ``smtp`` nothing is ever sent.

    ``address`` is the desk's own, ``aliases`` are its others; ``agents`` are patterns of the addresses of its people,
    such as ``*@desk.example.com``; ``lists`` are the List-Ids of mailing lists through which its mail comes, which
    are no reason to keep silent. ``automatic`` says whether machines' mail (alarms, newsletters) makes tickets.
    """

    kind: Literal["mail"]
    address: Address
    name: Annotated[str, Field(max_length=100)] = ""
    aliases: Annotated[tuple[Address, ...], Field(max_length=100)] = ()
    agents: Annotated[tuple[Name, ...], Field(max_length=500)] = ()
    lists: Annotated[tuple[Name, ...], Field(max_length=100)] = ()
    automatic: Literal["take", "ignore"] = "take"
    imap: ImapTable
    smtp: SmtpTable | None = None
    reply_to: Address | None = None
    notes_to: Address | None = None
    receipt: bool = False
    most_replies_a_day: Annotated[int, Field(ge=1, le=1_000)] = 5
    most_mb: Annotated[float, Field(gt=0, le=100)] = 25.0
    round_trip: bool = Field(default=False, description="Whether a check sends a mail to the desk itself.")

    @model_validator(mode="after")
    def _can_send(self) -> MailTable:
        if self.smtp is None and (self.notes_to or self.receipt or self.reply_to or self.round_trip):
            raise ValueError("smtp is missing: without it nothing can be sent")
        if self.notes_to and self.notes_to.lower() in self.own:
            raise ValueError("notes_to must not be an address of the desk itself: its notes would come back as mail")
        return self

    @property
    def own(self) -> frozenset[str]:
        """The desk's own addresses in small letters."""
        return frozenset(one.lower() for one in (self.address, *self.aliases))
