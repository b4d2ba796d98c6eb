"""Tap what tells a process from another: its number, its host, its folder."""

from __future__ import annotations

import multiprocessing.process
import os
import platform
import socket
import tempfile
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.interception import Tap
from reproof.entropy.replacing import liken

if TYPE_CHECKING:
    from collections.abc import Callable

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
SURROUNDINGS: Final[tuple[tuple[Any, str, Any], ...]] = (
    (os, "getcwd", None),
    (os, "getloadavg", tuple),
    (tempfile, "gettempdir", None),
)
"""Functions of the surroundings, and what makes their values of those that JSON has."""


def install(interceptor: Interceptor) -> None:
    """Tap these functions, for calls from the user's own code alone.

    A package that asks for its process number means the process, and must get the true one: `multiprocessing` tells a
    child from its parent by it. Effects: replaces functions of `os`, `tempfile`, `pathlib`, `threading`, `socket`,
    `platform` and `uuid`, and properties of threads and processes.
    """
    tap_properties(interceptor)
    for module, name in FUNCTIONS:
        if (original := getattr(module, name, None)) is not None:
            tap = Tap(source=f"{module.__name__}.{name}", kind="process-identity", libraries=False)
            setattr(module, name, liken(interceptor.tap(original, tap, module.__name__), original))
    tap_path(interceptor)
    for module, name, decode in SURROUNDINGS:
        if (original := getattr(module, name, None)) is not None:
            tap = Tap(source=f"{module.__name__}.{name}", kind="environment", libraries=False, decode=decode)
            setattr(module, name, liken(interceptor.tap(original, tap, module.__name__), original))


def tap_path(interceptor: Interceptor) -> None:
    """Tap `Path.cwd`: in it `pathlib` asks for the folder, as it does for many other things."""
    original = Path.__dict__["cwd"].__func__
    tap = Tap(
        source="Path.cwd", kind="environment", libraries=False, encode=str, decode=lambda value, kind: kind(value)
    )
    Path.cwd = classmethod(interceptor.tap(original, tap))  # type: ignore[method-assign,assignment]


def tap_properties(interceptor: Interceptor) -> None:
    """Tap `Thread.ident` and its like, and `Process.pid` of the process itself: others may be sent signals by it."""
    process: Any = multiprocessing.process.BaseProcess

    def tap_property(owner: Any, name: str, source: str, applies: Callable[..., bool] | None = None) -> None:
        read = getattr(owner, name).fget
        tap = Tap(source=source, kind="process-identity", libraries=False, applies=applies)
        setattr(owner, name, property(interceptor.tap(read, tap), doc=read.__doc__))

    for name in ("ident", "pid"):
        tap_property(process, name, f"Process.{name}", lambda one: one is multiprocessing.process.current_process())
    for name in ("ident", "native_id"):
        if hasattr(threading.Thread, name):
            tap_property(threading.Thread, name, f"Thread.{name}")
