"""Which hash seed is in force in this interpreter, by its effect.

`PYTHONHASHSEED` counts only as it was when the interpreter started; a script that sets it later changes nothing
(https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED). So a seed found in a variable is believed only
if the interpreter hashes with it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from reproof.hash_seed import MAX_HASH_SEED, hashes_with

RANDOM: Final = "random"


def hash_seed() -> str:
    """Return the seed of string hashes in this process as decimal digits, or ``random`` if none was given."""
    if not sys.flags.hash_randomization:
        return "0"
    for value in (_variable_at_start(), os.environ.get("PYTHONHASHSEED")):
        if value and value.isascii() and value.isdigit() and int(value) <= MAX_HASH_SEED and _is_in_force(int(value)):
            return str(int(value))
    return RANDOM


def _variable_at_start() -> str | None:
    """Return the variable as the process was given it, where the system tells (Linux)."""
    try:
        entries = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    prefix = b"PYTHONHASHSEED="
    return next(
        (entry[len(prefix) :].decode("ascii", "replace") for entry in entries if entry.startswith(prefix)), None
    )


def _is_in_force(seed: int) -> bool:
    is_used = hashes_with(seed)
    return not sys.flags.ignore_environment if is_used is None else is_used
