"""How are secrets taken out of what is shown or sent to somebody who helps? Pure; rather one word too many than one too few.

Known shapes of our own (tokens, setup code, password hashes, session cookies) and of others (keys in URLs and headers,
private keys), and every value of a key whose name sounds secret.
"""

from __future__ import annotations

import re
from typing import Any, Final

HIDDEN: Final = "[hidden]"
_SECRET_NAME: Final = re.compile(
    r"pass(?:word|wd|phrase|wort)?$|psk$|secret|token|credential|api[_-]?key|access[_-]?key|private[_-]?key|setup[_-]?code"
    r"|authorization|cookie|session$|_key$|^key$",
    re.IGNORECASE,
)
_PATTERNS: Final = (
    (re.compile(r"raas_[A-Za-z0-9_-]{16,}"), HIDDEN),
    (re.compile(r"(setup code\W{0,3})[A-Z2-9]{5}-?[A-Z2-9]{5}", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\b[A-HJKMNP-Z2-9]{5}-[A-HJKMNP-Z2-9]{5}\b"), HIDDEN),
    (re.compile(r"\$?(?:scrypt|argon2\w*|pbkdf2\w*)[$:][^\s\"']+"), HIDDEN),
    (re.compile(r"(\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"(raas_session=)[^\s;]+"), rf"\1{HIDDEN}"),
    (re.compile(r"([a-z][a-z0-9+.-]{0,20}://)[^\s/@]+@", re.IGNORECASE), rf"\1{HIDDEN}@"),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}\b"), HIDDEN),
    (re.compile(r"(X-Amz-(?:Signature|Credential|Security-Token)=)[^&\s]+", re.IGNORECASE), rf"\1{HIDDEN}"),
    (re.compile(r"\b(?:gh[pousr]|github_pat|glpat)[_-][A-Za-z0-9_-]{16,}"), HIDDEN),
    (re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL), HIDDEN),
    (
        re.compile(
            r"((?:[\w-]{0,40}(?:password|passwd|passwort|secret|token|psk|api[_-]?key|access[_-]?key|private[_-]?key)[\w-]{0,40})"
            r"[\"']?\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s,;&}]+)",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
)


def line(text: str) -> str:
    """A text without what looks like a secret.

    >>> line("GET /x?token=abc by https://anna:geheim@example.org/r")
    'GET /x?token=[hidden] by https://[hidden]@example.org/r'
    """
    for pattern, instead in _PATTERNS:
        text = pattern.sub(instead, text)
    return text


def content(value: Any) -> Any:
    """Parsed YAML or JSON with the values of all keys that sound secret hidden, and what else looks like a secret."""
    if isinstance(value, dict):
        return {
            key: HIDDEN if _SECRET_NAME.search(str(key)) and inner not in (None, "") else content(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple):
        return [content(inner) for inner in value]
    return line(value) if isinstance(value, str) else value
