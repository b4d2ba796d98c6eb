"""Append the operations of a run to the operations file of its process.

Chunks are written whole with plain `os.write` calls, as the rest of a trace is (`reproof.trace.writer`).
"""

from __future__ import annotations

import json
import os
import zlib
from typing import TYPE_CHECKING, Any, Final

from reproof.trace import format as fmt
from reproof.trace import op_format as ops
from reproof.trace.writer import cannot_write

if TYPE_CHECKING:
    from pathlib import Path

FLUSH_BYTES: Final = 1 << 20
"""A step with more operations than this is written in several chunks."""


class OpWriter:
    """Writes the operations of one process.

    Not thread-safe: the recorder holds a lock. After an error of the file system it is closed.
    """

    def __init__(self, folder: Path, rank: int, run_id: str) -> None:
        """Create the file, which must not exist. Raises RecordingError if it exists or cannot be created."""
        path = folder / fmt.file_name(rank, ops.PART)
        self._names: list[dict[str, Any]] = []
        self._places: dict[ops.OpPlace, int] = {}
        self._types: dict[ops.TensorType, int] = {}
        self._parts: list[bytes] = []
        self._num_bytes = 0
        self._step = -1
        self._first = 0
        self._count = 0
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
            self._append(fmt.pack_header(ops.PART, rank, bytes.fromhex(run_id)))
        except OSError as error:
            self.close()
            raise cannot_write(path, error) from error

    def place_id(self, place: ops.OpPlace) -> int:
        """Return the number of a place, noting its names the first time it is seen."""
        known = self._places.get(place)
        if known is None:
            known = self._places[place] = len(self._places)
            self._names.append({"place": known, **place._asdict()})
        return known

    def type_id(self, kind: ops.TensorType) -> int:
        """Return the number of an element type and shape."""
        known = self._types.get(kind)
        if known is None:
            known = self._types[kind] = len(self._types)
            self._names.append({"type": known, "dtype": kind.dtype, "shape": list(kind.shape)})
        return known

    def add(self, step: int, packed: bytes) -> int:
        """Add an operation, packed as `op_format.OP` and its tensors; return its number within the step.

        Raises OSError if the file system refuses.
        """
        if step != self._step:
            self.flush()
            self._step, self._first = step, 0
        number = self._first + self._count
        self._parts.append(packed)
        self._count += 1
        self._num_bytes += len(packed)
        if self._num_bytes >= FLUSH_BYTES:
            self.flush()
        return number

    def add_values(self, number: int, output: int, type_id: int, values: bytes) -> None:
        """Write the elements of an output of an operation of the current step.

        Raises OSError if the file system refuses.
        """
        self.flush()  # names and operations stand before what refers to them
        self._write_chunk(ops.VALUES, ops.VALUES_HEAD.pack(self._step, number, output, 0, type_id) + values)

    def flush(self) -> None:
        """Write what was added. Raises OSError if the file system refuses."""
        if self._names:
            lines = "\n".join(json.dumps(entry, separators=(",", ":")) for entry in self._names)
            self._write_chunk(ops.NAMES, lines.encode())
            self._names.clear()
        if self._parts:
            body = b"".join((ops.OPS_HEAD.pack(self._step, self._first, self._count), *self._parts))
            self._write_chunk(ops.OPS, body)
            self._first += self._count
            self._parts.clear()
            self._count = self._num_bytes = 0

    def _write_chunk(self, tag: bytes, body: bytes) -> None:
        self._append(ops.CHUNK.pack(tag, len(body), zlib.crc32(body)) + body)

    def _append(self, data: bytes) -> None:
        try:
            written = os.write(self._descriptor, data)
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Close the file; what was not flushed is lost. Closing twice does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
