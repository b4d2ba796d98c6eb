"""The data files of a bundle, where they are here: at their places in the project, or anywhere, by their digest."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reproof.bundle.manifest import digest_file
from reproof.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reproof.bundle.records import Bundle

DataState = Literal["same", "different", "missing", "outside"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A data file that a bundle names.

    Attributes:
        name: Its path in the project; of a file that lay outside, its name alone.
        sha256: Digest of its bytes in the bundle.
        state: Whether the file here has these bytes; *outside* for one that only the training itself can find.
        path: Where it is here, or None.
    """

    name: str
    sha256: str
    state: DataState
    path: Path | None


def find_by_digest(bundle: Bundle, folder: Path) -> dict[str, Path]:
    """Return where below a folder the data files of a bundle are, by their bytes, whatever they are called.

    Of several copies, one with the same path or name is taken. Links to folders are not followed. Raises UsageError if
    there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", "name the folder of the data with --data")
    wanted: dict[str, Any] = bundle.data.get("files", {})
    sizes = {entry.get("bytes") for entry in wanted.values()}
    digests: dict[str, list[Path]] = {}
    for place, _, names in os.walk(folder):
        for path in (Path(place, name) for name in sorted(names)):
            try:
                if path.is_file() and (path.stat().st_size in sizes or None in sizes):
                    digests.setdefault(digest_file(path), []).append(path.absolute())
            except OSError:
                continue  # one that cannot be read is not the one
    found = {}
    for name, entry in wanted.items():
        if paths := digests.get(entry["sha256"]):
            found[name] = max(paths, key=partial(_count_same_parts, name))
    return found


def _count_same_parts(name: str, path: Path) -> int:
    """Return how many parts two paths have in common at their ends."""
    pairs = zip(reversed(Path(name).parts), reversed(path.parts), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def list_data_files(bundle: Bundle, project: Path, found: Mapping[str, Path]) -> tuple[DataFile, ...]:
    """Return each data file of a bundle with its place here."""
    return tuple(_locate(name, entry, project, found.get(name)) for name, entry in bundle.data.get("files", {}).items())


def _locate(name: str, entry: Mapping[str, Any], project: Path, found: Path | None) -> DataFile:
    if found is None and not entry.get("in_project"):
        return DataFile(name=name, sha256=entry["sha256"], state="outside", path=None)
    path = found or project / name
    try:
        is_same = digest_file(path) == entry["sha256"]
    except OSError:
        return DataFile(name=name, sha256=entry["sha256"], state="missing", path=None)
    return DataFile(name=name, sha256=entry["sha256"], state="same" if is_same else "different", path=path)
