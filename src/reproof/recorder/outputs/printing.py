"""See what a script prints: the text that is written to `sys.stdout`, `sys.stderr`, by `os.write` and `os.writev`.

The two objects stay what they are; the ``write`` of each instance and of its buffer passes on what it is given and then
notes it. Python processes that the script starts write theirs into their ledgers, for the first one to read. Left out:
what is written past that, by compiled code, by other programs and to copies of the descriptors; that the script has
made copies is known.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reproof.credentials import mask_text
from reproof.entropy.replacing import replace_function
from reproof.outputs.lines import LineCollector
from reproof.outputs.records import ELSEWHERE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reproof.entropy.ledger import Printed
    from reproof.outputs.records import Line, Stream, UnkeptLines

STREAMS: Final[tuple[Stream, ...]] = ("stdout", "stderr")
Place = tuple[int, int]
"""Device and inode of what a stream leads to."""
COPIES: Final = frozenset(
    {"/dev/tty", "/dev/stdout", "/dev/stderr"}
    | {f"{folder}/{number}" for folder in ("/dev/fd", "/proc/self/fd") for number in (1, 2)}
)
"""Names of files by which a process prints."""
PRINTERS: Final = frozenset(
    {"dprintf", "fprintf", "fputs", "fwrite", "printf", "putchar", "puts", "vprintf", "write", "writev"}
)
"""Functions of C that print."""
MAX_WAITING: Final = 256
"""Pieces of text that wait to be taken into lines."""
MAX_PIECE: Final = 4_096
"""Characters of a line that are kept back until it ends."""
MAX_PRINTED: Final = 200_000
"""Characters that a process which the script has started notes in its ledger."""


class PrintedLines:
    """The lines of one process.

    Attributes:
        num_characters: Characters that were written to each stream: what a file of its output has more is another's.
        elsewhere: Takes what a forked child prints, if anything does.
        copied: By what the script has made copies of the descriptors, or has compiled code print.
    """

    def __init__(self, *, is_own: bool = True) -> None:
        """Begin with none. If they are not its own, `elsewhere` takes its lines."""
        self._process = os.getpid() if is_own else None
        self.elsewhere: Callable[[Stream, str], None] | None = None
        self.copied: dict[str, None] = {}
        self._lines = LineCollector()
        self._waiting: deque[tuple[Stream, str, str]] = deque()
        self._lock = threading.Lock()
        self.num_characters: dict[Stream, int] = dict.fromkeys(STREAMS, 0)
        self._watched: dict[Stream, Any] = {}
        self._undo: list[Callable[[], None]] = []

    def watch(self) -> None:
        """Begin to note what is printed.

        Effects: `write` and `flush` of `sys.stdout` and `sys.stderr`, `write` of their buffers, and `write`, `writev`,
            `dup` and `dup2` of `os` are replaced until `stop`.
        """
        for stream in STREAMS:
            self._watched[stream] = file = getattr(sys, stream)
            self._watch(stream, file)
        self._watch_descriptors()

    def _watch_descriptors(self) -> None:
        written, written_all, duplicate, duplicate_to = os.write, os.writev, os.dup, os.dup2

        def write(fd: int, data: Any, /) -> int:
            count = written(fd, data)
            if fd in {1, 2}:
                self._note(STREAMS[fd - 1], bytes(data)[:count].decode("utf-8", "replace"))
            return count

        def writev(fd: int, buffers: Any, /) -> int:
            buffers = list(buffers) if fd in {1, 2} else buffers
            count = written_all(fd, buffers)
            if fd in {1, 2}:
                self._note(STREAMS[fd - 1], b"".join(map(bytes, buffers))[:count].decode("utf-8", "replace"))
            return count

        def dup(fd: int, /) -> int:
            self.note_copy(fd, "os.dup")
            return duplicate(fd)

        def dup2(fd: int, fd2: int, inheritable: bool = True) -> int:  # noqa: FBT001, FBT002  # as it is called
            self.note_copy(fd, "os.dup2")
            return duplicate_to(fd, fd2, inheritable)

        for function in (write, writev, dup, dup2):
            self._replace(function)

    def _replace(self, function: Callable[..., Any]) -> None:
        """Replace the function of `os` that has the same name, until `stop`."""
        name, original = function.__name__, getattr(os, function.__name__)
        replace_function(os, name, function)
        replaced = getattr(os, name)

        def restore() -> None:
            if getattr(os, name) is replaced:
                setattr(os, name, original)

        self._undo.append(restore)

    def note_copy(self, file: Any, how: str) -> None:
        """Note that the script writes to a stream past Python's own object, if a descriptor or path is that of one."""
        if os.getpid() == self._process and (file in {1, 2} if isinstance(file, int) else str(file) in COPIES):
            self.copied.setdefault(how)

    def note_function(self, name: str) -> None:
        """Note that the script may print by a function of C, if that prints."""
        if os.getpid() == self._process and name in PRINTERS:
            self.copied.setdefault(f"{name} of C")

    def list_replaced(self) -> list[Stream]:
        """Return the streams in whose place the script has put another object, which writes past the one watched."""
        return [
            stream
            for number, stream in enumerate(STREAMS, 1)
            if isinstance(file := getattr(sys, stream), io.TextIOWrapper)
            and file is not self._watched.get(stream)
            and _get_descriptor(file) == number
        ]

    def _watch(self, stream: Stream, file: Any) -> None:
        if getattr(file, "write", None) is None or "write" in getattr(file, "__dict__", {}):  # somebody else's already
            return
        buffer, inner = getattr(file, "buffer", None), threading.local()

        def write(text: str, /) -> Any:
            inner.is_text = True
            try:
                result = originals["write"](text)
            finally:
                inner.is_text = False
            self._note(stream, text)
            return result

        def flush() -> None:
            inner.is_text = True
            try:
                originals["flush"]()
            finally:
                inner.is_text = False

        def write_bytes(data: Any, /) -> int:
            count: int = originals["write_bytes"](data)
            if not getattr(inner, "is_text", False):  # else what the text becomes, which is noted
                self._note(stream, bytes(data)[:count].decode("utf-8", "replace"))
            return count

        found = {
            "write": file.write,
            "flush": getattr(file, "flush", None),
            "write_bytes": getattr(buffer, "write", None),
        }
        originals = {name: function for name, function in found.items() if function is not None}
        self._put(file, "write", write)
        if originals.keys() == found.keys():
            self._put(file, "flush", flush)
            self._put(buffer, "write", write_bytes)

    def _put(self, owner: Any, name: str, function: Callable[..., Any]) -> None:
        with contextlib.suppress(AttributeError, TypeError):  # an object without room for it
            setattr(owner, name, function)
            self._undo.append(lambda: _restore(owner, name, function))

    def _note(self, stream: Stream, text: Any) -> None:
        """Note a piece of text. A thread that finds the lines in use leaves it to the next one."""
        if not isinstance(text, str):
            return
        if os.getpid() != self._process:
            if self.elsewhere is not None:
                self.elsewhere(stream, text)
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


