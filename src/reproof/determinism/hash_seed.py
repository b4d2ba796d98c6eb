"""Say what the hash seed of the running interpreter is, and which variable does not tell the truth about it."""

from __future__ import annotations

import os
import sys

from reproof.hash_seed import HASH_SEED, parse_seed, pinned_hash_seed, started_with


def describe_hash_seed() -> str:
    """Say what the hash seed of this interpreter is, and which variable does not tell the truth about it."""
    pinned, variable = pinned_hash_seed(), os.environ.get(HASH_SEED)
    if pinned is not None:
        changed = variable is not None and parse_seed(variable) != pinned
        return f"pinned to {pinned}" + (f"; {HASH_SEED}={variable} was set too late" if changed else "")
    if variable in {None, "", "random"}:
        return "random"
    if sys.flags.ignore_environment:
        return f"random; {HASH_SEED}={variable} is ignored (python -I or -E)"
    if variable == started_with(HASH_SEED):
        return f"random; {HASH_SEED}={variable} did not take effect (python -R, or set too late)"
    return f"random; {HASH_SEED}={variable} was set too late, after the interpreter started"
