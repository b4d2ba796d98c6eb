"""What a script leaves open: Python writes the rest of files when it ends, after everything that we can see.

Left out: what compiled code keeps open, and what a ``__del__`` of the user's writes when the interpreter ends.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import stat
import subprocess
import zipfile
from pathlib import PurePath
from typing import Any, Final

from reproof.entropy.written import list_words
from reproof.recorder.existing import find_existing

STATUS: Final = getattr(os, "WEXITED", 0) | getattr(os, "WNOWAIT", 0) | os.WNOHANG
"""Asks whether a child has ended, and leaves it to be waited for."""
BUFFERS: Final = (io.BufferedWriter, io.BufferedRandom)


def flush_files() -> None:
    """Write what open files hold back: each byte that Python would write a moment later.

    Effects: as said. Standard output and pipes are left alone, and what compresses: there a flush leaves a mark.
    """
    for file in find_existing(io.TextIOWrapper, *BUFFERS):
        with contextlib.suppress(Exception):  # closed, broken or in use by a thread: left as it is
            buffer = file.buffer if type(file) is io.TextIOWrapper else file
            if type(buffer) in BUFFERS and not buffer.closed and stat.S_ISREG(os.fstat(buffer.fileno()).st_mode):
                file.flush()


def list_under_way() -> tuple[set[str], list[str]]:
    """Return the absolute paths of archives that have no end yet, and the names of programs that still run.

    Compressed files and archives count that are open for writing, and programs that the script has started.
    """
    unfinished, running = set(), []
    for thing in find_existing(gzip.GzipFile, zipfile.ZipFile, subprocess.Popen):
        with contextlib.suppress(Exception):  # half made, or waited for by others
            if not isinstance(thing, subprocess.Popen):
                if name := _find_name(thing):
                    unfinished.add(os.path.realpath(name))
            elif thing.returncode is None and os.waitid(os.P_PID, thing.pid, STATUS) is None:
                running.append(PurePath(list_words(thing.args)[0]).name)
    return unfinished, running


def _find_name(file: Any) -> str | None:
    if isinstance(file, zipfile.ZipFile):
        return file.filename if file.fp is not None and file.mode != "r" else None
    return None if file.closed or not file.writable() else os.fsdecode(file.name)
