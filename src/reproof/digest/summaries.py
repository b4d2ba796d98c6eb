"""Numbers kept beside a digest: they explain a difference between two runs and never decide that there is none.

All are little-endian bytes. None means that this kind of number does not fit the value, which is no error. Left out:
which values are worth their numbers (`reproof.recorder`).
"""

from __future__ import annotations

import math
import struct
import sys
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor
from xxhash import xxh3_64_intdigest

from reproof.digest.arrays import is_array, locate_array
from reproof.digest.hashing import NATIVE_ORDER, CannotDigestError, HostData
from reproof.digest.tensors import locate_tensor, reading
from reproof.digest.values import read_integers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_SAMPLES: Final = 1024
MAX_EXACT_ELEMENTS: Final = 4096

_INTEGER_CODES: Final = {
    "bool": "?", "int8": "b", "int16": "h", "int32": "i", "int64": "q",
    "uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q",
}  # fmt: skip
_BOUNDS: Final = [
    (code, -(1 << bits - 1) if is_signed else 0, (1 << bits - is_signed) - 1)
    for bits, codes in ((8, "Bb"), (16, "Hh"), (32, "Ii"), (64, "qQ"))
    for code in codes
    for is_signed in (code.islower(),)
]
"""Types of integers, the smallest first: code, least and greatest number."""

_FLOAT_CODES: Final = {"float16": "e", "float32": "f", "float64": "d"}
_CODES_IN_PLACE: Final = (
    {torch.float16: "e", torch.float32: "f", torch.float64: "d"} if sys.byteorder == "little" else {}
)
"""Types of which a number's bytes in memory are those that are kept."""


def sample_fingerprints(value: object) -> bytes | None:
    """Return a 32-bit fingerprint of each sample: which of them differ, and which only changed places.

    A sample is a row along dimension 0 of a tensor or array in host memory; its fingerprint is the low half of the
    xxh3_64 of its bytes. None without at least one and at most 1024 samples that are not empty. Effects: none beyond
    those of `digest_tensor`; never waits for a device.
    """
    data = _locate(value, _is_in_host_memory)
    if data is None or not data.shape or not 1 <= data.shape[0] <= MAX_SAMPLES or data.memory.nbytes == 0:
        return None
    memory, num_bytes = data.memory, data.memory.nbytes
    row_bytes = num_bytes // data.shape[0]
    hashes = [xxh3_64_intdigest(memory[start : start + row_bytes]) for start in range(0, num_bytes, row_bytes)]
    return memoryview(struct.pack(f"<{len(hashes)}Q", *hashes)).cast("I")[::2].tobytes()


def exact_numbers(value: object, max_bytes: int | None = None) -> tuple[str, bytes] | None:
    """Return at most 4096 integers or booleans in the smallest type that holds them; None for anything else.

    Takes tensors, arrays, an integer, and lists, tuples and ranges of integers (signed 64 bits). They may take
    `max_bytes`, None for any number. Returns the typecode of `struct`, and the elements. Effects: waits for the device
    of such a tensor that is not in host memory, and copies it.
    """
    if isinstance(value, (int, list, tuple, range)):
        found = _exact_integers(value)
    else:
        num_most = MAX_EXACT_ELEMENTS if max_bytes is None else min(max_bytes, MAX_EXACT_ELEMENTS)
        data = _locate(value, lambda tensor: _is_integral(tensor) and tensor.numel() <= num_most)
        if data is None or math.prod(data.shape) > num_most:
            return None
        code = _INTEGER_CODES.get(data.kind.removeprefix(">"))
        found = None if code is None else _narrow(code, _little_endian(data))
    return None if found is None or (max_bytes is not None and len(found[1]) > max_bytes) else found


def exact_scalar(value: object) -> tuple[str, bytes] | None:
    """Return the typecode of `struct` and the bits of one floating-point number; None for anything else.

    Takes a float, and tensors and arrays of one element. What `struct` has no code for (bfloat16, float8) is widened to
    float32, which is exact. Effects: waits for the device of such a tensor that is not in host memory, and copies it.
    """
    if type(value) is float:
        return "d", struct.pack("<d", value)
    data = _locate(value, _has_one_float)
    if data is None or math.prod(data.shape) != 1:
        return None
    code = _FLOAT_CODES.get(data.kind.removeprefix(">"))
    return _widen(data) if code is None else (code, _little_endian(data))


