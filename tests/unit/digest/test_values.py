"""Digests of numpy arrays, of plain Python values, and of what a sampler draws."""

from __future__ import annotations

import math
from collections import OrderedDict
from enum import IntEnum
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch

from reproof.digest import CannotDigestError, digest_array, digest_indices, digest_plain, digest_tensor

NUMPY_NAMES = [
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
    "float16", "float32", "float64", "complex64", "complex128",
]  # fmt: skip


class TestArrays:
    """numpy arrays and scalars."""

    @pytest.mark.parametrize("name", NUMPY_NAMES)
    def test_an_array_equals_the_tensor_of_the_same_bits(self, name: str) -> None:
        """Element types that both libraries have share their digests."""
        dtype = getattr(torch, name)
        raw = torch.arange(6 * dtype.itemsize, dtype=torch.uint8)
        tensor = (raw % 2 if name == "bool" else raw).view(dtype).reshape(3, 2)
        array = tensor.numpy()
        assert array.dtype.name == name
        assert digest_array(array) == digest_tensor(tensor)
        assert digest_array(array.copy(order="F")) == digest_array(array[::-1][::-1]) == digest_tensor(tensor)
        assert digest_array(array[1, 1]) == digest_tensor(tensor[1, 1])

    def test_memory_that_cannot_be_written_is_read(self) -> None:
        """Read-only and memory-mapped arrays are as good as others."""
        array = np.arange(4)
        digest = digest_array(array)
        array.flags.writeable = False
        assert digest_array(array) == digest

    def test_byte_order_counts(self) -> None:
        """Big-endian elements are other data, even if the values are equal or the bytes are."""
        little = np.array([1, 2], dtype="<i4")
        digests = {digest_array(little), digest_array(little.astype(">i4")), digest_array(little.view(">i4"))}
        assert len(digests) == 3

    def test_padding_of_records_does_not_count(self) -> None:
        """Only fields do: their names, order and content."""
        padded = np.dtype({"names": ["a", "b"], "formats": ["u1", "<f8"], "offsets": [0, 8], "itemsize": 24})
        one, two = np.full(3 * 24, 255, dtype=np.uint8).view(padded), np.zeros(3, dtype=padded)
        one["a"] = two["a"] = [1, 2, 3]
        one["b"] = two["b"] = [0.5, 1.5, 2.5]
        assert one.tobytes() != two.tobytes()
        packed = two.astype([("a", "u1"), ("b", "<f8")])
        assert digest_array(one) == digest_array(two) == digest_array(packed)
        assert digest_array(one[0]) == digest_array(packed[0])
        renamed = packed.astype([("c", "u1"), ("b", "<f8")])
        one["b"][1] = 9
        assert len({digest_array(array) for array in (one, packed, renamed, packed[["b", "a"]])}) == 4

    @pytest.mark.skipif(np.finfo(np.longdouble).nmant != 63, reason="no 80-bit numbers here")
    @pytest.mark.parametrize("dtype", [np.longdouble, np.clongdouble])
    @pytest.mark.parametrize("order", ["<", ">"])
    def test_padding_of_extended_precision_does_not_count(self, dtype: type, order: str) -> None:
        """10 of 16 bytes are the number."""
        stored = np.dtype(dtype).newbyteorder(order)
        one = np.full(2 * stored.itemsize, 255, dtype=np.uint8).view(stored)
        two = np.zeros(2, dtype=stored)
        one[:] = two[:] = [1, np.nextafter(np.longdouble(2), 3)]
        width = np.dtype(np.longdouble).itemsize
        padding = slice(10, None) if order == "<" else slice(0, width - 10)
        one.view(np.uint8).reshape(-1, width)[:, padding] = 7
        assert one.tobytes() != two.tobytes()
        assert digest_array(one) == digest_array(two)
        two[1] = 2
        assert digest_array(one) != digest_array(two)

    @pytest.mark.parametrize(
        "arrays",
        [
            [np.array(["a", "b"]), np.array(["a", "c"]), np.array(["a", "b"], dtype="<U2"), np.array([b"a", b"b"])],
            [np.array([1, 2], dtype=f"<{code}8[{unit}]") for code in "mM" for unit in ("s", "ns")],
            [np.array([b"\0\1", b"\2\3"], dtype="V2"), np.array([b"\0\1", b"\2\4"], dtype="V2")],
            [np.array(["", ""], dtype="<U0"), np.array([b""], dtype="S0"), np.zeros(2, dtype="V0")],
            [np.array([1, "a", None], dtype=object), np.array(["1", "a", None], dtype=object)],
            [np.array([[1], [2]], dtype=object), np.array([[1, 2]], dtype=object), np.array([1, 2])],
        ],
        ids=["strings", "dates", "void", "no bytes", "objects", "object shapes"],
    )
    def test_arrays_of_other_types_differ_by_type_and_content(self, arrays: list[np.ndarray[Any, Any]]) -> None:
        """Each has its digest, and an equal copy the same."""
        assert len({digest_array(array) for array in arrays}) == len(arrays)
        assert [digest_array(array.copy()) for array in arrays] == [digest_array(array) for array in arrays]

    @pytest.mark.skipif(not hasattr(np.dtypes, "StringDType"), reason="numpy 1 has no variable-width strings")
    def test_variable_width_strings_are_compared_by_content(self) -> None:
        """Their memory holds addresses."""
        words = ["short", "long enough not to be stored in place"]
        one, two = (np.array([*words], dtype=np.dtypes.StringDType()) for _ in range(2))
        assert digest_array(one) == digest_array(two)
        assert digest_array(one) != digest_array(np.array(words[::-1], dtype=np.dtypes.StringDType()))

    def test_a_masked_array_is_data_and_mask(self) -> None:
        """A mask of no element is no different from none being masked; the fill value does not count."""
        data = np.arange(3.0)
        masked = np.ma.masked_array(data, mask=[False, True, False], fill_value=7)
        assert digest_array(masked) == digest_array(np.ma.masked_array(data, mask=[0, 1, 0], fill_value=8))
        others = [np.ma.masked_array(data), np.ma.masked_array(data + 1, mask=masked.mask), data]
        assert len({digest_array(array) for array in [masked, *others]}) == 4
        assert digest_array(np.ma.masked_array(data, mask=[False] * 3)) == digest_array(others[0])

    def test_array_subclasses_are_their_data(self) -> None:
        """Matrices and record arrays count as what they hold."""
        data = np.arange(4.0).reshape(2, 2)
        assert digest_array(data.view(np.matrix)) == digest_array(data)
        records = np.array([(1, 2)], dtype=[("x", "<i4"), ("y", "<i4")])
        assert digest_array(records.view(np.recarray)) == digest_array(records)

    @pytest.mark.parametrize("value", [np.array([object()]), np.array([{1: lambda: 0}]), [1, 2], torch.ones(2)])
    def test_what_is_not_plain_data_is_refused(self, value: Any) -> None:
        """The address of an object is not its content."""
        with pytest.raises(CannotDigestError, match="value of type"):
            digest_array(value)

    def test_an_array_in_itself_is_refused(self) -> None:
        """Instead of going on for ever."""
        array = np.empty(1, dtype=object)
        array[0] = array
        with pytest.raises(CannotDigestError, match="nested"):
            digest_array(array)


