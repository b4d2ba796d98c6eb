"""Put a finished folder in the place of another so that a crash at any moment leaves one of the two whole.

Linux exchanges two names in one step (renameat2, RENAME_EXCHANGE). Where the file system cannot, the old folder has a
hidden name between two renames; after a crash there, the next process to lock the folder restores it.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from reproof.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_AT_FDCWD: Final = -100
_RENAME_EXCHANGE: Final = 2


def hidden(folder: Path, what: str) -> Path:
    """Return the hidden name beside a folder for something that belongs to it."""
    return folder.with_name(f".{folder.name}.{what}")


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, so that other processes wait before they replace it.

    Raises BundleError if its parent cannot be written. Effects: creates a lock file beside the folder, and restores a
    folder that a crash has left under a hidden name.
    """
    path = hidden(folder, "lock")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise BundleError(f"cannot write {folder}: {error.strerror}", "choose another folder") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        previous = hidden(folder, "previous")
        if previous.is_dir():
            if folder.exists():
                shutil.rmtree(previous, ignore_errors=True)
            else:
                previous.rename(folder)
        yield
    finally:
        os.close(descriptor)


def make_staging(folder: Path, name: str) -> Path:
    """Create an empty folder, on the same file system, in which the next content of a folder is prepared.

    Effects: removes those left by processes of this machine that no longer exist.
    """
    parent = hidden(folder, "candidates")
    remove_abandoned(parent)
    staging = parent / f"{_host()}-{os.getpid()}-{name}"
    try:
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(parents=True)
    except OSError as error:
        raise BundleError(f"cannot write {staging}: {error.strerror}", "choose another folder") from None
    return staging


def discard_staging(staging: Path) -> None:
    """Remove a folder that will not be used."""
    shutil.rmtree(staging, ignore_errors=True)
    with suppress(OSError):  # another process is preparing one
        staging.parent.rmdir()


def remove_abandoned(parent: Path) -> None:
    """Remove what was left by processes of this machine that no longer exist."""
    for path in parent.glob(f"{_host()}-*-*") if parent.is_dir() else ():
        pid = path.name.removeprefix(f"{_host()}-").partition("-")[0]
        if pid.isdigit() and not _is_alive(int(pid)):
            shutil.rmtree(path, ignore_errors=True)


def replace_folder(staging: Path, folder: Path) -> None:
    """Put a finished folder in the place of another, or of none.

    Effects: writes the content to the disk before the name; removes the old folder.
    """
    _sync(staging)
    if not folder.exists():
        staging.rename(folder)
    elif _exchange(staging, folder):
        shutil.rmtree(staging, ignore_errors=True)
    else:
        previous = hidden(folder, "previous")
        folder.rename(previous)
        staging.rename(folder)
        shutil.rmtree(previous, ignore_errors=True)
    _sync_one(folder.parent)
    discard_staging(staging)


def _exchange(first: Path, second: Path) -> bool:
    """Exchange two names in one step; False where the system cannot."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return False
    done: int = function(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE)
    return done == 0


def _sync(folder: Path) -> None:
    for path in [*folder.rglob("*"), folder]:
        _sync_one(path)


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _host() -> str:
    return "".join(c for c in socket.gethostname() if c.isalnum() or c == ".")[:60] or "host"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True
