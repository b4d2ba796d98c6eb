"""Give every run the standard input of this process: what comes from a pipe is kept, up to a limit.

A pipe can be read once and a check runs a script several times. It is read no further than the runs ask for, so that
one which nobody ever closes keeps nobody waiting. A file is opened anew for each run, where it stood. From a terminal
nothing is given.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Final

from reproof.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_BYTES: Final = 64 << 20
"""More is refused: it would have to be kept in memory, and is better put into a file."""

CHUNK_BYTES: Final = 1 << 16


class StandardInput:
    """What a process is given as standard input, for any number of runs."""

    def __init__(self, source: int, max_bytes: int = MAX_BYTES) -> None:
        """Take it from a file descriptor. This is of a pipe, a socket or a file; at most `max_bytes` are kept."""
        self._source = source
        self._max_bytes = max_bytes
        self._kept = bytearray()
        self._lock = threading.Lock()
        self._has_ended = False
        self._is_too_long = False

    def open_for_run(self) -> int:
        """Return a descriptor from which a run reads all of it; the caller closes it once the run has it.

        Effects: starts a thread that waits for the source as long as the run does.
        """
        opened = reopen(self._source)
        if opened is not None:
            return opened
        end, start = os.pipe()
        threading.Thread(target=self._feed, args=(start,), daemon=True).start()
        return end

    def check(self) -> None:
        """Refuse what was too long to be kept. Raises UsageError if it was."""
        if self._is_too_long:
            told = f"standard input holds over {self._max_bytes:,} bytes"
            raise UsageError(told, "put it into a file: reproof check train.py < FILE")

    def _feed(self, target: int) -> None:
        """Write all of it to a run, or as much as it takes."""
        position = 0
        with contextlib.suppress(OSError):  # the run has ended
            while chunk := self._read(position):
                position += os.write(target, chunk)
        os.close(target)

    def _read(self, position: int) -> bytes:
        """Return what comes next; nothing at the end. Whoever is furthest reads from the source."""
        if position >= len(self._kept):
            with self._lock:
                if position >= len(self._kept) and not self._has_ended:
                    chunk = os.read(self._source, CHUNK_BYTES)
                    self._is_too_long = len(self._kept) + len(chunk) > self._max_bytes
                    self._has_ended = not chunk or self._is_too_long
                    self._kept += b"" if self._is_too_long else chunk
        return bytes(self._kept[position : position + CHUNK_BYTES])


def find_standard_input() -> StandardInput | None:
    """Return the standard input of this process; None for a terminal, another device, and where it is closed."""
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return None
    has_content = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or stat.S_ISREG(mode)
    return StandardInput(0) if has_content else None


def reopen(source: int) -> int | None:
    """Return a descriptor of its own for a file, at the place where it stands; None if that cannot be had."""
    if sys.platform != "linux" or not stat.S_ISREG(os.fstat(source).st_mode):
        return None
    try:
        opened = os.open(f"/proc/self/fd/{source}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # it may be written only, or proc is not mounted
        return None
    os.lseek(opened, os.lseek(source, 0, os.SEEK_CUR), os.SEEK_SET)
    return opened


@contextlib.contextmanager
def opened_for_run(given: StandardInput | None) -> Iterator[int]:
    """Yield what `subprocess.Popen` takes as ``stdin``: nothing is at its end if nothing is given."""
    if given is None:
        yield subprocess.DEVNULL
        return
    descriptor = given.open_for_run()
    try:
        yield descriptor
    finally:
        os.close(descriptor)
