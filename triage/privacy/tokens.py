"""Where are keys and tokens that a program would take for a login?"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from triage.privacy.words import line_before

# Each run of characters has one place to begin at, so that time stays linear: hence the look-behind.
# Shapes: https://docs.github.com/en/code-security/secret-scanning/introduction/supported-secret-scanning-patterns
_SHAPES = re.compile(
    r"""(?<![\w-])(?:
      (?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AIPA|ANPA|AROA)[A-Z0-9]{16}(?!\w)   # AWS
    | gh[pousr]_[A-Za-z0-9]{20,}+ | github_pat_\w{20,}+                     # GitHub
    | glpat-[\w-]{20,}+                                                     # GitLab
    | xox[a-z]-[A-Za-z0-9-]{10,}+ | xapp-[A-Za-z0-9-]{10,}+                 # Slack
    | [rsp]k_(?:live|test)_[A-Za-z0-9]{10,}+ | whsec_\w{16,}+               # Stripe
    | AIza[\w-]{35} | ya29\.[\w-]{20,}+                                     # Google
    | sk-(?=[A-Za-z_-]{0,60}\d)[\w-]{20,}+                                  # OpenAI, Anthropic
    | SG\.[\w-]{16,}+\.[\w-]{16,}+                                          # SendGrid
    | npm_[A-Za-z0-9]{30,}+ | hf_[A-Za-z0-9]{30,}+ | pypi-[\w-]{40,}+ | dop_v1_[a-f0-9]{64}
    | trg_[\w-]{20,}+                                                       # our own
    | eyJ[\w-]{8,}+\.[\w-]{8,}+(?:\.[\w-]*+)?                               # JSON Web Token, RFC 7519
    | (?:[0-9]{6}-){7}[0-9]{6}(?![\w-])                                     # BitLocker's recovery key
    | (?=[A-Z-]{0,28}[0-9])(?=[0-9-]{0,28}[A-Z])(?:[A-Z0-9]{5}-){4}[A-Z0-9]{5}(?![\w-])   # product key
    )""",
    re.VERBOSE,
)
_SLACK_HOOK = re.compile(r"(?<=hooks\.slack\.com/services/)[\w/]{20,}+")
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:(?!-----)[\s\S]){0,20000}+-----END [A-Z0-9 ]{0,60}-----|(?:\s{1,4}[A-Za-z0-9+/=]{16,}+)*+)"
)
_HEADER = re.compile(
    r"\b(?:Authorization['\"]?[ ]?[:=][ ]?['\"]?(?:[A-Za-z]{3,20}[ ])?|Bearer[ ]{1,3})([\w.~+/=-]{8,}+)", re.IGNORECASE
)

_NOUN = r"(?:key|token|secret|schlüssel|jeton|clave|clé)"
_LABELLED = re.compile(
    rf"""(?:(?:api|access|account|secret|private|shared|client|app|auth|refresh|session|security|bot|signing|encryption|
        subscription|webhook|consumer|deploy|storage|id)[ _.-]?(?:access[ _-]?)?{_NOUN}
      | \b(?:secret|token|jeton|jsessionid|phpsessid|sessionid|x-amz-signature|(?<=[?&])(?:sig|signature|key|code))
      | clé[ ]d'(?:api|accès) | clave[ ]de[ ](?:api|acceso) | zugriffs(?:token|schlüssel) | token[ ]de[ ]acceso)
      (?:['"\\]{{0,2}}[ ]{{0,3}}(?::=|=>|[:=])|[ ](?:is|ist|lautet|est|es)\b:?)
      (?:[ ]|<[^<>\n]{{1,80}}>){{0,3}}['"\\]{{0,2}}
      ([^\s"'<>,;&\ufffc]{{8,256}})""",
    re.IGNORECASE | re.VERBOSE,
)
_NO_TOKEN = re.compile(r"[A-Za-z]:\\|/|\\\\|https?:|hkey|\$\{|%|\[|\{|\(", re.IGNORECASE)

_RANDOM = re.compile(r"(?<![\w+/=-])[\w+/-]{24,512}+={0,2}(?![\w+/-])")
_WORD_BEFORE = re.compile(rf"(?:\b|_|api){_NOUN}s?\b|credential|zugangsdaten|identifiants", re.IGNORECASE)
_FINGERPRINT = re.compile(r"fingerprint|(?:public|rsa|dsa|ecdsa|ed25519|gpg|pgp|key id)", re.IGNORECASE)
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")


def tokens(text: str) -> Iterator[tuple[int, int]]:
    """Keys of well-known shapes, private keys, and values that a word beside them calls a key, token or secret."""
    found = [match.span() for pattern in (_PRIVATE_KEY, _SHAPES, _SLACK_HOOK) for match in pattern.finditer(text)]
    found += [match.span(1) for match in _HEADER.finditer(text) if _is_random(match[1])]
    found += [match.span(1) for match in _LABELLED.finditer(text) if _is_value(match[1])]
    found += [match.span() for match in _RANDOM.finditer(text) if _is_called_secret(match, text)]
    return without_overlaps(found)


def without_overlaps(found: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The stretches in order; those that overlap become one."""
    start, end = 0, 0
    for here in sorted(found):
        if here[0] >= end:
            if end:
                yield start, end
            start = here[0]
        end = max(end, here[1])
    if end:
        yield start, end


def _is_random(value: str) -> bool:
    """Digits and letters mixed: `token: CancellationToken` is none, and of 20 random letters and digits 97 % mix."""
    return any(c.isalpha() for c in value) and any(c.isdigit() for c in value)


def _is_value(value: str) -> bool:
    return not _NO_TOKEN.match(value) and _is_random(value)


def _is_called_secret(match: re.Match[str], text: str) -> bool:
    value = match[0]
    line = line_before(text, match.start())
    return _WORD_BEFORE.search(line) is not None and not _FINGERPRINT.search(line) and _is_high_entropy(value)


def _is_high_entropy(value: str) -> bool:
    """Hex of 128 bits and more, or base64 with at least 3.5 bits a character (prose has less, and no digits)."""
    if not any(c.isdigit() for c in value):
        return False
    if _HEX.fullmatch(value):
        return len(value) >= 32 and any(c.isalpha() for c in value)
    mixes = any(c.isupper() for c in value) and any(c.islower() for c in value)
    return mixes and value.count("/") <= len(value) // 12 and _bits(value) >= 3.5


def _bits(value: str) -> float:
    """Shannon's entropy of the characters, in bits."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())
