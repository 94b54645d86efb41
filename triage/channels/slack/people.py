"""Who is who in Slack: names, addresses, languages, and who works at the desk?"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import structlog
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from triage.deliver import GUEST

# People and groups change seldom; asking for each message would cost a call each.
REMEMBERED_S = 600.0
FORGOTTEN_S = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the workspace; ``address`` is the mail address where the app may see it, else ``slack:ID``."""

    user_id: str
    name: str
    address: str
    language: str | None
    is_bot: bool = False
    is_guest: bool = False

    @property
    def features(self) -> dict[str, str]:
        """What their tickets know of them."""
        return {"slack_user": self.user_id} | ({GUEST: "yes"} if self.is_guest else {})


class People:
    """Looks people and groups up, and remembers them for a while. Safe to use from several threads."""

    def __init__(self, client: WebClient, desk: Iterable[str], admins: Iterable[str]) -> None:
        self._client = client
        self._desk = tuple(desk)
        self._admins = tuple(admins)
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, object]] = {}

    def person(self, user_id: str) -> Person:
        """The person; where Slack does not tell, a stranger with that id."""

        def ask() -> Person | None:
            try:
                user = self._client.users_info(user=user_id, include_locale=True)["user"]
            except (SlackApiError, OSError) as error:
                log.warning("person not known", error=_code(error))
                return None
            profile = user.get("profile") or {}
            name = profile.get("display_name") or user.get("real_name") or user.get("name") or user_id
            return Person(
                user_id,
                str(name),
                str(profile.get("email") or f"slack:{user_id}"),
                (user.get("locale") or "")[:2] or None,
                is_bot=bool(user.get("is_bot")),
                is_guest=bool(user.get("is_restricted") or user.get("is_ultra_restricted")),
            )

        found = self._remembered(f"person {user_id}", ask)
        return found if isinstance(found, Person) else Person(user_id, user_id, f"slack:{user_id}", None)

    def at_desk(self, user_id: str) -> bool:
        """Whether this person works at the help desk."""
        return self._is_one_of(user_id, self._desk)

    def is_admin(self, user_id: str) -> bool:
        """Whether this person may change settings."""
        return self._is_one_of(user_id, self._admins)

    def _is_one_of(self, user_id: str, chosen: tuple[str, ...]) -> bool:
        return user_id in chosen or any(user_id in self._members(one) for one in chosen if one.startswith("S"))

    def _members(self, group_id: str) -> frozenset[str]:
        def ask() -> frozenset[str]:
            try:
                return frozenset(self._client.usergroups_users_list(usergroup=group_id)["users"])
            except (SlackApiError, OSError) as error:
                log.warning("user group not known", group=group_id, error=_code(error))
                return frozenset()

        found = self._remembered(f"group {group_id}", ask)
        assert isinstance(found, frozenset)
        return found

    def _remembered(self, key: str, ask: Callable[[], object]) -> object:
        now = time.monotonic()
        with self._lock:
            until, value = self._known.get(key, (0.0, None))
        if now < until:
            return value
        value = ask()
        with self._lock:
            # What Slack did not tell is asked for again soon.
            kept_s = REMEMBERED_S if value not in (None, frozenset()) else FORGOTTEN_S
            self._known[key] = (now + kept_s, value)
        return value


def _code(error: Exception) -> str:
    return str(error.response.get("error", "unknown")) if isinstance(error, SlackApiError) else type(error).__name__
