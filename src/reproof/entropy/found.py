"""Note which files a process looks for or reads: of a file of an earlier run, whether it knew of it.

A cache is made by the run that does not find it, and left alone by the one that does. That tells it from a file which a
run might have written as well, and did not. A program of another language looks for the files that its command names.
Left out: what else it looks at, what compiled code does, files of the system and of installed packages, and looks of
functions that are about to write whatever they find.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from reproof.entropy.handled import let_through
from reproof.entropy.ledger import ALL, read_notes
from reproof.entropy.sources.file_access import LISTINGS, WRITE_FLAGS, replace_stat
from reproof.entropy.untapped import scan_folder
from reproof.entropy.written import COMMANDS, NOT_OUTPUT, list_words

if TYPE_CHECKING:
    from types import FrameType

    from reproof.entropy.interception import Interceptor

NOTE: Final = b'"note":"found"'
MAX_FILES: Final = 64
"""Files of one folder that are noted by name; with more the folder is noted, and stands for all that is in it."""
MAX_LOOKS: Final = 100_000
"""Looks of one process at different files and folders; no more are noted."""
SEARCHES: Final = frozenset({"importlib", "pkg_resources", "reproof"})
"""Packages that look through folders on nobody's behalf."""
MAKERS: Final = frozenset({"os", "shutil"})
"""Those that ask for the status of a file only to make it: `os.makedirs`, `shutil.move`."""
THROUGH: Final = ("genericpath", "pathlib", "posixpath", "reproof.entropy.")
"""Modules whose looks are those of their callers."""


class FoundFiles:
    """Hears of each file that Python opens or looks for, and of each folder that it lists."""

    def __init__(self, interceptor: Interceptor) -> None:
        """Begin with nothing found."""
        self._interceptor = interceptor
        self._seen: set[str] = set()
        self._counts: Counter[str] = Counter()
        folder = f"{os.path.realpath(Path.cwd())}{os.sep}"
        own = (os.path.realpath(interceptor.folder), sys.prefix, sys.base_prefix)
        others = (*NOT_OUTPUT, *(f"{name}{os.sep}" for name in own))
        self._others = tuple(prefix for prefix in others if not folder.startswith(prefix))

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an audit event (https://docs.python.org/3/library/audit_events.html)."""
        if event == "open":
            path, mode, flags = arguments
            # Who opens a file that must not be there yet finds out whether it is.
            is_look = "w" not in mode and "a" not in mode if isinstance(mode, str) else _reads(flags or 0)
            if is_look:
                self.look(path, sys._getframe().f_back)  # noqa: SLF001
        elif event in LISTINGS:
            self.look(arguments[0], sys._getframe().f_back, is_listing=True)  # noqa: SLF001
        elif event in {"os.mkdir", "sqlite3.connect"}:  # who makes a folder finds out whether it is there
            frame = sys._getframe().f_back  # noqa: SLF001
            if frame is None or not frame.f_locals.get("exist_ok"):  # of `os.makedirs` and `Path.mkdir`
                self.look(arguments[0], frame)
        elif event in COMMANDS:  # the program may look for the files that it is given
            with contextlib.suppress(TypeError):  # a command that is none
                for word in filter(os.path.lexists, list_words(arguments[COMMANDS[event]])):
                    self.look(word, sys._getframe().f_back)  # noqa: SLF001

    def ask(self, path: Any, frame: FrameType | None) -> None:
        """Take a call of `os.stat`."""
        self.look(path, frame, others=SEARCHES | MAKERS)

    def look(
        self,
        path: Any,
        frame: FrameType | None,
        *,
        is_listing: bool = False,
        others: frozenset[str] = SEARCHES,
    ) -> None:
        """Note a file that is looked at, or a folder that is listed, the first time.

        Looks by the packages in `others` do not count.
        """
        if len(self._seen) >= MAX_LOOKS or not isinstance(path, (str, bytes, os.PathLike)):
            return
        try:
            given = os.fsdecode(path)
            if given.startswith(self._others):
                return
            shown = os.path.abspath(given)  # noqa: PTH100  # Path.absolute keeps dots
            key = f"{shown}{os.sep}" if is_listing else shown
            if key in self._seen or _is_of(frame, others):
                return
            self._seen.add(key)
            self._note(shown, is_listing=is_listing)
        except Exception as error:  # noqa: BLE001  # the program is about to open its file
            self._interceptor.ledger.add_problem(f"a file that was looked at is not known: {error}")
            let_through(error)

    def _note(self, shown: str, *, is_listing: bool) -> None:
        real = os.path.realpath(shown)
        if real.startswith(self._others):
            return
        is_missing = not os.path.lexists(real)
        told: dict[str, Any] = {"missing": True} if is_missing else {}
        if is_listing and not is_missing:
            with contextlib.suppress(OSError), scan_folder(real) as entries:  # a file, or one that may not be read
                names = [entry.name for entry in itertools.islice(entries, MAX_FILES + 1)]
                told = {"holds": names} if len(names) <= MAX_FILES else {}
            self._interceptor.ledger.note("found", path=f"{real}{os.sep}", **told)
            return
        parent = os.path.dirname(real)  # noqa: PTH120  # a text
        self._counts[parent] += 1
        if self._counts[parent] <= MAX_FILES:
            self._interceptor.ledger.note("found", path=real, **({} if real == shown else {"name": shown}), **told)
        elif self._counts[parent] == MAX_FILES + 1:
            self._interceptor.ledger.note("found", path=f"{parent}{os.sep}{ALL}", **told)


def _reads(flags: int) -> bool:
    return not flags & WRITE_FLAGS or bool(flags & os.O_EXCL)


def _is_of(frame: FrameType | None, packages: frozenset[str]) -> bool:
    """Whether a look is one of these packages'. A path of Python's is searched for modules; we ourselves look, too."""
    while frame is not None and (module := str(frame.f_globals.get("__name__"))).startswith(THROUGH):
        frame = frame.f_back
    return frame is None or module.partition(".")[0] in packages


def follow_looks(interceptor: Interceptor) -> None:
    """Note what this process looks at, and those that it forks.

    Effects: adds an audit hook, which stays for the life of the process (https://peps.python.org/pep-0578/), and
        replaces `os.stat`, on which `exists` and its like rest.
    """
    files = FoundFiles(interceptor)
    sys.addaudithook(files.hear)
    replace_stat(files.ask)


class Found(NamedTuple):
    """What the processes of a run looked for or read, as absolute paths; `ALL` stands for all files of a folder.

    Attributes:
        paths: All of them; folders that were listed end with a separator.
        missing: Those that were not there.
        holds: Of folders that were listed, what was in them, if that is known.
    """

    paths: dict[str, None]
    missing: dict[str, None]
    holds: dict[str, list[str]]


def read_found(folder: Path) -> Found:
    """Return what the processes of a run looked for or read."""
    found = Found({}, {}, {})
    for entry in read_notes(folder, NOTE):
        names = [name for key in ("path", "name") if isinstance(name := entry.get(key), str)]
        found.paths.update(dict.fromkeys(names))
        if entry.get("missing") is True:
            found.missing.update(dict.fromkeys(names))
        if names and isinstance(held := entry.get("holds"), list):
            found.holds.setdefault(names[0], held)
    return found
