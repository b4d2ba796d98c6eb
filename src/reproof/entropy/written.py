"""Note which files outside of the working folder a process writes: what it puts out is to be compared, wherever it is.

Files in the folder are found by looking through it. Of other programs it is known which files their commands name.
Left out: whatever else compiled code opens (`writers`), files of the system, of installed packages and of caches, of
which two runs never have the same.
"""

from __future__ import annotations

import atexit
import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from reproof.entropy.handled import let_through
from reproof.entropy.ledger import ALL
from reproof.entropy.writers import follow_writers

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.entropy.interception import Interceptor

MODES: Final = frozenset("wax+")
FLAGS: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NOT_OUTPUT: Final = ("/dev/", "/proc/", "/sys/", "/run/")
CACHES: Final = (".", "__pycache__", "torchinductor_")
"""How the names of files and folders begin that hold no output."""
MAX_WRITTEN: Final = 20_000
"""Files of one process that are noted; that there were more is noted as `ALL`."""
COMMANDS: Final = {"subprocess.Popen": 1, "os.posix_spawn": 1, "os.system": 0}
"""Audit events of who starts a program, with the argument that holds its command."""
MOVES: Final = frozenset({"os.rename", "os.link"})
"""Those of who gives a file or folder a name, the second argument; the first is where it is."""
WORDS: Final = re.compile(r"""[^\s;|&<>'"=]+""")

Stamp = tuple[int, int, int, int]
"""Size, time of modification, inode and time of change of a file.

The time of modification can be set, as an archive that is unpacked does; the time of change cannot.
"""


