"""Find what a run changed in the user's folder, and copy that folder for runs that must not share files."""

from __future__ import annotations

import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reproof.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

WORK: Final = "reproof-"
"""How the names of temporary folders begin in which we keep copies."""

MAX_FILES: Final = 100_000
"""A folder with more files is not looked through for what a run wrote."""

MAX_COPY_BYTES: Final = 8 << 30
"""A larger folder is refused: copying it would take long and may fill the disk."""

NOT_OUTPUT: Final = frozenset({".git", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"})
"""Folders whose changes are not output of a training."""

State = dict[str, tuple[int, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderChange:
    """What a run changed in its working folder.

    Attributes:
        created: Files that were not there before, relative to the folder, sorted.
        modified: Files with another size or time of modification.
        deleted: Files that are no longer there.
    """

    created: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether anything changed."""
        return bool(self.created or self.modified or self.deleted)


def read_state(folder: Path, *, without: Path | None = None) -> State | None:
    """Return size and time of modification of every file below a folder; None if there are too many to look at.

    Files in the folder `without` do not count.
    """
    state: State = {}
    for entry in _walk(folder, without):
        if len(state) >= MAX_FILES:
            return None
        try:
            status = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # deleted meanwhile
        state[os.path.relpath(entry.path, folder)] = (status.st_size, status.st_mtime_ns)
    return state


def find_changes(before: State | None, after: State | None) -> FolderChange:
    """Return what differs between two states of a folder; nothing if one of them is unknown."""
    if before is None or after is None:
        return FolderChange()
    return FolderChange(
        created=tuple(sorted(after.keys() - before.keys())),
        modified=tuple(sorted(name for name in after.keys() & before.keys() if after[name] != before[name])),
        deleted=tuple(sorted(before.keys() - after.keys())),
    )


def measure_folder(folder: Path, limit: int) -> int:
    """Return how many bytes a copy of a folder would take; beyond `limit` it is not measured to its end."""
    size = 0
    for entry in _walk(folder):
        size += _size_of(entry)
        if size > limit:
            break
    return size


def copy_folder(source: Path, target: Path) -> None:
    """Copy a folder with times and links as they are, without virtual environments and what has no content of its own.

    Raises UsageError if it is too large, or cannot be copied.
    """
    size = measure_folder(source, MAX_COPY_BYTES)
    if size > MAX_COPY_BYTES:
        raise UsageError(
            f"{source} holds over {MAX_COPY_BYTES >> 30} GiB",
            "run it from a smaller folder",
        )
    # TMPDIR may lie in it, as on clusters: our own folder of copies stays behind
    work = next((path for path in target.parents if path.name.startswith(WORK)), target).resolve()

    def leave_out(folder: str, names: list[str]) -> set[str]:
        return {name for name in names if not _is_copied(path := Path(folder, name)) or path == work}

    try:
        shutil.copytree(source.resolve(), target, symlinks=True, ignore=leave_out, copy_function=_copy_file)
    except (OSError, shutil.Error) as error:
        first = error.args[0] if isinstance(error, shutil.Error) else None
        reason = f"{first[0][0]}: {first[0][2]}" if isinstance(first, list) else str(error)
        remedy = "give TMPDIR a folder with room for a copy"
        raise UsageError(f"cannot copy {source}: {reason.splitlines()[0]}", remedy) from error


def _is_copied(path: Path) -> bool:
    """Whether it is no environment, pipe, socket or device, may be read and is still there."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    if stat.S_ISDIR(mode):
        return os.access(path, os.R_OK | os.X_OK) and not is_environment(path)
    return stat.S_ISLNK(mode) or (stat.S_ISREG(mode) and os.access(path, os.R_OK))


def _copy_file(source: str, target: str) -> None:
    """Copy a file, unless another process has deleted it since the folder was listed."""
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        if os.path.lexists(source):
            raise


def is_environment(folder: Path) -> bool:
    """Whether a folder is a virtual environment."""
    return (folder / "pyvenv.cfg").is_file()


def _size_of(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except OSError:
        return 0


def _walk(folder: Path, without: Path | None = None) -> Iterator[os.DirEntry[str]]:
    """Yield the files below a folder, without those of caches and virtual environments; links are not followed."""
    pending = [str(folder)]
    left_out = None if without is None else str(without)
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError:
            continue  # the run cannot have written into a folder that it may not read
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                yield entry
            elif entry.name not in NOT_OUTPUT and entry.path != left_out and not is_environment(Path(entry.path)):
                pending.append(entry.path)
