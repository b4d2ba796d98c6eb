"""Find the files of an earlier run that may matter: one suspect for each line that reads some of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from reproof.explain.suspects import DISK, OF_EARLIER, Suspect, make_suspect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reproof.entropy.ledger import Ledgers, Source

OPENING: Final = frozenset({"open", "sqlite3.connect"})
"""Reads of a file's content: they say more than a look whether it exists."""

KIND: Final = "state-on-disk"


def collect_leftovers(ledgers: Ledgers, overlay: Path | None, last_step: int) -> list[Suspect]:
    """Return the lines that read what an earlier run left, each with its files; those read last come first.

    What is read last is the likeliest: run numbers and prepared data are read when a run begins. `overlay` is the
    folder with copies of these files, or None; what was first read after `last_step` cannot be the cause.
    """
    reads = [(source, file) for source, file in read_files(ledgers, last_step)]
    files = list_files(overlay) if overlay is not None else dict.fromkeys(file for _, file in reads)
    chosen: dict[str, tuple[Source, list[str]]] = {}
    unread = []
    for file in files:
        source = choose_read(reads, file)
        if source is None:
            unread.append(file)
        else:
            chosen.setdefault(source.key, (source, []))[1].append(file)
    order = {key: -number for number, key in enumerate(dict.fromkeys(source.key for source, _ in reads))}
    suspects = [
        replace(make_suspect(source, KIND, source.steps[0]), key=f"{DISK}:{key}", files=tuple(found), order=order[key])
        for key, (source, found) in chosen.items()
    ]
    if unread:  # compiled code may have read them
        suspects.append(Suspect(key=DISK, kind=KIND, source="a file", through="compiled code", files=tuple(unread)))
    return suspects


def read_files(ledgers: Ledgers, last_step: int) -> Iterator[tuple[Source, str]]:
    """Yield each file, or folder, of an earlier run with what read it before a step was over."""
    for sources in ledgers.values():
        for source in sources.values():
            if source.kind == KIND:
                values = zip(source.values, source.steps, strict=False)
                yield from ((source, str(value)) for value, step in values if step <= last_step)


def choose_read(reads: list[tuple[Source, str]], file: str) -> Source | None:
    """Return the first read of a file's content, else of its existence, else of the names in its folder."""
    folders = {str(parent) for parent in PurePath(file).parents}
    found = [source for source, name in reads if name == file]
    listed = [source for source, name in reads if name in folders and source.source.endswith(OF_EARLIER)]
    opened = [source for source in found if source.source in OPENING]
    return next(iter(opened or found or listed), None)


def find_next_files(suspect: Suspect, listed: set[str], ledgers: Ledgers, last_step: int) -> tuple[str, ...]:
    """Return what a line reads once the files that it has read are gone, as the last checkpoint but one.

    Those are all that were only `listed` in the folders where it found one: it would read them one after the other.
    `ledgers` are of the run that found its files gone.
    """
    found = {file for source, file in read_files(ledgers, last_step) if f"{DISK}:{source.key}" == suspect.key}
    folders = {PurePath(file).parent for file in found & listed}
    return tuple(sorted(file for file in listed if PurePath(file).parent in folders))


def list_files(folder: Path) -> list[str]:
    """Return the files below a folder, relative to it."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
