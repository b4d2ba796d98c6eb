"""Find tensors in the arguments of an operation, and copy them so that kernels compute the same bits on the copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

ALIGNMENT: Final = 64
"""Bytes to which PyTorch aligns the memory that it allocates on the CPU."""

MAX_BYTES: Final = 1 << 29
"""Larger tensors are copied without regard to strides and alignment, and not repeated on."""


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Yield the tensors in nested lists and tuples."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from tensors_in(part)


def copy_tensors(value: Any) -> Any:
    """Return a value with copies of the tensors in it."""
    if isinstance(value, torch.Tensor):
        return copy_alike(value)
    if isinstance(value, (list, tuple)):
        return [copy_tensors(part) for part in value]
    return value


def copy_alike(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy with the same strides and alignment, on which the bits depend that kernels compute."""
    span = 1 + sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    has_own_layout = tensor.numel() and not tensor.is_conj() and not tensor.is_neg()
    if not has_own_layout or span * tensor.element_size() > MAX_BYTES:
        return tensor.clone()
    offset = tensor.data_ptr() % ALIGNMENT // tensor.element_size()
    memory = torch.empty(offset + span, dtype=tensor.dtype, device=tensor.device)
    return memory.as_strided(tensor.shape, tensor.stride(), offset).copy_(tensor)


def is_plain(tensor: torch.Tensor) -> bool:
    """Whether a tensor is ordinary memory with elements, in which copies are like the original."""
    return type(tensor) in (torch.Tensor, torch.nn.Parameter) and tensor.layout is torch.strided and not tensor.is_meta
