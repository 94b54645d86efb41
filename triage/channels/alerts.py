"""Alerts of monitoring systems: those of one incident are one ticket, and its end closes it. In only.

Alertmanager's shape is its own (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config), as are New
Relic's (https://docs.newrelic.com/docs/alerts/get-notified/notification-integrations/#webhook), Dynatrace's
(https://docs.dynatrace.com/docs/analyze-explore-automate/notifications-and-alerting/problem-notifications/webhook-integration)
and Splunk's (https://docs.splunk.com/Documentation/Splunk/latest/Alert/Webhooks); Datadog's and AppDynamics' bodies are
templates of the customer's, for which docs/howto/channels/alerts.md gives ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from triage.channels.common.paths import as_text, parse_json, text_at, value_at
from triage.channels.common.system import Channel, Services
from triage.channels.common.tables import ChannelTable, Environment
from triage.channels.common.text import plain_text
from triage.channels.common.values import Closed, Happening, Message, Opened, Received, Said, Webhook
from triage.channels.common.verify import VerifyTable, open_verifier
from triage.errors import BadInput

Format = Literal["alertmanager", "datadog", "newrelic", "dynatrace", "appdynamics", "splunk"]
# What a ticket lists of a storm; the rest is a number.
MOST_LISTED = 20
MOST_ALERTS = 10_000
LONGEST = 20_000


@dataclass(frozen=True, slots=True)
class Alert:
    """An incident as one message tells of it.

    ``incident`` is the same in all messages on it; ``renews`` where the same name comes again for later incidents.
    """

    incident: str
    is_over: bool
    title: str
    body: str
    severity: str = ""
    labels: Mapping[str, str] | None = None
    url: str = ""
    renews: bool = False


class AlertsTable(ChannelTable):
    """``kind = "alerts"``. ``by`` says what is one ticket of Alertmanager's: a group of alerts, or each alert."""

    kind: Literal["alerts"]
    format: Format
    verify: VerifyTable
    by: Literal["group", "alert"] = "group"

    def build(self, name: str, environment: Environment, _services: Services | None) -> Channel:
        """The channel with its secrets; raises ``Misconfigured``."""
        return Channel(
            name=name,
            kind=self.kind,
            policy=self.policy,
            verifier=open_verifier(self.verify, environment),
            parse=self._parse,
        )

    def _parse(self, webhook: Webhook) -> Received:
        body = parse_json(webhook.body)
        if not isinstance(body, dict):
            raise BadInput("The body is no JSON object.")
        # None of them has a delivery id, and what is repeated word for word is nothing new.
        key = hashlib.sha256(webhook.body).hexdigest()
        if self.format == "alertmanager" and self.by == "alert":
            alerts = list(_each_alert(body))
        elif self.format == "splunk":
            alerts = [_splunk(body, webhook)]
        else:
            alerts = [READERS[self.format](body)]
        happenings = tuple(one for alert in alerts for one in _happenings(alert, key))
        event = "resolved" if all(alert.is_over for alert in alerts) else "firing"
        return Received(key, event, happenings, note="" if alerts else "There is no alert in it.")


def _happenings(alert: Alert, key: str) -> Iterator[Happening]:
    remote_id = hashlib.sha256(alert.incident.encode("utf-8", "replace")).hexdigest()[:40]
    if alert.is_over:
        yield Closed(remote_id, text=alert.title[:LONGEST])
        return
    labels = {name: value[:500] for name, value in list((alert.labels or {}).items())[:40]}
    opened = Opened(
        remote_id,
        alert.title[:1_000],
        alert.body[:LONGEST],
        requester="monitoring",
        channel="alert",
        features={**labels, **({"severity": alert.severity} if alert.severity else {})},
        url=alert.url or None,
        renews=alert.renews,
    )
    message = Message(f"{key[:40]}:{remote_id[:20]}", "monitoring", alert.body[:LONGEST], public=False)
    yield Said(remote_id, message, opened)


def _alertmanager(body: Mapping[str, object]) -> Alert:
    """A notification of a group; Alertmanager sends those of one group one after the other."""
    alerts = _alerts(body)
    firing = [one for one in alerts if text_at(one, "status") == "firing"]
    common = _strings(value_at(body, "commonLabels"))
    notes = _strings(value_at(body, "commonAnnotations"))
    name = common.get("alertname") or text_at(body, "groupLabels.alertname") or "Alerts"
    lines = [_one_line(one) for one in firing[:MOST_LISTED]]
    more = len(firing) - len(lines) + _number(body, "truncatedAlerts")
    parts = [notes.get("description", ""), *lines, f"… and {more:,} more" if more else ""]
    title = notes.get("summary") or (f"{name}: {len(firing):,} alerts" if len(firing) > 1 else name)
    return Alert(
        incident=text_at(body, "groupKey") or name,
        is_over=text_at(body, "status") == "resolved",
        title=title,
        body="\n".join(part for part in parts if part),
        severity=common.get("severity", ""),
        labels=common,
        url=text_at(body, "externalURL"),
        renews=True,
    )


