"""Digests over many inputs: whatever changes the content changes the digest, and nothing else does."""

from __future__ import annotations

import copy
import math
import struct
from typing import Any

import numpy as np
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from reproof.digest import digest_array, digest_indices, digest_plain, digest_tensor, exact_numbers, sample_fingerprints

SHARED = [
    "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64", "complex64", "complex128",
]  # fmt: skip
NAMES = [*SHARED, "bfloat16", "complex32", "float8_e4m3fn", "float8_e5m2"]
SHAPES = st.lists(st.integers(1, 5), max_size=4).map(tuple)


@st.composite
def tensors(draw: st.DrawFn, names: list[str] = NAMES, shapes: st.SearchStrategy[tuple[int, ...]] = SHAPES) -> Tensor:
    """Draw a contiguous tensor of any bits."""
    dtype: torch.dtype = getattr(torch, draw(st.sampled_from(names)))
    shape = draw(shapes)
    num_bytes = math.prod(shape) * dtype.itemsize
    return from_bytes(draw(st.binary(min_size=num_bytes, max_size=num_bytes)), dtype).reshape(shape)


def from_bytes(data: bytes, dtype: torch.dtype) -> Tensor:
    """Return the elements that these bytes are."""
    return torch.tensor(list(data), dtype=torch.uint8).view(dtype)


def to_bytes(tensor: Tensor) -> bytes:
    """Return the bytes of a contiguous tensor."""
    return bytes(tensor.reshape(-1).view(torch.uint8).tolist())


def rows_of(tensor: Tensor) -> list[bytes]:
    """Return the bytes of each row."""
    return [to_bytes(row) for row in tensor]


MATRICES = tensors(shapes=st.tuples(st.integers(1, 5), st.integers(1, 5)))
SQUARES = tensors(shapes=st.integers(2, 5).map(lambda size: (size, size)))


@given(tensors(), st.data())
def test_one_changed_bit_changes_the_digest(tensor: Tensor, data: st.DataObject) -> None:
    """Anywhere, in any dtype and shape."""
    content = bytearray(to_bytes(tensor))
    position = data.draw(st.integers(0, len(content) - 1))
    content[position] ^= 1 << data.draw(st.integers(0, 7))
    changed = from_bytes(bytes(content), tensor.dtype).reshape(tensor.shape)
    assert digest_tensor(changed) != digest_tensor(tensor)


@given(tensors(), st.data())
def test_two_exchanged_elements_change_the_digest(tensor: Tensor, data: st.DataObject) -> None:
    """Unless they are the same bits."""
    width, content = tensor.dtype.itemsize, to_bytes(tensor)
    elements = [content[i : i + width] for i in range(0, len(content), width)]
    one, other = (data.draw(st.integers(0, len(elements) - 1)) for _ in range(2))
    assume(elements[one] != elements[other])
    elements[one], elements[other] = elements[other], elements[one]
    changed = from_bytes(b"".join(elements), tensor.dtype).reshape(tensor.shape)
    assert digest_tensor(changed) != digest_tensor(tensor)


@given(MATRICES, st.data())
def test_a_permutation_of_rows_is_seen_exactly_if_it_changes_something(tensor: Tensor, data: st.DataObject) -> None:
    """Order is content; fingerprints follow their rows."""
    order = data.draw(st.permutations(range(len(tensor))))
    permuted = from_bytes(b"".join(rows_of(tensor)[i] for i in order), tensor.dtype).reshape(tensor.shape)
    assert (digest_tensor(permuted) == digest_tensor(tensor)) == (rows_of(permuted) == rows_of(tensor))
    before, after = sample_fingerprints(tensor), sample_fingerprints(permuted)
    assert before is not None
    assert after == b"".join(before[4 * i : 4 * i + 4] for i in order)


@given(SQUARES)
def test_a_transposition_is_seen_exactly_if_it_changes_something(tensor: Tensor) -> None:
    """A square matrix keeps its shape when it is transposed."""
    bits = np.frombuffer(to_bytes(tensor), dtype=f"V{tensor.dtype.itemsize}").reshape(tensor.shape)
    is_symmetric = bits.T.tobytes() == bits.tobytes()
    assert (digest_tensor(tensor.t()) == digest_tensor(tensor)) == is_symmetric


