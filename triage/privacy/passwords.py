"""Where has somebody written down a password, a PIN or a login in a link?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from triage.privacy.tokens import without_overlaps
from triage.privacy.words import PASSWORD_STATES

_WORD = (
    r"(?:pass[ -]?words?|passwd|passwort|passphrase|passcode|kennwort|mots? de passe|contrase(?:ñ|n)as?|senha|"
    r"wachtwoord|hasło|(?<![^\W_])(?<!\$)(?:(?P<short>pass)|pwd|pw|mdp|clave))[1-9]?(?![^\W_])"
)
_QUALIFIER = (
    r"(?P<qualifier> (?:for|of|on|in|für|zum?|im|am|von|vom|pour|de|du|dans|para|del|en) [^\n:=.,;?!\ufffc]{1,30}?"
    r"| ?\([^()\n\ufffc]{1,30}\))?"
)
_ASKED = re.compile(
    r"\b(?:users?|usernames?|logins?|accounts?|ids?|following|below|benutzer|konto|usuario|compte) ?$", re.IGNORECASE
)
_MARK = r"(?:\\?[\"'*`]){0,3}"  # quotes as in JSON, and the stars of Markdown
_ASSIGNED = rf"(?P<assigned>{_MARK}[ ]{{0,3}}(?::=|=>|->|→|[:=>]))"
_STATED = (
    r"(?P<stated>(?: (?:that i (?:use|used|tried|entered)|i (?:use|used|tried|entered)))?[ ]{1,2}"
    r"(?:is|was|are|has been (?:re)?(?:set|changed) to|(?:was |is )?(?:re)?(?:set|changed) to|lautet|ist|war|"
    r"hei(?:ß|ss)t|(?:geändert |gesetzt )?auf|geändert in|to|est|était|es|era|cambiad[ao] a)"
    r"(?: (?:now|still|currently|jetzt|nun|noch|maintenant|toujours|ahora|todavía))?:?(?=[ \"'*`]))"
)
_LABEL = re.compile(
    rf"{_WORD}(?:{_QUALIFIER}(?:{_ASSIGNED}|{_STATED})|(?P<bare>[ ]))(?:[ \t]|<[^<>\n]{{1,80}}>|&nbsp;){{0,6}}"
    rf"(?P<line>\r?\n[ \t]{{0,8}})?(?P<quote>{_MARK})",
    re.IGNORECASE,
)
_NEXT_SETTING = re.compile(r"[&;](?=[\w.-]{1,40}=)")  # "password=x&user=ana", "Pwd=x;Server=y"
_VALUE = re.compile(r"[^\s<\"`\ufffc]{3,128}")
_NEVER = re.compile(
    r"https?:|www\.|mailto:|\$\{|\$\(|%\w+%|[\[({<|/:]|0x[0-9a-f]{6,}|cid:|[^\W\d_]+_[^\W\d_]+$|.{0,40}[(\[]\)?$",
    re.IGNORECASE,
)
_SPECIAL = re.compile(r"[!@#$%^&*+=?~§€£\\{}|]")
_PRODUCT = re.compile(r"(?:windows|win|office|o|m|outlook|sap|erp|sid|vpn|version|v)[-_ ]?\d+", re.IGNORECASE)
_NUMBER_OF_THING = re.compile(r"[A-Z]{1,5}[-_]?\d+", re.IGNORECASE)

_CODE = re.compile(
    r"\b(?:pin(?:[ -]?(?:code|nummer|number))?|puk|otp|m?tan|cvv2?|cvc2?|"
    r"(?:verification|security|one-time|2fa|mfa|sms)[ -]?code|"
    r"one[ -]time (?:pass(?:word|code)|pin)|passcode|(?:sicherheits|bestätigungs|verifizierungs|einmal)code|geheimzahl|"
    r"code (?:de (?:vérification|sécurité)|secret|pin)|código (?:de (?:verificación|seguridad)|pin))"
    r"[ ]?(?:[:=]|(?:is|was|ist|war|lautet|est|es)\b)?[ ]{0,2}(\d{3,10})(?![\w-]|[.,]\d)",
    re.IGNORECASE,
)
_LINK = re.compile(r"://[^\s/:@,\ufffc]{0,64}:([^\s/,\ufffc]{1,128})@")
_COMMAND = re.compile(r"(?<!\S)(?:-u|--user|--credentials)[ =]['\"]?[^\s:'\"\ufffc]{1,64}:([^\s'\"\ufffc]{1,128})")


def passwords(text: str) -> Iterator[tuple[int, int]]:
    """What stands after "password:", "Passwort lautet", "my password is"… and looks like one; PINs; logins in links.

    Plain lower-case words count only after a colon, alone to the end of their line: "my password is expired".
    """
    found = [span for label in _LABEL.finditer(text) if (span := _value_after(label, text))]
    found += [match.span(1) for pattern in (_CODE, _LINK, _COMMAND) for match in pattern.finditer(text)]
    return without_overlaps(found)


def _value_after(label: re.Match[str], text: str) -> tuple[int, int] | None:
    start = label.end()
    if any(mark in label["quote"] for mark in "\"'`") and not label["bare"]:
        closing = re.compile(r"[^\"'`\n\ufffc]{3,128}(?=\\?[\"'`])").match(text, start)
        if closing:
            return closing.span() if _is_secret(closing[0], label, ends_line=True) else None
    value = _VALUE.match(text, start)
    if value is None or _ASKED.search(label["qualifier"] or ""):  # "reset the password for user: ana"
        return None
    written = value[0]
    if label["assigned"] and label["assigned"][-1] == "=":
        written = _NEXT_SETTING.split(written)[0]
    written = written.rstrip(".,;:)?'»" + ("*" if "*" in label["quote"] else ""))
    end = start + len(written)
    rest = text[end : end + 40]
    if label["assigned"] and label["assigned"][-1] == ">" and not rest.startswith("</"):  # only <password>x</password>
        return None
    return (start, end) if _is_secret(written, label, ends_line=_ends_clause(rest)) else None


def _ends_clause(rest: str) -> bool:
    return re.match(r"[ \t.*]{0,4}(?:$|[\n\r<,;|]|\()", rest) is not None


def _is_secret(value: str, label: re.Match[str], *, ends_line: bool) -> bool:
    if (
        len(value) < 3
        or _NEVER.match(value)
        or _PRODUCT.fullmatch(value)
        or value.lower() in PASSWORD_STATES
        or not re.search("[^*•.xX#_?-]", value)
    ):
        return False
    if label["bare"]:
        return not (label["line"] or label["short"]) and _is_complex(value)
    if label["stated"] or label["line"]:
        return _is_strong(value) and (ends_line or not label["line"])
    if label["assigned"][-1] in "=>":
        return True
    return _is_strong(value) or (ends_line and not label["short"] and value[0].isalpha() and len(value) >= 4)


def _is_strong(value: str) -> bool:
    """Unlike a word: digits or special signs among letters, a capital inside, or four digits and more."""
    has_letter = any(c.isalpha() for c in value)
    has_digit = any(c.isdigit() for c in value)
    if not has_letter:
        return value.isdigit() and len(value) >= 4
    inner_capital = re.search("[a-zß-ÿ][A-ZÀ-Ý]", value) is not None
    return len(value) >= 4 and (has_digit or inner_capital or _SPECIAL.search(value) is not None)


def _is_complex(value: str) -> bool:
    """What no other word looks like: at least six characters of three sorts; "password Office365" is none."""
    sorts = [
        any(c.isupper() for c in value),
        any(c.islower() for c in value),
        any(c.isdigit() for c in value),
        _SPECIAL.search(value) is not None,
    ]
    return len(value) >= 6 and sum(sorts) >= 3 and not _NUMBER_OF_THING.fullmatch(value)
