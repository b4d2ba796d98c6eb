"""Find what looks like a credential in a text or a command line, and put asterisks in its place.

A trace is kept for long and shown to others. Known by their form are passwords within URLs, the tokens of well-known
services, private keys, and values that a name such as ``--db-password`` or ``api_key=`` announces. Left out: a
credential without a form of its own that nothing announces.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MASK: Final = "***"

_NAMES: Final = frozenset(
    {"password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "cred", "creds", "credential"}
    | {"credentials", "bearer", "authorization"}
)
_KEYS: Final = ("access", "account", "api", "auth", "encryption", "license", "private", "secret", "signing", "ssh")
_PAIRS: Final = frozenset((kind, "key") for kind in _KEYS)
_PASSES: Final = frozenset({"pass", "passcode", "pw"})
_SHORT_NAMES: Final = frozenset({"auth", "code", "key"})
"""What announces a credential only where the value looks like one."""
_USERS: Final = frozenset({"auth", "login", "u", "user", "userpwd"})
"""Options that are given a name and a password with a colon in between."""
_WORDS: Final = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_MIXED: Final = r"(?=[\w+/=~.-]{0,200}\d)(?=[\w+/=~.-]{0,200}[A-Za-z])"
"""Before a word with letters and digits."""
_RANDOM: Final = rf"{_MIXED}(?![A-Za-z]*\d{{0,4}}(?:[_/-][A-Za-z]*\d{{0,4}})*(?![\w+/=~.-]))"
"""The same, but for a name such as ``layer4_conv1``."""

_URL: Final = re.compile(
    r"(?P<before>\b[a-zA-Z][\w+.-]{0,30}://(?:[^\s:/@'\"]*:(?!\d{1,5}/)(?=[^\s'\"]{1,200}@)|(?=[\w~.+-]{16,200}@)"
    + _MIXED
    + "))"
    r"(?P<secret>[^\s'\"]{1,200})(?=@)"
)
_QUERY: Final = re.compile(r"(?P<before>[?&](?:x-amz-)?(?:sig|signature)=)(?P<secret>[^\s&'\"]{16,})", re.IGNORECASE)
_ANNOUNCED: Final = re.compile(
    r"(?P<before>(?<![\w-])[\w-]*(?:passw(?:or)?d|passphrase|pwd|secret|token|credentials?|authorization"
    rf"|(?:{'|'.join(_KEYS)})[_-]?key)\\?[\"']?\s*(?:[=:]|%3D)\s*(?:b(?=[\"']))?(?P<quote>\\?[\"'])?(?:(?:Basic|Bearer|Token)\s+)?)"
    r"(?P<secret>(?(quote)(?:(?!(?P=quote)).)+|[^\s\"',;&}\]]+))",
    re.IGNORECASE,
)
_PASSWORD: Final = re.compile(
    r"(?P<before>(?:\bBearer\s+|\bpass(?:word|phrase)\s+|(?<![A-Za-z])pass(?:code)?[\"']?\s*[=:]\s*[\"']?))"
    r"(?P<secret>" + _RANDOM + r"[\w+/~.-]{8,}=*)",
    re.IGNORECASE,
)
_KEY: Final = re.compile(
    r"(?P<before>(?:\blogin\s+|\btoken\s+|(?<![A-Za-z])key[\"']?\s*[=:]\s*[\"']?))"
    r"(?P<secret>" + _RANDOM + r"[\w+/~-]{16,}=*)(?![\w.])",
    re.IGNORECASE,
)
_TOKENS: Final = re.compile(
    r"\b(?:hf_[A-Za-z0-9]{16,}|api_org_[A-Za-z0-9]{16,}|gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}"
    r"|sk-[\w-]{20,}|[rs]k_(?:live|test)_\w{16,}|gsk_\w{20,}|xai-\w{20,}|r8_\w{20,}|xox[abeoprs]-[\w-]{10,}|xapp-[\w-]{16,}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}|AIza[\w-]{35}|ya29\.[\w-]{16,}|GOCSPX-[\w-]{20,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]+"
    r"|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{20,}|wandb_v1_\w{20,}|dckr_pat_[\w-]{16,}|dapi[0-9a-f]{32}|do[opr]_v1_[0-9a-f]{40,}"
    r"|SK[0-9a-f]{32}\b|SG\.[\w-]{16,}\.[\w-]{16,}|\d{8,10}:AA[\w-]{30,})"
    r"|(?<=hooks\.slack\.com/services/)[\w/-]{20,}|(?<=/api/webhooks/)[\w/-]{20,}"
)
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z ]*PRIVATE KEY(?: BLOCK)?-----|\Z)", re.DOTALL
)
_MAY_HOLD: Final = re.compile(
    r"://|pass|pwd|secret|token|key|sig=|signature|credential|authorization|bearer|login|hf_|api_org|gh[pousr]_|github_pat|glpat"
    r"|sk-|[rs]k_|gsk_|xai-|r8_|xox|xapp|AKIA|ASIA|AIza|ya29|GOCSPX|eyJ|npm_|pypi-|wandb_|dckr_|dapi|do[opr]_v1|SK[0-9a-f]{32}"
    r"|SG\.|:AA|/webhooks/",
    re.IGNORECASE,
)
"""What a text has in it that is looked at closely: most have none of it."""

_NUMBER: Final = re.compile(r"[-+]?[\d.,]+(?:e[-+]?\d+)?%?", re.IGNORECASE)
_NAMED: Final = re.compile(r"[^\s:/]+:(?!\d*$)[^\s:]+")


_DESCRIBED: Final = re.compile(
    r"(?:token|secret|key|credentials?|authorization)[\"']?\s*[=:]\s*(?:[a-z]+|%[sr]|\{\w*\}|<\w+>)(?![\w-])",
    re.IGNORECASE,
)
"""What describes a credential in prose, as in ``token: the one that comes next``, or holds its place."""


def mask_text(text: str) -> str:
    """Return a text with asterisks in place of credentials; numbers after a word such as ``token`` are results."""
    if _MAY_HOLD.search(text) is None:
        return text
    text = _PRIVATE_KEY.sub(MASK, text)
    text = _TOKENS.sub(MASK, text)
    for pattern in (_URL, _QUERY, _PASSWORD, _KEY):
        text = pattern.sub(rf"\g<before>{MASK}", text)
    return _ANNOUNCED.sub(_mask_announced, text)


def mask_command(command: Sequence[str]) -> tuple[str, ...]:
    """Return a command line with asterisks in place of the values of options such as ``--password``."""
    masked: list[str] = []
    option = ""
    for word in command:
        name, sign, value = word.partition("=")
        is_option = word.startswith("-")
        if option and not is_option and _is_announced(option, word):
            masked.append(MASK)
        elif sign and _is_announced(name, value):
            masked.append(f"{name}={MASK}")
        elif option.lstrip("-").lower() in _USERS and _NAMED.fullmatch(word) is not None:
            masked.append(f"{word.partition(':')[0]}:{MASK}")
        else:
            masked.append(mask_text(word))
        option = name if is_option and not sign else ""
    return tuple(masked)


def _is_announced(name: str, value: str) -> bool:
    """Whether an option says that its value is a credential; ``--pass 2`` and ``--sort-key name`` are none."""
    if is_secret_name(name):
        return True
    last = (_WORDS.findall(name) or [""])[-1].lower()
    if last in _SHORT_NAMES:
        return re.fullmatch(rf"{_RANDOM}[\w+/=-]{{16,}}", value) is not None
    return last in _PASSES and _NUMBER.fullmatch(value) is None


def mask_values(value: Any, name: str = "") -> Any:
    """Return plain values, as JSON has them, with credentials masked: by their form, or by the name of their key."""
    if isinstance(value, dict):
        return {key: mask_values(item, str(key)) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [mask_values(item, name) for item in value]
    if isinstance(value, str):
        return MASK if value and _is_announced(name, value) else mask_text(value)
    return value


def is_credential(name: str, value: Any) -> bool:
    """Whether a value looks like a credential by its form, or by the name of its key.

    A name such as ``pad_token`` announces a word of a vocabulary as well: there only letters with digits count.
    """
    if not isinstance(value, str) or not value:
        return False
    is_password = re.search(r"passw|passphrase|pwd", name, re.IGNORECASE) is not None
    is_key = re.fullmatch(rf"{_MIXED}[\w+/=.~-]{{8,}}", value) is not None
    return mask_text(value) != value or (_is_announced(name, value) and (is_password or is_key))


def is_secret_name(name: str) -> bool:
    """Whether an option or a key announces a credential: ``--db-password`` does, ``--max-tokens`` does not."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return not _NAMES.isdisjoint(words) or any(pair in _PAIRS for pair in pairwise(words))


