"""Compare two tensors element by element, from their bytes: how many differ, how far, and a few examples.

Only the standard library is at work. Two elements differ if their bits do: 0.0 and -0.0 differ, and NaNs of another
payload. Distances are measured between finite numbers.
"""

from __future__ import annotations

import math
import struct
from array import array
from collections import Counter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from reproof.schema import OpExample
from reproof.schema.telling import tell_distance

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_EXAMPLES: Final = 5
BLOCK_BYTES: Final = 1 << 16
"""Equal blocks of so many bytes are passed over at once; a multiple of the size of every element."""

UNSIGNED: Final[dict[int, Literal["B", "H", "I", "Q"]]] = {1: "B", 2: "H", 4: "I", 8: "Q"}
INTEGERS: Final = {
    "bool": "?",
    "uint8": "B",
    "int8": "b",
    "int16": "h",
    "uint16": "H",
    "int32": "i",
    "uint32": "I",
    "int64": "q",
    "uint64": "Q",
}
FLOATS: Final = {"float16": 2, "bfloat16": 2, "float32": 4, "float64": 8}
COMPLEX: Final = {"complex32": "float16", "complex64": "float32", "complex128": "float64"}


class Elements(NamedTuple):
    """How two tensors differ.

    Attributes:
        num_differing: Elements whose bits differ.
        max_abs: Largest absolute difference of finite numbers; None if there is no such pair or it is no number type.
        max_ulp: Largest distance of finite floats in units in the last place, for complex ones of either part.
        ulps: How many of these are 1, 2 to 3, 4 to 7, … units in the last place apart.
        examples: The first elements that differ.
    """

    num_differing: int
    num_elements: int
    max_abs: float | None
    max_ulp: int | None
    ulps: tuple[int, ...]
    examples: tuple[OpExample, ...]

    def __str__(self) -> str:
        """Return how many differ, and by how much at most."""
        return tell_distance(self.num_differing, self.num_elements, self.max_abs, self.max_ulp)


