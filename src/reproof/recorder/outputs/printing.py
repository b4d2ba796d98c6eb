"""See what a script prints: the text that is written to `sys.stdout` and `sys.stderr`, and by which thread.

The two objects stay what they are; the ``write`` of each instance passes the text on and then notes it. Left out: what
is written past them, by file descriptor, by compiled code and by other programs.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from reproof.outputs.lines import LineCollector

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.outputs.records import Line, Stream, UnkeptLines

STREAMS: Final[tuple[Stream, ...]] = ("stdout", "stderr")
MAX_WAITING: Final = 256
"""Pieces of text that wait to be taken into lines."""


class PrintedLines:
    """The lines of one process.

    Attributes:
        num_characters: Characters that were written to each stream: what a file of its output has more is another's.
    """

    def __init__(self) -> None:
        """Begin with none."""
        self._process = os.getpid()
        self._lines = LineCollector()
        self._waiting: deque[tuple[Stream, str, str]] = deque()
        self._lock = threading.Lock()
        self.num_characters: dict[Stream, int] = dict.fromkeys(STREAMS, 0)
        self._undo: list[Callable[[], None]] = []

    def watch(self) -> None:
        """Begin to note what is printed.

        Effects: `sys.stdout.write` and `sys.stderr.write` are replaced until `stop`.
        """
        for stream in STREAMS:
            self._watch(stream, getattr(sys, stream))

    def _watch(self, stream: Stream, file: Any) -> None:
        original = getattr(file, "write", None)
        if original is None or "write" in getattr(file, "__dict__", {}):  # somebody else's already
            return

        def write(text: str, /) -> Any:
            result = original(text)
            self._note(stream, text)
            return result

        with contextlib.suppress(AttributeError, TypeError):  # an object without room for it
            file.write = write
            self._undo.append(lambda: _restore(file, write))

    def _note(self, stream: Stream, text: str) -> None:
        """Note a piece of text. A thread that finds the lines in use leaves it to the next one."""
        if os.getpid() != self._process or not isinstance(text, str):
            return
        self.num_characters[stream] += len(text)
        thread = threading.current_thread()
        worker = "" if thread is threading.main_thread() else thread.name
        self._waiting.append((stream, text, worker))
        if len(self._waiting) >= MAX_WAITING and self._lock.acquire(blocking=False):
            try:
                self._take()
            finally:
                self._lock.release()

    def _take(self) -> None:
        while self._waiting:
            stream, text, worker = self._waiting.popleft()
            self._lines.write(stream, text, worker)

    def stop(self) -> None:
        """Put the streams' own functions back."""
        while self._undo:
            self._undo.pop()()

    def finish(self) -> tuple[tuple[Line, ...], tuple[UnkeptLines, ...]]:
        """Return the lines, and what is known of those beyond what is kept."""
        with self._lock:
            self._take()
            return self._lines.finish()


def _restore(file: Any, write: Any) -> None:
    if getattr(file, "__dict__", {}).get("write") is write:
        with contextlib.suppress(AttributeError):
            del file.write
