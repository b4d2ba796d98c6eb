"""Ask git about a checkout: nothing in it is written, and no program that its configuration names is run."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DIFF: Final = ("diff", "HEAD", "--full-index", "--no-ext-diff", "--no-textconv", "--no-color")
"""Arguments for the uncommitted changes, in one form whatever the user has configured."""


def start_git(folder: Path, arguments: Sequence[str]) -> subprocess.Popen[bytes] | None:
    """Start git in a folder; None if it is not installed."""
    # Nothing is written (optional locks) and no program of the repository runs (file-system monitor).
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments]
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    variables |= {"GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    quiet = subprocess.DEVNULL
    try:
        return subprocess.Popen(  # noqa: S603  # no shell, fixed arguments
            command, env=variables, stdin=quiet, stdout=subprocess.PIPE, stderr=quiet
        )
    except OSError:
        return None


def finish_git(process: subprocess.Popen[bytes] | None, seconds: float) -> bytes | None:
    """Return what git has printed; None if it was not started, fails, or takes longer: then it is killed."""
    if process is None:
        return None
    with process:
        try:
            output, _ = process.communicate(timeout=max(0.0, seconds))
        except subprocess.TimeoutExpired:
            process.kill()
            return None
    return output if process.returncode == 0 else None
