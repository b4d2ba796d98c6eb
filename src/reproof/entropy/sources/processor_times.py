"""Tap the times that a process has used of its processors: clocks that go at another speed in each run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from reproof.entropy.interception import Tap
from reproof.entropy.replacing import liken

if TYPE_CHECKING:
    from reproof.entropy.interception import Interceptor


def install(interceptor: Interceptor) -> None:
    """Tap `os.times` and `resource.getrusage`.

    Effects: replaces these functions.
    """
    _tap(interceptor, os, "times", os.times_result)
    try:
        import resource
    except ImportError:  # Windows has none
        return
    _tap(interceptor, resource, "getrusage", resource.struct_rusage)


def _tap(interceptor: Interceptor, module: Any, name: str, kind: Any) -> None:
    original = getattr(module, name)
    tap = Tap(source=f"{module.__name__}.{name}", kind="wall-clock", encode=list, decode=lambda value, *_: kind(value))
    setattr(module, name, liken(interceptor.tap(original, tap), original))
