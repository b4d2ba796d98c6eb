"""Tap the queues of processes: whose item a process gets next.

The sender adds to the pickled bytes of an item which process it is and how many it has sent; a pickle ends by itself,
so that whoever does not know of it reads the item and nothing else. In an experiment a process puts back what is meant
for another, holds back what comes too early, and takes anything once its patience is at an end. Queues of a
`multiprocessing.Manager` are tapped in `managers`. Left out: pipes.
"""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing.queues
import queue
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.interception import Tap
from reproof.entropy.races.waiting import PATIENCE_SECONDS, PAUSE_SECONDS
from reproof.entropy.replacing import replace_function
from reproof.entropy.untapped import read_clock, sleep

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.entropy.interception import Interceptor
    from reproof.entropy.ledger import Place

MARK: Final = b"#reproof"
LENGTH_BYTES: Final = 2


def add_tag(data: Any, tag: str) -> bytes:
    """Return the bytes of an item with its tag behind them."""
    text = tag.encode()
    return b"".join((data, text, len(text).to_bytes(LENGTH_BYTES, "big"), MARK))


def read_tag(data: bytes) -> str:
    """Return the tag of an item; of one without, what its content gives."""
    if data[-len(MARK) :] == MARK:
        end = len(data) - len(MARK) - LENGTH_BYTES
        length = int.from_bytes(data[end : end + LENGTH_BYTES], "big")
        return bytes(data[end - length : end]).decode(errors="replace")
    return hashlib.blake2b(data, digest_size=8).hexdigest()


class Inbox:
    """What one process receives from one queue: held back until it is its turn."""

    def __init__(self, owner: Any, receive: Callable[[], bytes], poll: Callable[..., bool]) -> None:
        """Receive by these functions; the lock of the queue is held whenever a method is called."""
        self._owner = owner
        self._receive = receive
        self._poll = poll
        self._held: dict[str, list[bytes]] = {}

    def has(self, place: Place | None, timeout: float | None) -> bool:
        """Whether an item can be taken within some seconds."""
        wanted = self._next(place)
        if place is None or wanted is None or wanted in self._held:
            return bool(self._held) or self._poll(timeout)
        deadline = read_clock() + max(timeout or 0.0, PATIENCE_SECONDS)  # it came in time then, so it does now
        while self._poll(max(0.0, deadline - read_clock())):
            self._fetch(place)
            if wanted in self._held:
                return True
        return False

    def take(self, place: Place | None) -> bytes:
        """Return the item whose turn it is, once it is there."""
        wanted = self._next(place)
        if place is not None and wanted is not None and not self._await(place, wanted):
            place.give_up()
            wanted = None
        if wanted is None and self._held:
            wanted = next(iter(self._held))
        data = self._receive() if wanted is None else self._let_go(wanted)
        if place is not None:
            place.take()
            place.note(read_tag(data))
        return data

    def _await(self, place: Place, wanted: str) -> bool:
        """Receive until an item is there; return whether it came."""
        deadline = read_clock() + PATIENCE_SECONDS
        while wanted not in self._held:
            remaining = deadline - read_clock()
            if remaining <= 0:
                return False
            if self._poll(remaining):
                self._fetch(place)
        return True

    @staticmethod
    def _next(place: Place | None) -> str | None:
        wanted = None if place is None else place.peek()
        return wanted if isinstance(wanted, str) else None

    def _fetch(self, place: Place) -> None:
        """Receive an item, and hold it back or leave it to others."""
        data = self._receive()
        tag = read_tag(data)
        if place.expects(tag) or not self._put_back(data):
            self._held.setdefault(tag, []).append(data)  # several items may have the same tag: their content

    def _let_go(self, tag: str) -> bytes:
        items = self._held[tag]
        data = items.pop(0)
        if not items:
            del self._held[tag]
        return data

    def _put_back(self, data: bytes) -> bool:
        """Leave an item to the other processes: give them time to take it."""
        owner = self._owner
        owner._rlock.release()  # noqa: SLF001
        try:
            with owner._wlock:  # noqa: SLF001
                owner._writer.send_bytes(data)  # noqa: SLF001
            sleep(PAUSE_SECONDS)
        except (OSError, AttributeError):
            return False  # the end for writing is closed here
        finally:
            owner._rlock.acquire()  # noqa: SLF001
        return True


