"""Numbers beside a digest: fingerprints of samples, exact values, statistics."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np
import pytest
import torch
import xxhash
from torch.overrides import TorchFunctionMode

from reproof.digest import (
    digest_tensor,
    exact_numbers,
    exact_scalar,
    find_in_place,
    read_number,
    sample_fingerprints,
    statistics,
)


def unpack(numbers: bytes | None, code: str) -> list[Any]:
    """Return little-endian numbers as a list."""
    assert numbers is not None
    return [number for (number,) in struct.iter_unpack(f"<{code}", numbers)]


class TestSampleFingerprints:
    """One number per sample."""

    @pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 2, 2), (1024,), (1, 5)])
    def test_a_fingerprint_is_the_hash_of_the_row(self, shape: tuple[int, ...]) -> None:
        """The low half of its xxh3_64, little-endian, equal for tensors and arrays."""
        tensor = torch.arange(float(math.prod(shape))).reshape(shape)
        rows = [xxhash.xxh3_64_intdigest(row.numpy().tobytes()) & 0xFFFFFFFF for row in tensor]
        assert unpack(sample_fingerprints(tensor), "I") == rows
        assert unpack(sample_fingerprints(tensor.numpy()), "I") == rows

    def test_layout_in_memory_does_not_count(self) -> None:
        """A strided batch has the fingerprints of its contiguous copy."""
        batch = torch.arange(24.0).reshape(4, 6)
        assert sample_fingerprints(batch[:, ::2]) == sample_fingerprints(batch[:, ::2].contiguous())
        assert sample_fingerprints(batch.t().numpy()) == sample_fingerprints(batch.t().contiguous())
        numbers = torch.tensor([[1 + 2j, 3j], [4 + 0j, 5j]], dtype=torch.complex128)
        assert sample_fingerprints(numbers.conj()) == sample_fingerprints(numbers.conj().resolve_conj())

    @pytest.mark.parametrize(
        "value",
        [
            torch.tensor(1.0),
            torch.empty(0, 3),
            torch.empty(3, 0),
            torch.zeros(1025, 1),
            torch.empty(2, device="meta"),
            torch.eye(2).to_sparse(),
            np.float32(1),
            np.array([None, 1], dtype=object),
            np.zeros(2, dtype=[("a", "i4")]),
            np.ma.masked_array([1, 2]),
            [1, 2],
            "text",
            None,
        ],
    )
    def test_what_has_no_rows_has_no_fingerprints(self, value: Any) -> None:
        """None, and never an error."""
        assert sample_fingerprints(value) is None


class TestExactNumbers:
    """Labels, targets and indices as they are."""

    @pytest.mark.parametrize(
        ("dtype", "code"),
        [
            (torch.bool, "?"),
            (torch.int8, "b"),
            (torch.int16, "h"),
            (torch.int32, "i"),
            (torch.int64, "q"),
            (torch.uint8, "B"),
            (torch.uint16, "H"),
            (torch.uint32, "I"),
            (torch.uint64, "Q"),
        ],
    )
    def test_integers_come_back_exactly(self, dtype: torch.dtype, code: str) -> None:
        """The extremes of every integer type survive, from tensors, views and arrays."""
        limits = [0, 1] if dtype is torch.bool else [torch.iinfo(dtype).min, torch.iinfo(dtype).max]
        tensor = torch.tensor([limits, limits[::-1]], dtype=dtype)
        expected = [*limits, *limits[::-1]]
        for value in (tensor, tensor.numpy(), tensor.numpy().astype(tensor.numpy().dtype.newbyteorder(">"))):
            found = exact_numbers(value)
            assert found is not None
            assert found[0] == code
            assert unpack(found[1], code) == expected
        assert exact_numbers(tensor[:, :1]) == exact_numbers(tensor[:, :1].contiguous())

    @pytest.mark.parametrize("value", [[3, -1], (3, -1), range(3, -2, -4), [np.int64(3), -1], [torch.tensor(3), -1]])
    def test_python_integers_are_numbers_as_well(self, value: Any) -> None:
        """Lists, tuples and ranges, whatever library the integers are from."""
        assert exact_numbers(value) == ("b", struct.pack("<2b", 3, -1))

    def test_one_integer_and_none_are_numbers_too(self) -> None:
        """An index without a batch, and an empty list."""
        assert exact_numbers(7) == ("B", b"\x07")
        assert exact_numbers([]) == ("q", b"")
        assert exact_numbers(torch.empty(0, dtype=torch.int32)) == ("i", b"")
        assert exact_numbers(np.empty(0, dtype=">i4")) == ("i", b"")

    @pytest.mark.parametrize(
        ("largest", "code"), [(255, "B"), (256, "H"), (65535, "H"), (65536, "I"), (2**32 - 1, "I"), (2**32, "q")]
    )
    def test_integers_take_the_smallest_type_that_holds_them(self, largest: int, code: str) -> None:
        """Token ids are int64 in memory and need 16 bits in a trace; a negative number makes the type a signed one."""
        for value in (torch.tensor([0, largest]), np.array([0, largest]), [0, largest]):
            assert exact_numbers(value) == (code, struct.pack(f"<2{code}", 0, largest))
        signed = {255: "h", 256: "h", 65535: "i", 65536: "i"}.get(largest, "q")
        assert exact_numbers(torch.tensor([-1, largest])) == (signed, struct.pack(f"<2{signed}", -1, largest))

    def test_integers_that_take_too_many_bytes_are_left_out(self) -> None:
        """The bound is on the bytes that are kept and not on the elements."""
        numbers = torch.arange(100)
        assert exact_numbers(numbers, max_bytes=100) == ("B", bytes(range(100)))
        assert exact_numbers(numbers, max_bytes=99) is None
        assert exact_numbers(numbers + 200, max_bytes=100) is None

    @pytest.mark.parametrize(
        "value",
        [
            torch.ones(2),
            torch.ones(2, dtype=torch.complex64),
            torch.zeros(4097, dtype=torch.uint8),
            np.zeros(4097, dtype=np.uint8),
            [0] * 4097,
            [1.0],
            ["1"],
            [2**63],
            2**63,
            True,
            "text",
            None,
            {1: 2},
            np.array(["a"]),
            np.array([1.0]),
            torch.empty(2, dtype=torch.int64, device="meta"),
        ],
    )
    def test_what_is_not_a_few_integers_is_left_out(self, value: Any) -> None:
        """None, and never an error."""
        assert exact_numbers(value) is None


class TestExactScalar:
    """The loss and other single numbers as they are."""

    @pytest.mark.parametrize(("dtype", "code"), [(torch.float16, "e"), (torch.float32, "f"), (torch.float64, "d")])
    def test_bits_of_one_number_are_kept(self, dtype: torch.dtype, code: str) -> None:
        """Also -0.0, denormals and infinity, for tensors, arrays and parts of a graph."""
        for number in (1 / 3, -0.0, torch.finfo(dtype).smallest_normal / 2, math.inf):
            tensor = torch.tensor(number, dtype=dtype)
            expected = (code, tensor.numpy().tobytes())
            assert (
                exact_scalar(tensor) == exact_scalar(tensor.reshape(1, 1)) == exact_scalar(tensor.numpy()) == expected
            )
            assert exact_scalar(tensor.clone().requires_grad_() * 1) == expected
            assert exact_scalar(tensor.numpy().astype(tensor.numpy().dtype.newbyteorder(">"))) == expected
        assert exact_scalar(0.1) == ("d", struct.pack("<d", 0.1))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.bfloat16, torch.int64])
    def test_a_number_that_was_found_in_place(self, dtype: torch.dtype) -> None:
        """Its bits are those of the way that looks for it, where `struct` has a code; else that way is left to it."""
        tensor = torch.tensor([3.0], dtype=dtype)
        digest_tensor(tensor)  # the first of its type and shape takes a closer look
        place = find_in_place(tensor)
        assert place is not None
        has_code = dtype in {torch.float16, torch.float32, torch.float64}
        assert read_number(tensor, place) == (exact_scalar(tensor) if has_code else None)

    @pytest.mark.parametrize("bits", [0x3F80, 0x8000, 0x0001, 0x7F80, 0x7F81, 0xFFC5])
    def test_bfloat16_is_the_upper_half_of_a_float(self, bits: int) -> None:
        """Widening keeps every bit, signalling NaNs included."""
        tensor = torch.tensor([bits], dtype=torch.uint16).view(torch.bfloat16)
        assert exact_scalar(tensor) == ("f", struct.pack("<I", bits << 16))

    @pytest.mark.parametrize(
        "name", ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"]
    )
    def test_float8_is_widened_exactly(self, name: str) -> None:
        """Every finite value is found again."""
        numbers = torch.arange(256).to(torch.uint8).view(getattr(torch, name))
        for number in numbers:
            found = exact_scalar(number)
            assert found is not None
            wide = struct.unpack("<f", found[1])[0]
            assert found[0] == "f"
            assert math.isnan(wide) or wide == float(number.to(torch.float64))

    @pytest.mark.parametrize(
        "value",
        [
            torch.tensor(1),
            torch.ones(2),
            torch.empty(0),
            torch.tensor(1j),
            torch.empty((), device="meta"),
            torch.zeros(1, dtype=torch.uint8).view(torch.float4_e2m1fn_x2),
            np.ones(2),
            np.int64(1),
            np.array(["a"]),
            1,
            True,
            "1.0",
            None,
        ],
    )
    def test_anything_else_is_left_out(self, value: Any) -> None:
        """None, and never an error."""
        assert exact_scalar(value) is None


class TestStatistics:
    """Sum, mean, standard deviation, minimum, maximum and L2 norm."""

    @pytest.mark.parametrize(
        "dtype", [torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.uint16, torch.complex64]
    )
    def test_they_are_computed_in_float64(self, dtype: torch.dtype) -> None:
        """Complex numbers count by their absolute value; the deviation is that of a sample, as in `torch.std`."""
        tensor = (torch.tensor([[1, 2], [3, 250]]) * (1j if dtype.is_complex else 1)).to(dtype)
        numbers = np.array([1.0, 2.0, 3.0, 250.0])
        expected = [numbers.sum(), numbers.mean(), numbers.std(ddof=1), 1.0, numbers.max(), np.linalg.norm(numbers)]
        assert unpack(statistics(tensor), "d") == pytest.approx(expected, rel=1e-14)
        assert statistics(tensor.t()) == statistics(tensor.t().contiguous())

    def test_an_array_has_those_of_the_equal_tensor(self) -> None:
        """Also one that cannot be written, without a warning."""
        tensor = torch.linspace(-1, 1, 7)
        array = tensor.numpy().copy()
        array.flags.writeable = False
        assert statistics(array) == statistics(tensor)

    def test_they_do_not_lose_small_numbers_among_large_ones(self) -> None:
        """float32 would give 2**24."""
        tensor = torch.tensor([2.0**24, 1.0, 1.0], requires_grad=True)
        assert unpack(statistics(tensor), "d")[0] == 2.0**24 + 2

    def test_special_numbers_propagate(self) -> None:
        """NaN is not hidden, and one element has no deviation."""
        assert all(math.isnan(number) for number in unpack(statistics(torch.tensor([1.0, math.nan])), "d"))
        assert unpack(statistics(torch.tensor([math.inf, 1.0])), "d")[0] == math.inf
        assert unpack(statistics(torch.tensor(-3.0)), "d") == [-3.0, -3.0, 0.0, -3.0, -3.0, 3.0]

    @pytest.mark.parametrize(
        "value",
        [
            torch.empty(0),
            torch.empty(2, device="meta"),
            torch.zeros(2, dtype=torch.uint8).view(torch.bits8),
            torch.eye(2).to_sparse(),
            np.empty(0),
            np.array(["a"]),
            np.array([None]),
            np.array(["2026-11-22"], dtype="M8[D]"),
            3.0,
            None,
        ],
    )
    def test_what_has_no_arithmetic_has_none(self, value: Any) -> None:
        """None, and never an error."""
        assert statistics(value) is None

    def test_they_draw_no_random_numbers_and_call_no_mode(self) -> None:
        """Looking changes nothing."""
        tensor = torch.linspace(0, 1, 50, requires_grad=True)
        before = torch.get_rng_state()
        with CountingMode() as mode:
            found = statistics(tensor), sample_fingerprints(tensor), exact_numbers(tensor), exact_scalar(tensor)
        assert mode.num_calls == 0
        assert [part is None for part in found] == [False, False, True, True]
        assert torch.equal(before, torch.get_rng_state())
        assert torch.is_grad_enabled()


class CountingMode(TorchFunctionMode):
    """Counts calls that a user's function mode sees."""

    num_calls = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Count and go on."""
        self.num_calls += 1
        return func(*args, **(kwargs or {}))
