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
from reproof.entropy.replacing import replace_function, share_abilities
from reproof.entropy.untapped import read_status
from reproof.entropy.writers import follow_writers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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

Stamp = tuple[int, int, int, int, int, int]
"""Size, time of modification, inode, time of change, mode and number of links of a file.

The time of modification can be set, as an archive that is unpacked does; the time of change cannot.
"""


class WrittenFiles:
    """Hears of each file that Python opens to write, or moves or links to its place.

    Attributes:
        on_move: Called with the absolute paths from and to which a file or folder is about to be moved or linked.
        on_stream: Called with each descriptor or path that is opened to write, and how that is called.
        on_function: Called with the name of each function of C that is looked up.
        on_late: Called with the absolute path and the name of each file that is about to be written, also in the
            working folder, when all that was written until then is known; None until then.
        passed: Folders in the working folder that nobody looks through, with a separator at the end: what is written
            there is noted as what is written elsewhere.
    """

    def __init__(self, interceptor: Interceptor) -> None:
        """Begin in the working folder as it is now."""
        self._interceptor = interceptor
        self._ledger = interceptor.ledger
        self._noted: set[str] = set()
        self._named: dict[str, Stamp | None] = {}
        self.on_move: Callable[[str, str], None] = lambda _source, _target: None
        self.on_stream: Callable[[Any, str], None] = lambda _file, _how: None
        self.on_function: Callable[[str], None] = lambda _name: None
        self.on_late: Callable[[str, str], None] | None = None
        self.passed = interceptor.plan.passed
        self._folder = Path.cwd()
        own = (self._folder, interceptor.folder, sys.prefix)
        self._not_outside = tuple(f"{os.path.realpath(folder)}{os.sep}" for folder in own)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an audit event (https://docs.python.org/3/library/audit_events.html)."""
        if event == "open":
            path, mode, flags = arguments
            writes = not MODES.isdisjoint(mode) if isinstance(mode, str) else (flags or 0) & FLAGS
            if writes and not _is_folder(path):
                self.on_stream(path, f"open({path!r})")
                self.note(path, appends="a" in mode if isinstance(mode, str) else bool((flags or 0) & os.O_APPEND))
        elif event in MOVES:
            self._note_move(*(_place(path, folder) for path, folder in zip(arguments[:2], arguments[2:4], strict=True)))
        elif event == "os.symlink":
            self.note(_place(*arguments[1:3]), is_name=True)
        elif event == "os.truncate":
            self.note(arguments[0])
        elif event == "ctypes.dlsym":
            self.on_function(str(arguments[1]))
        elif event == "sqlite3.connect":
            self.note(_read_address(arguments[0]))
        elif event in COMMANDS:
            self._hear_command(arguments[COMMANDS[event]])

    def _note_move(self, source: Any, target: Any) -> None:
        self.note(target, is_name=True)
        if isinstance(source, (str, bytes, os.PathLike)) and isinstance(target, (str, bytes, os.PathLike)):
            try:
                self.on_move(*(os.path.abspath(os.fsdecode(path)) for path in (source, target)))  # noqa: PTH100  # text
            except Exception as error:  # noqa: BLE001  # the program is about to move its file
                let_through(error)

    def _hear_command(self, command: Any) -> None:
        """Keep how the files are that a command names: those that it has written are known by it."""
        try:
            for word in list_words(command):
                if len(self._named) >= MAX_WRITTEN:
                    break
                for name in (os.path.realpath(word), resolve_folder(word)):
                    if name not in self._named and not self._is_other(name, self._not_outside):
                        self._named[name] = read_own_stamp(name)
        except Exception as error:  # noqa: BLE001  # the program is about to start another
            let_through(error)

    def finish(self) -> None:
        """Note the files that other programs have written."""
        named, self._named = self._named, {}
        for name, before in named.items():
            after = read_own_stamp(name)
            if after is not None and is_rewritten(before, after):
                self.note(name, was_there=before is not None, is_name=True)

    def note(self, path: Any, *, appends: bool = False, was_there: bool | None = None, is_name: bool = False) -> None:
        """Note a file that is about to be written, unless it is none of the run's output.

        Whether it was there before is `was_there`; None if it is still as it was. If the name itself is given to
        something, it `is_name`: a link of that name is replaced, and not followed.
        """
        try:
            self._note(path, appends=appends, was_there=was_there, is_name=is_name)
        except Exception as error:  # noqa: BLE001  # the program is about to open its file
            self._ledger.add_problem(f"a file that was written is not known: {error}")
            let_through(error)

    def _note(self, path: Any, *, appends: bool, was_there: bool | None, is_name: bool) -> None:
        if not isinstance(path, (str, bytes, os.PathLike)):
            return
        given = os.fsdecode(path)
        shown = os.path.abspath(given)  # noqa: PTH100  # Path.absolute keeps dots
        if shown.startswith(NOT_OUTPUT):  # wherever /dev/stdout leads
            return
        name = resolve_folder(shown) if is_name else os.path.realpath(shown)  # a link in the folder leads elsewhere
        if self.on_late is not None:
            inside, *others = self._not_outside
            if not self._is_other(name, others):
                is_named_here = name.startswith(inside) or not os.path.isabs(given)  # noqa: PTH117  # as text
                self.on_late(name, os.path.relpath(name, inside).replace(os.sep, "/") if is_named_here else name)
            return
        if self._ledger is not self._interceptor.ledger:  # in a forked child
            self._ledger = self._interceptor.ledger
            self._noted = set()
        is_passed = name.startswith(self.passed)
        own = self._not_outside[is_passed:]  # without the working folder
        if name in self._noted or len(self._noted) > MAX_WRITTEN or self._is_other(name, own):
            return
        if len(self._noted) == MAX_WRITTEN:
            name = shown = given = ALL
        self._noted.add(name)
        told = given if os.path.isabs(given) else os.path.normpath(given)  # noqa: PTH117  # as text
        if shown.startswith(self._not_outside[0]):
            told = os.path.relpath(name, self._folder) if is_passed else name
        was_there = os.path.lexists(name) if was_there is None else was_there
        earlier = {"num_earlier": os.path.getsize(name)} if appends and was_there else {}  # noqa: PTH202  # a text
        self._ledger.note("written", path=name, name=told, was_there=was_there, **earlier)

    def _is_other(self, name: str, folders: Iterable[str]) -> bool:
        parts = Path(os.path.relpath(name, self._folder)).parts
        return name.startswith((*folders, *NOT_OUTPUT)) or any(
            part.startswith(CACHES) and part != os.pardir for part in parts
        )


def _place(path: Any, folder: int | None) -> Any:
    """Return a path that is relative to the folder of a descriptor as an absolute one, where the system tells it."""
    if folder in {None, -1} or not isinstance(path, (str, bytes, os.PathLike)) or os.path.isabs(path):  # noqa: PTH117
        return path
    try:
        return os.path.join(os.readlink(f"/proc/self/fd/{folder}"), os.fsdecode(path))  # noqa: PTH115, PTH118  # texts
    except OSError:
        return path


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


def read_own_stamp(path: str) -> Stamp | None:
    """Return the same of a link itself, wherever it leads, or of a file."""
    try:
        status = os.lstat(path)
    except (OSError, ValueError):
        return None
    return stamp_status(status) if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode) else None


