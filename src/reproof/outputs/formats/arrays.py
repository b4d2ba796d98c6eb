"""Arrays of NumPy (``.npy``) and safetensors, read without their libraries."""

from __future__ import annotations

import ast
import json
import math
import re
import struct
from typing import TYPE_CHECKING, BinaryIO, Final

from xxhash import xxh3_128

from reproof.outputs.formats.parts import CHUNK_BYTES
from reproof.outputs.records import digest_text

if TYPE_CHECKING:
    from reproof.outputs.formats.parts import PartCollector

NUMPY_MAGIC: Final = b"\x93NUMPY"
MAX_HEADER_BYTES: Final = 100_000_000
MAX_NUMPY_HEADER_BYTES: Final = 1_000_000
_DTYPE: Final = re.compile(r"[<>|=]?([?biufcSUVmM])(\d{0,9})(?:\[\w{1,8}\])?")
_SCALARS: Final = {"f2": "e", "f4": "f", "f8": "d", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H",
                   "u4": "I", "u8": "Q", "b1": "?"}  # fmt: skip


def read_npy(stream: BinaryIO, parts: PartCollector, name: str = "") -> None:
    """Read an array; one of records field by field, because nobody writes the bytes between fields.

    The name, where it is one of several, tells whether a single number is a duration. Raises ValueError if it is
    damaged, or holds Python objects; struct.error if it is cut off.
    """
    if stream.read(6) != NUMPY_MAGIC:
        raise ValueError("not an array of NumPy")
    major, _ = stream.read(2)
    (size,) = struct.unpack("<H", stream.read(2)) if major == 1 else struct.unpack("<I", stream.read(4))
    if size > MAX_NUMPY_HEADER_BYTES:
        raise ValueError("a header too large")
    header = ast.literal_eval(stream.read(size).decode("latin-1").strip())
    kind, shape, order = header["descr"], tuple(header["shape"]), "F" if header["fortran_order"] else "C"
    text = f"{_show_dtype(kind)} {list(shape)}"
    if isinstance(kind, list):
        _read_records(stream, parts, kind, math.prod(shape))
    elif math.prod(shape) == 1 and (number := _read_number(stream, kind)) is not None:
        parts.add_value("value", number, (name,))
    else:
        parts.add_stream("data", stream, text)
    parts.add("type", digest_text(f"{kind!r} {shape!r} {order}"), text)


def decode_number(kind: str, data: bytes) -> int | float | bool | None:
    """Return the number of an element of NumPy's type, such as ``<f8``; None for other types."""
    code = _SCALARS.get(kind.lstrip("<>|="))
    if code is None or struct.calcsize(code) != len(data):
        return None
    number: int | float | bool = struct.unpack((">" if kind.startswith(">") else "<") + code, data)[0]
    return number


def read_safetensors(stream: BinaryIO, parts: PartCollector) -> None:
    """Read tensors and metadata in the order of their names: the order of the header means nothing.

    Raises ValueError, KeyError, struct.error if it is damaged.
    """
    (size,) = struct.unpack("<Q", stream.read(8))
    if size > MAX_HEADER_BYTES:
        raise ValueError("a header too large")
    header = json.loads(stream.read(size))
    for key, value in sorted(header.pop("__metadata__", {}).items()):
        parts.add_value(f"metadata[{key!r}]", value, (key,))
    for name, entry in sorted(header.items()):
        start, stop = entry["data_offsets"]
        stream.seek(8 + size + start)
        hasher = xxh3_128(f"{entry['dtype']} {entry['shape']} ".encode())
        for done in range(start, stop, CHUNK_BYTES):
            chunk = stream.read(min(CHUNK_BYTES, stop - done))
            if not chunk:
                raise ValueError("cut off")
            hasher.update(chunk)
        parts.add(f"[{name!r}]", hasher.hexdigest(), f"{entry['dtype']} {entry['shape']}")


def _read_number(stream: BinaryIO, kind: str) -> int | float | bool | None:
    position = stream.tell()
    number = decode_number(kind, stream.read(17))
    if number is None:
        stream.seek(position)
    return number


def _read_records(stream: BinaryIO, parts: PartCollector, fields: list[tuple[object, ...]], count: int) -> None:
    """Digest each field of all records; unnamed fields are padding."""
    places, size = [], 0
    for name, kind, *shape in fields:
        width = _width(kind) * (math.prod(shape[0]) if shape else 1)  # type: ignore[call-overload]
        if name:
            places.append((str(name), size, width))
        size += width
    hashers = {name: xxh3_128() for name, _, _ in places}
    for _ in range(count):
        record = stream.read(size)
        if len(record) != size:
            raise ValueError("cut off")
        for name, start, width in places:
            hashers[name].update(record[start : start + width])
    for name, hasher in hashers.items():
        parts.add(f"[{name!r}]", hasher.hexdigest(), f"field of {count} records")


def _width(kind: object) -> int:
    if isinstance(kind, list):  # a record within a record, its padding with it
        return sum(_width(field[1]) * (math.prod(field[2]) if len(field) > 2 else 1) for field in kind)  # noqa: PLR2004
    match = _DTYPE.fullmatch(str(kind))
    if match is None:
        raise ValueError(f"elements of type {kind!r}")
    return int(match[2] or 1) * (4 if match[1] == "U" else 1)


def _show_dtype(kind: object) -> str:
    return "records" if isinstance(kind, list) else str(kind)
