"""Find what looks like a credential in a text or a command line, and put asterisks in its place.

A trace is kept for long and shown to others. Known by their form are passwords within URLs, the tokens of well-known
services, private keys, and values that a name such as ``--db-password`` or ``api_key=`` announces. Left out: a
credential without a form of its own that nothing announces.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

MASK: Final = "***"

_NAMES: Final = frozenset(
    {"password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "credential", "credentials", "bearer"}
)
_PAIRS: Final = frozenset({("api", "key"), ("access", "key"), ("secret", "key"), ("private", "key"), ("auth", "key")})
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")

_URL: Final = re.compile(r"(?P<before>\b[a-zA-Z][\w+.-]*://[^\s:/@'\"]*:)(?P<secret>[^\s/'\"]+)(?=@)")
_ANNOUNCED: Final = re.compile(
    r"(?P<before>(?<![\w-])[\w-]*(?:passw(?:or)?d|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key"
    r"|credentials?)[\"']?\s*[=:]\s*[\"']?(?:Bearer\s+)?)(?P<secret>[^\s\"',;&}\]]+)",
    re.IGNORECASE,
)
_BEARER: Final = re.compile(r"(?P<before>\bBearer\s+)(?P<secret>[\w.~+/-]{8,}=*)", re.IGNORECASE)
_TOKENS: Final = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|sk-[\w-]{20,}"
    r"|xox[abeoprs]-[\w-]{10,}|(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[\w-]{35}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+|npm_[A-Za-z0-9]{30,}"
    r"|pypi-[\w-]{20,}|wandb_v1_\w{20,})"
)
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_MAY_HOLD: Final = re.compile(
    r"://|passw|passphrase|pwd|secret|token|key|credential|bearer|hf_|gh[pousr]_|github_pat|glpat|sk-|xox|AKIA|ASIA|AIza|eyJ"
    r"|npm_|pypi-|wandb_",
    re.IGNORECASE,
)
"""What a text has in it that is looked at closely: most have none of it."""

_NUMBER: Final = re.compile(r"[-+]?[\d.,]+(?:e[-+]?\d+)?%?", re.IGNORECASE)


def mask_text(text: str) -> str:
    """Return a text with asterisks in place of credentials; numbers after a word such as ``token`` are results."""
    if _MAY_HOLD.search(text) is None:
        return text
    text = _PRIVATE_KEY.sub(MASK, text)
    text = _URL.sub(rf"\g<before>{MASK}", text)
    text = _TOKENS.sub(MASK, text)
    text = _BEARER.sub(rf"\g<before>{MASK}", text)
    return _ANNOUNCED.sub(_mask_announced, text)


def mask_command(command: Sequence[str]) -> tuple[str, ...]:
    """Return a command line with asterisks in place of the values of options such as ``--password``."""
    masked: list[str] = []
    is_announced = False
    for word in command:
        name, sign, _ = word.partition("=")
        is_option = word.startswith("-")
        if is_announced and not is_option:
            masked.append(MASK)
        elif sign and is_secret_name(name):
            masked.append(f"{name}={MASK}")
        else:
            masked.append(mask_text(word))
        is_announced = is_option and not sign and is_secret_name(name)
    return tuple(masked)


def mask_values(value: Any, name: str = "") -> Any:
    """Return plain values, as JSON has them, with credentials masked: by their form, or by the name of their key."""
    if isinstance(value, dict):
        return {key: mask_values(item, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask_values(item, name) for item in value]
    if isinstance(value, str):
        return MASK if value and is_secret_name(name) else mask_text(value)
    return value


def is_secret_name(name: str) -> bool:
    """Whether an option or a key announces a credential: ``--db-password`` does, ``--max-tokens`` does not."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return not _NAMES.isdisjoint(words) or any(pair in _PAIRS for pair in pairwise(words))


def _mask_announced(found: re.Match[str]) -> str:
    is_password = re.search(r"passw|passphrase|pwd", found["before"], re.IGNORECASE) is not None
    is_result = not is_password and _NUMBER.fullmatch(found["secret"]) is not None
    return found[0] if is_result else f"{found['before']}{MASK}"