class TestPlainValues:
    """Python values."""

    def test_values_that_compare_equal_or_look_alike_differ(self) -> None:
        """Type and exact bits decide, not ``==``."""
        values: list[Any] = [
            None, 1, True, 1.0, 1 + 0j, "1", b"1", [1], (1,), {1}, frozenset({1}), {1: None}, range(1), range(2),
            0, False, 0.0, -0.0, "", b"", [], (), set(), frozenset(), {}, [[]], [()], "0", np.float64(0), np.int64(0),
            math.nan, -math.nan, 2**64, -(2**64), 2**64 + 1, 127, 128, -128, -129, 255, 256,
            ["a", "bc"], ["ab", "c"], ["abc"], "abc", [["a"], "bc"], [["a", "bc"]], {"a": "bc"}, ("a", "bc"),
            {1: 2, 3: 4}, {3: 4, 1: 2}, {1: 4, 3: 2}, [1, 2, 3, 4],
            "\ud83d\ude00", "😀", "\ud83d", "\ude00", "?", "é", "e\u0301",
            torch.tensor(1), [torch.tensor(1)], [torch.tensor(1.0)], [np.array([1])],
        ]  # fmt: skip
        digests = [digest_plain(value) for value in values]
        assert len(digests) == len(set(digests))

    def test_a_set_has_no_order(self) -> None:
        """Iteration order, which hash seeds and insertion decide, does not count."""
        sets = [set(order) for order in permutations((0, 8, 16, 24))]  # numbers of one slot in the table of a small set
        assert len({tuple(one) for one in sets}) > 1
        assert len({digest_plain(one) for one in sets}) == 1

    def test_a_subclass_of_a_plain_type_is_plain(self) -> None:
        """Named tuples, ordered dicts and the like are what their base holds."""
        colour = IntEnum("colour", ["RED"])
        assert digest_plain(torch.Size([2, 3])) == digest_plain((2, 3))
        assert digest_plain(OrderedDict(a=1)) == digest_plain({"a": 1})
        assert digest_plain(colour(1)) == digest_plain(1)

    def test_arrays_inside_count_by_content(self) -> None:
        """An array and the equal tensor have one digest inside a value too."""
        assert digest_plain([np.arange(3)]) == digest_plain([torch.arange(3)])

    def test_an_unknown_type_is_named(self) -> None:
        """Wherever it stands in the value."""
        with pytest.raises(CannotDigestError, match=r"value of type .*PlainStranger"):
            digest_plain({"a": [1, PlainStranger()]})

    def test_a_list_in_itself_is_refused(self) -> None:
        """Instead of going on for ever."""
        value: list[Any] = []
        value.append(value)
        with pytest.raises(CannotDigestError, match="nested"):
            digest_plain(value)


