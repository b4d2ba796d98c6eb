"""Tap the files that an earlier run of the same check has written: whoever reads one depends on that run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from reproof.entropy.interception import Interceptor

KIND: Final = "state-on-disk"
WRITE_FLAGS: Final = os.O_WRONLY | os.O_TRUNC | os.O_EXCL


class EarlierFiles:
    """Notes where files of an earlier run are opened for reading, or looked for."""

    def __init__(self, interceptor: Interceptor) -> None:
        """Look for the files that the plan names, and the folders they are in."""
        self._interceptor = interceptor
        base = Path.cwd()
        self._files = {str(base / name) for name in interceptor.plan.earlier}
        self._parents = {str(parent) for name in self._files for parent in Path(name).parents} - {
            str(parent) for parent in (base, *base.parents)
        }
        self._written: set[str] = set()
        self._stat = os.stat

    def install(self) -> None:
        """Hear of every file that is opened, and tap `os.stat`, on which `exists` and its like rest.

        Effects: adds an audit hook, which stays for the life of the process (https://peps.python.org/pep-0578/).
        """
        sys.addaudithook(self._hear)
        stat = self._stat

        def stat_tapped(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
            self._look_at("os.stat", path, is_read=True)
            return stat(path, *args, **kwargs)

        stat_tapped.__name__ = stat_tapped.__qualname__ = "stat"
        os.stat = stat_tapped

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            is_read = not any(c in mode for c in "wax") if isinstance(mode, str) else not (flags or 0) & WRITE_FLAGS
            self._look_at("open", path, is_read=is_read)
        elif event == "sqlite3.connect":
            self._look_at(event, arguments[0], is_read=True)
        elif event in {"os.listdir", "os.scandir"}:
            # Named apart from the listing itself, whose order is a source of its own on the same line.
            self._look_at(f"{event} of earlier files", arguments[0], is_read=True, is_folder=True)

    def _look_at(self, source: str, path: Any, *, is_read: bool, is_folder: bool = False) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # Path.absolute keeps dots
        if name not in (self._parents if is_folder else self._files) or name in self._written:
            return
        if not is_read:
            self._written.add(name)  # from now on it is this run's own
            return
        place = self._interceptor.place_of(source, KIND, sys._getframe(2))  # noqa: SLF001
        if place is not None:
            place.note(os.path.relpath(name))


def install(interceptor: Interceptor) -> None:
    """Watch the files of an earlier run, if the plan names any."""
    if interceptor.plan.earlier:
        EarlierFiles(interceptor).install()
