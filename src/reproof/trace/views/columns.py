"""Losses and metrics of a whole run as columns: every number, at the speed at which memory is read.

Where frames of one layout keep numbers of the same sizes, which is the rule, the place of a number within a frame is
the same in all of them: it is looked up once, and held against the bytes of each frame before they are believed. Unlike
`RankTrace.numbers` this reads no checksums; `reproof compare --verify` does.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import sub
from typing import TYPE_CHECKING, NamedTuple

from reproof.trace import format as fmt
from reproof.trace.rank import COLUMN_FRAMES, count_numbers

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from reproof.schema import Stage
    from reproof.trace.rank import RankTrace

    Name = tuple[Stage, str]


@dataclass(slots=True)
class Column:
    """All single numbers of one event.

    Attributes:
        typecode: Their type as a `struct` character.
        steps: Step of each, in execution order.
        values: The numbers, as float64.
    """

    typecode: str
    steps: array[int] = field(default_factory=lambda: array("Q"))
    values: array[float] = field(default_factory=lambda: array("d"))


class Entry(NamedTuple):
    """A set of numbers within the values of a frame.

    Attributes:
        event: Position of its event in the layout.
        typecode: Its type.
        num_bytes: How many bytes they take.
        is_single: Whether it is one number that was kept exactly.
    """

    event: int
    typecode: str
    start: int
    num_bytes: int
    is_single: bool


class Block(NamedTuple):
    """Frames that follow each other, have one layout, and keep numbers of one size.

    Attributes:
        layout: Number of their layout.
        size: Bytes of numbers in each.
        steps: The step of each.
        data: What is stored of the numbers of all.
    """

    layout: int
    size: int
    steps: array[int]
    data: bytes


def read_columns(rank: RankTrace, *stages: Stage) -> dict[Name, Column]:
    """Return every number that was kept exactly of the events of some stages with one element, in one pass."""
    columns: dict[Name, Column] = {}
    wanted = {
        number: {
            position: (event.stage, event.name) for position, event in enumerate(layout.events) if event.stage in stages
        }
        for number, layout in enumerate(rank.layouts)
    }
    for start in range(0, rank.num_frames if any(wanted.values()) else 0, COLUMN_FRAMES):
        for block in _split(rank, start, min(start + COLUMN_FRAMES, rank.num_frames)):
            if block.size and (names := wanted.get(block.layout)):
                _read_block(block, names, columns)
    return columns


def _split(rank: RankTrace, start: int, stop: int) -> Iterator[Block]:
    """Yield frames in blocks."""
    before = rank.record(start - 1).values_end if start else 0
    ends, layouts = rank.column("values_end", start, stop), rank.column("layout", start, stop)
    steps, data = rank.column("step", start, stop), rank.value_bytes(start, stop)
    sizes = array("q", map(sub, ends, array("Q", [before]) + ends[:-1]))
    if len(count_numbers(layouts)) == len(count_numbers(sizes)) == 1:
        yield Block(layouts[0], sizes[0], steps, data)
        return
    first = at = 0
    for (layout, size), group in groupby(zip(layouts, sizes, strict=True)):
        count = sum(1 for _ in group)
        yield Block(layout, size, steps[first : first + count], data[at : at + count * size])
        first, at = first + count, at + count * size


def _read_block(block: Block, names: dict[int, Name], columns: dict[Name, Column]) -> None:
    """Read all frames at once where the same numbers lie at the same places in each, else one by one."""
    entries = list(find_entries(block.data[: block.size]))
    rows = _read_rows(block, entries, names) if entries else None
    if rows is not None:
        for name, group in _group_by_name(entries, rows, names).items():
            column = columns.setdefault(name, Column(group[0][0]))
            lists = [values for _, values in group]
            column.steps.extend(block.steps if len(lists) == 1 else (s for s in block.steps for _ in lists))
            column.values.extend(lists[0] if len(lists) == 1 else chain.from_iterable(zip(*lists, strict=True)))
        return
    for number, step in enumerate(block.steps):
        data = block.data[number * block.size : (number + 1) * block.size]
        for entry in find_entries(data):
            if entry.is_single and entry.event in names:
                column = columns.setdefault(names[entry.event], Column(entry.typecode))
                column.steps.append(step)
                column.values.append(struct.unpack_from(f"<{entry.typecode}", data, entry.start)[0])


def _group_by_name(
    entries: list[Entry], rows: list[list[float]], names: dict[int, Name]
) -> dict[Name, list[tuple[str, list[float]]]]:
    """Return the types and numbers of each name: a step of several batches has several losses of one name."""
    found: dict[Name, list[tuple[str, list[float]]]] = {}
    for entry, values in zip(entries, rows, strict=True):
        if entry.is_single and entry.event in names:
            found.setdefault(names[entry.event], []).append((entry.typecode, values))
    return found


def _read_rows(block: Block, entries: list[Entry], names: Container[int]) -> list[list[float]] | None:
    """Return what stands at the place of each number of these events; None if what is stored before them differs."""
    mask = b"".join(b"\xff" * fmt.VALUE.size + bytes(entry.num_bytes) for entry in entries)
    if len(mask) != block.size:
        return None
    # Each frame against the one before it, all of them as one large integer: the bits of the heads must not change.
    later, earlier = (int.from_bytes(part, "little") for part in (block.data[block.size :], block.data[: -block.size]))
    if (later ^ earlier) & int.from_bytes(mask * (len(block.steps) - 1), "little"):
        return None
    return [_read_single(block, one) if one.is_single and one.event in names else [] for one in entries]


def _read_single(block: Block, entry: Entry) -> list[float]:
    """Return the number at one place of all frames."""
    rest = block.size - entry.start - entry.num_bytes
    layout = struct.Struct(f"<{entry.start}x{entry.typecode}{rest}x")
    return list(chain.from_iterable(layout.iter_unpack(block.data)))


def find_entries(data: bytes) -> Iterator[Entry]:
    """Yield where each set of numbers lies in the values of a frame."""
    position = 0
    while position + fmt.VALUE.size <= len(data):
        event, kind, typecode, _, num_bytes = fmt.VALUE.unpack_from(data, position)
        code = typecode.decode("ascii", errors="replace")
        position += fmt.VALUE.size
        fits = fmt.TYPE_BYTES.get(code) == num_bytes and position + num_bytes <= len(data)
        is_single = fits and fmt.KIND_NAMES.get(kind) == "exact"
        yield Entry(event, code, position, num_bytes, is_single)
        position += num_bytes
