"""Compare the lines that two runs have printed, or that are in two files of text.

Lines of the main thread are compared in their order; those of other threads and processes without, since it is a race.
A line in which only the elements of a printed set or dict come in another order is told and not judged: ``{'b', 'a'}``
and ``{'a', 'b'}`` are one set. So is a drawing, several printed lines without any letter or digit: which picture is
shown is no result, and what is printed of it in words and numbers is judged.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final, NamedTuple

from reproof.outputs.masks import mask_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from reproof.outputs.found import NumberedPlaces
    from reproof.outputs.records import Line, Part
    from reproof.outputs.surroundings import Surroundings

MAX_ALIGNED: Final = 2_000
"""Longer stretches that differ are compared line by line, without looking for what was inserted."""
MAX_BRACES: Final = 20_000
MIN_DRAWN: Final = 4
"""Consecutive lines without letters and digits that make a drawing; fewer may be signs that state something."""
FRAME: Final = " \t|[]│┃┤├"
"""Characters about a bar."""
_OPENING: Final = {"(": ")", "[": "]", "{": "}"}


class MaskedLine(NamedTuple):
    """A line to be compared.

    Attributes:
        place: Where it stands: ``stdout line 12``.
        shown: What is shown of it.
        exact: What tells it from every other: the text or a digest.
        masked: The same without known noise.
        is_drawn: Whether it is part of a drawing.
    """

    place: str
    shown: str
    exact: str
    masked: str
    is_drawn: bool = False

    def agrees(self, other: MaskedLine) -> bool:
        """Whether two lines are the same but for known noise; what is noise in one run may be a result in the other."""
        return self.masked == other.masked or self.exact == other.exact


def _says_something(line: MaskedLine) -> bool:
    is_cut = not line.exact.endswith("\0")  # what was cut off is known by its digest
    return is_cut or any(map(str.isalnum, line.shown))


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDifference:
    """A line that differs, or that one run alone has.

    Attributes:
        place: Where it stands, in the baseline if it is there.
        baseline: The line; None if the candidate alone has it.
        candidate: The line; None if the baseline alone has it.
    """

    place: str
    baseline: str | None
    candidate: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LineComparison:
    """How the lines of two runs compare.

    Attributes:
        num_masked: Lines that differ in known noise only.
        differing: Lines that differ, in their order.
        told: Lines of which only the order of elements differs.
        drawn: Lines of drawings that differ.
    """

    num_compared: int
    num_masked: int
    differing: tuple[LineDifference, ...]
    told: tuple[LineDifference, ...]
    drawn: tuple[LineDifference, ...] = ()

    def without_named(self, numbers: NumberedPlaces) -> LineComparison:
        """Return it with those lines as known noise that name a file by another number."""
        differing = tuple(line for line in self.differing if not numbers.explain(line.baseline, line.candidate))
        return replace(self, differing=differing, num_masked=self.num_masked + len(self.differing) - len(differing))


def mask_lines(lines: Iterable[Line], surroundings: Surroundings | None) -> dict[tuple[str, str], list[MaskedLine]]:
    """Return printed lines by stream and worker, numbered per stream, with known noise masked."""
    by_source: dict[tuple[str, str], list[MaskedLine]] = defaultdict(list)
    numbers: Counter[str] = Counter()
    for line in lines:
        numbers[line.stream] += 1
        masked = line.text if surroundings is None else mask_line(line.text, surroundings)[0]
        place = f"{line.stream} line {numbers[line.stream]}" + (f" ({line.worker})" if line.worker else "")
        exact = " ".join(line.text.split())
        by_source[line.stream, line.worker].append(
            MaskedLine(place, line.text, f"{exact}\0{line.digest}", f"{masked}\0{line.digest}")
        )
    return {source: _mark_drawings(found) for source, found in by_source.items()}


def _mark_drawings(lines: list[MaskedLine]) -> list[MaskedLine]:
    marked: list[MaskedLine] = []
    for says_something, group in itertools.groupby(lines, key=_says_something):
        found = list(group)
        is_drawn = not says_something and len(found) >= MIN_DRAWN and not _are_bars(found)
        marked += [line._replace(is_drawn=True) for line in found] if is_drawn else found
    return marked


def _are_bars(lines: Sequence[MaskedLine]) -> bool:
    """Whether lines state numbers by their lengths: each repeats one sign, and they are not of one length."""
    bars = ["".join(character for character in line.shown if character not in FRAME) for line in lines]
    return all(len(set(bar)) <= 1 for bar in bars) and len({len(bar) for bar in bars}) > 1


def mask_parts(parts: Iterable[Part]) -> list[MaskedLine]:
    """Return the parts of a file as lines."""
    return [MaskedLine(part.name, part.text, part.digest, part.masked) for part in parts]


def compare_lines(
    baseline: Iterable[Line],
    candidate: Iterable[Line],
    surroundings: tuple[Surroundings | None, Surroundings | None],
) -> LineComparison:
    """Compare the lines printed by two runs."""
    lines_a, lines_b = (
        mask_lines(lines, known) for lines, known in zip((baseline, candidate), surroundings, strict=True)
    )
    found = [
        compare_in_order(lines_a.get((stream, ""), []), lines_b.get((stream, ""), []))
        for stream in ("stdout", "stderr")
    ]
    found += [_compare_workers(lines_a, lines_b, stream) for stream in ("stdout", "stderr")]
    return _join(found)


def compare_in_order(baseline: Sequence[MaskedLine], candidate: Sequence[MaskedLine]) -> LineComparison:
    """Compare the lines of one thread, in order."""
    pairs = list(_align(baseline, candidate))
    return _judge(pairs)


def _compare_workers(
    lines_a: dict[tuple[str, str], list[MaskedLine]], lines_b: dict[tuple[str, str], list[MaskedLine]], stream: str
) -> LineComparison:
    """Compare the lines of all other threads and processes, without order: which of a pool does what is a race."""
    sides = [
        [line for (name, worker), found in lines.items() if name == stream and worker for line in found]
        for lines in (lines_a, lines_b)
    ]
    waiting: dict[str, list[MaskedLine]] = defaultdict(list)
    for line in sorted(sides[1], key=lambda line: line.exact):
        waiting[line.masked].append(line)
    pairs: list[tuple[MaskedLine | None, MaskedLine | None]] = []
    alone: list[MaskedLine] = []
    for line in sorted(sides[0], key=lambda line: line.exact):
        if waiting[line.masked]:
            pairs.append((line, waiting[line.masked].pop(0)))
        else:
            alone.append(line)
    rest = sorted((line for lines in waiting.values() for line in lines), key=lambda line: line.masked)
    pairs += _zip_all(sorted(alone, key=lambda line: line.masked), rest)
    return _judge(pairs)


def _align(
    baseline: Sequence[MaskedLine], candidate: Sequence[MaskedLine]
) -> Iterable[tuple[MaskedLine | None, MaskedLine | None]]:
    """Yield the pairs of lines that stand for each other; what only one side has comes with None."""
    start, shorter = 0, min(len(baseline), len(candidate))
    while start < shorter and baseline[start].agrees(candidate[start]):
        yield baseline[start], candidate[start]
        start += 1
    end = 0
    while end < shorter - start and baseline[-1 - end].agrees(candidate[-1 - end]):
        end += 1
    middle_a, middle_b = baseline[start : len(baseline) - end], candidate[start : len(candidate) - end]
    if len(middle_a) == len(middle_b) or max(len(middle_a), len(middle_b)) > MAX_ALIGNED:
        yield from _zip_all(middle_a, middle_b)
    else:
        matcher = SequenceMatcher(None, [x.masked for x in middle_a], [x.masked for x in middle_b], autojunk=False)
        for _, from_a, to_a, from_b, to_b in matcher.get_opcodes():
            yield from _zip_all(middle_a[from_a:to_a], middle_b[from_b:to_b])
    yield from zip(baseline[len(baseline) - end :], candidate[len(candidate) - end :], strict=True)


def _zip_all(
    baseline: Sequence[MaskedLine], candidate: Sequence[MaskedLine]
) -> list[tuple[MaskedLine | None, MaskedLine | None]]:
    both = min(len(baseline), len(candidate))
    pairs: list[tuple[MaskedLine | None, MaskedLine | None]] = list(zip(baseline, candidate, strict=False))
    return pairs + [(line, None) for line in baseline[both:]] + [(None, line) for line in candidate[both:]]


def _judge(pairs: Sequence[tuple[MaskedLine | None, MaskedLine | None]]) -> LineComparison:
    differing: list[LineDifference] = []
    told: list[LineDifference] = []
    drawn: list[LineDifference] = []
    num_masked = 0
    for pair in pairs:
        line_a, line_b = pair
        if line_a is not None and line_b is not None and line_a.agrees(line_b):
            num_masked += line_a.exact != line_b.exact
            continue
        sides = [line for line in pair if line is not None]
        difference = LineDifference(
            place=sides[0].place,
            baseline=None if line_a is None else line_a.shown,
            candidate=None if line_b is None else line_b.shown,
        )
        if all(line.is_drawn for line in sides):
            drawn.append(difference)
        elif line_a is not None and line_b is not None and sort_braces(line_a.masked) == sort_braces(line_b.masked):
            told.append(difference)
        else:
            differing.append(difference)
    return LineComparison(
        num_compared=len(pairs),
        num_masked=num_masked,
        differing=tuple(differing),
        told=tuple(told),
        drawn=tuple(drawn),
    )


def _join(found: Sequence[LineComparison]) -> LineComparison:
    return LineComparison(
        num_compared=sum(one.num_compared for one in found),
        num_masked=sum(one.num_masked for one in found),
        differing=tuple(difference for one in found for difference in one.differing),
        told=tuple(difference for one in found for difference in one.told),
        drawn=tuple(difference for one in found for difference in one.drawn),
    )


def sort_braces(text: str) -> str:
    """Return a text with what stands between commas in each pair of braces sorted; as it is if brackets do not match.

    What is quoted within braces is one piece, whatever is in it.
    """
    if "{" not in text or len(text) > MAX_BRACES:
        return text
    open_groups: list[tuple[str, list[str]]] = [("", [""])]
    quote = before = ""
    for character in text:
        is_escaped, before = before == "\\", "" if before == "\\" else character
        if quote or (character in "'\"" and len(open_groups) > 1):
            open_groups[-1][1][-1] += character
            if not quote:
                quote = character
            elif character == quote and not is_escaped:
                quote = ""
        elif character in _OPENING:
            open_groups.append((character, [""]))
        elif character in ")]}":
            if len(open_groups) == 1 or _OPENING[open_groups[-1][0]] != character:
                return text
            opening, items = open_groups.pop()
            items = sorted(item.strip() for item in items) if opening == "{" else items
            open_groups[-1][1][-1] += f"{opening}{','.join(items)}{character}"
        elif character == "," and len(open_groups) > 1:
            open_groups[-1][1].append("")
        else:
            open_groups[-1][1][-1] += character
    return open_groups[0][1][0] if len(open_groups) == 1 else text
