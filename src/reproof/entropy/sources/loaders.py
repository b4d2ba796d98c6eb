"""Tap the number of workers of a DataLoader, on which the data of many a dataset depend."""

from __future__ import annotations

import functools
import inspect
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import ModuleType

    from reproof.entropy.interception import Interceptor


def install(interceptor: Interceptor, torch: ModuleType) -> None:
    """Note the number of workers of each loader, or replay or change it. Effects: replaces `DataLoader.__init__`."""
    loader = torch.utils.data.DataLoader
    init = loader.__init__
    signature = inspect.signature(init)

    @functools.wraps(init)
    def init_tapped(self: Any, *args: Any, **kwargs: Any) -> None:
        place = interceptor.place_of("DataLoader", "worker-count", sys._getframe(1))  # noqa: SLF001
        if place is not None:
            bound = signature.bind(self, *args, **kwargs)
            own = int(bound.arguments.get("num_workers", 0))
            is_replayed, wanted = place.take()
            if not is_replayed:
                wanted = change(own, interceptor.plan.more_workers)
            place.note(wanted)
            if wanted != own:
                bound.arguments["num_workers"] = wanted
                args, kwargs = bound.args[1:], bound.kwargs
        init(self, *args, **kwargs)

    loader.__init__ = init_tapped
    if "in_order" in signature.parameters:
        tap_arrivals(interceptor, torch.utils.data.dataloader._MultiProcessingDataLoaderIter)  # noqa: SLF001


def tap_arrivals(interceptor: Interceptor, iterator: Any) -> None:
    """Note or replay which batch comes next from a loader that does not keep the order (PyTorch 2.6 and later)."""
    get_data = iterator._get_data  # noqa: SLF001

    @functools.wraps(get_data)
    def get_data_tapped(self: Any) -> tuple[int, Any]:
        held = self.__dict__.setdefault("_reproof_held", {})
        if getattr(self, "_in_order", True):
            return get_data(self)  # type: ignore[no-any-return]
        place = interceptor.place_of("DataLoader(in_order=False)", "concurrency", sys._getframe(1))  # noqa: SLF001
        wanted: Any = None if place is None else place.peek()
        wanted = wanted if isinstance(wanted, int) else None
        while wanted is not None and wanted not in held and len(held) < self._tasks_outstanding:
            number, data = get_data(self)
            if not isinstance(number, int):
                return number, data
            held[number] = data
        if wanted not in held and held:
            wanted = next(iter(held))
        number, data = get_data(self) if wanted not in held else (int(wanted), held.pop(wanted))
        if place is not None and isinstance(number, int):  # persistent workers also say that they are ready
            place.take()
            place.note(number)
        return number, data

    iterator._get_data = get_data_tapped  # noqa: SLF001


def change(num_workers: int, more: int) -> int:
    """Return another number of workers; a loader without any gets two."""
    if not more:
        return num_workers
    return num_workers + more if num_workers else 2
