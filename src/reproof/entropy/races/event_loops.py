"""Tap the order in which what an event loop of `asyncio` waits for is done.

Seen are calls that threads make for a loop (`run_in_executor`, `to_thread`), sleeps, and who waits for several tasks
at once (`as_completed`, `wait`). In an experiment a result that comes too early is held back until it is its turn.
Left out: sockets and pipes, loops that are not Python's own, and the order between different lines.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from typing import TYPE_CHECKING, Any

from reproof.entropy.races.arrivals import Arrivals, KeptSet, is_partition, rank_parts
from reproof.entropy.races.waiting import PATIENCE_SECONDS
from reproof.entropy.replacing import replace_function

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from reproof.entropy.interception import Interceptor
    from reproof.entropy.ledger import Place


def install(interceptor: Interceptor) -> None:
    """Tap these functions. Effects: replaces functions of `asyncio` and a method of its loops."""
    lines: dict[Place, Line] = {}
    interceptor.on_child.append(lines.clear)

    def find_line(source: str, depth: int) -> Line | None:
        place = interceptor.place_of_caller(source, "concurrency", sys._getframe(depth), "asyncio")  # noqa: SLF001
        return None if place is None else lines.setdefault(place, Line(place))

    tap_threads(find_line)
    tap_sleep(find_line)
    tap_as_completed(find_line)
    tap_wait(find_line)


class Line:
    """What is waited for on one line: numbered as it begins, noted as it is done, or held back until its turn."""

    def __init__(self, place: Place) -> None:
        """Note at this place what is done when."""
        self.place = place
        self._num_begun = 0
        self._arrivals = Arrivals(place)

    def begin(self) -> int:
        """Return the number of what is waited for from now on."""
        self._num_begun += 1
        return self._num_begun - 1

    def follow(self, future: asyncio.Future[Any]) -> asyncio.Future[Any]:
        """Return a future that is done when it is its turn; without anything to be replayed, the same."""
        number = self.begin()
        if self.place.values is None:
            future.add_done_callback(lambda _: self.place.note(number))
            return future
        outer = future.get_loop().create_future()
        outer.add_done_callback(lambda _: future.cancel() if outer.cancelled() else None)
        future.add_done_callback(lambda _: self._arrive(number, future, outer))
        return outer

    def _arrive(self, number: int, future: asyncio.Future[Any], outer: asyncio.Future[Any]) -> None:
        for _, futures in self._arrivals.add(number, (future, outer)):
            pass_on(*futures)
        if number in self._arrivals:
            future.get_loop().call_later(PATIENCE_SECONDS, self._lose_patience, number)

    def _lose_patience(self, number: int) -> None:
        if number in self._arrivals:
            for _, futures in self._arrivals.give_up():
                pass_on(*futures)


def pass_on(future: asyncio.Future[Any], outer: asyncio.Future[Any]) -> None:
    """Give the outcome of a future to another."""
    if outer.done():
        return
    if future.cancelled():
        outer.cancel()
    elif (error := future.exception()) is not None:
        outer.set_exception(error)
    else:
        outer.set_result(future.result())


class Placed:
    """A function that is to be called in a thread, and the line that asked for it."""

    def __init__(self, function: Callable[..., Any], line: Line) -> None:
        """Hold the function and the line."""
        self.function = function
        self.line = line

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        return self.function(*args, **kwargs)


def tap_threads(find_line: Callable[[str, int], Line | None]) -> None:
    """Tap what a loop has called in a thread: `run_in_executor` and `to_thread`."""
    loop: Any = asyncio.BaseEventLoop
    run_in_executor, to_thread = loop.run_in_executor, asyncio.to_thread

    def run_tapped(self: Any, executor: Any, func: Any, *args: Any) -> Any:
        future = run_in_executor(self, executor, func, *args)
        line = line_of(func) or find_line("asyncio.run_in_executor", 2)
        return future if line is None else line.follow(future)

    def to_thread_tapped(func: Any, /, *args: Any, **kwargs: Any) -> Any:
        line = find_line("asyncio.to_thread", 2)
        return to_thread(func if line is None else Placed(func, line), *args, **kwargs)

    replace_function(loop, "run_in_executor", run_tapped)
    replace_function(asyncio.threads, "to_thread", to_thread_tapped)
    asyncio.to_thread = to_thread_tapped


def line_of(function: Any) -> Line | None:
    """Return the line that asked for a call, if `to_thread` has handed it on."""
    inner = function.args[0] if isinstance(function, functools.partial) and function.args else None
    return inner.line if isinstance(inner, Placed) else None


def tap_sleep(find_line: Callable[[str, int], Line | None]) -> None:
    """Tap sleeps: which of two that end at nearly the same time is first."""
    sleep = asyncio.sleep

    async def follow_sleep(line: Line, delay: float, result: Any) -> Any:
        return await line.follow(asyncio.ensure_future(sleep(delay, result)))

    def sleep_tapped(delay: float, result: Any = None) -> Awaitable[Any]:
        line = find_line("asyncio.sleep", 2) if delay > 0 else None
        # Only what is replayed is changed: a task of its own would alter the order of those that do not sleep.
        if line is None or line.place.values is None:
            return sleep(delay, result) if line is None else note_sleep(line, delay, result)
        return follow_sleep(line, delay, result)

    async def note_sleep(line: Line, delay: float, result: Any) -> Any:
        number = line.begin()
        found = await sleep(delay, result)
        line.place.note(number)
        return found

    replace_function(asyncio.tasks, "sleep", sleep_tapped)
    asyncio.sleep = sleep_tapped  # type: ignore[assignment]


class Completed:
    """Tasks in the order of an earlier run, as `asyncio.as_completed` hands them out."""

    def __init__(self, tasks: list[Any], order: list[int], timeout: float | None) -> None:
        """Hand out these tasks."""
        ranked = dict(enumerate(tasks))
        self._tasks = iter([ranked.pop(rank) for rank in order if rank in ranked] + list(ranked.values()))
        self._timeout = timeout

    def __iter__(self) -> Iterator[Any]:
        """Return itself."""
        return self

    def __next__(self) -> Any:
        """Return what waits for the next one."""
        return asyncio.wait_for(next(self._tasks), self._timeout)

    async def __aiter__(self) -> AsyncIterator[Any]:
        """Yield each task when it is done (Python 3.13)."""
        for task in self._tasks:
            await asyncio.wait([task], timeout=self._timeout)
            yield task


def tap_as_completed(find_line: Callable[[str, int], Line | None]) -> None:
    """Tap `asyncio.as_completed`, which hands tasks out as they are done."""
    as_completed = asyncio.as_completed

    def as_completed_tapped(fs: Any, *, timeout: float | None = None) -> Any:
        line = find_line("asyncio.as_completed", 2)
        if line is None or isinstance(fs, asyncio.Future) or asyncio.iscoroutine(fs):
            return as_completed(fs, timeout=timeout)
        place, order = line.place, list[int]()
        tasks = begin_tasks(place, list(dict.fromkeys(fs)))
        rank_of = {id(task): rank for rank, task in enumerate(tasks)}
        for task in tasks:
            task.add_done_callback(lambda done: place.note(rank_of[id(done)]))
        while len(order) < len(tasks) and isinstance(place.peek(), int):
            order.append(place.take()[1])
        return Completed(tasks, order, timeout) if order else as_completed(tasks, timeout=timeout)

    replace_function(asyncio.tasks, "as_completed", as_completed_tapped)
    asyncio.as_completed = as_completed_tapped


def begin_tasks(place: Place, items: list[Any]) -> list[asyncio.Future[Any]]:
    """Return tasks for coroutines: begun in the order of a set, as `asyncio` does it, or in that of an earlier run."""
    if all(isinstance(item, asyncio.Future) for item in items):
        return items
    rank_of = {item: rank for rank, item in enumerate(items)}
    order = [rank_of[item] for item in set(items)]
    if isinstance(place.peek(), list) and sorted(place.peek()) == sorted(order):
        order = place.take()[1]
    place.note(order)
    begun = {rank: asyncio.ensure_future(items[rank]) for rank in order}
    return [begun[rank] for rank in range(len(items))]


def tap_wait(find_line: Callable[[str, int], Line | None]) -> None:
    """Tap `asyncio.wait`, which returns when some of several tasks are done."""
    wait = asyncio.wait

    async def wait_noted(place: Place, ranked: dict[int, Any], options: dict[str, Any]) -> Any:
        is_replayed, recorded = place.take()
        if is_replayed and is_partition(recorded, ranked):
            done, pending = ([ranked[rank] for rank in ranks] for ranks in recorded)
            if done:
                await wait(done, timeout=PATIENCE_SECONDS)
            place.note(recorded)
            return KeptSet(done), KeptSet(pending)
        found = await wait(list(ranked.values()), **options)
        place.note(rank_parts(found, ranked))
        return found

    def wait_tapped(fs: Any, **options: Any) -> Any:
        line = find_line("asyncio.wait", 2)
        tasks = list(fs) if isinstance(fs, list | tuple | set | frozenset) else []
        if line is None or not tasks or not all(isinstance(task, asyncio.Task) for task in tasks):
            return wait(fs, **options)
        ranked = dict(enumerate(sorted(tasks, key=lambda task: (len(task.get_name()), task.get_name()))))
        return wait_noted(line.place, ranked, options)

    replace_function(asyncio.tasks, "wait", wait_tapped)
    asyncio.wait = wait_tapped
