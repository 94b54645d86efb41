"""How does text from tickets and articles look in Slack, without being alive there?

Slack's own words on escaping: https://docs.slack.dev/messaging/formatting-message-text#escaping
"""

from __future__ import annotations

import re
from datetime import datetime

FENCE = "```"
# Code, which stays as it is, and links; whichever begins first.
_KEPT = re.compile(
    r"```.*?(?:```|\Z)|`[^`\n]+`|\[(?P<label>[^\[\]\n]{1,200})\]\((?P<url>https?://[^\s()<>|]{1,1000})\)", re.DOTALL
)
_HEADING = re.compile(r"^#{1,6}[ \t]+(.+?)[ \t]*#*$", re.MULTILINE)
_BOLD = re.compile(r"(?<!\*)\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*(?!\*)")
_BULLET = re.compile(r"^([ \t]*)[-*][ \t]+", re.MULTILINE)
# What Slack would make a mention, a link or an emoji of even in plain text.
_AT = re.compile(r"@(?=(?:here|channel|everyone)\b)", re.IGNORECASE)
_CALL = re.compile(r"<(?=[@#!])")
_WORD = re.compile(r"\w")
_WEB = re.compile(r"https?://[^\s<>|]+")
# A character or a link of Slack's markup that was cut in two.
BROKEN = re.compile(r"(?:&[a-z]{0,4}|<[^<>]*)\Z")
JOINER = "\N{WORD JOINER}"


def escaped(text: str) -> str:
    """Text as it is, whatever stands in it: no mention, no link, no special word comes alive."""
    return _escaped(text.replace("\0", ""))


def mrkdwn(text: str) -> str:
    """Markdown of an article as Slack writes it: bold, headings, bullets and web links; code stays as it is."""
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        url = found.group("url")
        kept.append(link(url, found.group("label")) if url else escaped(found.group()))
        return f"\0{len(kept) - 1}\0"

    plain = _escaped(_KEPT.sub(keep, text.replace("\0", "")))
    plain = _HEADING.sub(r"*\1*", plain)
    plain = _BULLET.sub(r"\1• ", plain)
    plain = _BOLD.sub(r"*\1*", plain)
    return re.sub("\0(\\d+)\0", lambda place: kept[int(place.group(1))], plain)


def quoted(text: str) -> str:
    """Every line behind a bar, but for blocks of code: there Slack would show the bar's character."""
    lines, in_code = [], False
    for line in text.splitlines():
        turns = line.count(FENCE) % 2 == 1
        lines.append(line if in_code or turns else f">{line}")
        in_code ^= turns
    return "\n".join(lines)


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


def title_of(text: str) -> str:
    """The first line that says something, or empty."""
    return next((line.strip() for line in text.splitlines() if _WORD.search(line)), "")


def cut(text: str, length: int) -> str:
    """At most so many characters, ending at a word where there is one near."""
    if len(text) <= length:
        return text
    head = text[: length - 1]
    space = max(head.rfind(" "), head.rfind("\n"))
    return (head[:space] if space > length * 0.7 else head).rstrip() + "…"


def cut_mrkdwn(text: str, length: int) -> str:
    """The same for text in Slack's markup: nothing of it is cut in two, and a block of code ends."""
    if len(text) <= length:
        return text
    head = BROKEN.sub("", cut(text, length - len(FENCE) - 1).removesuffix("…")) + "…"
    return f"{head}\n{FENCE}" if head.count(FENCE) % 2 else head


def _escaped(text: str) -> str:
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _AT.sub(f"@{JOINER}", plain)
