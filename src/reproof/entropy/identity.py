"""Tap what tells a process from another: its number, its host, its folder."""

from __future__ import annotations

import os
import platform
import socket
import threading
import uuid
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.interception import Tap

if TYPE_CHECKING:
    from reproof.entropy.interception import Interceptor

FUNCTIONS: Final[tuple[tuple[Any, str], ...]] = (
    (os, "getpid"),
    (os, "getppid"),
    (os, "getpgid"),
    (threading, "get_ident"),
    (threading, "get_native_id"),
    (socket, "gethostname"),
    (socket, "getfqdn"),
    (platform, "node"),
    (uuid, "getnode"),
)
SURROUNDINGS: Final[tuple[tuple[Any, str, Any], ...]] = ((os, "getcwd", None), (os, "getloadavg", tuple))
"""Functions of the surroundings, and what makes their values of those that JSON has."""


def install(interceptor: Interceptor) -> None:
    """Tap these functions, for calls from the user's own code alone.

    A package that asks for its process number means the process, and must get the true one: `multiprocessing` tells a
    child from its parent by it.

    Effects: replaces functions of `os`, `threading`, `socket`, `platform` and `uuid`.
    """
    for module, name in FUNCTIONS:
        if (original := getattr(module, name, None)) is not None:
            tap = Tap(source=f"{module.__name__}.{name}", kind="process-identity", libraries=False)
            setattr(module, name, interceptor.tap(original, tap, module.__name__))
    for module, name, decode in SURROUNDINGS:
        if (original := getattr(module, name, None)) is not None:
            tap = Tap(source=f"{module.__name__}.{name}", kind="environment", libraries=False, decode=decode)
            setattr(module, name, interceptor.tap(original, tap, module.__name__))
