"""A process that has no use without the one that started it, and ends when that is killed."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1
"""`prctl` option of Linux (linux/prctl.h)."""


def die_with_parent() -> None:
    """Have this process killed when its parent ends, however that ends; without effect on systems other than Linux.

    A worker that is killed would otherwise leave its training behind, which goes on beside the one that replaces it.

    Effects: of the process, until it starts another program.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:  # the parent had ended before
        os.kill(os.getpid(), signal.SIGKILL)
