"""Tap how much of the machine is free: memory, disks, processors, as psutil and `shutil` tell it."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.interception import Tap
from reproof.entropy.replacing import liken

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from reproof.entropy.interception import Interceptor

OF_PSUTIL: Final = ("virtual_memory", "swap_memory", "cpu_percent", "disk_usage", "getloadavg")


def install(interceptor: Interceptor) -> None:
    """Tap `shutil.disk_usage`, for calls from the user's own code alone. Effects: replaces it."""
    tap_measure(interceptor, shutil, "disk_usage")


def tap_psutil(interceptor: Interceptor, psutil: ModuleType) -> None:
    """Tap the functions of psutil that measure the machine. Effects: replaces them."""
    for name in OF_PSUTIL:
        if hasattr(psutil, name):
            tap_measure(interceptor, psutil, name)


def tap_measure(interceptor: Interceptor, module: ModuleType, name: str) -> None:
    """Tap a function that returns a number or a named tuple of them."""
    original = getattr(module, name)
    tap = Tap(
        source=f"{module.__name__}.{name}",
        kind="environment",
        libraries=False,
        decode=partial(restore, original),
    )
    setattr(module, name, liken(interceptor.tap(original, tap, module.__name__), original))


def restore(measure: Callable[..., Any], value: Any, *given: Any, **named: Any) -> Any:
    """Return a noted value as the function returns it: JSON keeps a named tuple as a list."""
    if not isinstance(value, list):
        return value
    kind: Any = type(measure(*given, **named))
    return kind(*value) if hasattr(kind, "_fields") else kind(value)
