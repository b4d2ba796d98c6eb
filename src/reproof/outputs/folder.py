"""Look through the folder in which a run takes place, for what tells whether a file changes.

Left out: what never is output of a training: folders of caches and version control, environments, traces.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from reproof.entropy.written import Stamp, stamp_status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FILES: Final = 20_000
"""In a folder with more files nothing is compared."""

NOT_OUTPUT: Final = frozenset(
    {".git", ".hg", "__pycache__", ".cache", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
)
"""Folders whose changes are not output of a training."""

HEADER: Final = "run.json"
BESIDE_TRACE: Final = (".experiment.json", ".output.txt", ".errors.txt")
"""Ends of the names of files that reproof writes beside a trace, after the trace's own name."""


def read_stamps(folder: Path) -> dict[str, Stamp] | None:
    """Return the files below a folder with what tells whether they change; None if there are too many.

    A folder with nothing in it is one of them, by a name that ends with a separator: the name is all it states.
    """
    found: dict[str, Stamp] = {}
    for entry in _walk(folder):
        if len(found) >= MAX_FILES:
            return None
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


def _walk(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield files and empty folders below a folder; links are not followed, traces and environments not entered."""
    waiting: list[Path | os.DirEntry[str]] = [folder]
    while waiting:
        place = waiting.pop()
        try:
            entries = list(os.scandir(place))
        except OSError:
            continue
        if not entries and isinstance(place, os.DirEntry):
            yield place
        names = {entry.name for entry in entries}
        if "pyvenv.cfg" in names or {HEADER, "rank0.names"} <= names:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in NOT_OUTPUT:
                    waiting.append(entry)
            elif not _is_beside_trace(entry):
                yield entry


def _is_beside_trace(entry: os.DirEntry[str]) -> bool:
    traces = (entry.path.removesuffix(suffix) for suffix in BESIDE_TRACE if entry.name.endswith(suffix))
    return any(os.path.exists(os.path.join(trace, HEADER)) for trace in traces)  # noqa: PTH110, PTH118  # texts
