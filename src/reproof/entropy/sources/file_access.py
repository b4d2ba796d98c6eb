"""Hear of each file that Python opens or looks for: `files` and `outside` judge whose it is."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reproof.entropy.replacing import replace_function, share_abilities

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

WRITE_FLAGS: Final = os.O_WRONLY | os.O_TRUNC | os.O_EXCL
LISTINGS: Final = frozenset({"os.listdir", "os.scandir"})
"""Audit events of who lists a folder."""

READS: Final = LISTINGS | {"sqlite3.connect"}
"""Audit events whose first argument is a path that is about to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A file or folder that is about to be opened, listed or looked for.

    Attributes:
        source: What is done: an audit event (https://docs.python.org/3/library/audit_events.html), or ``os.stat``.
        path: As it was given.
        name: Its absolute path.
        is_read: Whether its content counts; False if it is made or emptied.
        frame: Where it is done; None if no Python code does it, as when an interpreter opens its script.
    """

    source: str
    path: Any
    name: str
    is_read: bool
    frame: FrameType | None


def follow_files(look_at: Callable[[Access], None]) -> None:
    """Call a function before each access; the program gets what it raises.

    Effects: adds an audit hook, which stays for the life of the process (https://peps.python.org/pep-0578/), and
        replaces `os.stat`, on which `exists` and its like rest.
    """

    def tell(source: str, path: Any, *, is_read: bool, frame: FrameType | None) -> None:
        if isinstance(path, (str, bytes, os.PathLike)):
            name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  # Path.absolute keeps dots
            look_at(Access(source=source, path=path, name=name, is_read=is_read, frame=frame))

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            is_read = not any(c in mode for c in "wax") if isinstance(mode, str) else not (flags or 0) & WRITE_FLAGS
            tell(event, path, is_read=is_read, frame=sys._getframe().f_back)  # noqa: SLF001
        elif event in READS:
            tell(event, arguments[0], is_read=True, frame=sys._getframe().f_back)  # noqa: SLF001

    sys.addaudithook(hear)
    replace_stat(lambda path, frame: tell("os.stat", path, is_read=True, frame=frame))


def replace_stat(look: Callable[[Any, FrameType], None]) -> None:
    """Call a function, with the path and the caller's frame, before each call of `os.stat`.

    Effects: replaces `os.stat` for the life of the process.
    """
    original = os.stat

    def stat(path: Any, *args: Any, **kwargs: Any) -> os.stat_result:
        look(path, sys._getframe(1))  # noqa: SLF001
        return original(path, *args, **kwargs)

    replace_function(os, "stat", stat)
    share_abilities(original, os.stat)
