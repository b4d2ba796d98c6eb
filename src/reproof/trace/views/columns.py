"""Losses and metrics of a whole run as columns: every number, at the speed at which memory is read.

Where frames of one layout keep numbers of the same sizes, which is the rule, the place of a number within a frame is
the same in all of them: it is looked up once, and held against the bytes of each frame before they are believed. Unlike
`RankTrace.numbers` this reads no checksums; `reproof compare --verify` does.
"""

from __future__ import annotations

import struct
from array import array
from dataclasses import dataclass, field
from itertools import groupby
from operator import sub
from typing import TYPE_CHECKING, NamedTuple

from reproof.trace import format as fmt
from reproof.trace.rank import COLUMN_FRAMES, count_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.schema import Stage
    from reproof.trace.rank import RankTrace


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


class Slot(NamedTuple):
    """Where a number lies within the values of a frame.

    Attributes:
        name: The event's name.
        typecode: Its type.
        offset: First byte of what is stored before the number.
        head: What is stored before it.
    """

    name: str
    typecode: str
    offset: int
    head: bytes


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


def read_columns(rank: RankTrace, stage: Stage) -> dict[str, Column]:
    """Return every number that was kept exactly of the events of a stage with one element, by the event's name."""
    columns: dict[str, Column] = {}
    wanted = {
        number: {position: event.name for position, event in enumerate(layout.events) if event.stage == stage}
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


def _read_block(block: Block, names: dict[int, str], columns: dict[str, Column]) -> None:
    """Read all frames at once where the numbers lie at the same place in each, else one by one."""
    slots = list(find_slots(block.data[: block.size], names))
    found = [_read_slot(block, slot) for slot in slots]
    if all(values is not None for values in found):
        for slot, values in zip(slots, found, strict=True):
            column = columns.setdefault(slot.name, Column(slot.typecode))
            column.steps.extend(block.steps)
            column.values.extend(values or ())
        return
    for number, step in enumerate(block.steps):
        data = block.data[number * block.size : (number + 1) * block.size]
        for slot in find_slots(data, names):
            column = columns.setdefault(slot.name, Column(slot.typecode))
            column.steps.append(step)
            column.values.append(struct.unpack_from(f"<{slot.typecode}", data, slot.offset + fmt.VALUE.size)[0])


def _read_slot(block: Block, slot: Slot) -> tuple[float, ...] | None:
    """Return the numbers at one place of all frames; None if something else is stored there in one of them."""
    rest = block.size - slot.offset - len(slot.head) - fmt.TYPE_BYTES[slot.typecode]
    layout = struct.Struct(f"<{slot.offset}x{len(slot.head)}s{slot.typecode}{rest}x")
    heads, values = zip(*layout.iter_unpack(block.data), strict=True)
    return values if heads.count(slot.head) == len(heads) else None


def find_slots(data: bytes, names: dict[int, str]) -> Iterator[Slot]:
    """Yield where the single numbers of some events lie in the values of a frame; `names` are by position."""
    position = 0
    while position + fmt.VALUE.size <= len(data):
        event, kind, typecode, _, num_bytes = fmt.VALUE.unpack_from(data, position)
        code = typecode.decode("ascii", errors="replace")
        is_single = fmt.TYPE_BYTES.get(code) == num_bytes and position + fmt.VALUE.size + num_bytes <= len(data)
        if event in names and fmt.KIND_NAMES.get(kind) == "exact" and is_single:
            yield Slot(names[event], code, position, data[position : position + fmt.VALUE.size])
        position += fmt.VALUE.size + num_bytes
