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


OF_PROCESS: Final = ("memory_info", "memory_full_info", "memory_percent", "cpu_percent", "cpu_times", "num_threads")


def install(interceptor: Interceptor) -> None:
    """Tap `shutil.disk_usage`, for calls from the user's own code alone. Effects: replaces it."""
    tap_measure(interceptor, shutil, "disk_usage")


def tap_psutil(interceptor: Interceptor, psutil: ModuleType) -> None:
    """Tap the functions of psutil that measure the machine or a process. Effects: replaces them."""
    for owner, names in ((psutil, OF_PSUTIL), (getattr(psutil, "Process", None), OF_PROCESS)):
        for name in names:
            if hasattr(owner, name):
                tap_measure(interceptor, psutil, name, owner)


def tap_measure(interceptor: Interceptor, module: ModuleType, name: str, owner: Any = None) -> None:
    """Tap a function that returns a number or a named tuple of them, of a module or of a class in it."""
    owner = owner or module
    original = getattr(owner, name)
    tap = Tap(
        source=f"{module.__name__}.{name}",
        kind="environment",
        libraries=False,
        decode=partial(restore, original),
    )
    setattr(owner, name, liken(interceptor.tap(original, tap, module.__name__), original))


def restore(measure: Callable[..., Any], value: Any, *given: Any, **named: Any) -> Any:
    """Return a noted value as the function returns it: JSON keeps a named tuple as a list."""
    if not isinstance(value, list):
        return value
    kind: Any = type(measure(*given, **named))
    return kind(*value) if hasattr(kind, "_fields") else kind(value)