@given(tensors())
def test_another_shape_is_another_digest(tensor: Tensor) -> None:
    """The same elements in another shape."""
    shape = tuple(tensor.shape)
    shapes = {shape, (1, *shape), (*shape, 1), shape[::-1], (tensor.numel(),), (1, tensor.numel())}
    assert len({digest_tensor(tensor.reshape(other)) for other in shapes}) == len(shapes)


@given(tensors(), st.sampled_from(NAMES))
def test_another_dtype_of_the_same_bytes_is_another_digest(tensor: Tensor, name: str) -> None:
    """Reinterpreted, with or without another shape."""
    dtype = getattr(torch, name)
    assume(dtype is not tensor.dtype and (dtype.itemsize == tensor.dtype.itemsize or tensor.dim() > 0))
    assume(dtype.itemsize <= tensor.dtype.itemsize)
    assert digest_tensor(tensor.view(dtype)) != digest_tensor(tensor)


@given(tensors(SHARED))
def test_arrays_and_tensors_agree(tensor: Tensor) -> None:
    """The same dtype, shape and bytes: the same digest, fingerprints and numbers."""
    array = tensor.numpy()
    assert digest_array(array) == digest_tensor(tensor)
    assert digest_array(array.copy(order="F")) == digest_tensor(tensor)
    assert sample_fingerprints(array) == sample_fingerprints(tensor)
    assert exact_numbers(array) == exact_numbers(tensor)


@given(tensors(), st.data())
def test_a_strided_view_equals_its_contiguous_copy(tensor: Tensor, data: st.DataObject) -> None:
    """Any slices of any order of dimensions; the reference is numpy's copy of the bits."""
    order = data.draw(st.permutations(range(tensor.dim())))
    sizes = tensor.permute(order).shape
    slices = tuple(slice(data.draw(st.integers(0, size - 1)), None, data.draw(st.integers(1, 3))) for size in sizes)
    view = tensor.permute(order)[slices]
    bits = np.frombuffer(to_bytes(tensor), dtype=f"V{tensor.dtype.itemsize}").reshape(tensor.shape)
    copied = from_bytes(bits.transpose(order)[slices].tobytes(), tensor.dtype).reshape(view.shape)
    assert digest_tensor(view) == digest_tensor(copied)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters(), max_size=5)
    | st.binary(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=2) | st.integers(0, 3), inner, max_size=3)
        | st.frozensets(st.integers(-2, 2) | st.text(max_size=1), max_size=4)
        | st.sets(st.integers(-2, 2) | st.booleans(), max_size=4)
    ),
    max_leaves=12,
)


def identity(value: Any) -> Any:
    """Return something that is equal for two values exactly if type and bits are: an independent statement of it."""
    if isinstance(value, float):
        return "float", struct.pack(">d", value)
    if isinstance(value, complex):
        return "complex", struct.pack(">dd", value.real, value.imag)
    if isinstance(value, (list, tuple)):
        return type(value).__name__, tuple(identity(item) for item in value)
    if isinstance(value, dict):
        return "dict", tuple((identity(key), identity(item)) for key, item in value.items())
    if isinstance(value, (set, frozenset)):
        return type(value).__name__, frozenset(identity(item) for item in value)
    return type(value).__name__, value


@given(PLAIN, PLAIN)
def test_plain_values_have_equal_digests_exactly_if_they_are_the_same(one: Any, other: Any) -> None:
    """By type and bits, through all nesting."""
    assert (digest_plain(one) == digest_plain(other)) == (identity(one) == identity(other))
    assert digest_plain(copy.deepcopy(one)) == digest_plain(one)
    assert digest_plain([one]) != digest_plain(one)
    assert (digest_plain([one, other]) == digest_plain([other, one])) == (identity(one) == identity(other))


@given(st.lists(st.integers(-3, 3) | st.text(max_size=2)))
def test_sets_have_no_order(items: list[Any]) -> None:
    """Built in either direction."""
    backwards = items[::-1]
    assert digest_plain(set(items)) == digest_plain(set(backwards))
    assert digest_plain(frozenset(items)) == digest_plain(frozenset(backwards))


@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_indices_have_equal_digests_exactly_if_they_are_equal(one: list[int], other: list[int]) -> None:
    """And they are those of the int64 tensor."""
    assert (digest_indices(one) == digest_indices(other)) == (one == other)
    assert digest_indices(one) == digest_tensor(torch.tensor(one, dtype=torch.int64))
