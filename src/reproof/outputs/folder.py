"""Look through the folder in which a run takes place, for what tells whether a file changes.

Left out: what never is output of a training: folders of caches and version control, environments, traces.
"""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING, Final

from reproof.entropy.written import Stamp, stamp_status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FILES: Final = 20_000
"""So many files are looked at; folders that hold more, as of images, are passed over."""

NOT_OUTPUT: Final = frozenset(
    {".git", ".hg", "__pycache__", ".cache", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
)
"""Folders whose changes are not output of a training."""

HEADER: Final = "run.json"
BESIDE_TRACE: Final = (".experiment.json", ".output.txt", ".errors.txt")
"""Ends of the names of files that reproof writes beside a trace, after the trace's own name."""


def read_stamps(folder: Path, passed: dict[str, None] | None = None) -> dict[str, Stamp]:
    """Return the files below a folder with what tells whether they change.

    A folder with nothing in it is one of them, by a name that ends with a separator: the name is all it states.

    Args:
        folder: Where to look.
        passed: Takes the names of folders, relative to this one, that are passed over with all that is in them, since
            they hold too many files. Those in it already are passed over, too, so that a second look sees no more.
    """
    passed = {} if passed is None else passed
    found: dict[str, Stamp] = {}
    for entry in _walk(folder, passed):
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # deleted meanwhile
        name = os.path.relpath(entry.path, folder)
        if entry.is_dir(follow_symlinks=False):
            found[f"{name}{os.sep}"] = (0, 0, 0, 0, 0, 0)
        else:
            found[name] = stamp_status(status)
    return found


def _walk(folder: Path, passed: dict[str, None]) -> Iterator[os.DirEntry[str]]:
    """Yield files and empty folders below a folder, those higher up first, as what runs leave is not far down.

    Links are not followed, traces and environments not entered.
    """
    waiting: deque[Path | os.DirEntry[str]] = deque([folder])
    num_files = 0
    while waiting:
        place = waiting.popleft()
        name = os.path.relpath(place, folder)
        if name in passed:
            continue
        try:
            entries = list(os.scandir(place))
        except OSError:
            continue
        names = {entry.name for entry in entries}
        if "pyvenv.cfg" in names or {HEADER, "rank0.names"} <= names:
            continue
        if not entries and isinstance(place, os.DirEntry):
            yield place
        files = [entry for entry in entries if not entry.is_dir(follow_symlinks=False)]
        if num_files + len(files) > MAX_FILES:
            passed[name] = None
            continue
        num_files += len(files)
        yield from (entry for entry in files if not _is_beside_trace(entry))
        waiting += (entry for entry in entries if entry.is_dir(follow_symlinks=False) and entry.name not in NOT_OUTPUT)


def _is_beside_trace(entry: os.DirEntry[str]) -> bool:
    traces = (entry.path.removesuffix(suffix) for suffix in BESIDE_TRACE if entry.name.endswith(suffix))
    return any(os.path.exists(os.path.join(trace, HEADER)) for trace in traces)  # noqa: PTH110, PTH118  # texts
