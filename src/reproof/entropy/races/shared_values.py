"""Tap numbers that processes share (`multiprocessing.Value`): whoever reads one learns how far the others have come.

Left out: shared arrays, numbers without a lock and tensors in shared memory, all of which are read without us.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.interception import Tap

if TYPE_CHECKING:
    from types import ModuleType

    from reproof.entropy.interception import Interceptor

KIND: Final = "concurrency"
PATIENCE_SECONDS: Final = 5.0
"""How long all reads of a process together wait for the number that was there in the earlier run."""

PAUSE_SECONDS: Final = 0.001
read_clock: Final = time.monotonic
sleep: Final = time.sleep


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
            sleep(PAUSE_SECONDS)
            now = read_clock()
        patience[0] -= now - begun
        return recorded

    tap = Tap(
        source="multiprocessing.Value",
        kind=KIND,
        libraries=False,
        applies=lambda self: type(self._obj.value) in {int, float, bool},
        decode=decode,
    )
    kind.value = property(interceptor.tap(read, tap, module.__name__), found.fset)
