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
"""Replacements of recordings that have ended; some are still in place, because a later one wraps them."""


class Patches:
    """Replacements made by one recording, undone together."""

    def __init__(self) -> None:
        """Start without replacements."""
        self._replaced: list[tuple[Any, str, Any]] = []
        self._undo: list[Callable[[], None]] = []

    def replace(self, owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        """Replace a function of a module or class by `make(original)`. Effects: changes `owner` until `restore`."""
        # `wraps` makes the replacement look like the original, and sets the `__wrapped__` that `restore` follows.
        original = getattr(owner, name)
        replacement = functools.wraps(original)(make(original))
        setattr(owner, name, replacement)
        self._replaced.append((owner, name, replacement))

    def on_restore(self, undo: Callable[[], None]) -> None:
        """Register what else must be undone, such as the removal of a hook."""
        self._undo.append(undo)

    def restore(self) -> None:
        """Undo everything, newest first: first the replacements, then what `on_restore` was given."""
        while self._replaced:
            owner, name, replacement = self._replaced.pop()
            RETIRED.add(replacement)
            # Another recording may have wrapped our replacement since. Then it stays, passes everything on, and is
            # taken out together with that wrapper: whoever comes last unwraps all that are retired by then.
            current = found = getattr(owner, name)
            while current in RETIRED:
                current = current.__wrapped__
            if current is not found:
                setattr(owner, name, current)
        while self._undo:
            self._undo.pop()()