class NotedText:
    """What a process prints that the recorded one has started, noted in its ledger line by line: it may be killed.

    Left out: what does not go where the run's own output goes, such as into a pipe that the script reads.
    """

    def __init__(self, places: Mapping[Stream, Place | None], note: Callable[..., None]) -> None:
        """Begin with nothing.

        The places are of `find_places`; `note` writes into the ledger of this process, as `Ledger.note`.
        """
        self._places = places
        self._note = note
        self._waiting: dict[tuple[Stream, int], str] = {}
        self._written: dict[Stream, int] = dict.fromkeys(STREAMS, 0)
        self._left = MAX_PRINTED

    def write(self, stream: Stream, text: str) -> None:
        """Take a piece of text that a thread has printed."""
        if find_places()[stream] != self._places[stream]:
            return
        self._written[stream] += len(text)
        key = stream, threading.get_ident()
        waiting = self._waiting.get(key, "") + text
        if not {"\n", "\x1b"} & set(waiting):
            waiting = waiting[max(0, waiting.rfind("\r", 0, -1)) :]  # what is before is drawn over
        if "\n" in text or len(waiting) > MAX_PIECE:
            self._waiting[key] = ""
            self._put(key, waiting)
        else:
            self._waiting[key] = waiting

    def finish(self) -> None:
        """Note what has not ended with a line."""
        waiting, self._waiting = self._waiting, {}
        for key, text in waiting.items():
            self._put(key, text)  # also of nothing: what was drawn over counts

    def _put(self, key: tuple[Stream, int], text: str) -> None:
        stream, thread = key
        if self._left <= 0:
            return
        self._left -= len(text)
        self._note(
            "printed",
            stream=stream,
            writer=f"{os.getpid()} {thread}",
            text=mask_text(text),
            total=self._written[stream],
            is_last=self._left <= 0,
        )


def find_places() -> dict[Stream, Place | None]:
    """Return where standard output and error lead, as device and inode; None for one that is closed."""
    return {stream: _find_place(number) for number, stream in enumerate(STREAMS, 1)}


def _find_place(descriptor: int) -> Place | None:
    try:
        status = os.fstat(descriptor)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def collect_noted(printed: Iterable[Printed]) -> tuple[Line, ...]:
    """Return the lines that other processes have noted; whoever printed one is called `ELSEWHERE`."""
    lines = LineCollector()
    for piece in printed:
        if piece.stream in STREAMS:
            lines.write(piece.stream, piece.text, piece.writer)
    return tuple(replace(line, worker=ELSEWHERE) for line in lines.finish()[0])


def _get_descriptor(file: Any) -> int | None:
    try:
        return int(file.fileno())
    except (OSError, ValueError):  # closed, detached, or without one
        return None


def _restore(owner: Any, name: str, function: Any) -> None:
    if getattr(owner, "__dict__", {}).get(name) is function:
        with contextlib.suppress(AttributeError):
            delattr(owner, name)