class PlainStranger:
    """A type that nobody knows."""


class TestIndices:
    """What a sampler draws."""

    def test_integers_of_any_library_are_the_same_indices(self) -> None:
        """A list, tuple or range of Python, numpy or PyTorch integers is the int64 tensor of their values."""
        plain = digest_indices([3, 4, 5])
        assert plain == digest_tensor(torch.tensor([3, 4, 5])) == digest_indices(torch.tensor([3, 4, 5]))
        others = [(3, 4, 5), range(3, 6), [np.int64(3), np.int32(4), 5], list(torch.arange(3, 6)), np.arange(3, 6)]
        assert {digest_indices(other) for other in others} == {plain}
        assert digest_indices([torch.tensor(3)]) == digest_indices([3])
        assert digest_indices(7) == digest_indices(torch.tensor(7)) == digest_indices(np.int64(7))

    def test_order_and_number_of_indices_count(self) -> None:
        """Each of these is another draw."""
        draws: list[Any] = [
            [1, 2],
            [2, 1],
            [1, 2, 2],
            [],
            [[]],
            1,
            [1],
            [2**63],
            [-1],
            [1.0, 2.0],
            ["1", "2"],
            "1",
            None,
        ]
        assert len({digest_indices(draw) for draw in draws}) == len(draws)

    def test_keys_of_any_plain_kind_have_a_digest(self) -> None:
        """Strings, pairs with arrays, and nested keys."""
        assert digest_indices("image-7.png") == digest_plain("image-7.png")
        assert digest_indices([("a", torch.ones(2))]) == digest_indices([("a", np.ones(2, dtype=np.float32))])
        assert digest_indices([torch.ones(2), torch.zeros(2)]) != digest_indices([torch.zeros(2), torch.ones(2)])

    def test_an_unknown_key_is_refused(self) -> None:
        """With the name of its type."""
        with pytest.raises(CannotDigestError, match="PlainStranger"):
            digest_indices([PlainStranger()])
