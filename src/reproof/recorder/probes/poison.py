"""Fill uninitialised memory with values that tell where it was allocated, and look for them in what is recorded.

What `torch.empty` returns is whatever the memory held before: a training that reads it before writing it computes
something else in each run, or only in some. As an experiment all such memory is filled: floating-point numbers with
NaNs whose payload is the number of the place that allocated it, which most arithmetic passes on, and integers with a
pattern. An event in which one of them shows has read memory that nothing wrote. Arithmetic in bfloat16 makes a plain
NaN of any, and so does narrowing: poison that went through it shows no more.

Forked children, such as the workers of a loader, fill memory as well: all processes number the places in one file.

Not seen: memory that PyTorch's own kernels allocate, compiled regions, other threads, and spawned processes. One-byte
integers are filled, and found only where several in a row are left; bools and other types of numpy are filled only.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import torch

from reproof.entropy.sites import Site, find_site
from reproof.recorder.probes.conditions import isolated
from reproof.recorder.probes.copies import is_plain
from reproof.recorder.probes.modes import ProbeMode
from reproof.recorder.probes.op_effects import effects_of, fresh_tensors
from reproof.recorder.probes.op_sites import NOWHERE
from reproof.recorder.tracing import is_tracing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from reproof.recorder.patches import Patches

if sys.platform != "win32":
    import fcntl


class FloatCode(NamedTuple):
    """How the number of a place is written into the NaNs of a floating-point type.

    Attributes:
        integer: The integer type of the same size.
        nan: Bits of the quiet NaN without payload.
        base: What the payload of a poisoned element is at the least.
        limit: So many places can be told apart; the others share the last number.
        shift: Bits of the payload below the number: a wider type has the number in the same leading bits as float32.
    """

    integer: torch.dtype
    nan: int
    base: int
    limit: int
    shift: int = 0


FLOATS: Final = {
    torch.float64: FloatCode(torch.int64, 0x7FF8_0000_0000_0000, 0x2A_0000, 0xFFFF, 29),
    torch.float32: FloatCode(torch.int32, 0x7FC0_0000, 0x2A_0000, 0xFFFF),
    torch.float16: FloatCode(torch.int16, 0x7E00, 0x80, 0x7F),
    torch.bfloat16: FloatCode(torch.int16, 0x7FC0, 0x20, 0x1F),
}
"""NaNs that arithmetic makes have a payload of zero; these begin far from it."""

COMPLEX: Final = {torch.complex128: torch.float64, torch.complex64: torch.float32, torch.complex32: torch.float16}

INTEGERS: Final = {torch.int64: 0x2BAD_5EED_0000_0000, torch.int32: 0x2BAD_0000}
"""Integers in which the number of the place is the lowest 16 bits."""

SMALL: Final = {torch.int16: 0x2BAD, torch.uint8: 0xA5, torch.int8: 0xA5 - 0x100}
"""Integers too small for a number."""

MIN_RUN: Final = {torch.int16: 2, torch.uint8: 8, torch.int8: 8}
"""At least so many of the small ones must hold the pattern."""

MAX_NUMBER: Final = 0xFFFF


class Poisoned(NamedTuple):
    """What was found in a tensor.

    Attributes:
        site: Where the memory was allocated; a site without a file if the elements are too small to tell.
        num_poisoned: Elements that hold, or were computed from, such memory.
    """

    site: Site
    num_poisoned: int


class Poison:
    """The places that have allocated uninitialised memory in this process, by number from 1."""

    def __init__(self, other: tuple[str, int] | None = None, shared: Path | None = None) -> None:
        """Start without places.

        At file and line `other` memory is filled with other values; in the file `shared` all processes number the
        places.
        """
        self.sites: list[Site] = [NOWHERE]
        self._other = other
        self._numbers: dict[Site, int] = {}
        self._shared = None if sys.platform == "win32" else shared  # there are no forked children there
        self._num_read = 0

    def number_of(self, site: Site | None) -> int:
        """Return the number of a place."""
        place = site or NOWHERE
        known = self._numbers.get(place)
        if known is None:
            if len(self.sites) > MAX_NUMBER:
                return MAX_NUMBER
            with self._locked() as descriptor:
                known = self._numbers.get(place)  # another process may have been first
                if known is None:
                    known = self._add(place)
                    if descriptor >= 0:
                        self._num_read += os.write(descriptor, f"{json.dumps(place)}\n".encode())
        return known

    def read_shared(self) -> None:
        """Read the places that other processes have numbered."""
        if self._shared is not None and os.path.exists(self._shared) and os.path.getsize(self._shared) > self._num_read:  # noqa: PTH110, PTH202  # asked often
            with self._locked():
                pass

    @contextlib.contextmanager
    def _locked(self) -> Iterator[int]:
        """Lock the shared file and read it to its end; yield its descriptor, or -1 if there is none."""
        if self._shared is None or sys.platform == "win32":
            yield -1
            return
        descriptor = os.open(self._shared, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            read = os.pread(descriptor, os.fstat(descriptor).st_size - self._num_read, self._num_read)
            self._num_read += len(read)
            for line in read.splitlines():
                self._add(Site(*json.loads(line)))
            yield descriptor
        finally:
            os.close(descriptor)

    def _add(self, place: Site) -> int:
        number = self._numbers[place] = len(self.sites)
        self.sites.append(place)
        return number

    def fill(self, tensor: torch.Tensor, number: int, start: int = 0) -> None:
        """Fill all memory of a tensor, or from byte `start` on, with a value that depends on its type.

        Effects: writes to the memory, also where it is not part of the tensor.
        """
        place = self.sites[number]
        is_other = (place.file, place.line) == self._other
        coded = other_code_of(tensor.dtype, number) if is_other else code_of(tensor.dtype, number)
        if coded is None or not is_plain(tensor) or not tensor.untyped_storage().nbytes():
            return
        kind, value = coded
        storage = tensor.untyped_storage()
        with isolated():
            first = -(-start // kind.itemsize)
            count = max(storage.nbytes() // kind.itemsize - first, 0)
            torch.empty(0, dtype=kind, device=tensor.device).set_(storage, first, (count,)).fill_(value)  # type: ignore[call-overload]

    def find(self, tensor: torch.Tensor) -> Poisoned | None:
        """Return where the poison in a tensor comes from, or None if there is none."""
        if not is_plain(tensor) or not tensor.numel():
            return None
        with isolated():
            if tensor.dtype in COMPLEX:
                tensor = torch.view_as_real(tensor.resolve_conj().resolve_neg())
            if tensor.dtype in FLOATS:
                return self._find_in_floats(tensor)
            if tensor.dtype in INTEGERS:
                return self._find_in_integers(tensor)
            if tensor.dtype in SMALL:
                count = int((tensor == SMALL[tensor.dtype]).sum().item())
                return Poisoned(NOWHERE, count) if count >= MIN_RUN[tensor.dtype] else None
        return None

    def _find_in_floats(self, tensor: torch.Tensor) -> Poisoned | None:
        is_nan = tensor.isnan()
        if not is_nan.any():
            return None
        code = FLOATS[tensor.dtype]
        bits = tensor[is_nan].view(code.integer).long()
        mask = (1 << (8 * tensor.element_size() - 1)) - 1  # without the sign, which arithmetic may turn
        payload = ((bits & mask) - code.nan) >> code.shift
        for known in dict.fromkeys((code, FLOATS[torch.float16], FLOATS[torch.bfloat16])):
            shift = 0 if known is code else payload_shift(tensor.dtype, known)
            numbers = (payload >> shift) - known.base
            is_ours = (numbers > 0) & (numbers <= min(known.limit, max(len(self.sites) - 1, 1)))
            is_ours &= payload == (payload >> shift) << shift
            if is_ours.any():
                first = int(numbers[is_ours][0].item())
                site = self.sites[first] if first < known.limit and first < len(self.sites) else NOWHERE
                return Poisoned(site, int(is_ours.sum().item()))
        return None

    def _find_in_integers(self, tensor: torch.Tensor) -> Poisoned | None:
        numbers = tensor - INTEGERS[tensor.dtype]
        is_ours = (numbers > 0) & (numbers < len(self.sites))
        if not is_ours.any():
            return None
        return Poisoned(self.sites[int(numbers[is_ours][0].item())], int(is_ours.sum().item()))


def payload_shift(dtype: torch.dtype, narrow: FloatCode) -> int:
    """Return how far the payload of a narrower type moves up when it is converted to a wider one."""
    bits = {torch.float64: 22, torch.float32: 22, torch.float16: 9, torch.bfloat16: 6}
    of_narrow = 9 if narrow.limit == FLOATS[torch.float16].limit else 6
    return max(bits[dtype] - of_narrow, 0)


def code_of(dtype: torch.dtype, number: int) -> tuple[torch.dtype, int] | None:
    """Return the integer type and value with which memory of a type is filled, or None if it is left as it is."""
    dtype = COMPLEX.get(dtype, dtype)
    if dtype in FLOATS:
        code = FLOATS[dtype]
        return code.integer, code.nan + ((code.base + min(number, code.limit)) << code.shift)
    if dtype in INTEGERS:
        return dtype, INTEGERS[dtype] + number
    if dtype is torch.bool:
        return torch.uint8, 1
    return (dtype, SMALL[dtype]) if dtype in SMALL else None


def other_code_of(dtype: torch.dtype, number: int) -> tuple[torch.dtype, int]:
    """Return what memory is filled with instead: a number small enough to compute with, also as an index.

    After `% n`, what is left of the pattern in an integer is mostly the number of the place; so this uses another.
    """
    if dtype is torch.bool:
        return torch.uint8, 0
    return dtype, number + 1 if dtype in INTEGERS else 1


class PoisonMode(ProbeMode):
    """Fills the memory that PyTorch's factories of uninitialised tensors return.

    Attributes:
        is_active: Whether memory is filled.
    """

    def __init__(self, poison: Poison, on_error: Callable[[str, Any], None]) -> None:
        """Number the places with `poison`; call `on_error` with the name and arguments of an operation that raises."""
        super().__init__()  # type: ignore[no-untyped-call]
        self.is_active = True
        self._poison = poison
        self._on_error = on_error

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Execute an operation; fill what it allocates."""
        effects = effects_of(func)
        before = count_bytes(args[0]) if effects.resizes else None
        try:
            result = func(*args, **(kwargs or {}))
        except Exception:
            if self.is_active:
                self._on_error(effects.name, (args, list((kwargs or {}).values())))
            raise
        if self.is_active and (effects.allocates or before is not None) and not is_tracing():
            number = self._poison.number_of(find_site())
            if before is not None:
                self._poison.fill(args[0], number, before)
            for _, tensor in fresh_tensors(effects, result) if effects.allocates else ():
                self._poison.fill(tensor, number)
        return result


