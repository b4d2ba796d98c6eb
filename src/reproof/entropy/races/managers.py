"""Tap the queues of a `multiprocessing.Manager`: whose item a process gets next.

The queue lives in the manager's process, and nobody there knows who has put an item; so an item is known by its
content. In an experiment a process takes items until the one comes whose turn it is: what it will want later it holds
back, all else it puts back for others. Left out: lists and dictionaries that processes change side by side.
"""

from __future__ import annotations

import pickle
import queue
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.races.channels import Inbox
from reproof.entropy.races.waiting import PAUSE_SECONDS
from reproof.entropy.replacing import replace_function
from reproof.entropy.untapped import sleep

if TYPE_CHECKING:
    from types import FrameType

    from reproof.entropy.interception import Interceptor
    from reproof.entropy.ledger import Place

GETTERS: Final = frozenset({"get", "get_nowait"})
STATES: Final = frozenset({"empty", "qsize", "full"})
QUEUES: Final = frozenset({"Queue", "JoinableQueue"})


class ManagedInbox(Inbox):
    """What this process receives from a queue of a manager."""

    def __init__(self, proxy: Any, call: Any) -> None:
        """Receive by the proxy's method."""
        super().__init__(proxy, self._receive_one, self._poll_one)
        self._call = call
        self._next_item: bytes | None = None
        self.lock = threading.RLock()

    def _poll_one(self, timeout: float | None = 0.0) -> bool:
        """Whether there is an item within some seconds; None waits."""
        if self._next_item is None:
            arguments = (True,) if timeout is None else (True, timeout) if timeout > 0 else (False,)
            try:
                self._next_item = pickle.dumps(self._call(self._owner, "get", arguments))
            except queue.Empty:
                return False
        return True

    def _receive_one(self) -> bytes:
        while not self._poll_one(None):
            pass
        item, self._next_item = self._next_item, None
        return item or b""

    def _put_back(self, data: bytes) -> bool:
        try:
            self._call(self._owner, "put", (pickle.loads(data), False))  # noqa: S301  # what came by a pickle
        except queue.Full:
            return False
        sleep(PAUSE_SECONDS)
        return True


def install(interceptor: Interceptor, module: Any) -> None:
    """Tap the method through which all calls of managed objects go.

    Effects: replaces a method of `multiprocessing.managers.BaseProxy`.
    """
    proxy: Any = module.BaseProxy
    call = proxy._callmethod  # noqa: SLF001  # documented for those who write proxies
    inboxes: dict[str, ManagedInbox] = {}
    interceptor.on_child.append(inboxes.clear)

    def call_tapped(self: Any, methodname: str, args: tuple[Any, ...] = (), kwds: Any = None) -> Any:
        place = None
        if (methodname in GETTERS or methodname in STATES) and self._token.typeid in QUEUES:
            frame: Any = sys._getframe(1)  # noqa: SLF001
            while frame.f_back is not None and is_made_of_text(frame):  # as the methods of a proxy are
                frame = frame.f_back
            place = interceptor.place_of_caller(f"Manager.Queue.{methodname}", "concurrency", frame, "multiprocessing")
        if place is None:
            return call(self, methodname, args, kwds or {})
        if methodname in STATES:
            is_replayed, value = place.take()
            value = value if is_replayed else call(self, methodname, args, kwds or {})
            place.note(value)
            return value
        key = str(self._token.id)
        inbox = inboxes.get(key) or inboxes.setdefault(key, ManagedInbox(self, call))
        with inbox.lock:
            return take(inbox, place, find_patience(methodname, *args, **(kwds or {})))

    replace_function(proxy, "_callmethod", call_tapped)


def is_made_of_text(frame: FrameType) -> bool:
    """Whether the code of a frame comes from no file."""
    return frame.f_code.co_filename.startswith("<")


def find_patience(methodname: str, block: bool = True, timeout: float | None = None) -> float | None:  # noqa: FBT001, FBT002
    """Return for how many seconds a call waits, None for as long as it takes."""
    return timeout if block and methodname == "get" else 0.0


def take(inbox: ManagedInbox, place: Place, patience: float | None) -> Any:
    """Take the item whose turn it is. Raises queue.Empty if none comes in time."""
    if patience is not None and (is_empty(place) or not inbox.has(place, patience)):
        place.note(None)
        raise queue.Empty
    return pickle.loads(inbox.take(place))  # noqa: S301  # what came by a pickle


def is_empty(place: Place) -> bool:
    """Whether the earlier run found nothing."""
    return place.values is not None and place.peek() is None and place.take()[0]
