"""Names for whoever does something, the same in every run: threads by who started them, tasks by their numbers.

With each is kept the line of the user's that started the thread or handed in the task: a read that has no line of the
user's on its stack belongs to that one.
"""

from __future__ import annotations

import itertools
import sys
import threading
from typing import TYPE_CHECKING, Any

from reproof.entropy.interception import leave_own
from reproof.entropy.replacing import replace_function
from reproof.entropy.sites import LIBRARY, Site, find_user_frame, owner_of, site_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


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

    @property
    def site(self) -> Site | None:
        """Line that handed in the task or started the thread that asks, or None if it is not known."""
        known = self._local.__dict__.get("site")
        return known or getattr(threading.current_thread(), "_reproof_site", None)

    def find_site(self, frame: FrameType | None) -> Site | None:
        """Return the line of the user's that a frame was called from, else that for which this thread works."""
        user = find_user_frame(frame)
        return self.site if user is None else site_of(user)

    def run_as(self, name: str, action: Callable[[], Any], site: Site | None = None) -> Any:
        """Do something under another name, for a line of the user's."""
        before = self.name, self._local.__dict__.get("site")
        self._local.name, self._local.site = name, site
        try:
            return action()
        finally:
            self._local.name, self._local.site = before

    def count(self, what: str) -> int:
        """Return how often this worker has asked for this number before."""
        counters = self._local.__dict__.setdefault("counters", {})
        return int(next(counters.setdefault((self.name, what), itertools.count())))


def install(workers: Workers) -> None:
    """Name threads as they are started. Effects: replaces `Thread.start`."""
    start = threading.Thread.start

    def start_named(thread: threading.Thread) -> None:
        thread.__dict__["_reproof_name"] = f"{workers.name}.{workers.count('started')}"
        frame = leave_own(sys._getframe(1))  # noqa: SLF001  # the documented way to the stack
        if frame is not None and owner_of(frame.f_code.co_filename) != LIBRARY:  # those have threads of their own
            thread.__dict__["_reproof_site"] = workers.find_site(frame)
        start(thread)

    replace_function(threading.Thread, "start", start_named)
