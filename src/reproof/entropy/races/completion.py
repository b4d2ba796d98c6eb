"""Tap the order in which concurrent work completes: futures, pools, and loaders that do not keep the order."""

from __future__ import annotations

import concurrent.futures.thread
import itertools
import multiprocessing.connection
import multiprocessing.pool
import sys
import weakref
from concurrent.futures import _base
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.interception import Tap
from reproof.entropy.races.arrivals import Arrivals, KeptSet, is_partition, rank_parts
from reproof.entropy.races.waiting import PATIENCE_SECONDS
from reproof.entropy.replacing import replace_function
from reproof.entropy.untapped import read_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from reproof.entropy.interception import Interceptor
    from reproof.entropy.ledger import Place
    from reproof.entropy.races.workers import Workers
    from reproof.entropy.sites import Site

ENDINGS: Final = frozenset({"multiprocessing.popen_fork", "multiprocessing.popen_forkserver", "multiprocessing.pool"})
"""Modules that wait for the end of a process, as a pool does that is left: nobody learns anything by it."""


def install(interceptor: Interceptor, workers: Workers) -> None:
    """Tap what tells or waits which of several tasks is done.

    Effects: replaces functions of `concurrent.futures` and methods of its classes, of pools and of connections.
    """
    tap_futures(interceptor, Futures(), workers)
    tap_pools(interceptor)
    tap_connections(interceptor)


