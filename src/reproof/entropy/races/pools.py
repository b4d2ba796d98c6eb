"""See whether what a pool of processes computes depends on which of its workers does it.

The workers of `multiprocessing.Pool` and of `ProcessPoolExecutor` take tasks from one queue. A task that draws from a
global generator leaves it in another state for the next one of the same worker, so that its numbers depend on who was
faster, although the results come in order. A worker tells so with its result, and the process that asked notes it at
the line of the user's.
"""

from __future__ import annotations

import concurrent.futures.process
import multiprocessing.pool
import multiprocessing.queues
import sys
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.replacing import replace_function

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from reproof.entropy.interception import Interceptor
    from reproof.entropy.ledger import Place
    from reproof.entropy.sources.generators import Generators

SOURCE: Final = "random numbers in the tasks of a pool"
"""What is noted where tasks are asked for that draw from a global generator of the process that does them."""

HOST: Final = frozenset({"random", "numpy.random", "torch"})
"""Generators that a forked worker has from its parent."""

MAX_TASKS: Final = 10_000
"""Tasks of which it is remembered where they were asked for: the latest."""

places: Final[dict[int | str, Place]] = {}
"""Where the user asked for each job of a pool, or task of an executor."""


class Drawn:
    """The result of a task that has drawn from a global generator; whoever unpickles it gets the result alone."""

    def __init__(self, job: int | str, result: Any) -> None:
        """Hold the result of a task of this job."""
        self._job = job
        self._result = result

    def __reduce__(self) -> tuple[Any, ...]:
        """Have the process that asked note it."""
        return take_drawn, (self._job, self._result)


def take_drawn(job: int | str, result: Any) -> Any:
    """Note that the tasks of a job draw, and return a result."""
    place = places.pop(job, None)
    if place is not None:
        place.note(1)
        place.note(1)  # two at the least, which race
    return result


def install(interceptor: Interceptor, generators: Generators) -> None:
    """Tap the workers of pools and executors, and those who hand tasks to them.

    Effects: replaces `multiprocessing.pool.worker`, `concurrent.futures.process._process_worker`, the initialisers of
        a pool's results and `ProcessPoolExecutor.submit`.
    """
    tap_pool(interceptor, generators)
    tap_executor(interceptor, generators)


def tap_pool(interceptor: Interceptor, generators: Generators) -> None:
    """Tap `multiprocessing.Pool`, whose tasks come in jobs. Read from the source of Python 3.11."""
    work: Callable[..., None] = multiprocessing.pool.worker  # type: ignore[attr-defined]

    def worker_tapped(inqueue: Any, outqueue: Any, *args: Any, **kwargs: Any) -> None:
        if isinstance(outqueue, multiprocessing.queues.SimpleQueue):  # else its workers are threads
            watch_tasks(inqueue, outqueue, generators, mark)
        work(inqueue, outqueue, *args, **kwargs)

    def mark(item: Any) -> Any:
        job, number, result = item
        return job, number, Drawn(job, result)

    def note_line(init: Callable[..., None]) -> Callable[..., None]:
        def init_noted(self: Any, pool: Any, *args: Any, **kwargs: Any) -> None:
            init(self, pool, *args, **kwargs)
            frame = sys._getframe(1)  # noqa: SLF001  # the documented way to the stack
            note_task(self._job, interceptor.place_of(SOURCE, "concurrency", frame))

        return init_noted

    replace_function(multiprocessing.pool, "worker", worker_tapped)
    for kind in (multiprocessing.pool.ApplyResult, multiprocessing.pool.IMapIterator):
        replace_function(kind, "__init__", note_line(kind.__init__))


def tap_executor(interceptor: Interceptor, generators: Generators) -> None:
    """Tap `ProcessPoolExecutor`. Read from the source of Python 3.11."""
    tap_module(interceptor, generators, concurrent.futures.process)


def tap_loky(interceptor: Interceptor, generators: Generators, module: ModuleType) -> None:
    """Tap the executor of loky, or of the copy of it that joblib has, whose parts have the same names.

    Effects: as `install`.
    """
    tap_module(interceptor, generators, module)


def tap_module(interceptor: Interceptor, generators: Generators, module: Any) -> None:
    """Tap a module that has a `ProcessPoolExecutor`."""
    work, submit = module._process_worker, module.ProcessPoolExecutor.submit  # noqa: SLF001

    def worker_tapped(call_queue: Any, result_queue: Any, *args: Any, **kwargs: Any) -> None:
        watch_tasks(call_queue, result_queue, generators, mark)
        work(call_queue, result_queue, *args, **kwargs)

    def mark(item: Any) -> Any:
        if getattr(item, "exception", item) is None:  # else no result: an error, or the number of a process that ends
            item.result = Drawn(f"future{item.work_id}", item.result)
        return item

    def submit_noted(self: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
        frame = sys._getframe(1)  # noqa: SLF001  # the documented way to the stack
        note_task(f"future{self._queue_count}", interceptor.place_of(SOURCE, "concurrency", frame))
        return submit(self, fn, *args, **kwargs)

    replace_function(module, "_process_worker", worker_tapped)
    replace_function(module.ProcessPoolExecutor, "submit", submit_noted)


def note_task(task: int | str, place: Place | None) -> None:
    """Remember where the user asked for a task or job."""
    if place is not None:
        places[task] = place
        if len(places) > MAX_TASKS:
            del places[next(iter(places))]


def watch_tasks(tasks: Any, results: Any, generators: Generators, mark: Callable[[Any], Any]) -> None:
    """Mark the first result of this worker whose task left a global generator in another state than it found.

    Effects: replaces `get` and `put` of the two queues in this process.
    """
    get, put = tasks.get, results.put
    before: dict[str, Any] = {}
    is_told: list[bool] = []

    def get_watched(*args: Any, **kwargs: Any) -> Any:
        task = get(*args, **kwargs)
        if not is_told:
            before.update({name: one.glance() for name, one in generators.by_name.items() if name in HOST})
        return task

    def put_marked(item: Any) -> None:
        if any(generators.by_name[name].glance() != state for name, state in before.items()):
            before.clear()
            is_told.append(True)
            item = mark(item)
        put(item)

    tasks.get, results.put = get_watched, put_marked
