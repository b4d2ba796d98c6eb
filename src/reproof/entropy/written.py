"""Note which files outside of the working folder a process writes: what it puts out is to be compared, wherever it is.

Files in the folder are found by looking through it. Left out: files that compiled code opens, those of the system, of
installed packages and of caches, of which two runs never have the same.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.handled import let_through

if TYPE_CHECKING:
    from reproof.entropy.interception import Interceptor

MODES: Final = frozenset("wax+")
FLAGS: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NOT_OUTPUT: Final = ("/dev/", "/proc/", "/sys/", "/run/")
CACHES: Final = (".", "__pycache__", "torchinductor_")
"""How the names of files and folders begin that hold no output."""
MAX_WRITTEN: Final = 200
"""Files of one process that are noted."""


class WrittenFiles:
    """Hears of each file that Python opens to write, or moves to its place."""

    def __init__(self, interceptor: Interceptor) -> None:
        """Begin in the working folder as it is now."""
        self._interceptor = interceptor
        self._ledger = interceptor.ledger
        self._noted: set[str] = set()
        self._folder = Path.cwd()
        own = (self._folder, interceptor.folder, sys.prefix)
        self._not_outside = tuple(f"{os.path.realpath(folder)}{os.sep}" for folder in own)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an audit event (https://docs.python.org/3/library/audit_events.html)."""
        if event == "open":
            path, mode, flags = arguments
            if not MODES.isdisjoint(mode) if isinstance(mode, str) else (flags or 0) & FLAGS:
                self.note(path, appends="a" in mode if isinstance(mode, str) else bool((flags or 0) & os.O_APPEND))
        elif event == "os.rename":
            self.note(arguments[1])
        elif event == "sqlite3.connect":
            self.note(arguments[0])

    def note(self, path: Any, *, appends: bool = False) -> None:
        """Note a file that is about to be written, unless it is none of the run's output."""
        try:
            self._note(path, appends=appends)
        except Exception as error:  # noqa: BLE001  # the program is about to open its file
            self._ledger.add_problem(f"a file that was written is not known: {error}")
            let_through(error)

    def _note(self, path: Any, *, appends: bool) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        given = os.fsdecode(path)
        shown = os.path.abspath(given)  # noqa: PTH100  # Path.absolute keeps dots
        name = os.path.realpath(shown)  # what a link in the folder leads to is elsewhere
        if self._ledger is not self._interceptor.ledger:  # in a forked child
            self._ledger = self._interceptor.ledger
            self._noted = set()
        if name in self._noted or len(self._noted) >= MAX_WRITTEN or self._is_other(name):
            return
        self._noted.add(name)
        told = given if os.path.isabs(given) else os.path.normpath(given)  # noqa: PTH117  # as text
        told = name if shown.startswith(self._not_outside[0]) else told
        was_there = os.path.lexists(name)
        earlier = {"num_earlier": os.path.getsize(name)} if appends and was_there else {}  # noqa: PTH202  # a text
        self._ledger.note("written", path=name, name=told, was_there=was_there, **earlier)

    def _is_other(self, name: str) -> bool:
        parts = Path(os.path.relpath(name, self._folder)).parts
        return name.startswith((*self._not_outside, *NOT_OUTPUT)) or any(
            part.startswith(CACHES) and part != os.pardir for part in parts
        )


def follow_writes(interceptor: Interceptor) -> WrittenFiles:
    """Note the files that this process writes, and those that it forks.

    Effects: adds an audit hook, which stays for the life of the process (https://peps.python.org/pep-0578/).
    """
    files = WrittenFiles(interceptor)
    sys.addaudithook(files.hear)
    return files
