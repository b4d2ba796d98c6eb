"""Append to a file so that what was appended survives the process, at the price of a copy in memory.

A system call per file and step costs a quick training more than all else that writing does. So a file that has grown
beyond a first part is given room ahead and mapped: appending is then a copy into the page cache, which a `kill -9`
leaves in the kernel's hands as much as a `write`. The room is allocated, not merely reserved as a hole: a disk that
is full says so when room is asked for, and never by a signal in the middle of a training. Where it cannot be had,
`write` serves to the last byte.
"""

from __future__ import annotations

import mmap
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

PLAIN_BYTES: Final = 1 << 16
"""A file up to this size is written in plain calls: a short run takes no room that it does not need."""

MAX_ROOM_BYTES: Final = 1 << 22
"""Room is as large as the file has become, up to this size."""

SPARE_BYTES: Final = 64
"""So many bytes after the end of a mapped file are always zero: they tell a reader that the end may be unfinished."""


class AppendedFile:
    """A file that grows at its end.

    Until `close`, zeros may follow what was appended. After an error of the file system the end is as it was before,
    or holds a part of what was to be appended.
    """

    def __init__(self, path: Path, *, may_map: bool) -> None:
        """Create the file, which must not exist.

        `may_map` tells whether its reader can tell what a process that was killed within a copy has left at its end.
        Raises OSError if it exists or cannot be created.
        """
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        self._process = os.getpid()
        self._window: mmap.mmap | None = None
        self._start = 0
        self._end = 0  # within the window, as is the room
        self._room = -1
        self._can_map = may_map and hasattr(os, "posix_fallocate")

    def append(self, data: bytes) -> None:
        """Append all of the data. Raises OSError if the file system refuses."""
        end = self._end + len(data)
        if self._window is None or end > self._room:
            self._append_slowly(data)
        else:
            self._window[self._end : end] = data
            self._end = end

    def _append_slowly(self, data: bytes) -> None:
        """Make room and append, or do it in plain calls."""
        size = self._start + self._end
        if self._can_map and size >= PLAIN_BYTES:
            try:
                self._make_room(size, len(data))
            except TimeoutError:  # most likely of a signal handler of the program's
                raise
            except (OSError, ValueError):  # refused, or short of space: the rest takes no more than it needs
                self._can_map = False
                self._leave_room()
        if self._window is None:
            self._write(data)
        else:
            self._window[self._end : self._end + len(data)] = data
            self._end += len(data)

    def _make_room(self, size: int, num_bytes: int) -> None:
        """Allocate and map room for a number of bytes after the end, and for more to come."""
        unit = mmap.ALLOCATIONGRANULARITY
        start = size - size % unit
        wanted = size - start + num_bytes + SPARE_BYTES + min(size, MAX_ROOM_BYTES)
        length = -(-wanted // unit) * unit
        os.posix_fallocate(self._descriptor, start, length)
        window = mmap.mmap(self._descriptor, length, offset=start)
        if self._window is not None:
            self._window.close()
        self._window, self._start, self._end, self._room = window, start, size - start, length - SPARE_BYTES

    def _leave_room(self) -> None:
        """Cut the file to what was appended, and unmap it."""
        size = self._start + self._end
        if self._window is not None:
            self._window.close()
        self._window, self._start, self._end, self._room = None, 0, size, -1
        os.ftruncate(self._descriptor, size)

    def _write(self, data: bytes) -> None:
        """Write all of the data; the kernel may take it in pieces."""
        written = os.write(self._descriptor, data)
        while written < len(data):
            written += os.write(self._descriptor, data[written:])
        self._end += len(data)

    def close(self) -> None:
        """Give back the room that is left, and close the file. Raises OSError if the file system refuses."""
        try:
            if self._window is not None and os.getpid() == self._process:  # a forked child shares the file
                self._leave_room()
        finally:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)
