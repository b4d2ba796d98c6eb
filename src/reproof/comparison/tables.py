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

    from reproof.schema import Layout
    from reproof.trace import RankTrace

CHUNK_FRAMES = 65536
"""Frames compared at a time: bounds the memory of a comparison to some megabytes."""


def tally_tables(a: RankTrace, b: RankTrace, start: int, tally: Tally) -> int:
    """Compare frames from `start` on, and return the first at which the structure of the traces parts, or their end.

    Raises:
        TraceError: If the digests of one of the traces do not fill its layouts.
    """
    stop = min(len(a), len(b))
    while start < stop:
        end = min(start + CHUNK_FRAMES, stop)
        same_until = start + count_same_structure(a, b, start, end)
        for first, last in split_by_layout(a.column("layout", start, same_until), start):
            _tally_table(a, b, range(first, last), tally)
        start = same_until
        if start < end:
            break
    return start


def count_same_structure(a: RankTrace, b: RankTrace, start: int, stop: int) -> int:
    """Return how many frames from `start` on have the same steps and equal layouts in both traces."""
    steps_a, layouts_a = a.column("step", start, stop), a.column("layout", start, stop)
    steps_b, layouts_b = b.column("step", start, stop), b.column("layout", start, stop)
    pairs = zip(layouts_a, layouts_b, strict=True)
    distinct = {(n, n) for n in count_numbers(layouts_a)} if layouts_a == layouts_b else set(pairs)
    equal = {(x, y) for x, y in distinct if a.layout(x).digest == b.layout(y).digest}
    if steps_a == steps_b and equal == distinct:
        return stop - start
    frames = enumerate(zip(steps_a, steps_b, layouts_a, layouts_b, strict=True))
    return next(i for i, (s, t, x, y) in frames if s != t or (x, y) not in equal)


def split_by_layout(layouts: array[int], start: int) -> Iterator[tuple[int, int]]:
    """Yield start and stop of each run of frames of one layout; the first of them is frame `start`."""
    if len(count_numbers(layouts)) == 1:
        yield start, start + len(layouts)
        return
    for _, run in groupby(layouts):
        stop = start + sum(1 for _ in run)
        yield start, stop
        start = stop


def _tally_table(a: RankTrace, b: RankTrace, frames: range, tally: Tally) -> None:
    """Count differences in frames that have one layout."""
    layout = a.layout(a.record(frames.start).layout)
    tally.add_compared(layout, len(frames))
    tables = a.table(frames.start, frames.stop), b.table(frames.start, frames.stop)
    if tables[0] == tables[1]:
        return
    for event, equal in zip(layout.events, count_equal_fields(*tables, len(layout.events)), strict=True):
        if event.skipped is None:
            tally.differing[event.stage] += len(frames) - equal
    if tally.has_room:
        _keep_pairs(a, layout, tables, frames.start, tally)


def _keep_pairs(a: RankTrace, layout: Layout, tables: tuple[bytes, bytes], start: int, tally: Tally) -> None:
    """Keep the places of the first differing digests of two tables whose first frame is `start`."""
    width, (table_a, table_b) = len(layout.events), tables
    for field in range(len(table_a) // DIGEST_BYTES):
        where = slice(field * DIGEST_BYTES, (field + 1) * DIGEST_BYTES)
        place = Place(start + field // width, field % width)
        event = layout.events[place.position]
        if table_a[where] != table_b[where] and event.skipped is None:
            tally.pairs.append(Pair(a.record(place.frame).step, event, place, place))
            if not tally.has_room:
                return


def count_equal_fields(a: bytes, b: bytes, width: int) -> list[int]:
    """Count, for each column of two tables of digests, the rows in which they are equal.

    Args:
        a: Rows of `width` digests of 16 bytes.
        b: A table of the same size.
        width: Digests per row.

    Returns:
        `width` counts.
    """
    # XOR as two large integers, then search for aligned runs of zero bytes: the standard library's fastest way, and
    # at its best in the usual case that after a divergence nothing is equal any more.
    difference = (int.from_bytes(a, "little") ^ int.from_bytes(b, "little")).to_bytes(len(a), "little")
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
