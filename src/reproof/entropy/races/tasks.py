"""Tell when a worker of a pool of processes begins a task and ends it.

Which worker takes which task is a race. What a task does is the same whoever does it, so that whoever follows a worker
(`Interceptor.on_task`) can keep its tasks apart, under names that do not depend on the worker:

- `job3.task1`: of `multiprocessing.Pool`, where jobs are numbered over all pools of a process
- `future7`: of `ProcessPoolExecutor` and of joblib's (loky), numbered within the executor
- `job3.task0.call2`: a call of a joblib task; how many calls joblib puts into one depends on how long they take
"""

from __future__ import annotations

import concurrent.futures.process
import multiprocessing.pool
from typing import TYPE_CHECKING, Any

from reproof.entropy.replacing import replace_function

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from reproof.entropy.interception import Interceptor

Name = str | None
"""Name of a task, or None between tasks."""


def install(interceptor: Interceptor) -> None:
    """Tap the workers of `multiprocessing.Pool` and `ProcessPoolExecutor`.

    Effects: replaces the functions that they run.
    """
    tap_worker(interceptor, multiprocessing.pool, "worker", name_pool_task)
    tap_worker(interceptor, concurrent.futures.process, "_process_worker", name_call_item)


def tap_loky(interceptor: Interceptor, module: ModuleType) -> None:
    """Tap the workers of loky, or of the copy of it that joblib has. Effects: as `install`."""
    tap_worker(interceptor, module, "_process_worker", name_call_item)


def tap_worker(interceptor: Interceptor, module: Any, name: str, name_task: Callable[[Any], Name]) -> None:
    """Have a function that takes tasks from a queue and puts results into another announce them."""
    work: Callable[..., None] = getattr(module, name)

    def worker_announcing(tasks: Any, results: Any, *args: Any, **kwargs: Any) -> None:
        if hasattr(results, "_reader"):  # a pipe, which the workers of a pool of threads do not have
            announce_tasks(interceptor, tasks, results, name_task)
        work(tasks, results, *args, **kwargs)

    replace_function(module, name, worker_announcing)


def announce_tasks(interceptor: Interceptor, tasks: Any, results: Any, name_task: Callable[[Any], Name]) -> None:
    """Announce each task that is taken and each result that is put.

    Effects: replaces `get` and `put` of the two queues in this process.
    """
    get, put = tasks.get, results.put

    def get_announced(*args: Any, **kwargs: Any) -> Any:
        task = get(*args, **kwargs)
        interceptor.enter_task(name_task(task))
        return task

    def put_announced(*args: Any, **kwargs: Any) -> Any:
        interceptor.enter_task(None)
        return put(*args, **kwargs)

    tasks.get, results.put = get_announced, put_announced


def name_pool_task(task: Any) -> Name:
    """Return the name of a task of `multiprocessing.Pool`; None for what tells a worker to end."""
    match task:
        case (int() as job, int() as number, *_):
            return f"job{job}.task{number}"
    return None


def name_call_item(item: Any) -> Name:
    """Return the name of a task of an executor; None for what tells a worker to end."""
    number = getattr(item, "work_id", None)
    return f"future{number}" if isinstance(number, int) else None


def tap_joblib(interceptor: Interceptor, joblib: ModuleType) -> None:
    """Announce the calls within a task of joblib one by one. Effects: replaces `BatchedCalls.__call__`."""
    kind = joblib.BatchedCalls
    call_all = kind.__call__

    def call_announced(self: Any) -> Any:
        task = interceptor.task
        if task is None:
            return call_all(self)
        items = self.items
        self.items = [(announced(task, n, item[0]), *item[1:]) for n, item in enumerate(items)]
        try:
            return call_all(self)
        finally:
            self.items = items

    def announced(task: str, number: int, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            interceptor.enter_task(f"{task}.call{number}")
            return function(*args, **kwargs)

        return call

    replace_function(kind, "__call__", call_announced)
