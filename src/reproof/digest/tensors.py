"""PyTorch tensors to digests: exact bits of the logical content, whatever the layout, device or subclass.

`digest_tensor` runs hundreds of times per training step. A contiguous tensor in host memory is hashed where it lies;
everything else is first brought into that form with the user's modes, hooks and autograd switched off, so that
recording neither shows up in their logs nor changes what they compute.

Left out on purpose: hashing on the device; a tensor there is copied to the host.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch.nn import Parameter
from torch.nn.parameter import is_lazy
from xxhash import xxh3_128, xxh3_128_digest

from reproof.digest.arrays import digest_array_leaf
from reproof.digest.hashing import (
    HOST_MEMORY,
    MAX_SEEDS,
    NATIVE_ORDER,
    CannotDigestError,
    HostData,
    combine,
    digest_data,
    seed_of,
    type_name,
)
from reproof.digest.plain import digest_encoded, digest_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

mode_is_enabled = torch._C._is_torch_function_mode_enabled  # noqa: SLF001  # there is no public test for it

# Real, unquantized dtypes only: a tensor found in here has one meaning for its bytes, except for the negative bit.
_SEEDS: Final[dict[tuple[torch.dtype, torch.Size], tuple[int, int]]] = {}

LOWEST_ADDRESS: Final = 1 << 32
"""Tensors without memory have data pointer 0 plus an offset; below this, the storage itself is asked."""

_COMPRESSED: Final = {
    torch.sparse_csr: ("crow_indices", "col_indices"),
    torch.sparse_csc: ("ccol_indices", "row_indices"),
    torch.sparse_bsr: ("crow_indices", "col_indices"),
    torch.sparse_bsc: ("ccol_indices", "row_indices"),
}
_BITS: Final = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
_COMPLEX128_BYTES: Final = 16
_MATRICES_DIM: Final = 3
BLOCK_BYTES: Final = 8 << 20
"""What does not lie in row-major order is copied and hashed in blocks of this size."""
_MIN_MATRIX_BYTES: Final = 1 << 16
_MIN_ROWS: Final = 16
"""So many elements that lie side by side fill a line of the cache, and are rows of a transposed matrix."""
_FAR_APART: Final = 512
"""From so many elements on from one to the next, copying a whole batch of transposed matrices is slow."""

# What PyTorch raises for tensors that cannot be read, and warnings where the user made them errors.
_FAILURES: Final = (RuntimeError, TypeError, ValueError, AttributeError, Warning)


def digest_tensor(tensor: Tensor) -> bytes:
    """Return the 16-byte digest of a tensor: dtype, shape and exact bits in row-major order.

    A non-contiguous tensor and its contiguous copy have equal digests, as have a lazily conjugated or negated tensor
    and its resolved copy; device, layout in memory, ``requires_grad`` and being a `Parameter` do not count. -0.0
    differs from 0.0, and NaNs of different payload differ. A sparse tensor is its indices and values as stored, a
    nested tensor its components, a quantized one its integers, scales and zero points, a DTensor the shard of this
    process, and a subclass its plain data: `docs/digests.md` says how each is composed.

    Effects: waits for the device of a tensor that is not in host memory, and copies it. Touches neither random
    numbers nor autograd, and calls no mode, ``__torch_function__`` or ``__torch_dispatch__`` of the user.

    Raises:
        CannotDigestError: If the tensor has no data (meta, fake, freed, uninitialized), stands for a value inside a
            transformation (`torch.func`, tracing), or is of a class that decides itself what its data is.
    """
    found = find_in_place(tensor)
    if found is not None:
        return hash_in_place(found)
    with reading(tensor):
        return _digest_any(tensor)


def locate_tensor(tensor: Tensor, fits: Callable[[Tensor], bool]) -> HostData | None:
    """Return the elements of a dense tensor, in place where they are contiguous in host memory.

    None if the tensor is not dense or does not fit, which is asked before anything is copied. Effects: as
    `digest_tensor`. Raises CannotDigestError if the tensor has no data, as for `digest_tensor`.
    """
    found = find_in_place(tensor)
    if found is not None:
        return HostData(_kind_of(tensor.dtype), tensor.shape, found[0], tensor) if fits(tensor) else None
    with reading(tensor):
        _refuse_without_data(tensor)
        if _is_wrapper(tensor) or not _is_dense(tensor) or not fits(tensor):
            return None
        return _locate_dense(tensor)


def copy_bytes(tensor: Tensor) -> bytes | None:
    """Return the elements of a dense tensor in row-major order, or None if it is not dense.

    Effects and Raises: as `digest_tensor`.
    """
    data = locate_tensor(tensor, lambda _: True)
    return None if data is None else bytes(data.memory)


def digest_leaf(value: object) -> bytes | None:
    """Return the digest of a tensor or array, or None for anything else."""
    return digest_tensor(value) if isinstance(value, Tensor) else digest_array_leaf(value)


@contextmanager
def reading(tensor: object) -> Iterator[None]:
    """Switch off what the user has around tensor operations, and turn what PyTorch raises into `CannotDigestError`.

    Effects: within the context, no function or dispatch mode, `torch.func` transformation or autograd.
    """
    try:
        with (
            torch._C.DisableTorchFunction(),  # noqa: SLF001  # modes too; the public ones leave those on
            torch._C._DisableTorchDispatch(),  # noqa: SLF001
            torch._C._DisableFuncTorch(),  # noqa: SLF001
            torch.no_grad(),
        ):
            yield
    except _FAILURES as error:
        reason = str(error).partition("\n")[0]
        raise CannotDigestError(f"{type_name(tensor)} cannot be read: {reason}") from error


def hash_in_place(found: tuple[memoryview, int]) -> bytes:
    """Return the digest of a tensor from what `find_in_place` has found; the tensor must be alive."""
    return xxh3_128_digest(*found)


def find_in_place(tensor: Tensor) -> tuple[memoryview, int] | None:
    """Return memory and seed of a tensor that can be hashed where it lies; None if it takes a closer look.

    The tensor must be alive while the memory is read.
    """
    kind = type(tensor)
    if (kind is Tensor or kind is Parameter) and not mode_is_enabled():
        try:
            seed, num_bytes = _SEEDS[tensor.dtype, tensor.shape]
            if tensor.is_cpu and tensor.is_contiguous() and not tensor.is_neg():
                start = tensor.data_ptr()
                if start > LOWEST_ADDRESS and tensor.untyped_storage().nbytes() >= num_bytes:
                    return HOST_MEMORY[start : start + num_bytes], seed
        except (KeyError, RuntimeError):
            pass  # the first of its dtype and shape, or a tensor without memory
    return None


def _digest_any(tensor: Tensor) -> bytes:
    _refuse_without_data(tensor)
    if _is_wrapper(tensor):
        return _digest_wrapper(tensor)
    if _is_dense(tensor):
        return _digest_dense(tensor)
    if tensor.is_quantized:
        return _digest_quantized(tensor)
    if tensor.is_nested:
        return _digest_nested(tensor, list(tensor.unbind()))
    if tensor.is_sparse or tensor.layout in _COMPRESSED:
        return _digest_sparse(tensor)
    return _digest_any(tensor.to_dense())  # a layout of a library, such as oneDNN's


def _refuse_without_data(tensor: Tensor) -> None:
    if not isinstance(tensor, Tensor):
        raise CannotDigestError(f"value of type {type_name(tensor)}: not a tensor")
    if is_lazy(tensor):
        raise CannotDigestError("uninitialized parameter: it has no data yet")
    if isinstance(tensor, FakeTensor):
        raise CannotDigestError("fake tensor: it has no data")
    if tensor.is_meta:
        raise CannotDigestError("meta tensor: it has no data")
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor) or torch._is_functional_tensor(tensor):  # noqa: SLF001
        raise CannotDigestError("tensor inside a torch.func transformation: it stands for other data")
    if torch._C._get_tracing_state() is not None:  # noqa: SLF001
        raise CannotDigestError("tensor inside torch.jit.trace: reading it would become part of the trace")


def _is_wrapper(tensor: Tensor) -> bool:
    """Whether the tensor's class, rather than its memory, decides what its data is."""
    dispatch = type(tensor).__torch_dispatch__
    return dispatch not in {Tensor.__torch_dispatch__, torch._C._disabled_torch_dispatch_impl}  # noqa: SLF001