class Futures:
    """Numbers for futures, in the order in which they are made."""

    def __init__(self) -> None:
        """Start with no future numbered."""
        self._site_of: weakref.WeakKeyDictionary[_base.Future[Any], Site | None] = weakref.WeakKeyDictionary()
        self._numbers = itertools.count()
        self._number_of: weakref.WeakKeyDictionary[_base.Future[Any], int] = weakref.WeakKeyDictionary()

    def add(self, future: _base.Future[Any], site: Site | None) -> None:
        """Give a future its number, and note the line of the user's that made it."""
        self._number_of[future] = next(self._numbers)
        self._site_of[future] = site

    def site(self, future: _base.Future[Any]) -> Site | None:
        """Return the line of the user's that made a future."""
        return self._site_of.get(future)

    def number(self, future: _base.Future[Any]) -> int:
        """Return the number of a future."""
        return self._number_of.get(future, -1)

    def rank(self, futures: Iterable[_base.Future[Any]]) -> dict[int, _base.Future[Any]]:
        """Return some futures by their ranks among themselves."""
        return dict(enumerate(sorted(futures, key=self.number)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Originals:
    """Functions of `concurrent.futures` without taps."""

    as_completed: Callable[..., Iterator[Any]]
    wait: Callable[..., Any]


def tap_futures(interceptor: Interceptor, futures: Futures, workers: Workers) -> None:
    """Number futures as they are made, and note or replay which are done."""
    taps = Originals(as_completed=_base.as_completed, wait=_base.wait)
    init, done = _base.Future.__init__, _base.Future.done
    work_item: Any = concurrent.futures.thread._WorkItem  # noqa: SLF001
    run = work_item.run

    def init_numbered(self: _base.Future[Any]) -> None:
        init(self)
        futures.add(self, workers.find_site(sys._getframe(1)))  # noqa: SLF001  # the documented way to the stack

    def run_named(self: Any) -> None:
        name = f"future{futures.number(self.future)}"
        workers.run_as(name, lambda: run(self), futures.site(self.future))

    def as_completed_tapped(fs: Any, timeout: float | None = None) -> Iterator[Any]:
        place = interceptor.place_of("concurrent.futures.as_completed", "concurrency", sys._getframe(1))  # noqa: SLF001
        if place is None:
            return taps.as_completed(fs, timeout)
        ranked = futures.rank(set(fs))
        find: Any = taps.as_completed if place.values is None else partial(complete_again, place, ranked, taps)
        return note_ranks(place, ranked, find(ranked.values(), timeout))

    def wait_tapped(fs: Any, timeout: float | None = None, return_when: str = _base.ALL_COMPLETED) -> Any:
        place = interceptor.place_of("concurrent.futures.wait", "concurrency", sys._getframe(1))  # noqa: SLF001
        if place is None:
            return taps.wait(fs, timeout, return_when)
        return wait_noted(place, futures.rank(set(fs)), taps, (timeout, return_when))

    def decode_done(is_done: bool, future: _base.Future[Any]) -> bool:  # noqa: FBT001
        if is_done:
            taps.wait([future], PATIENCE_SECONDS)
        return is_done

    replace_function(_base.Future, "__init__", init_numbered)
    replace_function(work_item, "run", run_named)
    replace_function(_base, "as_completed", as_completed_tapped)
    replace_function(_base, "wait", wait_tapped)
    concurrent.futures.as_completed, concurrent.futures.wait = _base.as_completed, _base.wait
    tap = Tap(source="Future.done", kind="concurrency", libraries=False, decode=decode_done)
    _base.Future.done = interceptor.tap(done, tap)  # type: ignore[method-assign]


def complete_again(
    place: Place, ranked: dict[int, Any], taps: Originals, _futures: Any, timeout: float | None
) -> Iterator[Any]:
    """Yield futures in an earlier order, each when it is done; then those that had not come.

    Raises TimeoutError if one is not done in time, as without us.
    """
    end = None if timeout is None else read_clock() + timeout
    waiting = dict(ranked)
    while isinstance(rank := place.peek(), int) and rank in waiting:
        place.take()
        future = waiting.pop(rank)
        if not taps.wait([future], None if end is None else max(0.0, end - read_clock())).done:
            raise _base.TimeoutError(f"{len(waiting) + 1} (of {len(ranked)}) futures unfinished")
        yield future
    yield from taps.as_completed(waiting.values(), None if end is None else max(0.0, end - read_clock()))


def note_ranks(place: Place, ranked: dict[int, Any], items: Iterable[Any]) -> Iterator[Any]:
    """Yield items, and note the rank of each before."""
    rank_of = {id(future): rank for rank, future in ranked.items()}
    for item in items:
        place.note(rank_of[id(item)])
        yield item


def wait_noted(place: Place, ranked: dict[int, Any], taps: Originals, arguments: tuple[Any, ...]) -> Any:
    """Wait, and note or replay which futures are done and in which order the two sets hold them."""
    is_replayed, recorded = place.take()
    if is_replayed and is_partition(recorded, ranked):
        done, pending = ([ranked[rank] for rank in ranks] for ranks in recorded)
        taps.wait(done, PATIENCE_SECONDS)
        place.note(recorded)
        return _base.DoneAndNotDoneFutures(KeptSet(done), KeptSet(pending))
    found = taps.wait(ranked.values(), *arguments)
    place.note(rank_parts(found, ranked))
    return found


def tap_connections(interceptor: Interceptor) -> None:
    """Tap `multiprocessing.connection.wait`, which tells which of several connections have something."""
    wait = multiprocessing.connection.wait

    def wait_again(ranks: list[int], object_list: Any, timeout: float | None = None) -> list[Any]:
        items = list(object_list)
        wanted = [items[rank] for rank in ranks]
        for item in wanted:
            wait([item], PATIENCE_SECONDS if timeout is None else timeout)
        return wanted

    def wait_tapped(object_list: Any, timeout: float | None = None) -> list[Any]:
        frame = sys._getframe(1)  # noqa: SLF001
        if frame.f_globals.get("__name__") in ENDINGS:
            return wait(object_list, timeout)
        place = interceptor.place_of_caller("multiprocessing.connection.wait", "concurrency", frame, "multiprocessing")
        if place is None:
            return wait(object_list, timeout)
        items = list(object_list)
        is_replayed, ranks = place.take()
        is_replayed = is_replayed and isinstance(ranks, list) and all(rank in range(len(items)) for rank in ranks)
        found = wait_again(ranks, items, timeout) if is_replayed else wait(items, timeout)
        place.note([next(rank for rank, item in enumerate(items) if item is one) for one in found])
        return found

    replace_function(multiprocessing.connection, "wait", wait_tapped)


def tap_pools(interceptor: Interceptor) -> None:
    """Note or replay the order in which the results of `imap_unordered` come in: the number of each task.

    Read from the source of Python 3.11, Lib/multiprocessing/pool.py: a thread of the pool hands each result to `_set`.
    """
    kind: Any = multiprocessing.pool.IMapUnorderedIterator
    init, set_result, set_length = kind.__init__, kind._set, kind._set_length  # noqa: SLF001
    arrivals: weakref.WeakKeyDictionary[Any, Arrivals] = weakref.WeakKeyDictionary()

    # The iterator is made by the thread that asks, so its frames tell the user's line. Results are set by a thread of
    # the pool, which has no line of the user's on its stack: so the place is kept with the iterator.
    def init_tapped(self: Any, pool: Any) -> None:
        init(self, pool)
        place = interceptor.place_of("multiprocessing.Pool.imap_unordered", "concurrency", sys._getframe(1))  # noqa: SLF001
        if place is not None:
            arrivals[self] = Arrivals(place)

    def set_tapped(self: Any, number: int, result: Any) -> None:
        if (arrived := arrivals.get(self)) is None:
            set_result(self, number, result)
            return
        with arrived.lock:
            for task, ready in (*arrived.add(number, result), *arrived.release(self._length)):
                set_result(self, task, ready)

    def set_length_tapped(self: Any, length: int) -> None:
        set_length(self, length)
        if (arrived := arrivals.get(self)) is not None:
            with arrived.lock:
                for task, ready in arrived.release(length):
                    set_result(self, task, ready)

    replace_function(kind, "__init__", init_tapped)
    replace_function(kind, "_set", set_tapped)
    replace_function(kind, "_set_length", set_length_tapped)
