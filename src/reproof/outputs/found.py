"""What a run has looked for or read, and left as it was: why another run may have made what this one has not.

A cache is made by the run that looks for it in vain, a folder ``runs/exp2`` by the run that finds ``runs/exp1``.
Without a look a file that one run alone has made is a difference: the other may have decided not to make it.
"""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from reproof.outputs.masks import mask_name
from reproof.outputs.records import MISSED, UNTOUCHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reproof.outputs.records import RunOutput

FOLDER: Final = "/"
"""Ends the name of a folder that a run has looked for."""
LISTING: Final = "/*"
"""Ends the name of a folder that a run has listed."""
_NUMBER: Final = re.compile(r"\d+")


class FoundFiles:
    """The files and folders that a run has looked for or read and left as they were, or looked for in vain."""

    def __init__(self, run: RunOutput) -> None:
        """Take what a run has put out."""
        self._start = None if run.surroundings is None else run.surroundings.folder
        self._names = {file.name for file in run.files if file.format == UNTOUCHED}
        self._missed = {file.name for file in run.files if file.format == MISSED}
        self._filled = {folder for name in _list_written(run) for folder in _list_folders(self._name(name))}

    def is_cache(self, name: str, other: FoundFiles, *, was_there: bool) -> bool:
        """Whether this run has made a file because it was not there, and another left it alone because it was.

        Without a look this run may have decided to make it, and the other not to. A look for the folder counts for what
        is in it, and so does one for a file that marks it as complete; but not in a folder of results, into which the
        other run writes as well. If this run has found the file as well (`was_there`), it is no cache, but written
        over.
        """
        names = self._name(name)
        if was_there or other._names.isdisjoint(names):
            return False
        folders = _list_folders(names) - other._filled
        marked = {PurePath(mark).parent.as_posix() for mark in self._missed & other._names} - {".", self._start}
        return not self._missed.isdisjoint(names | folders) or not marked.isdisjoint(folders)

    def led_to(self, name: str, number: int, other: FoundFiles) -> bool:
        """Whether the run has looked for this file or folder of another and gone on to a number, as it was taken."""
        known = other._name(name)
        if any(one in self._names or f"{one}{FOLDER}" in self._names for one in known):
            return True
        parents = (PurePath(one).parent.as_posix() for one in known)
        listed = any(f"{parent}{LISTING}" in self._names for parent in parents)
        return listed and number == 1 + max(map(int, _NUMBER.findall(PurePath(name).name)[-1:]), default=-1)

    def _name(self, name: str) -> set[str]:
        return {name, os.path.normpath(PurePath(self._start or "", name))}


def _list_folders(names: set[str]) -> set[str]:
    return {folder.as_posix() for name in names for folder in PurePath(name).parents}


def find_numbered(baseline: RunOutput, candidate: RunOutput) -> dict[str, str]:
    """Return, for names of the candidate's files, those of the baseline's which are the same but for a later number.

    ``runs/exp2/last.pt`` is the ``runs/exp1/last.pt`` of a run that has found ``runs/exp1`` taken. ``epoch_4.pt`` is
    not the ``epoch_3.pt`` of a run that did not look for it.
    """
    runs = baseline, candidate
    found = [FoundFiles(run) for run in runs]
    first, second = _list_lone(baseline, candidate)
    by_shape: dict[str, list[str]] = {}
    for name in first:
        by_shape.setdefault(_NUMBER.sub("#", name), []).append(name)
    numbered = {}
    for name in second:
        same = [
            other
            for other in by_shape.get(_NUMBER.sub("#", name), ())
            if _is_next(other, name, *reversed(found)) or _is_next(name, other, *found)
        ]
        if len(same) == 1:
            numbered[name] = same[0]
    return numbered


def _is_next(earlier: str, later: str, found: FoundFiles, other: FoundFiles) -> bool:
    """Whether two names differ in one number, the later of which a run has come to as it found the earlier taken."""
    parts = [PurePath(name).parts for name in (earlier, later)]
    places = [place for place, (one, other) in enumerate(zip(*parts, strict=True)) if one != other]
    if len(places) != 1:
        return False
    taken = parts[0][places[0]]
    numbers = [_NUMBER.findall(part[places[0]]) for part in parts]
    differing = [(int(one), int(other)) for one, other in zip(*numbers, strict=True) if one != other]
    if len(differing) != 1 or differing[0][0] >= differing[0][1]:
        return False
    return found.led_to(PurePath(*parts[0][: places[0]], taken).as_posix(), differing[0][1], other)


def _list_lone(baseline: RunOutput, candidate: RunOutput) -> Iterator[list[str]]:
    """Yield, for each run, the names of what it has written and the other has not, by masked names too."""
    runs = baseline, candidate
    written = [dict.fromkeys(_list_written(run)) for run in runs]
    masked = [
        {
            name: name if run.surroundings is None else mask_name(name, run.surroundings)
            for name in own
            if name not in other
        }
        for run, own, other in zip(runs, written, reversed(written), strict=True)
    ]
    for own, other in zip(masked, reversed(masked), strict=True):
        known = set(other.values())
        yield [name for name, shape in own.items() if shape not in known]


def _list_written(run: RunOutput) -> Iterable[str]:
    yield from (file.name for file in run.files if file.is_written)
    yield from (tensor.file for tensor in run.saved)
