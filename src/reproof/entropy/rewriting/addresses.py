"""Pin the addresses of objects: `id()`, and the order of sets whose elements are hashed by address.

Linux places the parts of a process at random addresses unless it is told not to (`ADDR_NO_RANDOMIZE`,
https://man7.org/linux/man-pages/man2/personality.2.html). A process in which nothing else differs then has its objects
at the same addresses in each run. It takes effect when a program is started, so it is asked for before `os.exec`.
Containers may forbid it.
"""

from __future__ import annotations

import ctypes
import sys
from typing import Final

ADDR_NO_RANDOMIZE: Final = 0x0040000
QUERY: Final = 0xFFFFFFFF
FAILED: Final = -1


def pin_addresses() -> bool:
    """Have the next program of this process placed at fixed addresses; return whether that is possible here.

    Effects: changes the persona of this process, which its children and whatever it becomes by `os.exec` inherit.
    """
    personality = find_personality()
    if personality is None:
        return False
    current = personality(QUERY)
    return current != FAILED and personality(current | ADDR_NO_RANDOMIZE) != FAILED and are_pinned()


def are_pinned() -> bool:
    """Whether what this process starts is placed at fixed addresses."""
    personality = find_personality()
    return personality is not None and bool(personality(QUERY) & ADDR_NO_RANDOMIZE)


def find_personality() -> ctypes._NamedFuncPointer | None:
    """Return the system call, or None on another system than Linux."""
    if not sys.platform.startswith("linux"):
        return None
    return getattr(ctypes.CDLL(None), "personality", None)
