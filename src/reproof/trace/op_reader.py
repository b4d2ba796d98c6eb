"""Read the operations file of a process: which steps it has, and the operations of any of them.

Opening reads the heads of the chunks and the names; operations are decoded when their step is asked for. Left out:
what two runs have in common (`reproof.comparison.operations`).
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from reproof.schema import OP_PHASES
from reproof.trace import format as fmt
from reproof.trace import op_format
from reproof.trace.fields import Fields
from reproof.trace.files import check_header, damaged, map_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from reproof.errors import TraceError

MAX_DIMENSIONS: Final = 64
TAGS: Final = (op_format.NAMES, op_format.OPS, op_format.VALUES)


class Chunk(NamedTuple):
    """Where the body of a chunk lies in the file."""

    tag: bytes
    start: int
    end: int
    crc: int


class OpTrace:
    """The operations that one process recorded.

    Attributes:
        is_cut: Whether its end is missing or half-written: what a killed process leaves.
    """

    def __init__(self, folder: Path, rank: int, run_id: bytes | None = None) -> None:
        """Open the file.

        `run_id` has the 16 bytes of the run to which it must belong; None for any. Raises TraceError if the file is
        missing, foreign, of a newer format or another run, or damaged before its end.
        """
        self.rank = rank
        self.path = folder / fmt.file_name(rank, op_format.PART)
        self.is_cut = False
        self._data = map_file(self.path)
        if check_header(self.path, op_format.PART, rank, self._data) != (run_id or self._data[16:32]):
            raise damaged(self.path, "it is of another run")
        self._places: list[op_format.OpPlace] = []
        self._types: list[op_format.TensorType] = []
        self._steps: dict[int, list[Chunk]] = {}
        self._values: dict[tuple[int, int, int], Chunk] = {}
        for chunk in self._chunks():
            self._take(chunk)

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps of which there are operations, in order."""
        return tuple(sorted(self._steps))

    def ops(self, step: int) -> list[op_format.Op]:
        """Return the operations of a step in execution order; none if it was not recorded.

        Raises TraceError if they are damaged.
        """
        found: list[op_format.Op] = []
        for chunk in self._steps.get(step, []):
            found += self._decode(chunk, len(found))
        return found

    def values(self, step: int, number: int, output: int) -> tuple[op_format.TensorType, memoryview] | None:
        """Return the elements of an output of an operation, little-endian in row-major order; None if not kept.

        Raises TraceError if they are damaged.
        """
        chunk = self._values.get((step, number, output))
        if chunk is None:
            return None
        self._check(chunk)
        kind = self._types[op_format.VALUES_HEAD.unpack_from(self._data, chunk.start)[4]]
        return kind, memoryview(self._data)[chunk.start + op_format.VALUES_HEAD.size : chunk.end]

    def _chunks(self) -> Iterator[Chunk]:
        """Yield the whole chunks; the last one of a killed process may be cut, or not be written through."""
        offset = fmt.HEADER_BYTES
        while offset < len(self._data):
            start = offset + op_format.CHUNK.size
            if start > len(self._data):
                break
            tag, size, crc = op_format.CHUNK.unpack_from(self._data, offset)
            if tag not in TAGS:
                raise damaged(self.path, f"there is no chunk at byte {offset}")
            offset = start + size
            if offset > len(self._data):
                break
            yield Chunk(tag, start, offset, crc)
        self.is_cut = offset != len(self._data)

    def _take(self, chunk: Chunk) -> None:
        if chunk.tag == op_format.NAMES:
            self._read_names(chunk)
        elif chunk.tag == op_format.OPS:
            if chunk.end - chunk.start < op_format.OPS_HEAD.size:
                raise self._damaged(chunk)
            step = op_format.OPS_HEAD.unpack_from(self._data, chunk.start)[0]
            self._steps.setdefault(step, []).append(chunk)
        else:
            if chunk.end - chunk.start < op_format.VALUES_HEAD.size:
                raise self._damaged(chunk)
            step, number, output, _, kind = op_format.VALUES_HEAD.unpack_from(self._data, chunk.start)
            if kind >= len(self._types):
                raise self._damaged(chunk)
            self._values[step, number, output] = chunk

    def _read_names(self, chunk: Chunk) -> None:
        self._check(chunk)
        try:
            for line in self._data[chunk.start : chunk.end].decode("utf-8").split("\n"):
                fields = Fields(json.loads(line))
                if "place" in fields:
                    fields.number("place", len(self._places), len(self._places))
                    self._places.append(parse_place(fields))
                else:
                    fields.number("type", len(self._types), len(self._types))
                    self._types.append(parse_type(fields))
        except (ValueError, RecursionError):
            raise self._damaged(chunk) from None

    def _decode(self, chunk: Chunk, expected: int) -> Iterator[op_format.Op]:
        self._check(chunk)
        _, first, count = op_format.OPS_HEAD.unpack_from(self._data, chunk.start)
        if first != expected:
            raise self._damaged(chunk)
        body = self._data[chunk.start + op_format.OPS_HEAD.size : chunk.end]
        offset = 0
        try:
            for number in range(first, first + count):
                place, num_events, arguments, num_inputs, num_outputs = op_format.OP.unpack_from(body, offset)
                offset += op_format.OP.size
                middle = offset + num_inputs * op_format.TENSOR.size
                end = middle + num_outputs * op_format.TENSOR.size
                inputs, outputs = self._tensors(body[offset:middle]), self._tensors(body[middle:end])
                if len(outputs) != num_outputs:
                    raise self._damaged(chunk)
                yield op_format.Op(number, self._places[place], num_events, arguments, inputs, outputs)
                offset = end
        except (ValueError, IndexError, struct.error):
            raise self._damaged(chunk) from None

    def _tensors(self, packed: bytes) -> tuple[op_format.OpTensor, ...]:
        types = self._types
        return tuple(op_format.OpTensor(types[kind], *rest) for kind, *rest in op_format.TENSOR.iter_unpack(packed))

    def _check(self, chunk: Chunk) -> None:
        if zlib.crc32(memoryview(self._data)[chunk.start : chunk.end]) != chunk.crc:
            raise self._damaged(chunk)

    def _damaged(self, chunk: Chunk) -> TraceError:
        return damaged(self.path, f"the chunk at byte {chunk.start - op_format.CHUNK.size} is not what it should be")


def parse_place(fields: Fields) -> op_format.OpPlace:
    """Read a place from its JSON object."""
    return op_format.OpPlace(
        name=fields.text("name"),
        overload=fields.text("overload"),
        phase=fields.choice("phase", OP_PHASES),
        module=fields.text("module"),
        file=fields.text("file"),
        line=fields.number("line"),
        function=fields.text("function"),
        is_random=fields.take("is_random", bool),
    )


def parse_type(fields: Fields) -> op_format.TensorType:
    """Read an element type and shape from their JSON object."""
    shape = fields.take("shape", list)
    if len(shape) > MAX_DIMENSIONS or not all(type(size) is int and size >= 0 for size in shape):
        raise fields.wrong("shape")
    return op_format.TensorType(fields.text("dtype"), tuple(shape))


def open_ops(folder: Path, rank: int, run_id: bytes | None = None) -> OpTrace | None:
    """Open the operations of a process; None if it recorded none. Raises TraceError as for `OpTrace`."""
    return OpTrace(folder, rank, run_id) if (folder / fmt.file_name(rank, op_format.PART)).exists() else None
