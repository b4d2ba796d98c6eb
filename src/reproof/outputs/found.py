"""What a run has looked for or read, and left as it was: why another run may have made what this one has not.

A cache is made by the run that looks for it in vain, a folder ``runs/exp2`` by the run that finds ``runs/exp1``.
Without a look a file that one run alone has made is a difference: the other may have decided not to make it.
"""

from __future__ import annotations

import os
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

from reproof.outputs.lines import is_whole
from reproof.outputs.masks import mask_name
from reproof.outputs.records import MISSED, UNTOUCHED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from reproof.outputs.records import RunOutput

FOLDER: Final = "/"
"""Ends the name of a folder that a run has looked for."""
LISTING: Final = "/*"
"""Ends the name of a folder that a run has listed."""
_NUMBER: Final = re.compile(r"\d+")
_ADDED: Final = re.compile(r"(?P<name>.+?)(?:[-_. ]?v?|[-_ ]?\()(?P<number>\d+)\)?(?P<end>(?:\.[A-Za-z]\w*)*)")
"""A name with a number that it got because the one without was taken: ``best-v1.ckpt``, ``run_1``, ``log (2).txt``."""


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
    by_shape: dict[str, dict[str, None]] = {}
    for name in first:
        for shape in _list_shapes(name):
            by_shape.setdefault(shape, {}).setdefault(name)
    numbered = {}
    for name in second:
        likely = dict.fromkeys(other for shape in _list_shapes(name) for other in by_shape.get(shape, ()))
        same = [other for other in likely if _is_next(other, name, *reversed(found)) or _is_next(name, other, *found)]
        if len(same) == 1:
            numbered[name] = same[0]
    return numbered


class NumberedPlaces:
    """The files and folders of the candidate that are the baseline's under another number, as texts name them."""

    def __init__(self, numbered: Mapping[str, str]) -> None:
        """Take the names of files that `find_numbered` has found."""
        self._names: dict[str, str] = {}
        for name, other in numbered.items():
            parts = PurePath(name).parts, PurePath(other).parts
            place = next(place for place, (one, same) in enumerate(zip(*parts, strict=True)) if one != same)
            one, same = (PurePath(*own[: place + 1]).as_posix() for own in parts)
            self._names[one] = same
        longest_first = sorted(map(re.escape, self._names), key=len, reverse=True)
        self._pattern = re.compile(rf"(?<!\w)(?:{'|'.join(longest_first)})(?!\w)") if self._names else None

    def explain(self, baseline: str | None, candidate: str | None) -> bool:
        """Whether two texts are of the same words but for these names; of one that is shortened that is not known."""
        if not baseline or not candidate or baseline == candidate:
            return False
        return is_whole(baseline) and is_whole(candidate) and self.rename(candidate) == baseline

    def rename(self, candidate: str) -> str:
        """Return a text with the names that the baseline has for these files."""
        if self._pattern is None:
            return candidate
        return self._pattern.sub(lambda match: self._names[match[0]], candidate)


def _list_shapes(name: str) -> Iterator[str]:
    """Yield what a name has in common with that of the same file under another number, or without one."""
    yield _NUMBER.sub("#", name)
    parts = PurePath(name).parts
    for place, part in enumerate(parts):
        if match := _ADDED.fullmatch(part):
            first = match["name"] + match["end"]
            yield _NUMBER.sub("#", PurePath(*parts[:place], first, *parts[place + 1 :]).as_posix())


def _is_next(earlier: str, later: str, found: FoundFiles, other: FoundFiles) -> bool:
    """Whether two names differ in one number, the later of which a run has come to as it found the earlier taken.

    The earlier may be without a number, as the first of its name.
    """
    parts = [PurePath(name).parts for name in (earlier, later)]
    if len(parts[0]) != len(parts[1]):
        return False
    places = [place for place, (one, other) in enumerate(zip(*parts, strict=True)) if one != other]
    if len(places) != 1:
        return False
    taken, given = (part[places[0]] for part in parts)
    number = _find_number(taken, given)
    return number is not None and found.led_to(PurePath(*parts[0][: places[0]], taken).as_posix(), number, other)


def _find_number(earlier: str, later: str) -> int | None:
    """Return the number in which a name is later than another; None if it is not, or they differ in more."""
    added = _ADDED.fullmatch(later)
    if added and added["name"] + added["end"] == earlier:
        return int(added["number"])
    if _NUMBER.sub("#", earlier) != _NUMBER.sub("#", later):
        return None
    pairs = zip(_NUMBER.findall(earlier), _NUMBER.findall(later), strict=True)
    differing = [(int(one), int(other)) for one, other in pairs if one != other]
    return differing[0][1] if len(differing) == 1 and differing[0][0] < differing[0][1] else None


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
