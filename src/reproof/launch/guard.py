"""Refuse what Python does to files outside of some folders: where the system itself offers no confinement.

Left out: files that compiled code opens by itself, and processes that are started rather than forked.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

WRITING: Final = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC

CHANGED: Final = {
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rmdir": (0,),
    "os.truncate": (0,),
    "os.chmod": (0,),
    "os.utime": (0,),
    "os.symlink": (1,),
    "os.link": (1,),
    "os.rename": (0, 1),
}
"""Audit events, and which of their arguments name what is changed (docs.python.org/3/library/audit_events.html)."""


def refuse_writes(writable: Iterable[str]) -> None:
    """Let this process and its forked children write below these folders alone.

    Effects: adds an audit hook, for the life of the process; it raises `PermissionError`.
    """
    prefixes = tuple(os.path.join(os.path.realpath(folder), "") for folder in writable)  # noqa: PTH118  # as text

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        for path in find_written(event, arguments):
            if not os.path.realpath(os.fsdecode(path)).startswith(prefixes):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    sys.addaudithook(refuse)


def find_written(event: str, arguments: tuple[Any, ...]) -> Iterator[Any]:
    """Yield the paths of what an audited call is about to change; open files and folders count as seen before."""
    if event == "open":
        path, _, flags = arguments
        written = [path] if isinstance(flags, int) and flags & WRITING else []
    else:
        written = [arguments[number] for number in CHANGED.get(event, ())]
    yield from (path for path in written if isinstance(path, str | bytes | os.PathLike))
