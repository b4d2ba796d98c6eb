"""Whether the running interpreter's hash seed is pinned, and which variable does not tell the truth about it.

A seed that a variable names is believed only if the interpreter hashes with it: `sys.flags.hash_randomization` is 1
both for a random seed and for a pinned one other than 0.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from reproof.determinism.variables import HASH_SEED, started_with
from reproof.hash_seed import hashes_with

_SEED_DIGITS: Final = 10


def pinned_hash_seed() -> int | None:
    """Return the seed that this interpreter's hashes are made with, or None if it is random."""
    if not sys.flags.hash_randomization:
        return 0
    if hashes_with(0) is None:
        return _seed_from_variable()
    candidates = (_parse_seed(text) for text in (os.environ.get(HASH_SEED), started_with(HASH_SEED)))
    return next((seed for seed in candidates if seed is not None and hashes_with(seed)), None)


def describe_hash_seed() -> str:
    """Say what the hash seed of this interpreter is, and which variable does not tell the truth about it."""
    pinned, variable = pinned_hash_seed(), os.environ.get(HASH_SEED)
    if pinned is not None:
        changed = variable is not None and _parse_seed(variable) != pinned
        return f"pinned to {pinned}" + (f"; {HASH_SEED}={variable} was set too late" if changed else "")
    if variable in {None, "", "random"}:
        return "random"
    if sys.flags.ignore_environment:
        return f"random; {HASH_SEED}={variable} is ignored (python -I or -E)"
    if variable == started_with(HASH_SEED):
        return f"random; {HASH_SEED}={variable} did not take effect (python -R, or set too late)"
    return f"random; {HASH_SEED}={variable} was set too late, after the interpreter started"


def _seed_from_variable() -> int | None:
    """Trust the variable of the start, for interpreters whose hash cannot be computed here."""
    return None if sys.flags.ignore_environment else _parse_seed(started_with(HASH_SEED))


def _parse_seed(text: str | None) -> int | None:
    is_number = text is not None and text.isascii() and text.isdecimal() and len(text) <= _SEED_DIGITS
    return int(text) if text is not None and is_number else None