def _is_dense(tensor: Tensor) -> bool:
    return tensor.layout is torch.strided and not tensor.is_quantized and not tensor.is_nested


def _digest_wrapper(tensor: Any) -> bytes:
    # By name: importing these classes costs a second, and they have moved between versions of PyTorch.
    names = {base.__name__ for base in type(tensor).__mro__}
    if "DTensor" in names:
        return _digest_any(tensor._local_tensor)  # noqa: SLF001  # to_local() would be differentiable
    if "AsyncCollectiveTensor" in names:
        return _digest_any(tensor.trigger_wait())
    if "NestedTensor" in names:
        return _digest_nested(tensor, _components_of_jagged(tensor))
    if not hasattr(tensor, "__tensor_flatten__"):
        raise CannotDigestError(f"{type_name(tensor)}: its class decides what its data is")
    attributes, context = tensor.__tensor_flatten__()
    parts = [digest_encoded(context, _digest_context_leaf)]
    for name in attributes:
        parts += [digest_text(name), _digest_any(getattr(tensor, name))]
    return combine(f"subclass:{type_name(tensor)}:{_kind_of(tensor.dtype)}", tensor.shape, parts)


def _digest_context_leaf(value: object) -> bytes | None:
    return digest_text(str(value)) if isinstance(value, torch.dtype) else digest_leaf(value)


