"""End a worker process when the process that started it ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import Final

PR_SET_PDEATHSIG: Final = 1
"""`prctl` option of Linux (linux/prctl.h)."""


def die_with_parent() -> None:
    """Have this process killed when its parent ends, for whatever reason; no effect on systems other than Linux.

    Otherwise the training of a worker that is killed would continue beside the one that replaces it. Effects: sets a
    signal for this process, until it executes another program.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == 1:  # the parent has ended already
        os.kill(os.getpid(), signal.SIGKILL)