def _each_alert(body: Mapping[str, object]) -> Iterator[Alert]:
    for one in _alerts(body):
        labels, notes = _strings(value_at(one, "labels")), _strings(value_at(one, "annotations"))
        name = labels.get("alertname", "Alert")
        # The moment it began tells this incident from an earlier one of the same labels.
        yield Alert(
            incident=f"{text_at(one, 'fingerprint') or sorted(labels.items())} {text_at(one, 'startsAt')}",
            is_over=text_at(one, "status") == "resolved",
            title=notes.get("summary") or f"{name} {labels.get('instance', '')}".strip(),
            body="\n".join(part for part in (notes.get("description", ""), _one_line(one)) if part),
            severity=labels.get("severity", ""),
            labels=labels,
            url=text_at(one, "generatorURL"),
        )


def _datadog(body: Mapping[str, object]) -> Alert:
    transition = text_at(body, "transition").lower()
    return Alert(
        incident=_named(body, "cycle"),
        is_over="recovered" in transition and "re-" not in transition,
        title=text_at(body, "title"),
        body=_readable(text_at(body, "body")),
        severity=text_at(body, "priority"),
        labels=_tags(text_at(body, "tags")),
        url=text_at(body, "link"),
    )


def _newrelic(body: Mapping[str, object]) -> Alert:
    title = value_at(body, "title")
    said = [text_at(body, name) for name in ("alertConditionNames", "alertPolicyNames", "impactedEntities")]
    return Alert(
        incident=_named(body, "id"),
        is_over=text_at(body, "state").upper() == "CLOSED",
        title=text_at(body, "title") if not isinstance(title, list) else "; ".join(map(str, title)),
        body="\n".join(part for part in said if part),
        severity=text_at(body, "priority"),
        url=text_at(body, "issueUrl"),
    )


def _dynatrace(body: Mapping[str, object]) -> Alert:
    return Alert(
        incident=text_at(body, "PID") or _named(body, "ProblemID"),
        is_over=text_at(body, "State").upper() in ("RESOLVED", "MERGED"),
        title=text_at(body, "ProblemTitle"),
        body=_readable(text_at(body, "ProblemDetailsText") or text_at(body, "ProblemDetailsHTML")),
        severity=text_at(body, "ProblemSeverity"),
        labels=_tags(text_at(body, "Tags")),
        url=text_at(body, "ProblemURL"),
    )


def _appdynamics(body: Mapping[str, object]) -> Alert:
    event = text_at(body, "event").upper()
    return Alert(
        incident=_named(body, "incident"),
        is_over="CLOSE" in event or "CANCEL" in event,
        title=text_at(body, "title"),
        body=_readable(text_at(body, "body")),
        severity=text_at(body, "severity"),
        labels={"application": text_at(body, "application")},
        url=text_at(body, "link"),
    )


def _splunk(body: Mapping[str, object], webhook: Webhook) -> Alert:
    """Splunk never says that something is over, so a search makes one ticket a day at most."""
    name = _named(body, "search_name")
    result = _strings(value_at(body, "result"))
    return Alert(
        incident=f"{name} {webhook.received_at:%Y-%m-%d}",
        is_over=False,
        title=name,
        body="\n".join(f"{key}: {value}" for key, value in list(result.items())[:50]),
        severity=result.get("severity", ""),
        labels={"app": text_at(body, "app")},
        url=text_at(body, "results_link"),
    )


READERS: Mapping[str, Callable[[Mapping[str, object]], Alert]] = {
    "alertmanager": _alertmanager,
    "datadog": _datadog,
    "newrelic": _newrelic,
    "dynatrace": _dynatrace,
    "appdynamics": _appdynamics,
}


def _alerts(body: Mapping[str, object]) -> Sequence[object]:
    alerts = body.get("alerts")
    if not isinstance(alerts, list):
        raise BadInput("The body has no list `alerts`, as Alertmanager sends it.")
    if len(alerts) > MOST_ALERTS:
        raise BadInput(f"The body has {len(alerts):,} alerts, {MOST_ALERTS:,} are the most.")
    return alerts


def _one_line(alert: object) -> str:
    labels, notes = _strings(value_at(alert, "labels")), _strings(value_at(alert, "annotations"))
    where = labels.get("instance") or labels.get("pod") or labels.get("job") or ""
    said = notes.get("summary") or notes.get("description") or labels.get("alertname", "")
    return f"- {where}: {said}" if where else f"- {said}"


def _named(body: Mapping[str, object], path: str) -> str:
    value = text_at(body, path)
    if not value:
        raise BadInput(f"There is nothing at `{path}`, by which messages on one incident are known.")
    return value


def _readable(text: str) -> str:
    return plain_text(text, is_html="<" in text and "</" in text)


def _strings(value: object) -> dict[str, str]:
    return {str(key): as_text(item) for key, item in value.items()} if isinstance(value, dict) else {}


def _tags(text: str) -> dict[str, str]:
    pairs = [part.strip().partition(":") for part in text.split(",")]
    return {name: value for name, colon, value in pairs if colon and name}


def _number(body: Mapping[str, object], path: str) -> int:
    value = value_at(body, path)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
