"""Read what a run has written after it had recorded its output, once it has ended.

Left out: what programs write that still run then.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from reproof.entropy.ledger import Written, read_written
from reproof.entropy.written import read_stamp
from reproof.outputs.contents import read_contents
from reproof.outputs.folder import read_stamps
from reproof.outputs.records import LATE, UNFINISHED
from reproof.outputs.sidecar import append_files, read_output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.entropy.written import Stamp

CLOCK_SECONDS: Final = 0.1
"""So far the clock of a file system may be behind."""


def read_late(trace: Path, folder: Path, *, is_placed: bool = False) -> None:
    """Read those files again, and append them to what is recorded of the run.

    Args:
        trace: Folder of its trace; without a complete record of output nothing is done.
        folder: Where its working folder is now.
        is_placed: Whether it saw files elsewhere than they are now; then these are left as they are.

    Raises:
        OSError: If the record cannot be written.
        TraceError: If it cannot be read.
    """
    output = read_output(trace, 0)
    if output is None or not output.is_complete or output.surroundings is None:
        return
    known = output.surroundings
    unread = {file.name for file in output.files if file.not_compared in {UNFINISHED, LATE}}
    since = int((known.ended_at - CLOCK_SECONDS) * 1e9)
    append_files(
        trace,
        0,
        [
            read_contents(Path(file.path), file.name, known, file.num_earlier)
            for file, stamp in _list_files(trace, folder, unread, is_placed=is_placed)
            if file.name in unread or max(stamp[1], stamp[3]) >= since
        ],
    )


def _list_files(trace: Path, folder: Path, unread: set[str], *, is_placed: bool) -> Iterator[tuple[Written, Stamp]]:
    """Yield the files in the folder, and those elsewhere that the run has written, with what tells when."""
    inside = read_stamps(folder)
    for name, stamp in inside.items():
        yield Written(str(folder / name), name, was_there=False), stamp
    if is_placed:
        return
    elsewhere = {file.name: file for file in read_written(trace)}
    elsewhere |= {name: Written(str(folder / name), name, was_there=False) for name in unread - elsewhere.keys()}
    for file in elsewhere.values():
        found = None if file.name in inside else read_stamp(file.path)
        if found is not None:
            yield file, found