def _mask_announced(found: re.Match[str]) -> str:
    is_password = re.search(r"passw|passphrase|pwd", found["before"], re.IGNORECASE) is not None
    is_result = not is_password and _NUMBER.fullmatch(found["secret"]) is not None
    return found[0] if is_result else f"{found['before']}{MASK}"


def find_in_code(text: str) -> list[int]:
    """Return the lines of Python code in which something looks like a credential, sorted.

    Looked at is what is written out: text by its form, and by the name that it is given; and comments. A name alone, as
    in ``token = read()``, is none. In prose, a word of letters after ``token:`` is a description.
    """
    try:
        tree = ast.parse(text)
        comments = list(_find_comments(text))
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        return [number for number, line in enumerate(text.splitlines(), 1) if mask_text(line) != line]
    found = {line for line, value in _find_texts(tree) if _is_secret_prose(value)}
    found |= {node.lineno for name, node in _find_named(tree) if is_secret_name(name) and _is_written_out(node)}
    return sorted(found | {line for line, comment in comments if _is_secret_prose(comment)})


def _find_texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
            value = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
            for number, line in enumerate([value] if "PRIVATE KEY" in value else value.splitlines()):
                yield node.lineno + number, line


def _find_comments(text: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _find_named(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Yield what is given a name: assignments, arguments of calls, defaults, items of mappings."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=targets, value=value):
                yield from ((_name_of(target), value) for target in targets)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                yield _name_of(target), value
            case ast.keyword(arg=str() as name, value=value):
                yield name, value
            case ast.Dict(keys=keys, values=values):
                yield from ((_name_of(key), value) for key, value in zip(keys, values, strict=True) if key is not None)
            case ast.arguments():
                arguments = [*node.posonlyargs, *node.args]
                pairs = [*zip(reversed(arguments), reversed(node.defaults), strict=False)]
                pairs += [(name, value) for name, value in zip(node.kwonlyargs, node.kw_defaults, strict=True) if value]
                yield from ((argument.arg, value) for argument, value in pairs)


def _name_of(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Constant(value=str() as name) | ast.Subscript(slice=ast.Constant(value=str() as name)):
            return name
        case _:
            return ""


def _is_written_out(node: ast.expr) -> bool:
    """Whether a value stands there as text; a word in angle or curly brackets holds the place of one."""
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) and bool(node.value)
    return is_text and re.fullmatch(r"<.*>|\[.*\]|\{.*\}|\*+", str(getattr(node, "value", ""))) is None


def _is_secret_prose(text: str) -> bool:
    masked = mask_text(text)
    if masked == text:
        return False
    return mask_text(plain := _DESCRIBED.sub("", text)) != plain
