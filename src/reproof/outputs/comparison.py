"""Compare what two runs have put out: what they saved, what they printed, the files that they left.

A difference in known noise only is told apart from every other; whether another is one of the trainings or of their
surroundings is for an experiment to decide, not for this room.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from reproof.outputs.appending import drop_earlier
from reproof.outputs.formats.parts import PartCollector
from reproof.outputs.found import FoundFiles, NumberedPlaces, find_numbered
from reproof.outputs.line_comparison import LineDifference, compare_in_order, compare_lines, mask_parts, sort_braces
from reproof.outputs.lines import is_whole
from reproof.outputs.masks import mask_name
from reproof.outputs.pairing import FilePair, is_ignored, pair_files
from reproof.outputs.records import BYTES, LATE, LINES
from reproof.schema.output import WHOLE_FILE
from reproof.schema.telling import plural

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from reproof.outputs.records import FileOutput, Part, RunOutput, SavedTensor, UnkeptLines
    from reproof.outputs.surroundings import Surroundings

Kind = Literal["saved", "line", "file"]
UNWRITTEN: Final = "printed lines and files"
"""What is not compared where a run has not written them to their end."""
_KEY: Final = re.compile(r"[A-Za-z_][\w-]*|\[\d+\]$")
"""The names that lead to a saved value, and the number at the end."""
_PATH_KEY: Final = re.compile(r"(?<=\[['\"])/[^'\"]{1,1000}(?=['\"]\])")
_SHAPE: Final = re.compile(r"\[[\d, ]*\]$")
"""How the text of a tensor ends, which tells nothing of its numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDifference:
    """Something that the outputs of two runs do not agree on, as `reproof.schema.OutputDifference`.

    Attributes:
        step: 0-based index of the optimizer step, if it is known.
        is_noise: Whether only known noise differs.
    """

    kind: Kind
    name: str
    baseline: str | None
    candidate: str | None
    step: int | None = None
    is_noise: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCompared:
    """Output that was not compared, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputComparison:
    """How the outputs of two runs compare.

    Attributes:
        differences: What differs beyond known noise: what was saved, by step; then lines; then files.
        noise: What differs in known noise only, of saved values and files.
        notes: What is told and not judged, a sentence each.
        num_lines: Printed lines compared.
        num_masked_lines: Of these, lines that differ in known noise only.
    """

    differences: tuple[OutputDifference, ...]
    noise: tuple[OutputDifference, ...]
    notes: tuple[str, ...]
    not_compared: tuple[NotCompared, ...]
    num_saved: int
    num_lines: int
    num_masked_lines: int
    num_files: int

    @property
    def first(self) -> OutputDifference | None:
        """The first difference beyond known noise."""
        return self.differences[0] if self.differences else None


def compare_outputs(baseline: RunOutput, candidate: RunOutput, ignored: Sequence[str] = ()) -> OutputComparison:
    """Compare the outputs of two runs. Files whose names match a pattern of `ignored` are not compared."""
    known = baseline.surroundings, candidate.surroundings
    joined: tuple[Surroundings | None, Surroundings | None] = known
    if known[0] is not None and known[1] is not None:  # one may have been given the clock of the other
        joined = known[0].join(known[1]), known[1].join(known[0])
    numbered = find_numbered(baseline, candidate)
    numbers = NumberedPlaces(numbered)
    candidate = _rename(candidate, numbered)
    caches = _Caches(baseline, candidate)
    places = [{file.saved_as: file.name for file in run.files if file.saved_as} for run in (baseline, candidate)]
    saved = _SavedComparison(joined, ignored, caches, places, numbers)
    found = saved.compare(baseline.saved, candidate.saved)
    lines = compare_lines(baseline.lines, candidate.lines, joined).without_named(numbers)
    pairs = pair_files(baseline.files, candidate.files, joined, ignored)
    files = _FilesComparison(joined, caches, numbers)
    for pair in pairs:
        files.compare(pair)
    differences = [*(one for one in found if not one.is_noise), *map(_to_difference, lines.differing)]
    differences += _compare_unkept(baseline.unkept, candidate.unkept)
    if baseline.late != candidate.late:
        files.not_compared.append(NotCompared(what="what is printed as the interpreter ends", why=LATE))
    differences += (one for one in files.differences if not one.is_noise)
    return OutputComparison(
        differences=tuple(differences),
        noise=tuple(one for one in (*found, *files.differences) if one.is_noise),
        notes=(
            *_tell_ignored(baseline, candidate, ignored),
            *(_tell(difference) for difference in lines.told),
            *_tell_drawings(lines.drawn),
            *files.notes,
            *caches.notes,
            *(
                f"{name}: compared with {other} of the baseline, whose number was taken"
                for name, other in numbered.items()
            ),
        ),
        not_compared=(*_list_unread(baseline, candidate), *files.not_compared),
        num_saved=saved.num_compared,
        num_lines=lines.num_compared,
        num_masked_lines=lines.num_masked,
        num_files=files.num_compared,
    )


def _rename(run: RunOutput, names: Mapping[str, str]) -> RunOutput:
    return replace(
        run,
        saved=tuple(replace(tensor, file=names.get(tensor.file, tensor.file)) for tensor in run.saved),
        files=tuple(
            replace(file, name=names.get(file.name, file.name), saved_as=names.get(file.saved_as or "", file.saved_as))
            for file in run.files
        ),
    )


def _to_difference(line: LineDifference) -> OutputDifference:
    return OutputDifference(kind="line", name=line.place, baseline=line.baseline, candidate=line.candidate)


def _tell(line: LineDifference) -> str:
    return f"{line.place}: only the order of the elements of a set or dict differs: {line.baseline}"


def _tell_drawings(drawn: Sequence[LineDifference]) -> Iterator[str]:
    if drawn:
        yield f"{drawn[0].place}: another drawing was printed, of {plural(len(drawn), 'line')} that differ"


def _tell_ignored(baseline: RunOutput, candidate: RunOutput, ignored: Sequence[str]) -> list[str]:
    """Return what was left out because the user wants it so; a pattern that fits nothing shows by it."""
    names = {file.name for run in (baseline, candidate) for file in run.files if file.is_written}
    names |= {tensor.file for run in (baseline, candidate) for tensor in run.saved}
    counts = {pattern: sum(is_ignored(name, [pattern]) for name in names) for pattern in ignored}
    return [f"left out: {plural(count, 'file')} {pattern}" for pattern, count in counts.items()]


def _list_unread(baseline: RunOutput, candidate: RunOutput) -> list[NotCompared]:
    notes = dict.fromkeys((*baseline.notes, *candidate.notes))
    unread = [NotCompared(what="output", why=note) for note in notes]
    for side, output in (("baseline", baseline), ("candidate", candidate)):
        if not output.is_complete:
            why = f"the {side} has not written it to its end"
            unread.append(NotCompared(what=UNWRITTEN, why=why))
    return unread


def _compare_unkept(baseline: Iterable[UnkeptLines], candidate: Iterable[UnkeptLines]) -> list[OutputDifference]:
    """Compare the lines beyond what is kept: those of workers by their sum, since who prints what is a race."""
    sides = [_sum_unkept(unkept) for unkept in (baseline, candidate)]
    return [
        OutputDifference(
            kind="line",
            name=f"{stream}, lines beyond those kept" + (" (other threads)" if is_worker else ""),
            baseline=_show_unkept(sides[0].get((stream, is_worker))),
            candidate=_show_unkept(sides[1].get((stream, is_worker))),
        )
        for stream, is_worker in sorted(sides[0].keys() | sides[1].keys())
        if sides[0].get((stream, is_worker)) != sides[1].get((stream, is_worker))
    ]


def _sum_unkept(unkept: Iterable[UnkeptLines]) -> dict[tuple[str, bool], tuple[int, int]]:
    sums: dict[tuple[str, bool], tuple[int, int]] = {}
    for lines in unkept:
        key = lines.stream, bool(lines.worker)
        count, digest = sums.get(key, (0, 0))
        sums[key] = count + lines.count, (digest + int(lines.digest, 16)) % (1 << 128)
    return sums


def _show_unkept(unkept: tuple[int, int] | None) -> str | None:
    return None if unkept is None else f"{unkept[0]} lines, digest {unkept[1]:032x}"


class _Caches:
    """What one run alone has made, as it looked for it in vain, and the other found it and left it as it was."""

    def __init__(self, baseline: RunOutput, candidate: RunOutput) -> None:
        self._found = FoundFiles(baseline), FoundFiles(candidate)
        self._saved = tuple({tensor.file for tensor in run.saved} for run in (baseline, candidate))
        self._made = [{file.saved_as: file for file in run.files if file.saved_as} for run in (baseline, candidate)]
        self._told: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """A sentence on each."""
        return tuple(self._told)

    def hold_file(self, file: FileOutput, owner: int) -> bool:
        """Whether a file is one of them; the owner is 0 if the baseline alone has it, 1 if the candidate has."""
        return self._hold(file.name, owner, was_there=file.was_there)

    def hold_saved(self, tensor: SavedTensor, owner: int) -> bool:
        """Whether the file of something that was saved is one of them."""
        if tensor.file in self._saved[1 - owner]:
            return False
        file = self._made[owner].get(tensor.file)  # what it is called now, if that is known
        return (
            self._hold(tensor.file, owner, was_there=tensor.was_there) if file is None else self.hold_file(file, owner)
        )

    def _hold(self, name: str, owner: int, *, was_there: bool) -> bool:
        if not self._found[owner].is_cache(name, self._found[1 - owner], was_there=was_there):
            return False
        makers = ("baseline", "candidate") if owner == 0 else ("candidate", "baseline")
        self._told[f"{name}: only the {makers[0]} has made it; the {makers[1]} found it and left it as it was"] = None
        return True


class _SavedComparison:
    """Compares what was saved by step, masked name of the file, path in the object and occurrence.

    A file that was moved to its place after something was saved to it counts by the name that it has there.
    """

    def __init__(
        self,
        known: tuple[Surroundings | None, Surroundings | None],
        ignored: Sequence[str],
        caches: _Caches,
        places: Sequence[Mapping[str, str]],
        numbers: NumberedPlaces,
    ) -> None:
        self.num_compared = 0
        self._known = known
        self._ignored = ignored
        self._caches = caches
        self._places = places
        self._numbers = numbers

    def compare(self, baseline: Iterable[SavedTensor], candidate: Iterable[SavedTensor]) -> list[OutputDifference]:
        sides = [self._index(saved, owner) for owner, saved in enumerate((baseline, candidate))]
        found = []
        for key in dict.fromkeys((*sides[0], *sides[1])):
            pair = sides[0].get(key), sides[1].get(key)
            difference = self._compare_pair(*pair)
            self.num_compared += pair[0] is not None and pair[1] is not None
            if difference is not None:
                found.append(difference)
        return sorted(found, key=lambda difference: difference.step or 0)

    def _index(self, saved: Iterable[SavedTensor], owner: int) -> dict[tuple[int, str, str, int], SavedTensor]:
        known = self._known[owner]
        index: dict[tuple[int, str, str, int], SavedTensor] = {}
        counts: Counter[tuple[int, str, str]] = Counter()
        for tensor in saved:
            if is_ignored(tensor.file, self._ignored) or self._caches.hold_saved(tensor, owner):
                continue
            name = self._places[owner].get(tensor.file, tensor.file)
            file = name if known is None else mask_name(name, known)
            path = self._numbers.rename(tensor.path) if owner else tensor.path
            key = tensor.step, file, _mask_keys(path, known)
            index[(*key, counts[key])] = tensor
            counts[key] += 1
        return index

    def _compare_pair(self, first: SavedTensor | None, second: SavedTensor | None) -> OutputDifference | None:
        tensor = first or second
        if tensor is None or (first is not None and second is not None and first.digest == second.digest):
            return None
        return OutputDifference(
            kind="saved",
            name=f"saved {tensor.file}{tensor.path}",
            baseline=None if first is None else _show(first.text, first.digest),
            candidate=None if second is None else _show(second.text, second.digest),
            step=tensor.step,
            is_noise=first is not None and second is not None and self._is_noise(first, second),
        )

    def _is_noise(self, first: SavedTensor, second: SavedTensor) -> bool:
        """Whether two values differ in known noise only.

        What a run is named after is not known when it saves, only when it ends: values are masked once more.
        """
        if first.masked == second.masked or self._numbers.explain(first.text, second.text):
            return True
        texts = [value.text for value in (first, second)]
        if texts[0] == texts[1] or any(not is_whole(text) or _SHAPE.search(text) for text in texts):
            return False
        keys = tuple("" if key.startswith("[") else key for key in _KEY.findall(first.path))
        masked = [
            None if known is None else PartCollector(known).mask_value(text, keys)
            for text, known in zip(texts, self._known, strict=True)
        ]
        return masked[0] is not None and masked[0] == masked[1]


class _FilesComparison:
    """Compares the files of two runs, pair by pair."""

    def __init__(
        self, known: tuple[Surroundings | None, Surroundings | None], caches: _Caches, numbers: NumberedPlaces
    ) -> None:
        self._known = known
        self._numbers = numbers
        self._caches = caches
        self.differences: list[OutputDifference] = []
        self.notes: list[str] = []
        self.not_compared: list[NotCompared] = []
        self.num_compared = 0

    def compare(self, pair: FilePair) -> None:
        """Add what is to be said of a pair."""
        first, second = pair
        reason = (first and first.not_compared) or (second and second.not_compared)
        if reason:
            self.not_compared.append(NotCompared(what=pair.name, why=reason))
        elif first is None or second is None:
            file = first or second
            if file is not None and self._caches.hold_file(file, int(first is None)):
                return
            told = [None if file is None else WHOLE_FILE for file in pair]
            self.differences.append(OutputDifference(kind="file", name=pair.name, baseline=told[0], candidate=told[1]))
        else:
            self.num_compared += 1
            self.differences += self._compare_contents(first, drop_earlier(first, second))

    def _compare_contents(self, first: FileOutput, second: FileOutput) -> list[OutputDifference]:
        if first.format != second.format:
            shown = (first.format, second.format)
            return [OutputDifference(kind="file", name=first.name, baseline=shown[0], candidate=shown[1])]
        if first.note and first.format == BYTES and first.parts != second.parts:
            self.notes.append(f"{first.name}: {first.note}")
        if first.format == LINES:
            return self._compare_text(first, second)
        return self._compare_parts(first, second)

    def _compare_text(self, first: FileOutput, second: FileOutput) -> list[OutputDifference]:
        found = compare_in_order(mask_parts(first.parts), mask_parts(second.parts)).without_named(self._numbers)
        differences = []
        for line in found.differing:
            if line.baseline and line.candidate and _are_reordered(line.baseline, line.candidate):
                self.notes.append(f"{first.name} {_tell(line)}")
            else:
                name = f"{first.name} {line.place}"
                differences.append(
                    OutputDifference(kind="file", name=name, baseline=line.baseline, candidate=line.candidate)
                )
        if found.num_masked:
            told = f"{found.num_masked} lines differ in known noise only"
            differences.append(
                OutputDifference(kind="file", name=first.name, baseline=told, candidate=told, is_noise=True)
            )
        return differences

    def _compare_parts(self, first: FileOutput, second: FileOutput) -> list[OutputDifference]:
        """Compare parts by their names and occurrences; that they come in another order is told."""
        sides = _index_parts(first.parts, self._known[0]), _index_parts(second.parts, self._known[1], self._numbers)
        if sides[0].keys() == sides[1].keys() and list(sides[0]) != list(sides[1]):
            self.notes.append(f"{first.name}: the same parts come in another order")
        return [
            difference
            for key in dict.fromkeys((*sides[0], *sides[1]))
            if (difference := self._compare_part(first.name, sides[0].get(key), sides[1].get(key))) is not None
        ]

    def _compare_part(self, file: str, first: Part | None, second: Part | None) -> OutputDifference | None:
        part = first or second
        if part is None or (first is not None and second is not None and first.digest == second.digest):
            return None
        separator = "" if part.name.startswith(("[", ".", "(", "{")) or not part.name else " "
        return OutputDifference(
            kind="file",
            name=f"{file}{separator}{part.name}",
            baseline=None if first is None else _show(first.text, first.digest),
            candidate=None if second is None else _show(second.text, second.digest),
            is_noise=first is not None
            and second is not None
            and (first.masked == second.masked or self._numbers.explain(first.text, second.text)),
        )


def _are_reordered(baseline: str, candidate: str) -> bool:
    """Whether only the order within braces differs; of a text that is not whole that is not known."""
    return is_whole(baseline) and is_whole(candidate) and sort_braces(baseline) == sort_braces(candidate)


def _index_parts(
    parts: Iterable[Part], known: Surroundings | None, numbers: NumberedPlaces | None = None
) -> dict[tuple[str, int], Part]:
    counts: defaultdict[str, int] = defaultdict(int)
    index = {}
    for part in parts:
        name = _mask_keys(part.name if numbers is None else numbers.rename(part.name), known)
        index[name, counts[name]] = part
        counts[name] += 1
    return index


def _mask_keys(path: str, known: Surroundings | None) -> str:
    """Return the way to a value with known noise masked in the keys that are paths themselves."""
    return path if known is None else _PATH_KEY.sub(lambda match: mask_name(match[0], known), path)


def _show(text: str, digest: str) -> str:
    return f"{text}, digest {digest}"