def count_bytes(tensor: Any) -> int | None:
    """Return how large the memory of a tensor is; None for anything else."""
    return tensor.untyped_storage().nbytes() if isinstance(tensor, torch.Tensor) else None


def fill_array(poison: Poison, array: Any, unwritten: Any = None) -> None:
    """Fill an array of numpy that nothing has written, or only its elements at `unwritten`.

    A type that PyTorch does not have is filled byte by byte. One that holds objects, or memory that is not whole, is
    left as it is.
    """
    numpy = sys.modules["numpy"]
    whole = array if array.flags.c_contiguous else array.T
    if not array.size or not whole.flags.c_contiguous or array.dtype.hasobject:
        return
    number = poison.number_of(find_site(3))
    if unwritten is not None:
        marks = numpy.empty(array.shape, array.dtype)
        fill_whole(poison, marks, number)
        array[unwritten] = marks[unwritten]
    else:
        fill_whole(poison, whole, number)


def fill_whole(poison: Poison, array: Any, number: int) -> None:
    """Fill an array whose elements lie one after the other."""
    with isolated():
        tensor = None
        with contextlib.suppress(TypeError, ValueError, RuntimeError):  # a type that PyTorch does not have
            tensor = torch.from_numpy(array)
        if tensor is None or code_of(tensor.dtype, number) is None:
            tensor = torch.from_numpy(array.reshape(-1).view(sys.modules["numpy"].uint8))
        poison.fill(tensor, number)


def patch_numpy(patches: Patches, poison: Poison, is_active: Callable[[], bool]) -> None:
    """Have `numpy.empty` and `numpy.empty_like` fill what they return.

    Effects: replaces both functions of numpy until the patches are restored.
    """
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return

    def wrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def allocate(*args: Any, **kwargs: Any) -> Any:
            array = original(*args, **kwargs)
            if is_active() and type(array) is numpy.ndarray:
                fill_array(poison, array)
            return array

        return allocate

    for name in ("empty", "empty_like"):
        patches.replace(numpy, name, wrap)
