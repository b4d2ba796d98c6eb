"""Find the files that a run has created or changed, below the folder in which it began.

Left out: what is in them (`reproof.outputs.contents`), and what never counts (`reproof.outputs.folder`).
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from reproof.entropy.ledger import ALL
from reproof.entropy.written import Stamp, is_rewritten, read_own_stamp, read_stamp
from reproof.outputs.folder import read_stamps
from reproof.outputs.found import FOLDER, LISTING
from reproof.outputs.records import MISSED, UNTOUCHED, FileOutput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reproof.entropy.found import Found
    from reproof.entropy.ledger import Written

ALL_FILES: Final = f"{os.sep}{ALL}"
MAX_UNTOUCHED: Final = 2_000
"""So many files are told that a run has found and left; of folders of which all count, the latest."""


class Changes(NamedTuple):
    """What a run has done to the files of a folder.

    Attributes:
        changed: Paths, relative to the folder, of files that are new or other than before, sorted.
        untouched: Of those that are as they were.
    """

    changed: tuple[str, ...]
    untouched: tuple[str, ...]


def find_changes(before: dict[str, Stamp], after: dict[str, Stamp]) -> Changes:
    """Return what has changed between two looks at a folder."""
    changed = {name for name, stamp in after.items() if is_rewritten(before.get(name), stamp)}
    return Changes(tuple(sorted(changed)), tuple(sorted(after.keys() - changed)))


def list_untouched(
    folder: Path, stamps: dict[str, Stamp | None], found: Iterable[str], since: float
) -> list[FileOutput]:
    """Return the files and folders that a run has looked for or read, and left as they were.

    Args:
        folder: Where the run began.
        stamps: Of the files below it that were looked through, by absolute paths; None if the run has changed it.
        found: Absolute paths that the run has looked at, as `read_found` gives them. That it has listed a folder does
            not mean that it looked for each file in it.
        since: When the run began, in seconds since 1970; what was written elsewhere later is not as it was.
    """
    files: dict[str, Stamp] = {}
    listed: dict[str, Stamp] = {}
    folders = []
    for path in found:
        if path.endswith(os.sep):
            folders.append(f"{path.rstrip(os.sep)}{LISTING}")
        elif path.endswith(ALL_FILES):
            listed |= _list_stamps(path.removesuffix(ALL_FILES), stamps)
        elif os.path.isdir(path):  # noqa: PTH112  # a text
            folders.append(f"{path}{FOLDER}")
        elif (stamp := _find_stamp(path, stamps)) is not None:
            files[path] = stamp
    before = {name: stamp for name, stamp in (files | listed).items() if name in stamps or stamp[1] < since * 1e9}
    latest = sorted(before.items(), key=lambda item: (item[0] not in files, -item[1][1]))[:MAX_UNTOUCHED]
    return [
        FileOutput(name=_name(name, folder), format=UNTOUCHED) for name in (*(name for name, _ in latest), *folders)
    ]


def list_outside(written: Iterable[Written]) -> Iterator[Written]:
    """Yield the files that are left of those that a run has written elsewhere: of a folder that it moved, all in it."""
    for file in written:
        if read_own_stamp(file.path) is not None:
            yield file
        elif os.path.isdir(file.path):  # noqa: PTH112  # a text
            for name in sorted(read_stamps(Path(file.path))):
                yield replace(file, path=f"{file.path}{os.sep}{name}", name=f"{file.name}{os.sep}{name}")


def list_missed(folder: Path, found: Found, saved: Mapping[str, str]) -> list[FileOutput]:
    """Return the files and folders that a run has looked for in vain, and that are there now.

    `saved` has, by absolute paths, what files were called when something was saved to them.
    """
    paths = [path for path in found.missing if not path.endswith(ALL_FILES)]
    listed = {path.removesuffix(ALL): () for path in found.missing if path.endswith(ALL_FILES)} | found.holds
    for place, held in listed.items():
        with contextlib.suppress(OSError):  # gone
            paths += (entry.path for entry in os.scandir(place) if entry.name not in held)
    there = dict.fromkeys(path for path in paths if os.path.lexists(path))
    return [
        FileOutput(name=_name(path, folder), format=MISSED, saved_as=saved.get(path))
        for path in list(there)[:MAX_UNTOUCHED]
    ]


def _name(path: str, folder: Path) -> str:
    inside = f"{folder}{os.sep}"
    return (f".{LISTING}" if path == f"{folder}{LISTING}" else path.removeprefix(inside)).replace(os.sep, "/")


def _list_stamps(path: str, stamps: dict[str, Stamp | None]) -> dict[str, Stamp]:
    try:
        names = [entry.path for entry in os.scandir(path)]
    except OSError:  # gone, or there never was one
        return {}
    return {name: stamp for name in names if (stamp := _find_stamp(name, stamps)) is not None}


def _find_stamp(path: str, stamps: dict[str, Stamp | None]) -> Stamp | None:
    """Return the stamp of a file; of one that was looked for in the folder, if the run has left it as it was."""
    real = os.path.realpath(path)
    return stamps[real] if real in stamps else read_stamp(path)