def read_number(tensor: Tensor, place: tuple[memoryview, int]) -> tuple[str, bytes] | None:
    """Return what `exact_scalar` does for a tensor of one element that `find_in_place` has found; None for others."""
    code = _CODES_IN_PLACE.get(tensor.dtype)
    return None if code is None else (code, place[0].tobytes())


def statistics(value: object) -> bytes | None:
    """Return sum, mean, std, min, max and L2 norm as six float64, computed in float64; None where there are none.

    Takes tensors and arrays of integers, booleans, floating-point and complex numbers (of these, the absolute values)
    with at least one element. The standard deviation is that of `torch.std` (divided by N - 1), and 0.0 for a single
    element. NaN and infinity propagate. Large sums depend in their last bits on the number of threads, so these numbers
    are for tolerances only. Effects: waits for the device of a tensor that is not in host memory, and copies it. No
    random numbers, no flags.
    """
    data = _locate(value, lambda _: True)
    if data is None:
        return None
    try:
        with reading(value):
            numbers = _decode(data)
            return None if numbers is None else struct.pack("<6d", *_summarize(numbers))
    except CannotDigestError:
        return None  # no elements, or no arithmetic for this dtype


def _locate(value: Any, fits: Callable[[Tensor], bool]) -> HostData | None:
    """Return the elements of a dense tensor that fits or of a plain array, or None if it is neither."""
    try:
        if isinstance(value, Tensor):
            return locate_tensor(value, fits)
        return locate_array(value) if is_array(value) else None
    except CannotDigestError:
        return None


def _is_in_host_memory(tensor: Tensor) -> bool:
    return tensor.is_cpu


def _is_integral(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() and not tensor.is_complex()


def _has_one_float(tensor: Tensor) -> bool:
    return tensor.numel() == 1 and tensor.is_floating_point()


def _exact_integers(value: object) -> tuple[str, bytes] | None:
    if isinstance(value, (list, tuple, range)) and len(value) > MAX_EXACT_ELEMENTS:
        return None
    integers = read_integers(value)
    return None if integers is None else _pack_narrow("q", integers)


def _narrow(code: str, elements: bytes) -> tuple[str, bytes]:
    """Return little-endian integers in the smallest type that holds them."""
    if struct.calcsize(code) == 1:
        return code, elements
    return _pack_narrow(code, struct.unpack(f"<{len(elements) // struct.calcsize(f'<{code}')}{code}", elements))


def _pack_narrow(code: str, integers: Sequence[int]) -> tuple[str, bytes]:
    if integers:
        low, high = min(integers), max(integers)
        code = next(code for code, least, greatest in _BOUNDS if least <= low and high <= greatest)
    return code, struct.pack(f"<{len(integers)}{code}", *integers)


def _little_endian(data: HostData) -> bytes:
    """Return the bytes of elements in little-endian order."""
    count = math.prod(data.shape)
    if not data.kind.startswith(">") or count == 0:
        return data.memory.tobytes()
    code = {2: "H", 4: "I", 8: "Q"}[data.memory.nbytes // count]
    return struct.pack(f"<{count}{code}", *struct.unpack(f">{count}{code}", data.memory))


def _decode(data: HostData) -> Tensor | None:
    """Return elements as a tensor without dimensions of its own, or None if PyTorch has no such dtype."""
    dtype = getattr(torch, data.kind.removeprefix(NATIVE_ORDER), None)
    if not isinstance(dtype, torch.dtype):
        return None
    # PyTorch warns of memory that cannot be written.
    return torch.frombuffer(bytearray(data.memory) if data.memory.readonly else data.memory, dtype=dtype)


def _widen(data: HostData) -> tuple[str, bytes] | None:
    if not data.kind.removeprefix(NATIVE_ORDER).startswith(("bfloat16", "float8_")):
        return None
    with reading(data.owner):
        number = _decode(data)
        # As an integer: a Python float would not keep every NaN.
        return None if number is None else ("f", struct.pack("<i", number.to(torch.float32).view(torch.int32).item()))


def _summarize(numbers: Tensor) -> tuple[float, ...]:
    if numbers.is_complex():
        numbers = numbers.to(torch.complex128).abs()
    numbers = numbers.to(torch.float64)
    total = numbers.sum().item()
    deviation = numbers.std().item() if numbers.numel() > 1 else 0.0
    low, high = numbers.aminmax()
    norm = torch.linalg.vector_norm(numbers).item()
    return total, total / numbers.numel(), deviation, low.item(), high.item(), norm
