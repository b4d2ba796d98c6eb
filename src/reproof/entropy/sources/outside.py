"""Tap the files outside of the working folder that an earlier run of the same check has left, as in a user's cache.

Experiments take place in copies of the working folder; what lies elsewhere they share with all runs before. So it is
noted which of the user's lines reads such a file, and in an experiment it can be hidden, as if it were not there.
Left out: files that were there before the check, and reads by compiled code.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.handled import let_through
from reproof.entropy.sources.files import KIND, WRITE_FLAGS
from reproof.entropy.untapped import read_time

if TYPE_CHECKING:
    from reproof.entropy.interception import Interceptor

LAG_SECONDS: Final = 0.05
"""The clock of a file system is behind by less."""


class OutsideFiles:
    """Notes where files of earlier runs are read, and hides some of them until this run writes them."""

    def __init__(self, interceptor: Interceptor, since: float) -> None:
        """Look for files that were written after `since`, in seconds, and before now."""
        self._interceptor = interceptor
        self._since, self._start = since, read_time() - LAG_SECONDS
        self._hidden = frozenset(interceptor.plan.hides)
        self._inside = f"{Path.cwd()}{os.sep}"
        self._stat = os.stat

    def install(self) -> None:
        """Hear of every file that is opened, and tap `os.stat`, on which `exists` and its like rest.

        Effects: adds an audit hook, which stays for the life of the process (https://peps.python.org/pep-0578/).
        """
        sys.addaudithook(self._hear)
        original = self._stat

        def stat_tapped(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
            self._look_at("os.stat", path)
            return original(path, *args, **kwargs)

        stat_tapped.__name__ = stat_tapped.__qualname__ = "stat"
        for abilities in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
            if original in abilities:
                abilities.add(stat_tapped)  # who asks, as `shutil` does, gets the answer of the original
        os.stat = stat_tapped

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if not any(c in mode for c in "wax") if isinstance(mode, str) else not (flags or 0) & WRITE_FLAGS:
                self._look_at(event, path)
        elif event == "sqlite3.connect":
            self._look_at(event, arguments[0])

    def _look_at(self, source: str, path: Any) -> None:
        """Note a read.

        Raises:
            FileNotFoundError: If the file is hidden.
        """
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # Path.absolute keeps dots
        if name.startswith(self._inside) or not self._is_of_earlier(name):
            return
        place = self._interceptor.place_of(source, KIND, sys._getframe(2))  # noqa: SLF001
        if place is not None:
            place.note(name)
            if name in self._hidden:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)

    def _is_of_earlier(self, name: str) -> bool:
        try:
            status = self._stat(name)
        except (OSError, ValueError) as error:
            let_through(error)
            return False
        return stat.S_ISREG(status.st_mode) and self._since <= status.st_mtime < self._start


def install(interceptor: Interceptor) -> None:
    """Watch these files, if the plan says since when."""
    if interceptor.plan.since is not None:
        OutsideFiles(interceptor, interceptor.plan.since).install()
