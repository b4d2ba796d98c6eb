"""Tap the queues of threads: which producer's item a consumer gets next.

An item is named after who put it there: the thread, by the order in which its starter started threads, or the task of
a pool, and how many items that one had put before. Left out: `queue.SimpleQueue`, which is written in C, and queues
that keep another order than that of arrival.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.interception import Tap
from reproof.entropy.races.waiting import PATIENCE_SECONDS
from reproof.entropy.replacing import replace_function
from reproof.entropy.untapped import read_clock

if TYPE_CHECKING:
    from reproof.entropy.interception import Interceptor
    from reproof.entropy.ledger import Place
    from reproof.entropy.races.workers import Workers


TAGS: Final = "_reproof_tags"
COUNTS: Final = "_reproof_counts"


class Playback:
    """What each worker takes at one place, in an earlier run."""

    def __init__(self, place: Place) -> None:
        """Sort the values by worker."""
        self._waiting: dict[str, deque[Any]] = {}
        for value in place.values or ():
            if isinstance(value, list) and len(value) == 2:  # noqa: PLR2004  # worker and item
                self._waiting.setdefault(str(value[0]), deque()).append(value[1])

    def take(self, worker: str) -> tuple[bool, str | None]:
        """Return whether there is something to replay for a worker, and the item; None for an empty queue."""
        waiting = self._waiting.get(worker)
        return (True, waiting.popleft()) if waiting else (False, None)


class ThreadQueues:
    """What happens to the queues of this process.

    Attributes:
        workers: Names of those who put and get.
    """

    def __init__(self, interceptor: Interceptor, workers: Workers) -> None:
        """Note in the ledger of this interceptor."""
        self.interceptor = interceptor
        self.workers = workers
        self._local = threading.local()
        self._playbacks: dict[Place, Playback] = {}
        self._get = queue.Queue.get
        interceptor.on_child.append(self._playbacks.clear)

    def note_put(self, target: Any) -> None:
        """Name the item that is about to be put; the lock is held."""
        tags = target.__dict__.setdefault(TAGS, deque())
        if len(tags) == len(target.queue):
            tags.append(make_tag(target, self.workers.name))
        if self._playbacks:
            target.not_empty.notify_all()  # whoever waits for this very item must hear of it

    def note_get(self, target: Any) -> None:
        """Note whose item is about to be taken; the lock is held."""
        self._local.tag = None
        tags = target.__dict__.get(TAGS, ())
        if tags and len(tags) == len(target.queue):
            self._local.tag = tags.popleft()
        elif tags:
            tags.clear()  # the program has changed `queue.queue` itself

    def get(self, target: Any, block: bool, timeout: float | None, place: Place) -> Any:  # noqa: FBT001
        """Take an item, the same as in the earlier run, and note whose it is. Raises queue.Empty if there is none."""
        name = self.workers.name
        try:
            found = self._get_again(target, place, name)
            item, tag = found or (self._get(target, block, timeout), self._local.tag)
        except queue.Empty:
            place.note([name, None])
            raise
        place.note([name, tag])
        return item

    def _get_again(self, target: Any, place: Place, name: str) -> tuple[Any, str] | None:
        if place.values is None:
            return None
        playback = self._playbacks.get(place) or self._playbacks.setdefault(place, Playback(place))
        return get_again(target, place, *playback.take(name))


def install(interceptor: Interceptor, workers: Workers) -> None:
    """Tap `queue.Queue`, but none that is derived from it. Effects: replaces methods of the class."""
    kind: Any = queue.Queue
    put_item, get_item, get = kind._put, kind._get, kind.get  # noqa: SLF001  # methods that are meant to be replaced
    queues = ThreadQueues(interceptor, workers)

    def put_tagged(self: Any, item: Any) -> None:
        if type(self) is kind:
            queues.note_put(self)
        put_item(self, item)

    def get_tagged(self: Any) -> Any:
        if type(self) is kind:
            queues.note_get(self)
        return get_item(self)

    def get_tapped(self: Any, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002
        place = None
        if type(self) is kind:
            place = interceptor.place_of_caller("queue.Queue.get", "concurrency", sys._getframe(1), "queue")  # noqa: SLF001
        return get(self, block, timeout) if place is None else queues.get(self, block, timeout, place)

    replace_function(kind, "_put", put_tagged)
    replace_function(kind, "_get", get_tagged)
    replace_function(kind, "get", get_tapped)
    for name in ("empty", "qsize", "full"):
        tap = Tap(source=f"queue.Queue.{name}", kind="concurrency", libraries=False)
        setattr(kind, name, interceptor.tap(getattr(kind, name), tap))


def make_tag(target: Any, worker: str) -> str:
    """Return the name of the item that a worker is about to put."""
    counts = target.__dict__.setdefault(COUNTS, {})
    counts[worker] = number = counts.get(worker, -1) + 1
    return f"{worker}:{number}"


def get_again(target: Any, place: Place, is_replayed: bool, tag: str | None) -> tuple[Any, str] | None:  # noqa: FBT001
    """Return the item with a tag as soon as it is there, and its tag; None if it does not come.

    Raises queue.Empty if the earlier run found nothing.
    """
    if not is_replayed:
        return None
    if tag is None:
        raise queue.Empty
    deadline = read_clock() + PATIENCE_SECONDS
    with target.not_empty:
        while tag not in (tags := target.__dict__.get(TAGS, ())) or len(tags) != len(target.queue):
            remaining = deadline - read_clock()
            if remaining <= 0:
                place.give_up()
                return None
            if 0 < target.maxsize <= len(target.queue):  # what is wanted could never come in
                target.maxsize += 1
                target.not_full.notify()
            target.not_empty.wait(remaining)
        position = tags.index(tag)
        del tags[position]
        item = target.queue[position]
        del target.queue[position]
        target.not_full.notify()
    return item, tag
