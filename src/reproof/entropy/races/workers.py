"""Names for whoever does something, the same in every run: threads by who started them, tasks by their numbers."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

from reproof.entropy.replacing import replace_function

if TYPE_CHECKING:
    from collections.abc import Callable


class Workers:
    """The threads of this process, and the tasks that the threads of a pool do one after the other."""

    def __init__(self) -> None:
        """Name this thread."""
        self._local = threading.local()
        self._local.name = "main"

    @property
    def name(self) -> str:
        """Name of the task or thread that asks."""
        known = self._local.__dict__.get("name")
        if known is None:
            known = self._local.name = getattr(threading.current_thread(), "_reproof_name", "?")
        return str(known)

    def run_as(self, name: str, action: Callable[[], Any]) -> Any:
        """Do something under another name."""
        before, self._local.name = self.name, name
        try:
            return action()
        finally:
            self._local.name = before

    def count(self, what: str) -> int:
        """Return how often this worker has asked for this number before."""
        counters = self._local.__dict__.setdefault("counters", {})
        return int(next(counters.setdefault((self.name, what), itertools.count())))


def install(workers: Workers) -> None:
    """Name threads as they are started.

    Effects: replaces `Thread.start`.
    """
    start = threading.Thread.start

    def start_named(thread: threading.Thread) -> None:
        thread.__dict__["_reproof_name"] = f"{workers.name}.{workers.count('started')}"
        start(thread)

    replace_function(threading.Thread, "start", start_named)