def _components_of_jagged(tensor: Any) -> list[Tensor]:
    values, starts = tensor._values, tensor._offsets.tolist()  # noqa: SLF001  # values() would be differentiable
    lengths = None if tensor._lengths is None else tensor._lengths.tolist()  # noqa: SLF001
    if lengths is None:
        lengths = [end - start for start, end in pairwise(starts)]
    dimension = tensor._ragged_idx - 1  # noqa: SLF001
    return [values.narrow(dimension, start, length) for start, length in zip(starts, lengths, strict=False)]


def _digest_nested(tensor: Tensor, components: list[Tensor]) -> bytes:
    return combine(f"nested:{_kind_of(tensor.dtype)}", (len(components),), map(_digest_any, components))


def _digest_sparse(tensor: Tensor) -> bytes:
    if tensor.is_sparse:
        parts = [tensor._indices(), tensor._values()]  # noqa: SLF001  # as stored: indices() is for coalesced ones
    else:
        parts = [getattr(tensor, name)() for name in _COMPRESSED[tensor.layout]] + [tensor.values()]
    layout = str(tensor.layout).removeprefix("torch.")
    return combine(f"{layout}:{_kind_of(tensor.dtype)}", tensor.shape, map(_digest_any, parts))


def _digest_quantized(tensor: Tensor) -> bytes:
    scheme = tensor.qscheme()
    parts = [tensor.int_repr()]
    if scheme in {torch.per_tensor_affine, torch.per_tensor_symmetric}:
        numbers: tuple[float, ...] = (tensor.q_scale(), tensor.q_zero_point())
    else:
        numbers = (tensor.q_per_channel_axis(),)
        parts += [tensor.q_per_channel_scales(), tensor.q_per_channel_zero_points()]
    kind = f"{_kind_of(tensor.dtype)}:{str(scheme).removeprefix('torch.')}"
    return combine(kind, tensor.shape, [digest_encoded(numbers, digest_leaf), *map(_digest_any, parts)])


def _digest_dense(tensor: Tensor) -> bytes:
    if not tensor.is_contiguous() and tensor.nbytes > BLOCK_BYTES:
        state = xxh3_128(seed=seed_of(_kind_of(tensor.dtype), tuple(tensor.shape)))
        for block in _row_major_blocks(_host_bits_of(tensor)):
            state.update(_memory_of(block))
        return state.digest()
    data = _locate_dense(tensor)
    if not tensor.is_complex():
        if len(_SEEDS) >= MAX_SEEDS:
            _SEEDS.clear()
        _SEEDS[tensor.dtype, tensor.shape] = (seed_of(data.kind, data.shape), data.memory.nbytes)
    return digest_data(data)


