"""Replace functions of PyTorch for the time of a recording, and put them back.

Why replacing: `torch.utils.data` has no hooks at all, and `torch.autograd.backward` none that fires once per call. Two
recordings may overlap (a script that records, under `reproof run`): each wraps what it finds, and a wrapper that cannot
be taken out without breaking a later one passes everything through until that one is taken out as well.
"""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


RETIRED: weakref.WeakSet[Callable[..., Any]] = weakref.WeakSet()
"""Replacements of recordings that are over, some of them still in place below another."""


class Patches:
    """Replacements made by one recording, undone together."""

    def __init__(self) -> None:
        """Start with none."""
        self._replaced: list[tuple[Any, str, Any]] = []
        self._undo: list[Callable[[], None]] = []

    def replace(self, owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Replace a function of a module or class by `make(original)`.

        Effects: changes `owner` until `restore`.
        """
        original = getattr(owner, name)
        replacement = functools.wraps(original)(make(original))
        setattr(owner, name, replacement)
        self._replaced.append((owner, name, replacement))

    def on_restore(self, undo: Callable[[], None]) -> None:
        """Register what else must be undone, such as the removal of a hook."""
        self._undo.append(undo)

    def restore(self) -> None:
        """Undo everything, newest first; what somebody has wrapped since is undone when that one is restored."""
        while self._replaced:
            owner, name, replacement = self._replaced.pop()
            RETIRED.add(replacement)
            current = found = getattr(owner, name)
            while current in RETIRED:
                current = current.__wrapped__
            if current is not found:
                setattr(owner, name, current)
        while self._undo:
            self._undo.pop()()
