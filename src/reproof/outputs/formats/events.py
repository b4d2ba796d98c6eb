"""Event files of TensorBoard: tag, step and value of what was logged; when it was logged is left out.

A file is a sequence of TFRecords (length, checksum, data, checksum), each with an ``Event`` in the wire format of
Protocol Buffers (https://protobuf.dev/programming-guides/encoding/); the numbers of the fields are those of
``tensorboard/compat/proto/event.proto`` and ``summary.proto``. What is no scalar counts by its bytes.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO, Final

from reproof.outputs.formats.parts import read_all
from reproof.outputs.records import digest_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reproof.outputs.formats.parts import PartCollector

_EVENT_STEP, _EVENT_FILE_VERSION, _EVENT_SUMMARY = 2, 3, 5
_SUMMARY_VALUE: Final = 1
_VALUE_TAG, _VALUE_SIMPLE, _VALUE_TENSOR = 1, 2, 8
_TENSOR_DTYPE, _TENSOR_CONTENT, _TENSOR_FLOATS = 1, 4, 5
_FLOAT32: Final = 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MAX_VARINT_BYTES: Final = 10


def read_events(stream: BinaryIO, parts: PartCollector) -> None:
    """Read the events of a file, in the order of logging.

    Raises ValueError if it is no event file or is damaged. A record that is cut off at the end is left out.
    """
    for number, record in enumerate(_read_records(read_all(stream))):
        fields = list(read_fields(record))
        step = next((_signed(value) for field, value in fields if field == _EVENT_STEP), 0)
        for field, value in fields:
            if field == _EVENT_FILE_VERSION:
                parts.add_value(f"[{number}] version", value)
            elif field == _EVENT_SUMMARY:
                _read_summary(_as_bytes(value), step, parts)


def _read_summary(data: bytes, step: int, parts: PartCollector) -> None:
    for field, value in read_fields(data):
        if field == _SUMMARY_VALUE:
            fields = dict(read_fields(_as_bytes(value)))
            tag = _as_bytes(fields.get(_VALUE_TAG, b"")).decode("utf-8", "replace")
            name = f"{tag} at step {step}"
            scalar = _read_scalar(fields)
            if scalar is None:
                rest = {field: content for field, content in fields.items() if field != _VALUE_TAG}
                parts.add(name, digest_bytes(repr(sorted(rest.items())).encode()), "no scalar")
            else:
                parts.add_value(name, scalar, (tag,))


def _read_scalar(fields: dict[int, int | bytes]) -> float | None:
    simple = fields.get(_VALUE_SIMPLE)
    if isinstance(simple, bytes) and len(simple) == 4:  # noqa: PLR2004  # a float of 32 bits
        return float(struct.unpack("<f", simple)[0])
    if _VALUE_TENSOR not in fields:
        return None
    tensor = dict(read_fields(_as_bytes(fields[_VALUE_TENSOR])))
    content = tensor.get(_TENSOR_FLOATS, tensor.get(_TENSOR_CONTENT))
    if tensor.get(_TENSOR_DTYPE) == _FLOAT32 and isinstance(content, bytes) and len(content) == 4:  # noqa: PLR2004
        return float(struct.unpack("<f", content)[0])
    return None


def _read_records(data: bytes) -> Iterator[bytes]:
    position = 0
    while position + 12 <= len(data):
        (size,) = struct.unpack_from("<Q", data, position)
        end = position + 12 + size
        if end + 4 > len(data):
            if position == 0:
                raise ValueError("no event file")
            return
        yield data[position + 12 : end]
        position = end + 4


def read_fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and value of each field of a message. Raises ValueError if it is damaged."""
    position = 0
    while position < len(data):
        key, position = _read_varint(data, position)
        field, kind = key >> 3, key & 7
        value: int | bytes
        if kind == _VARINT:
            value, position = _read_varint(data, position)
        else:
            if kind == _BYTES:
                size, position = _read_varint(data, position)
            elif kind in {_FIXED64, _FIXED32}:
                size = 8 if kind == _FIXED64 else 4
            else:
                raise ValueError(f"a field of kind {kind}")
            value = data[position : position + size]
            if len(value) != size:
                raise ValueError("cut off")
            position += size
        yield field, value


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for count in range(_MAX_VARINT_BYTES):
        if position + count >= len(data):
            break
        byte = data[position + count]
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:  # noqa: PLR2004  # the last byte of a number
            return value, position + count + 1
    raise ValueError("a number without an end")


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number in the place of a message")  # noqa: TRY004  # one exception for damage
    return value


def _signed(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("a message in the place of a number")  # noqa: TRY004
    return value - (1 << 64) if value >> 63 else value
