"""Open the files of a trace: each is a regular file that can be read, or a one-line error says why not."""

from __future__ import annotations

import errno
import mmap
import stat
import zlib
from typing import TYPE_CHECKING, Final

from reproof.errors import TraceError
from reproof.trace import format as fmt

if TYPE_CHECKING:
    from pathlib import Path

MAX_READ_BYTES: Final = 1 << 30
"""So large is no file of a trace that is read whole; one with holes takes no room on a disk, and all of the memory."""

ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})


def list_folder(folder: Path, wanted: str, remedy: str) -> list[str]:
    """Return the names of the files in a folder, in which the caller looks for what is `wanted`.

    Raises TraceError if it is missing, no folder, or cannot be read.
    """
    try:
        return [path.name for path in folder.iterdir()]
    except NotADirectoryError:
        problem = f"{folder} is a file and not the folder of a {wanted}"
    except (FileNotFoundError, ValueError):  # ValueError: a name with a NUL character
        problem = f"no {wanted} at {folder}"
    except OSError as error:
        raise unreadable(folder, error) from None
    raise TraceError(problem, remedy, slug="trace-missing")


def read_file(path: Path) -> bytes:
    """Return the content of a file.

    Raises TraceError if it is missing, not a regular file, larger than any of its kind, or cannot be read.
    """
    try:
        check_regular(path)
        if (size := path.stat().st_size) > MAX_READ_BYTES:
            raise damaged(path, f"it has {size} bytes, and no file of a trace that is read whole more than 1 GiB")
        return path.read_bytes()
    except OSError as error:
        raise unreadable(path, error) from None


def map_file(path: Path) -> mmap.mmap:
    """Return a file as memory. Raises TraceError if it is missing, not a regular file, empty, or cannot be read."""
    try:
        check_regular(path)
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:
        raise TraceError(f"{path} is empty", "record the run again", slug="trace-empty") from None
    except OSError as error:
        raise unreadable(path, error) from None


def check_regular(path: Path) -> None:
    """Refuse pipes, which would be waited for, and folders.

    Raises OSError if the file cannot be looked at and TraceError if it is not a regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise TraceError(f"{path} is not a regular file", "record the run again", slug="trace-damaged")


def check_header(path: Path, part: str, rank: int, mapped: mmap.mmap) -> bytes:
    """Check the header of a binary file and return the 16-byte ID of its run.

    Raises TraceError if the file is foreign, damaged, of another process, or of a newer format.
    """
    head = mapped[: fmt.HEADER_BYTES]
    if len(head) < fmt.HEADER_BYTES or head[:8] != fmt.HEADED[part]:
        msg = f"{path} is not the {part} file of a trace"
        raise TraceError(msg, "record the run again", slug="trace-foreign")
    _, version, owner, run_id, _, crc = fmt.HEADER.unpack(head)
    check_version(path, version)  # before the checksum: a newer format may compute it in another way
    if crc != zlib.crc32(head[:-4]):
        raise damaged(path, "its header fails its checksum")
    if owner != rank:
        raise damaged(path, f"it is of rank {owner}")
    return bytes(run_id)


def check_version(path: Path, version: int) -> None:
    """Refuse formats that this release does not read.

    Raises TraceError if the version is newer, or none that was ever written.
    """
    if version > fmt.FORMAT_VERSION:
        msg = f"{path} has format version {version}, and this release reads up to {fmt.FORMAT_VERSION}"
        raise TraceError(msg, "upgrade reproof", slug="trace-newer")
    if version < 1:
        raise damaged(path, f"it has format version {version}")


def damaged(path: Path, problem: str) -> TraceError:
    """Return the error for a file whose content is wrong."""
    return TraceError(f"{path} is damaged: {problem}", "record the run again", slug="trace-damaged")


def unreadable(path: Path, error: OSError) -> TraceError:
    """Return the error for a file that the file system does not give."""
    if error.errno in ABSENT:
        return TraceError(f"{path} is missing", "record the run again", slug="trace-damaged")
    msg = f"cannot read {path}: {error.strerror or error}"
    return TraceError(msg, "check its name and its permissions", slug="trace-unreadable")
