"""Replace functions of PyTorch for the time of a recording, and put them back.

Why replacing: `torch.utils.data` has no hooks at all, and `torch.autograd.backward` none that fires once per call. Two
recordings may overlap (a script that records, under `reproof run`): each wraps what it finds, and a wrapper
that can no longer be taken out without breaking a later one stays in place and passes everything through.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Patches:
    """Replacements made by one recording, undone together."""

    def __init__(self) -> None:
        """Start with none."""
        self._replaced: list[tuple[Any, str, Any, Any]] = []
        self._undo: list[Callable[[], None]] = []

    def replace(self, owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Replace a function of a module or class by `make(original)`.

        Effects: changes `owner` until `restore`.
        """
        original = getattr(owner, name)
        replacement = functools.wraps(original)(make(original))
        setattr(owner, name, replacement)
        self._replaced.append((owner, name, original, replacement))

    def on_restore(self, undo: Callable[[], None]) -> None:
        """Register what else must be undone, such as the removal of a hook."""
        self._undo.append(undo)

    def restore(self) -> None:
        """Undo everything, newest first, as far as nobody has wrapped it since."""
        while self._replaced:
            owner, name, original, replacement = self._replaced.pop()
            if getattr(owner, name) is replacement:
                setattr(owner, name, original)
        while self._undo:
            self._undo.pop()()
