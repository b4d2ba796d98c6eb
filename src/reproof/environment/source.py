"""The code that runs: the script's digest, and the state of the git checkout around it.

Left out on purpose: modules that the script imports from elsewhere (their packages have versions), and files that
git does not track.
"""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.environment.git import DIFF, finish_git, start_git

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Sequence

GIT_TIMEOUT_SECONDS: Final = 2.0
_MAX_SCRIPT_BYTES: Final = 16 * 1024 * 1024
_STATUS: Final = ("status", "--porcelain=v2", "--branch", "--untracked-files=no")
_NO_COMMIT: Final = "(initial)"


class SourceQuery:
    """A question about the code, asked when created and answered later: git works meanwhile."""

    def __init__(self, command: Sequence[str] = ()) -> None:
        """Find the script and start git, if the script lies in a checkout."""
        self._script = find_script(command)
        self._deadline = time.monotonic() + GIT_TIMEOUT_SECONDS
        folder = None if self._script is None else self._script.parent
        self._folder = folder if folder is not None and _is_in_checkout(folder) else None
        self._status = self._start(_STATUS)

    def result(self) -> dict[str, Any]:
        """Return the script's path and digest, the commit, and the digest of the uncommitted changes.

        What cannot be found out, or not within 2 seconds, is None.
        """
        status = self._finish(self._status)
        lines = [] if status is None else status.decode("utf-8", "replace").splitlines()
        commit = next((line.split()[-1] for line in lines if line.startswith("# branch.oid ")), None)
        is_dirty = None if commit is None else any(not line.startswith("#") for line in lines)
        return {
            "script": None if self._script is None else str(self._script),
            "script_sha256": _digest_script(self._script),
            "commit": None if commit == _NO_COMMIT else commit,
            "dirty": is_dirty,
            "diff_sha256": self._digest_changes(commit, is_dirty=is_dirty),
        }

    def _digest_changes(self, commit: str | None, *, is_dirty: bool | None) -> str | None:
        if commit in {None, _NO_COMMIT}:
            return None
        changes = self._finish(self._start(DIFF)) if is_dirty else b""
        return None if changes is None else hashlib.sha256(changes).hexdigest()

    def _start(self, arguments: Sequence[str]) -> subprocess.Popen[bytes] | None:
        return None if self._folder is None else start_git(self._folder, arguments)

    def _finish(self, process: subprocess.Popen[bytes] | None) -> bytes | None:
        return finish_git(process, self._deadline - time.monotonic())


def find_script(command: Sequence[str] = ()) -> Path | None:
    """Return the script of a command line, or of this process if the command is empty; None if there is none."""
    words = list(command) or [getattr(sys.modules.get("__main__"), "__file__", None) or ""]
    candidates = [Path(word) for word in words if word.endswith(".py")] + [Path(word) for word in words[:1] if word]
    try:
        return next((path.absolute() for path in candidates if path.is_file()), None)
    except (OSError, ValueError):
        return None  # a name that no file can have


def _is_in_checkout(folder: Path) -> bool:
    try:
        return any((parent / ".git").exists() for parent in (folder, *folder.parents))
    except OSError:
        return False


def _digest_script(path: Path | None) -> str | None:
    try:
        if path is None or path.stat().st_size > _MAX_SCRIPT_BYTES:
            return None
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
