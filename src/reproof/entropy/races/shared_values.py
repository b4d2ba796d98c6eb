"""Tap numbers that processes share (`multiprocessing.Value`): whoever reads one learns how far the others have come.

Left out: shared arrays and numbers without a lock, which are read without us; parameters have a file of their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reproof.entropy.interception import Tap
from reproof.entropy.races.waiting import PATIENCE_SECONDS, POLL_SECONDS
from reproof.entropy.untapped import read_clock, sleep

if TYPE_CHECKING:
    from types import ModuleType

    from reproof.entropy.interception import Interceptor


def install(interceptor: Interceptor, module: ModuleType) -> None:
    """Tap the property `value` of numbers with a lock.

    Effects: replaces a property of `multiprocessing.sharedctypes.Synchronized`.
    """
    kind: Any = module.Synchronized
    found: property = kind.value
    patience = [PATIENCE_SECONDS]

    def read(self: Any) -> Any:
        return found.fget(self)  # type: ignore[misc]

    def decode(recorded: Any, self: Any) -> Any:
        """Wait until another process has come as far: it may have done more than count."""
        begun = now = read_clock()
        while read(self) != recorded and now - begun < patience[0]:
            sleep(POLL_SECONDS)
            now = read_clock()
        patience[0] -= now - begun
        return recorded

    tap = Tap(
        source="multiprocessing.Value",
        kind="concurrency",
        libraries=False,
        applies=lambda self: type(self._obj.value) in {int, float, bool},
        decode=decode,
    )
    kind.value = property(interceptor.tap(read, tap, module.__name__), found.fset)
