"""Find the files that a run has created or changed, below the folder in which it began.

Left out: what is in them (`reproof.outputs.contents`), folders of caches and version control, traces.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MAX_FILES: Final = 20_000
"""In a folder with more files nothing is compared."""

MAX_UNTOUCHED: Final = 2_000
"""So many files that were there before are told by name: another run may have made one of them."""

NOT_OUTPUT: Final = frozenset(
    {".git", ".hg", "__pycache__", ".cache", ".ipynb_checkpoints", ".mypy_cache", ".pytest_cache", ".ruff_cache"}
)
"""Folders whose changes are not output of a training."""

BESIDE_TRACE: Final = (".experiment.json", ".output.txt", ".errors.txt")
"""Ends of the names of files that reproof writes beside a trace, after the trace's own name."""

Stamp = tuple[int, int, int]
"""Size, time of modification and inode of a file."""


class Changes(NamedTuple):
    """What a run has done to the files of a folder.

    Attributes:
        changed: Paths, relative to the folder, of files that are new or other than before, sorted.
        untouched: Of those that are as they were; empty if they are too many to tell.
    """

    changed: tuple[str, ...]
    untouched: tuple[str, ...]


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
            found[f"{name}{os.sep}"] = (0, 0, 0)
        else:
            found[name] = (status.st_size, status.st_mtime_ns, status.st_ino)
    return found


def find_changes(before: dict[str, Stamp], after: dict[str, Stamp]) -> Changes:
    """Return what has changed between two looks at a folder."""
    changed = tuple(sorted(name for name in after if after[name] != before.get(name)))
    untouched = tuple(sorted(name for name in after if after[name] == before.get(name)))
    return Changes(changed, untouched if len(untouched) <= MAX_UNTOUCHED else ())


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
        if "pyvenv.cfg" in names or {"run.json", "rank0.names"} <= names:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in NOT_OUTPUT:
                    waiting.append(entry)
            elif not any(entry.name.removesuffix(suffix) in names - {entry.name} for suffix in BESIDE_TRACE):
                yield entry
