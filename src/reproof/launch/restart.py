"""Restart this process with a chosen hash seed, which an interpreter reads only when it starts."""

from __future__ import annotations

import os
import secrets
import sys
from typing import Final

from reproof.errors import UsageError
from reproof.hash_seed import MAX_HASH_SEED

RESTARTED: Final = "REPROOF_RESTARTED"
"""Variable that is set during a restart, so that it happens only once."""


def restart_with_hash_seed(seed: int | None) -> None:
    """Restart this process with a hash seed, unless it has the right one already.

    If the user has set none, a random one is drawn: the order of sets stays unpredictable, but the seed is known
    afterwards. Raises UsageError if a seed is asked for and the interpreter ignores the environment (``-E`` or ``-I``).
    Effects: replaces this process (`os.execv`), or does nothing.
    """
    if os.environ.pop(RESTARTED, None) is not None:
        return
    if sys.flags.ignore_environment:
        if seed is not None:
            raise UsageError(f"hash seed {seed} cannot be set under -E or -I", "start Python without that flag")
        return
    current = os.environ.get("PYTHONHASHSEED", "random")
    if current == str(seed) or (seed is None and current != "random"):
        return
    drawn = secrets.randbelow(MAX_HASH_SEED + 1) if seed is None else seed
    sys.stdout.flush()
    sys.stderr.flush()
    environment = {**os.environ, "PYTHONHASHSEED": str(drawn), RESTARTED: "1"}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606  # ourselves, no shell
