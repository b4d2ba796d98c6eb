"""numpy arrays and scalars as they stand in a pickle, turned into Python numbers without numpy.

A pickled array is a name, a dtype, a shape and raw bytes. Decoding these with `struct` runs no code of numpy, so a
hostile file cannot reach it, and a machine without numpy reads the records too. The layouts are those that
``ndarray.__reduce_ex__`` writes for protocols 0 to 5 in numpy 1.x and 2.x
(https://github.com/numpy/numpy/blob/v2.4.0/numpy/_core/src/multiarray/methods.c, array_reduce_ex).

Left out on purpose: dtypes that carry Python objects, fields, dates, raw or extended-precision values: refused.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from typing import Any, Final

MAX_DIMENSIONS: Final = 64
"""What numpy itself allows."""

_DTYPE_NAME = re.compile(r"(b1|[iu][1248]|f[248]|c8|c16|U\d{1,9})")
_STRUCT_CODES: Final = {
    "b1": "?", "i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I", "u8": "Q",
    "f2": "e", "f4": "f", "f8": "d", "c8": "f", "c16": "d",
}  # fmt: skip
_UCS4_BYTES: Final = 4


class RefusedError(ValueError):
    """Something in a pickle that is not read; the message names it and follows the words "refuses ..."."""


@dataclass(slots=True)
class PickledDtype:
    """A numpy dtype of fixed-size numbers or strings; its byte order comes later in the pickle than its name."""

    name: str
    byte_order: str = "|"

    @classmethod
    def from_arguments(cls, arguments: tuple[Any, ...]) -> PickledDtype:
        """Read the arguments of ``numpy.dtype(name, align, copy)``."""
        name = arguments[0] if arguments else None
        if not isinstance(name, str) or not _DTYPE_NAME.fullmatch(name):
            raise RefusedError(f"the numpy dtype {quote(name)}")
        return cls(name)

    def set_state(self, state: object) -> None:
        """Take the byte order from the state of the dtype; refuse fields, sub-arrays and metadata."""
        match state:
            case (3 | 4, "<" | ">" | "|" as byte_order, None, None, None, int(), int(), int()):
                self.byte_order = byte_order
            case _:
                raise RefusedError(f"a numpy dtype {self.name!r} with fields or metadata")

    @property
    def item_bytes(self) -> int:
        """Size of one element."""
        size = int(self.name[1:])
        return size * _UCS4_BYTES if self.name[0] == "U" else size

    def decode(self, raw: bytes | bytearray) -> list[Any]:
        """Return the elements that these bytes hold, as Python numbers or strings; the bits of a float are kept."""
        order = ">" if self.byte_order == ">" else "<"
        if self.name[0] == "U":
            return self._decode_strings(raw, "utf-32-be" if order == ">" else "utf-32-le")
        code = _STRUCT_CODES[self.name]
        values = struct.unpack(f"{order}{len(raw) // struct.calcsize(order + code)}{code}", raw)
        if self.name[0] == "c":
            return [complex(*pair) for pair in zip(values[::2], values[1::2], strict=True)]
        return list(values)

    def _decode_strings(self, raw: bytes | bytearray, encoding: str) -> list[str]:
        step = self.item_bytes
        return [raw[start : start + step].decode(encoding).rstrip("\0") for start in range(0, len(raw), step)]


@dataclass(slots=True)
class PickledArray:
    """A numpy array: created empty, filled when the pickle gives its state.

    Attributes:
        dtype: Type of the elements, None until filled.
        shape: Its dimensions.
        strides: Elements from one position to the next, per dimension, in `raw`.
        raw: The elements' bytes, in the order that `strides` tells.
    """

    dtype: PickledDtype | None = None
    shape: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    raw: bytes | bytearray = b""

    @classmethod
    def from_buffer(cls, arguments: tuple[Any, ...]) -> PickledArray:
        """Read the arguments of numpy's ``_frombuffer(buffer, dtype, shape, order, axis_order=None)``."""
        array = cls()
        match arguments:
            case (buffer, dtype, shape, "C" | "F" as order) | (buffer, dtype, shape, "K" as order, None):
                array._fill(buffer, dtype, shape, fortran=order == "F")
            case (buffer, dtype, shape, "K", axes):
                array._fill(buffer, dtype, shape, fortran=False)
                array._transpose(axes)
            case _:
                raise RefusedError("a numpy array of an unknown layout")
        return array

    def set_state(self, state: object) -> None:
        """Read the state ``(1, shape, dtype, is_fortran, raw)`` of ``ndarray.__setstate__``."""
        match state:
            case (1, shape, dtype, bool() as fortran, raw):
                self._fill(raw, dtype, shape, fortran=fortran)
            case _:
                raise RefusedError("a numpy array of an unknown layout")

    @property
    def num_nodes(self) -> int:
        """How many Python objects the array becomes at most; even an array without elements can have many rows."""
        return math.prod(max(size, 1) for size in self.shape)

    def to_python(self) -> Any:
        """Return what ``ndarray.tolist()`` gives, with tuples for lists."""
        if self.dtype is None:
            raise RefusedError("a numpy array without its data")
        return _nest(self.dtype.decode(self.raw), self.shape, self.strides, 0)

    def _fill(self, raw: object, dtype: object, shape: object, *, fortran: bool) -> None:
        dimensions = _read_shape(shape)
        if not isinstance(dtype, PickledDtype) or not isinstance(raw, (bytes, bytearray)):
            raise RefusedError("a numpy array of Python objects")
        if not dtype.item_bytes or math.prod(dimensions) * dtype.item_bytes != len(raw):
            raise RefusedError(
                f"a numpy array of shape {quote(dimensions)} and dtype {dtype.name!r} in {len(raw)} bytes"
            )
        self.dtype, self.shape, self.raw = dtype, dimensions, raw
        self.strides = _contiguous_strides(dimensions[::-1])[::-1] if fortran else _contiguous_strides(dimensions)

    def _transpose(self, axes: object) -> None:
        if not isinstance(axes, tuple) or sorted(axes) != list(range(len(self.shape))):
            raise RefusedError(f"a numpy array of axes {quote(axes)}")
        self.shape = tuple(self.shape[axis] for axis in axes)
        self.strides = tuple(self.strides[axis] for axis in axes)


