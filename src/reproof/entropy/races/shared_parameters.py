"""Note the lines that step an optimizer on parameters in memory that processes share, as Hogwild does.

Whoever comes first changes what the others read and train; no replay can have them come in the same order.

Left out: memory of a GPU, which PyTorch takes for shared in each process.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from reproof.entropy.handled import let_through

if TYPE_CHECKING:
    from types import ModuleType

    from reproof.entropy.interception import Interceptor

SOURCE: Final = "parameters in shared memory"


def install(interceptor: Interceptor, module: ModuleType) -> None:
    """Look at the parameters of each optimizer before its first step in this process.

    Effects: registers a hook for the steps of all optimizers, for the life of the process.
    """
    known: WeakSet[Any] = WeakSet()

    def look(optimizer: Any, *_: Any) -> None:
        if optimizer in known:
            return
        known.add(optimizer)
        try:
            is_shared = any(is_in_shared_memory(p) for group in optimizer.param_groups for p in group["params"])
        except Exception as error:  # noqa: BLE001  # nothing of ours may reach the training
            let_through(error)
            return
        place = interceptor.place_of(SOURCE, "concurrency", sys._getframe(1)) if is_shared else None  # noqa: SLF001
        if place is not None:
            place.note(1)

    module.register_optimizer_step_pre_hook(look)


def is_in_shared_memory(parameter: Any) -> bool:
    """Whether other processes may hold the same memory."""
    return parameter.device.type == "cpu" and bool(parameter.is_shared())
