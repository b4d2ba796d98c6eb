"""End what a run leaves behind: processes that outlive the one by which it was started.

A launcher that is killed cannot end its ranks, and the next run would train beside them. Linux makes the process that
asks for it the parent of such processes (PR_SET_CHILD_SUBREAPER, prctl(2)). Elsewhere, and in a program of the user's
that calls `reproof.check`, whose other children are none of ours, nothing is ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

PR_SET_CHILD_SUBREAPER: Final = 36
GRACE_SECONDS: Final = 2.0
"""How long what is left behind may take to end by itself."""

POLL_SECONDS: Final = 0.05


class Orphans:
    """The processes that became children of this one.

    Attributes:
        are_adopted: Whether they do.
    """

    are_adopted = False

    @classmethod
    def adopt(cls) -> None:
        """Have them become children of this process, which has no others than runs.

        Effects: sets an attribute of this process, for its life.
        """
        if sys.platform == "linux":
            cls.are_adopted = ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1) == 0

    @classmethod
    def end(cls, under_way: Collection[int] = (), grace_seconds: float = GRACE_SECONDS) -> int:
        """End those that are left, and return how many had to be killed.

        Runs whose process numbers are `under_way` go on; the others may take `grace_seconds` to end by themselves.
        """
        killed: set[int] = set()
        until = time.monotonic() + grace_seconds
        while cls.are_adopted and (left := cls._reap(under_way)):
            if time.monotonic() > until:
                for process in left:  # its own children become ours, and are found the next time
                    with contextlib.suppress(OSError):
                        os.kill(process, signal.SIGKILL)
                killed |= left
            time.sleep(POLL_SECONDS)
        return len(killed)

    @staticmethod
    def _reap(under_way: Collection[int]) -> set[int]:
        """Return the children that are left; those that have ended are no longer asked for."""
        left = set()
        for process in list_children(os.getpid()) - set(under_way):
            with contextlib.suppress(ChildProcessError):
                if os.waitpid(process, os.WNOHANG)[0] == 0:
                    left.add(process)
        return left


def list_children(parent: int) -> set[int]:
    """Return the numbers of the processes that a process is the parent of; none where the system does not tell."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The name of the program stands in parentheses and may hold anything: proc(5).
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.add(int(path.parent.name))
    return found