def resolve_folder(path: str) -> str:
    """Return an absolute path whose folder has no links in it; its last part may be one."""
    folder, name = os.path.split(os.path.abspath(path))  # noqa: PTH100  # texts
    return os.path.join(os.path.realpath(folder), name)  # noqa: PTH118  # as above


def stamp_status(status: os.stat_result) -> Stamp:
    """Return what tells whether a file changes."""
    times = status.st_mtime_ns, status.st_ino, status.st_ctime_ns
    return status.st_size, *times, status.st_mode, status.st_nlink


def is_rewritten(before: Stamp | None, after: Stamp) -> bool:
    """Whether the content of a file may have changed: it has not where it was only given another mode or name."""
    if before is None or before[:3] != after[:3]:
        return True
    return before[3] != after[3] and before[4:] == after[4:]


def _is_folder(path: Any) -> bool:
    """Whether this is a folder: what is opened to write is then a file without a name (`tempfile.TemporaryFile`)."""
    try:
        return isinstance(path, (str, bytes)) and stat.S_ISDIR(read_status(path).st_mode)  # others may run code
    except (OSError, ValueError):
        return False


def _read_address(database: Any) -> Any:
    """Return the path of a database that is given by a URI (https://www.sqlite.org/uri.html)."""
    text = os.fsdecode(database) if isinstance(database, (str, bytes, os.PathLike)) else ""
    return unquote(urlsplit(text).path) if text.startswith("file:") and "mode=memory" not in text else database


def _follow_descriptors(files: WrittenFiles) -> None:
    """Hear of files that are opened by the descriptor of a folder, of which the audit event does not tell."""
    original = os.open

    def open_file(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if dir_fd is not None and flags & FLAGS:
            files.note(_place(path, dir_fd), appends=bool(flags & os.O_APPEND))
        return original(path, flags, mode, dir_fd=dir_fd)

    replace_function(os, "open", open_file)
    share_abilities(original, os.open)


def follow_writes(interceptor: Interceptor) -> WrittenFiles:
    """Note the files that this process writes, and those that it forks.

    Effects: adds an audit hook, which stays for the life of the process (https://peps.python.org/pep-0578/), and
        replaces `os.open`.
    """
    files = WrittenFiles(interceptor)
    sys.addaudithook(files.hear)
    _follow_descriptors(files)
    follow_writers(files.note)
    interceptor.on_close.append(files.finish)
    atexit.register(files.finish)  # of a process that closes nothing
    return files
