"""What the recording calls modules and optimizers, for as long as they live, by identity.

Weak references are cleared before garbage collection calls finalizers, so that a dictionary with weak keys no longer
knows what is being destroyed. This one does; whoever sees the deaths must `forget`, or the next object at the same
address would inherit the name.
"""

from __future__ import annotations

from typing import Any


class KnownNames:
    """Names by identity and type."""

    def __init__(self) -> None:
        """Start with none."""
        self._names: dict[int, tuple[type, str]] = {}

    def note(self, thing: Any, name: str) -> None:
        """Give a module or an optimizer a name, unless it has one."""
        if self.find(thing) is None:
            self._names[id(thing)] = (type(thing), name)

    def find(self, thing: Any) -> str | None:
        """Return the name of a module or an optimizer, also of one that is being destroyed; None if it has none."""
        known = self._names.get(id(thing))
        return known[1] if known is not None and known[0] is type(thing) else None

    def forget(self, thing: Any) -> None:
        """Drop the name of what is being destroyed."""
        self._names.pop(id(thing), None)