def install(interceptor: Interceptor) -> None:
    """Tap `multiprocessing.Queue` (and `JoinableQueue`) and `SimpleQueue`.

    Effects: replaces methods of these classes.
    """
    tap_queue(interceptor)
    tap_simple_queue(interceptor)


def tap_queue(interceptor: Interceptor) -> None:
    """Tap the queue that sends by a thread of its own.

    Each queue has its methods for sending and receiving bytes as attributes, set anew in each process by `_reset`; so
    they are wrapped there, once per queue and process. `get` only says, for the time of the call, at which place it is.
    """
    kind: Any = multiprocessing.queues.Queue
    reset, get = kind._reset, kind.get  # noqa: SLF001
    local = threading.local()

    def reset_tapped(self: Any, *args: Any, **kwargs: Any) -> None:
        reset(self, *args, **kwargs)
        send, numbers = self._send_bytes, itertools.count()
        inbox = self.__dict__["_reproof_inbox"] = Inbox(self, self._recv_bytes, self._poll)
        self._send_bytes = lambda data: send(add_tag(data, f"{interceptor.process}:{next(numbers)}"))
        self._recv_bytes = lambda: inbox.take(getattr(local, "place", None))
        self._poll = lambda timeout=0.0: inbox.has(getattr(local, "place", None), timeout)

    def get_tapped(self: Any, block: bool = True, timeout: float | None = None) -> Any:  # noqa: FBT001, FBT002
        frame = sys._getframe(1)  # noqa: SLF001
        place = interceptor.place_of_caller("multiprocessing.Queue.get", "concurrency", frame, "multiprocessing")
        local.place = place
        flush_in_child(interceptor)
        try:
            if place is not None and not (block and timeout is None):
                raise_if_empty(place)
            return get(self, block, timeout)
        except queue.Empty:
            if place is not None:
                place.note(None)
            raise
        finally:
            local.place = None

    replace_function(kind, "_reset", reset_tapped)
    replace_function(kind, "get", get_tapped)
    for name in ("empty", "qsize", "full"):
        tap = Tap(source=f"multiprocessing.Queue.{name}", kind="concurrency", libraries=False)
        setattr(kind, name, interceptor.tap(getattr(kind, name), tap))


def flush_in_child(interceptor: Interceptor) -> None:
    """Write what was read before a child waits for more work: its parent may end it without a warning."""
    if "." in interceptor.process and interceptor.ledger.buffer:
        interceptor.flush()


def raise_if_empty(place: Place) -> None:
    """Find the queue empty if the earlier run did. Raises queue.Empty if so."""
    if place.values is not None and place.peek() is None and place.take()[0]:
        raise queue.Empty


def tap_simple_queue(interceptor: Interceptor) -> None:
    """Tap the queue that is a locked pipe, where the user's own code calls it."""
    kind: Any = multiprocessing.queues.SimpleQueue
    get, put = kind.get, kind.put
    pickler: Any = multiprocessing.queues._ForkingPickler  # type: ignore[attr-defined]  # noqa: SLF001
    numbers = itertools.count()

    def find_place(source: str) -> Place | None:
        frame = sys._getframe(2)  # noqa: SLF001
        if not interceptor.is_user(frame):  # a pool's own: its workers take from one queue what comes
            return None
        return interceptor.place_of_caller(source, "concurrency", frame, "multiprocessing")

    def get_tapped(self: Any) -> Any:
        place = find_place("multiprocessing.SimpleQueue.get")
        flush_in_child(interceptor)
        if place is None:
            return get(self)
        inbox = self.__dict__.get("_reproof_inbox")
        if inbox is None:
            reader = self._reader
            inbox = self.__dict__["_reproof_inbox"] = Inbox(self, reader.recv_bytes, reader.poll)
        with self._rlock:
            data = inbox.take(place)
        return pickler.loads(data)

    def put_tapped(self: Any, obj: Any) -> None:
        if not interceptor.is_user(sys._getframe(1)) or self._wlock is None:  # noqa: SLF001
            put(self, obj)
            return
        data = add_tag(pickler.dumps(obj), f"{interceptor.process}:{next(numbers)}")
        with self._wlock:
            self._writer.send_bytes(data)

    replace_function(kind, "get", get_tapped)
    replace_function(kind, "put", put_tapped)