def _locate_dense(tensor: Tensor) -> HostData:
    bits = _make_contiguous(_host_bits_of(tensor))
    return HostData(_kind_of(tensor.dtype), tensor.shape, _memory_of(bits), bits)


def _host_bits_of(tensor: Tensor) -> Tensor:
    """Return the elements of a dense tensor as integers in host memory, in whatever order they lie."""
    if tensor._is_zerotensor():  # noqa: SLF001  # zeros without memory, made by forward-mode differentiation
        tensor = tensor.clone()
    _refuse_freed(tensor)
    if tensor.is_cuda and torch.cuda.is_current_stream_capturing():
        raise CannotDigestError("tensor inside a CUDA graph capture: reading it would end the capture")
    return _bits_of(tensor.resolve_conj().resolve_neg()).cpu()


def _memory_of(bits: Tensor) -> memoryview:
    """Return the memory of a contiguous tensor."""
    if bits.numel() == 0:  # the storage raises where it has no memory; the tensor would give an offset as address
        return HOST_MEMORY[:0]
    start = bits.untyped_storage().data_ptr() + bits.storage_offset() * bits.element_size()
    return HOST_MEMORY[start : start + bits.nbytes]


def _row_major_blocks(bits: Tensor) -> Iterator[Tensor]:
    """Yield the elements of a large tensor in row-major order as contiguous ones of little more than `BLOCK_BYTES`.

    What is hashed while it is in a cache need not be read again, and a copy of all of it takes memory that the
    training may need. Matrices are copied one by one, as in `_make_contiguous`.
    """
    row_bytes = bits[0].nbytes
    if bits.is_contiguous() or bits.nbytes <= BLOCK_BYTES:
        yield _make_contiguous(bits)
    elif bits.dim() >= _MATRICES_DIM and row_bytes >= _MIN_MATRIX_BYTES:
        for row in bits:
            yield from _row_major_blocks(row)
    else:
        for rows in torch.split(bits, max(_MIN_ROWS, BLOCK_BYTES // row_bytes)):
            yield _make_contiguous(rows)


def _make_contiguous(bits: Tensor) -> Tensor:
    """Return elements in row-major order.

    Transposed matrices, such as logits of shape (batch, vocabulary, length), are copied one by one: PyTorch copies a
    single one in blocks, which is three times as fast.
    """
    is_slow = bits.dim() == _MATRICES_DIM and bits.stride(1) == 1 and bits.stride(2) >= _FAR_APART
    if not is_slow or bits.is_contiguous():
        return bits.contiguous()
    copy = torch.empty(bits.shape, dtype=bits.dtype)
    for target, source in zip(copy, bits, strict=True):
        target.copy_(source)
    return copy


def _refuse_freed(tensor: Tensor) -> None:
    """Refuse a tensor that reaches beyond its storage, as FSDP leaves its freed parameters: reading would crash."""
    if tensor.numel() == 0:
        return
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    needed = (tensor.storage_offset() + last + 1) * tensor.element_size()
    if tensor.untyped_storage().nbytes() < needed:
        raise CannotDigestError("tensor whose storage was freed: it has no data")


def _bits_of(tensor: Tensor) -> Tensor:
    """Return the elements as integers: copying those keeps every bit, and works for every dtype and device."""
    if tensor.element_size() == _COMPLEX128_BYTES:
        return torch.view_as_real(tensor).view(torch.int64)
    return tensor.view(_BITS[tensor.element_size()])


def _kind_of(dtype: torch.dtype) -> str:
    """Return the canonical name of an element type; numpy's names are the same where it has the type."""
    return (NATIVE_ORDER if dtype.itemsize > 1 else "") + str(dtype).removeprefix("torch.")
