"""See what is written and printed when the interpreter ends, after everything that is recorded: by a ``__del__``, say.

Python tells of its very end by an audit event, when the objects of the script are gone and modules are emptied. What
looks then must hold all that it needs, and can ask for sizes and times alone: to open or list something is told to
other hooks, which no longer work. Left out: what is in such files, which whoever has started the run reads when it has
ended (`reproof.outputs.late`).
"""

from __future__ import annotations

import contextlib
import json
import os
import posix
import sys
from typing import TYPE_CHECKING, Any, Final

import xxhash

from reproof.outputs.records import BYTES, LATE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from reproof.entropy.written import Stamp

END: Final = "cpython.PyInterpreterState_Clear"
"""Audit event (https://docs.python.org/3/library/audit_events.html)."""

PRINTED: Final = '{"unkept":%d,"stream":"stdout","worker":"","digest":"%s"}\n'
"""What is kept of lines that are printed then: their number, and a digest of all characters."""


class LateWatch:
    """What a process leaves when its output is recorded, and what it still does with that until its very end."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._left: dict[str, tuple[Stamp | None, bytes]] = {}

    def add(self, path: str, name: str, stamp: Stamp | None = None, *, was_there: bool = False) -> None:
        """Take a file; one that is known stays as it is.

        Args:
            path: Absolute path.
            name: How it is called.
            stamp: As it was before it was read; None for one that is written only now.
            was_there: Whether it was there before the run.
        """
        entry = {"file": name, "format": BYTES, "not_compared": LATE, **({"was_there": True} if was_there else {})}
        self._left.setdefault(path, (stamp, f"{json.dumps(entry)}\n".encode()))

    def begin(self, record: Path, *, keeps_lines: bool) -> None:
        """Have noted which files are other at the end, and a digest of what was printed.

        Args:
            record: The file of the output of this process, which is complete.
            keeps_lines: Whether somebody else keeps what is printed.

        Effects: adds an audit hook, replaces ``write`` of `sys.stdout` and holds a file open, until the process ends.
        """
        tell_printed = bytes if keeps_lines else _note_writes(sys.stdout)
        file = os.open(record, os.O_WRONLY | os.O_APPEND)
        left, process, end, failed = self._left, os.getpid(), END, OSError
        getpid, lstat, write = posix.getpid, posix.lstat, posix.write  # the originals, which tell nobody

        def hear(event: str, _arguments: tuple[Any, ...]) -> None:
            if event != end or getpid() != process:
                return
            late = [tell_printed()]
            for path, (stamp, line) in left.items():
                try:
                    status = lstat(path)
                except failed:  # gone
                    continue
                now = status.st_size, status.st_mtime_ns, status.st_ino, status.st_ctime_ns
                if stamp is None or stamp[:4] != now:
                    late.append(line)
            try:
                write(file, b"".join(late))
            except failed:
                return

        sys.addaudithook(hear)


def _note_writes(stream: Any) -> Callable[[], bytes]:
    """Return what tells, as a line of the record, what has been printed to a stream since."""
    digest, form, num_lines = xxhash.xxh3_128(), PRINTED, 0

    def write(text: str, /) -> Any:
        nonlocal num_lines
        written = original(text)  # what is no text is refused as ever
        num_lines += text.count("\n")
        digest.update(text.encode("utf-8", "surrogatepass"))
        return written

    def tell() -> bytes:
        return (form % (num_lines or 1, digest.hexdigest())).encode() if digest.intdigest() != nothing else b""

    nothing = digest.intdigest()
    with contextlib.suppress(AttributeError, TypeError):  # none, or an object without room for it
        original = stream.write
        stream.write = write
    return tell