def compare_elements(dtype: str, shape: tuple[int, ...], a: memoryview, b: memoryview) -> Elements | None:
    """Compare two tensors of one type and shape.

    None if the type (a name such as ``float32``) is unknown, or the bytes are not as many as they should be. The
    elements are in row-major order, little-endian.
    """
    part = COMPLEX.get(dtype, dtype)
    size = FLOATS.get(part) or (struct.calcsize(INTEGERS[part]) if part in INTEGERS else 0)
    num_parts = 2 if dtype in COMPLEX else 1
    num_elements = math.prod(shape)
    if not size or not num_elements * num_parts * size == a.nbytes == b.nbytes:
        return None
    units = find_differing(a, b, size)
    if num_parts == 1:
        differing: Sequence[int] = units
    else:
        differing = sorted({unit // num_parts for unit in units})
    max_abs, max_ulp, ulps = measure(part, [(bits(a, i, size), bits(b, i, size)) for i in units])
    if num_parts > 1:
        max_abs = max(filter(math.isfinite, (distance(dtype, a, b, i) for i in differing)), default=None)
    examples = tuple(
        OpExample(unravel(i, shape), value_of(dtype, a, i), value_of(dtype, b, i)) for i in differing[:MAX_EXAMPLES]
    )
    return Elements(len(differing), num_elements, max_abs, max_ulp, ulps, examples)


def find_differing(a: memoryview, b: memoryview, size: int) -> array[int]:
    """Return the positions of the elements of `size` bytes that differ."""
    found = array("Q")
    code = UNSIGNED[size]
    for start in range(0, a.nbytes, BLOCK_BYTES):
        x, y = bytes(a[start : start + BLOCK_BYTES]), bytes(b[start : start + BLOCK_BYTES])
        if x != y:
            first = start // size
            pairs = zip(memoryview(x).cast(code), memoryview(y).cast(code), strict=True)
            found.extend(first + i for i, (p, q) in enumerate(pairs) if p != q)
    return found


def bits(data: memoryview, position: int, size: int) -> int:
    """Return the bits of an element as an unsigned integer."""
    return int.from_bytes(data[position * size : (position + 1) * size], "little")


def measure(dtype: str, pairs: list[tuple[int, int]]) -> tuple[float | None, int | None, tuple[int, ...]]:
    """Return the largest absolute difference, and the largest and all distances in ulp, of elements given by bits."""
    if dtype in INTEGERS:
        signed = 8 * struct.calcsize(INTEGERS[dtype]) if INTEGERS[dtype].islower() and dtype != "bool" else 0
        return max((float(abs(as_signed(x, signed) - as_signed(y, signed))) for x, y in pairs), default=None), None, ()
    max_abs = max_ulp = None
    ulps: Counter[int] = Counter()
    for x, y in pairs:
        gap = abs(as_float(dtype, x) - as_float(dtype, y))
        if math.isfinite(gap):
            max_abs = gap if max_abs is None else max(max_abs, gap)
        if is_finite(dtype, x) and is_finite(dtype, y):
            ulp = abs(ordinal(x, FLOATS[dtype]) - ordinal(y, FLOATS[dtype]))
            max_ulp = ulp if max_ulp is None else max(max_ulp, ulp)
            ulps[ulp.bit_length()] += ulp > 0  # both zeros are none apart
    return max_abs, max_ulp, tuple(ulps[size] for size in range(1, max(ulps, default=0) + 1))


def as_signed(x: int, num_bits: int) -> int:
    """Return bits as a signed integer of the given width; as they are for width 0."""
    return x - (1 << num_bits) if num_bits and x >> (num_bits - 1) else x


def as_float(dtype: str, x: int) -> float:
    """Return the number that bits stand for."""
    if dtype == "bfloat16":
        dtype, x = "float32", x << 16
    size = FLOATS[dtype]
    code = {2: "<e", 4: "<f", 8: "<d"}[size]
    number: float = struct.unpack(code, x.to_bytes(size, "little"))[0]
    return number


def is_finite(dtype: str, x: int) -> bool:
    """Whether bits stand for a finite number."""
    return math.isfinite(as_float(dtype, x))


def ordinal(x: int, size: int) -> int:
    """Number the floats in increasing order, with both zeros at 0 (IEEE 754: the bits of positives are ordered)."""
    sign = 1 << (8 * size - 1)
    return -(x - sign) if x & sign else x


def value_of(dtype: str, data: memoryview, position: int) -> complex | str:
    """Return an element as a Python number; a NaN with its bits, since it may differ from another in those alone."""
    if dtype in COMPLEX:
        part = COMPLEX[dtype]
        size = FLOATS[part]
        real, imaginary = (as_float(part, bits(data, 2 * position + i, size)) for i in (0, 1))
        return complex(real, imaginary)
    if dtype == "bool":
        return data[position] != 0
    if dtype in INTEGERS:
        size = struct.calcsize(INTEGERS[dtype])
        return as_signed(bits(data, position, size), 8 * size if INTEGERS[dtype].islower() else 0)
    found = bits(data, position, FLOATS[dtype])
    number = as_float(dtype, found)
    return f"nan (0x{found:0{2 * FLOATS[dtype]}x})" if math.isnan(number) else number


def distance(dtype: str, a: memoryview, b: memoryview, position: int) -> float:
    """Return the absolute difference of two complex elements."""
    x, y = value_of(dtype, a, position), value_of(dtype, b, position)
    assert not isinstance(x, str)  # noqa: S101  # complex elements are numbers
    assert not isinstance(y, str)  # noqa: S101
    return abs(x - y)


def unravel(position: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the index of the element at a position in row-major order."""
    index = []
    for size in reversed(shape):
        position, within = divmod(position, size)
        index.append(within)
    return tuple(reversed(index))
