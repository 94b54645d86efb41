"""How does text from tickets and articles look in Slack, without being alive there?

Slack's own words on escaping: https://docs.slack.dev/messaging/formatting-message-text#escaping
"""

from __future__ import annotations

import re
from datetime import datetime

_FENCE = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)
_BOLD = re.compile(r"(?<!\*)\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*(?!\*)")
_LINK = re.compile(r"\[([^\[\]\n]{1,200})\]\((https?://[^\s()<>|]{1,1000})\)")
_BULLET = re.compile(r"^([ \t]*)[-*][ \t]+", re.MULTILINE)
# What Slack would make a mention, a link or an emoji of even in plain text.
_AT = re.compile(r"@(?=(?:here|channel|everyone)\b)", re.IGNORECASE)
_CALL = re.compile(r"<(?=[@#!])")
_WEB = re.compile(r"https?://[^\s<>|]+")
JOINER = "\N{WORD JOINER}"


def escaped(text: str) -> str:
    """Text as it is, whatever stands in it: no mention, no link, no special word comes alive."""
    return _escaped(text.replace("\0", ""))


def mrkdwn(text: str) -> str:
    """Markdown of an article as Slack writes it: bold, headings, bullets and web links; code stays as it is."""
    parts, end = [], 0
    for fence in _FENCE.finditer(text):
        parts += [_prose(text[end : fence.start()]), escaped(fence.group())]
        end = fence.end()
    return "".join([*parts, _prose(text[end:])])


def quoted(text: str) -> str:
    """Every line behind a bar."""
    return "\n".join(f">{line}" for line in text.splitlines())


def link(url: str, label: str) -> str:
    """A link that shows its label; one that is no web address is only its label."""
    shown = escaped(" ".join(label.split()))
    if not _WEB.fullmatch(url):
        return shown
    return f"<{url.replace('&', '&amp;')}|{shown.replace('|', '¦') or '…'}>"


def markdown(text: str) -> str:
    """An article's Markdown as it is, for the methods that take Markdown; no mention in it comes alive."""
    return _AT.sub(f"@{JOINER}", _CALL.sub(f"<{JOINER}", text.replace("\0", "")))


def markdown_link(url: str, label: str) -> str:
    """A link in Markdown that shows its label; one that is no web address is only its label."""
    shown = markdown(re.sub(r"([\\\[\]])", r"\\\1", " ".join(label.split())))
    if not _WEB.fullmatch(url):
        return shown
    return f"[{shown}]({url.replace('(', '%28').replace(')', '%29')})"


def moment(at: datetime) -> str:
    """Day and time as the reader's clock has them (…/formatting-message-text#date-formatting)."""
    return f"<!date^{int(at.timestamp())}^{{date_short_pretty}}, {{time}}|{at:%Y-%m-%d %H:%M} UTC>"


def cut(text: str, length: int) -> str:
    """At most so many characters, ending at a word where there is one near."""
    if len(text) <= length:
        return text
    head = text[: length - 1]
    space = max(head.rfind(" "), head.rfind("\n"))
    return (head[:space] if space > length * 0.7 else head).rstrip() + "…"


def _prose(text: str) -> str:
    links: list[str] = []

    def keep(match: re.Match[str]) -> str:
        links.append(link(match.group(2), match.group(1)))
        return f"\0{len(links) - 1}\0"

    plain = _escaped(_LINK.sub(keep, text.replace("\0", "")))
    plain = _HEADING.sub(r"*\1*", plain)
    plain = _BULLET.sub(r"\1• ", plain)
    plain = _BOLD.sub(r"*\1*", plain)
    return re.sub("\0(\\d+)\0", lambda match: links[int(match.group(1))], plain)


def _escaped(text: str) -> str:
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _AT.sub(f"@{JOINER}", plain)
