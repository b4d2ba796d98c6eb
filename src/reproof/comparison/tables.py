"""Compare frames as arrays, as long as two traces have the same structure.

The digests of frames of one layout form a table, one row per frame. Two such tables are compared with a few
operations on large integers, which is what makes counting the differences of a million steps take milliseconds.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from reproof.comparison.tally import Pair, Place, Tally
from reproof.schema import DIGEST_BYTES, NO_DIGEST
from reproof.trace.rank import count_numbers

if TYPE_CHECKING:
    from array import array
    from collections.abc import Iterator

    from reproof.schema import Frame, Layout
    from reproof.trace import RankTrace

CHUNK_FRAMES = 65536
"""Frames compared at a time: bounds the memory of a comparison to some megabytes."""

FIRST_CHUNK_FRAMES = 32
"""Half of the frames compared first: where the structure parts again and again, reading far ahead is in vain."""


def tally_tables(a: RankTrace, b: RankTrace, start_a: int, start_b: int, tally: Tally) -> int:
    """Compare frames from these on, and return how many of them have the same structure in both traces.

    Raises TraceError if the digests of one of the traces do not fill its layouts.
    """
    num_frames = min(len(a) - start_a, len(b) - start_b)
    num_same, chunk = 0, FIRST_CHUNK_FRAMES
    while num_same < num_frames:
        chunk = min(2 * chunk, CHUNK_FRAMES, num_frames - num_same)
        frames_a = range(start_a + num_same, start_a + num_same + chunk)
        frames_b = range(start_b + num_same, start_b + num_same + chunk)
        same = count_same_structure(a, b, frames_a, frames_b)
        if not tally.has_parted:
            same = count_same_calls(a, b, frames_a[:same], frames_b[:same])
        for rows in split_by_layout(a.column("layout", frames_a.start, frames_a.start + same)):
            _tally_table(a, b, frames_a[rows], frames_b[rows], tally)
        num_same += same
        if same < chunk:
            break
    return num_same


def count_same_structure(a: RankTrace, b: RankTrace, frames_a: range, frames_b: range) -> int:
    """Return how many of these frames, from the first on, have the same steps and equal layouts in both traces."""
    steps_a, layouts_a = (a.column(name, frames_a.start, frames_a.stop) for name in ("step", "layout"))
    steps_b, layouts_b = (b.column(name, frames_b.start, frames_b.stop) for name in ("step", "layout"))
    pairs = zip(layouts_a, layouts_b, strict=True)
    distinct = {(n, n) for n in count_numbers(layouts_a)} if layouts_a == layouts_b else set(pairs)
    equal = {(x, y) for x, y in distinct if a.layout(x).digest == b.layout(y).digest}
    if steps_a == steps_b and equal == distinct:
        return len(frames_a)
    frames = enumerate(zip(steps_a, steps_b, layouts_a, layouts_b, strict=True))
    return next(i for i, (s, t, x, y) in frames if s != t or (x, y) not in equal)


def count_same_calls(a: RankTrace, b: RankTrace, frames_a: range, frames_b: range) -> int:
    """Return how many frames of the same structure come before the first step whose calls without gradients differ.

    Such a step is for `alignment`: equal numbers of other calls look like the same structure.
    """
    layouts = a.column("layout", frames_a.start, frames_a.stop)
    with_calls = {number for number in set(layouts) if has_calls(a.layout(number))}
    if not with_calls:
        return len(frames_a)
    for i, layout in enumerate(layouts):
        if layout in with_calls and not has_equal_calls(a.frame(frames_a[i]), b.frame(frames_b[i])):
            return max(0, a.find_step(a.record(frames_a[i]).step).start - frames_a.start)
    return len(frames_a)


def has_calls(layout: Layout) -> bool:
    """Whether a layout has events of calls without gradients."""
    return any(event.stage == "metric" for event in layout.events)


def has_equal_calls(frame_a: Frame, frame_b: Frame) -> bool:
    """Whether the events of stage ``metric`` of two frames of one layout are equal."""
    if frame_a.digests == frame_b.digests:
        return True
    return all(
        event.stage != "metric" or frame_a.digest(position) == frame_b.digest(position)
        for position, event in enumerate(frame_a.layout.events)
    )


def split_by_layout(layouts: array[int]) -> Iterator[slice]:
    """Yield the runs of rows of one layout."""
    if len(count_numbers(layouts)) == 1:
        yield slice(0, len(layouts))
        return
    start = 0
    for _, run in groupby(layouts):
        stop = start + sum(1 for _ in run)
        yield slice(start, stop)
        start = stop


def _tally_table(a: RankTrace, b: RankTrace, frames_a: range, frames_b: range, tally: Tally) -> None:
    """Count differences in frames that have one layout."""
    layout = a.layout(a.record(frames_a.start).layout)
    tally.add_compared(layout, len(frames_a))
    tables = a.table(frames_a.start, frames_a.stop), b.table(frames_b.start, frames_b.stop)
    if tables[0] == tables[1]:
        if tally.states is not None:
            tally.states.mark_layout(layout, a.column("step", frames_a.start, frames_a.stop))
        return
    difference = subtract_tables(*tables)
    if tally.states is not None:
        tally.states.mark_table(layout, a.column("step", frames_a.start, frames_a.stop), difference)
    for event, equal in zip(layout.events, count_zero_fields(difference, len(layout.events)), strict=True):
        if event.skipped is None:
            tally.differing[event.stage] += len(frames_a) - equal
    has_left = any(event.stage == "final" for event in layout.events)
    for row, position in find_differing(*tables, len(layout.events)):
        if not tally.has_room and not has_left:
            return
        event = layout.events[position]
        if event.skipped is None:
            places = Place(frames_a[row], position), Place(frames_b[row], position)
            tally.keep(Pair(a.record(frames_a[row]).step, event, *places))


def find_differing(a: bytes, b: bytes, width: int) -> Iterator[tuple[int, int]]:
    """Yield row and column of each digest that differs between two tables, in order."""
    for field in range(len(a) // DIGEST_BYTES):
        where = slice(field * DIGEST_BYTES, (field + 1) * DIGEST_BYTES)
        if a[where] != b[where]:
            yield divmod(field, width)


def subtract_tables(a: bytes, b: bytes) -> bytes:
    """Return the bits in which two tables differ: as two large integers, the standard library's fastest way."""
    return (int.from_bytes(a, "little") ^ int.from_bytes(b, "little")).to_bytes(len(a), "little")


def count_zero_fields(difference: bytes, width: int) -> list[int]:
    """Count, for each column of a table of differences, the rows in which there is none.

    A search for aligned runs of zero bytes, at its best in the usual case that nothing is equal after a divergence.
    """
    equal = [0] * width
    position = difference.find(NO_DIGEST)
    while position != -1:
        if position % DIGEST_BYTES == 0:
            equal[position // DIGEST_BYTES % width] += 1
            position = difference.find(NO_DIGEST, position + DIGEST_BYTES)
        else:
            aligned = position + DIGEST_BYTES - position % DIGEST_BYTES
            position = difference.find(NO_DIGEST, aligned)
    return equal