def decode_scalar(arguments: tuple[Any, ...]) -> Any:
    """Read the arguments of numpy's ``scalar(dtype, raw)``."""
    match arguments:
        case (PickledDtype() as dtype, bytes() as raw) if len(raw) == dtype.item_bytes:
            return dtype.decode(raw)[0] if raw else ""
        case _:
            raise RefusedError("a numpy scalar of an unknown layout")


def quote(value: object, limit: int = 60) -> str:
    """Return a short one-line text for a value of a file that is not trusted."""
    if isinstance(value, int) and value.bit_length() > 64:  # noqa: PLR2004 - longer ones are slow to print
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, (str, bytes)):
        text = ascii(value[:limit])
    elif value is None or isinstance(value, (bool, int, float, complex)):
        text = repr(value)
    elif isinstance(value, tuple) and len(value) <= MAX_DIMENSIONS and all(type(item) is int for item in value):
        text = "(" + ", ".join(map(quote, value)) + (",)" if len(value) == 1 else ")")
    else:
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _read_shape(shape: object) -> tuple[int, ...]:
    if not isinstance(shape, tuple) or len(shape) > MAX_DIMENSIONS:
        raise RefusedError(f"a numpy array of shape {quote(shape)}")
    if any(type(size) is not int or size < 0 for size in shape):
        raise RefusedError(f"a numpy array of shape {quote(shape)}")
    return shape


def _contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    strides: list[int] = []
    step = 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


def _nest(flat: list[Any], shape: tuple[int, ...], strides: tuple[int, ...], start: int) -> Any:
    if not shape:
        return flat[start]
    if len(shape) == 1:
        return tuple(flat[start : start + shape[0] * strides[0] : strides[0]]) if shape[0] else ()
    return tuple(_nest(flat, shape[1:], strides[1:], start + row * strides[0]) for row in range(shape[0]))
