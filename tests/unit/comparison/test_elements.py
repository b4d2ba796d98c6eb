"""Two tensors are compared element by element from their bytes, whatever the type."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest

from reproof.comparison.elements import compare_elements
from reproof.schema import OpExample


def view(array: np.ndarray) -> memoryview:
    """Return the bytes of an array."""
    return memoryview(array.tobytes())


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_the_next_number_is_one_ulp_away(dtype: str) -> None:
    """The distance of neighbours is 1, and the position of the one that differs is told."""
    a = np.linspace(1, 2, 6, dtype=dtype).reshape(2, 3)
    b = a.copy()
    b[1, 0] = np.nextafter(a[1, 0], a.dtype.type(9))
    found = compare_elements(dtype, (2, 3), view(a), view(b))
    assert found is not None
    assert (found.num_differing, found.num_elements, found.max_ulp) == (1, 6, 1)
    assert found.max_abs == float(b[1, 0]) - float(a[1, 0])
    assert found.examples == (OpExample((1, 0), float(a[1, 0]), float(b[1, 0])),)


def test_bfloat16_is_the_upper_half_of_float32() -> None:
    """1.0 and its next number in bfloat16 are one ulp and 2**-7 apart."""
    a, b = struct.pack("<2H", 0x3F80, 0x4000), struct.pack("<2H", 0x3F81, 0x4000)
    found = compare_elements("bfloat16", (2,), memoryview(a), memoryview(b))
    assert found is not None
    assert (found.num_differing, found.max_abs, found.max_ulp) == (1, 2**-7, 1)
    assert found.examples == (OpExample((0,), 1.0, 1.0078125),)


@pytest.mark.parametrize(
    ("dtype", "a", "b", "gap"),
    [
        ("int8", -128, 127, 255.0),
        ("uint8", 0, 255, 255.0),
        ("int64", -(2**62), 2**62, 2.0**63),
        ("int32", -1, 1, 2.0),
        ("bool", False, True, 1.0),
    ],
)
def test_integers_have_no_ulp(dtype: str, a: int, b: int, gap: float) -> None:
    """Integers and booleans are told by their difference alone."""
    found = compare_elements(dtype, (1,), view(np.array([a], dtype)), view(np.array([b], dtype)))
    assert found is not None
    assert (found.num_differing, found.max_abs, found.max_ulp) == (1, gap, None)
    assert found.examples == (OpExample((0,), a, b),)


def test_complex_numbers_differ_as_wholes() -> None:
    """A number of which both parts differ is one that differs, by its absolute value."""
    a = np.array([1 + 1j, 0, 5], np.complex64)
    b = np.array([4 + 5j, 0, 5], np.complex64)
    found = compare_elements("complex64", (3,), view(a), view(b))
    assert found is not None
    assert (found.num_differing, found.max_abs) == (1, 5.0)
    assert found.examples == (OpExample((0,), 1 + 1j, 4 + 5j),)
    assert found.examples[0].to_json() == {"index": [0], "baseline": "(1+1j)", "candidate": "(4+5j)"}


def test_zeros_of_both_signs_differ_by_nothing() -> None:
    """Bits decide that they differ; in numbers they are the same."""
    found = compare_elements("float32", (1,), view(np.array([0.0], "f")), view(np.array([-0.0], "f")))
    assert found is not None
    assert (found.num_differing, found.max_abs, found.max_ulp, found.ulps) == (1, 0.0, 0, ())


def test_what_is_not_finite_has_no_distance() -> None:
    """NaN and infinity are shown and counted; the distances are those of the finite numbers."""
    a = np.array([math.nan, math.inf, 1, math.nan], "f")
    b = np.array([1, 2, 3, math.nan], "f")
    found = compare_elements("float32", (4,), view(a), view(b))
    assert found is not None
    assert (found.num_differing, found.max_abs, sum(found.ulps)) == (3, 2.0, 1)
    assert found.examples[0] == OpExample((0,), "nan (0x7fc00000)", 1.0)
    only = compare_elements("float32", (1,), view(a[:1]), view(b[:1]))
    assert only is not None
    assert (only.max_abs, only.max_ulp) == (None, None)


def test_nans_of_other_payload_differ() -> None:
    """Their bits are shown: nothing else tells them apart."""
    a, b = struct.pack("<I", 0x7FC00000), struct.pack("<I", 0x7FC00001)
    found = compare_elements("float32", (1,), memoryview(a), memoryview(b))
    assert found is not None
    assert (found.num_differing, found.max_abs) == (1, None)
    assert found.examples == (OpExample((0,), "nan (0x7fc00000)", "nan (0x7fc00001)"),)


def test_large_tensors_are_compared_in_blocks() -> None:
    """Elements are found in their places far beyond the first block, and a scalar has an empty index."""
    a = np.zeros((300, 400))
    b = a.copy()
    b[299, 399] = b[0, 1] = 1
    found = compare_elements("float64", (300, 400), view(a), view(b))
    assert found is not None
    assert [example.indices for example in found.examples] == [(0, 1), (299, 399)]
    scalar = compare_elements("int32", (), view(np.int32(1)), view(np.int32(2)))
    assert scalar is not None
    assert scalar.examples == (OpExample((), 1, 2),)


@pytest.mark.parametrize(("dtype", "shape"), [("float8_e4m3fn", (4,)), ("float32", (2,)), ("quint4x2", (1,))])
def test_what_cannot_be_told_is_not_made_up(dtype: str, shape: tuple[int, ...]) -> None:
    """Unknown types and bytes that do not fit the shape give no measure."""
    assert compare_elements(dtype, shape, memoryview(bytes(4)), memoryview(b"\1" * 4)) is None