class WrittenFiles:
    """Hears of each file that Python opens to write, or moves or links to its place.

    Attributes:
        on_move: Called with the absolute paths from and to which a file or folder is about to be moved or linked.
    """

    def __init__(self, interceptor: Interceptor) -> None:
        """Begin in the working folder as it is now."""
        self._interceptor = interceptor
        self._ledger = interceptor.ledger
        self._noted: set[str] = set()
        self._named: dict[str, Stamp | None] = {}
        self.on_move: Callable[[str, str], None] = lambda _source, _target: None
        self._folder = Path.cwd()
        own = (self._folder, interceptor.folder, sys.prefix)
        self._not_outside = tuple(f"{os.path.realpath(folder)}{os.sep}" for folder in own)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an audit event (https://docs.python.org/3/library/audit_events.html)."""
        if event == "open":
            path, mode, flags = arguments
            writes = not MODES.isdisjoint(mode) if isinstance(mode, str) else (flags or 0) & FLAGS
            if writes and not _is_folder(path):
                self.note(path, appends="a" in mode if isinstance(mode, str) else bool((flags or 0) & os.O_APPEND))
        elif event in MOVES:
            self._note_move(*arguments[:2])
        elif event == "sqlite3.connect":
            self.note(_read_address(arguments[0]))
        elif event in COMMANDS:
            self._hear_command(arguments[COMMANDS[event]])

    def _note_move(self, source: Any, target: Any) -> None:
        self.note(target)
        if isinstance(source, (str, bytes, os.PathLike)) and isinstance(target, (str, bytes, os.PathLike)):
            try:
                self.on_move(*(os.path.abspath(os.fsdecode(path)) for path in (source, target)))  # noqa: PTH100  # text
            except Exception as error:  # noqa: BLE001  # the program is about to move its file
                let_through(error)

    def _hear_command(self, command: Any) -> None:
        """Keep how the files are that a command names: those that it has written are known by it."""
        try:
            for word in list_words(command):
                name = os.path.realpath(word)
                if len(self._named) < MAX_WRITTEN and name not in self._named and not self._is_other(name):
                    self._named[name] = read_stamp(name)
        except Exception as error:  # noqa: BLE001  # the program is about to start another
            let_through(error)

    def finish(self) -> None:
        """Note the files that other programs have written."""
        named, self._named = self._named, {}
        for name, before in named.items():
            if read_stamp(name) not in {None, before}:
                self.note(name, was_there=before is not None)

    def note(self, path: Any, *, appends: bool = False, was_there: bool | None = None) -> None:
        """Note a file that is about to be written, unless it is none of the run's output.

        Args:
            path: The file.
            appends: Whether it is opened to append to it.
            was_there: Whether it was there before; None if it is still as it was.
        """
        try:
            self._note(path, appends=appends, was_there=was_there)
        except Exception as error:  # noqa: BLE001  # the program is about to open its file
            self._ledger.add_problem(f"a file that was written is not known: {error}")
            let_through(error)

    def _note(self, path: Any, *, appends: bool, was_there: bool | None) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        given = os.fsdecode(path)
        shown = os.path.abspath(given)  # noqa: PTH100  # Path.absolute keeps dots
        name = os.path.realpath(shown)  # what a link in the folder leads to is elsewhere
        if self._ledger is not self._interceptor.ledger:  # in a forked child
            self._ledger = self._interceptor.ledger
            self._noted = set()
        if name in self._noted or len(self._noted) > MAX_WRITTEN or self._is_other(name):
            return
        if len(self._noted) == MAX_WRITTEN:
            name = shown = given = ALL
        self._noted.add(name)
        told = given if os.path.isabs(given) else os.path.normpath(given)  # noqa: PTH117  # as text
        told = name if shown.startswith(self._not_outside[0]) else told
        was_there = os.path.lexists(name) if was_there is None else was_there
        earlier = {"num_earlier": os.path.getsize(name)} if appends and was_there else {}  # noqa: PTH202  # a text
        self._ledger.note("written", path=name, name=told, was_there=was_there, **earlier)

    def _is_other(self, name: str) -> bool:
        parts = Path(os.path.relpath(name, self._folder)).parts
        return name.startswith((*self._not_outside, *NOT_OUTPUT)) or any(
            part.startswith(CACHES) and part != os.pardir for part in parts
        )


def list_words(command: Any) -> list[str]:
    """Return the words of a command, as it is given to a shell or to a program, among them the files that it names."""
    given = [command] if isinstance(command, (str, bytes, os.PathLike)) else command
    return WORDS.findall("\n".join(os.fsdecode(part) for part in given))


def read_stamp(path: str) -> Stamp | None:
    """Return what tells whether a file changes; None if there is none, or it is a folder or a pipe."""
    try:
        status = os.stat(path)  # noqa: PTH116  # as text
    except (OSError, ValueError):
        return None
    return stamp_status(status) if stat.S_ISREG(status.st_mode) else None


def stamp_status(status: os.stat_result) -> Stamp:
    """Return what tells whether a file changes."""
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns


def _is_folder(path: Any) -> bool:
    """Whether this is a folder: what is opened to write is then a file without a name (`tempfile.TemporaryFile`).

    What `os.stat` is asked for, the run would be taken to have looked for.
    """
    is_path = isinstance(path, (str, bytes))  # of others the program decides what they are
    return is_path and os.path.lexists(os.path.join(os.fsdecode(path), os.curdir))  # noqa: PTH118  # text


def _read_address(database: Any) -> Any:
    """Return the path of a database that is given by a URI (https://www.sqlite.org/uri.html)."""
    text = os.fsdecode(database) if isinstance(database, (str, bytes, os.PathLike)) else ""
    return unquote(urlsplit(text).path) if text.startswith("file:") and "mode=memory" not in text else database


def follow_writes(interceptor: Interceptor) -> WrittenFiles:
    """Note the files that this process writes, and those that it forks.

    Effects: adds an audit hook, which stays for the life of the process (https://peps.python.org/pep-0578/).
    """
    files = WrittenFiles(interceptor)
    sys.addaudithook(files.hear)
    follow_writers(files.note)
    interceptor.on_close.append(files.finish)
    atexit.register(files.finish)  # of a process that closes nothing
    return files
