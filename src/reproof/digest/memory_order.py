"""Digests of tensors as they lie in memory: quick also for transposed and channels-last ones.

`digest_tensor` copies what is not contiguous, which costs more than an operation on a transposed weight. Here the
elements are hashed in the order of memory, and the strides go into the seed. Two digests are equal if dtype, shape,
strides and bits are; of a contiguous tensor it is the one of `digest_tensor`. Good for comparing what the same
operation of two runs was given, and not for what may be laid out differently.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import Parameter

from reproof.digest.hashing import HOST_MEMORY, MAX_SEEDS, seed_of
from reproof.digest.tensors import digest_tensor, find_in_place, hash_in_place

_SEEDS: Final[dict[tuple[torch.dtype, torch.Size, tuple[int, ...]], int | None]] = {}


def digest_in_memory_order(tensor: Tensor) -> bytes:
    """Return the 16-byte digest of a tensor: dtype, shape, strides and exact bits.

    Effects and Raises: as `digest_tensor`.
    """
    found = find_in_place(tensor)
    if found is not None:
        return hash_in_place(found)
    kind = type(tensor)
    if (kind is Tensor or kind is Parameter) and tensor.layout is torch.strided and tensor.is_cpu:
        seed = _seed_for(tensor)
        if seed is not None and (start := tensor.data_ptr()) and not tensor.is_neg() and not tensor.is_conj():
            return hash_in_place((HOST_MEMORY[start : start + tensor.numel() * tensor.element_size()], seed))
    return digest_tensor(tensor)


def _seed_for(tensor: Tensor) -> int | None:
    """Return the seed for a tensor that fills a stretch of memory without gaps, else None."""
    key = (tensor.dtype, tensor.shape, tensor.stride())
    try:
        return _SEEDS[key]
    except KeyError:
        if len(_SEEDS) >= MAX_SEEDS:
            _SEEDS.clear()
        is_good = is_permuted(tensor.shape, tensor.stride()) and not tensor.is_contiguous() and not tensor.is_quantized
        kind = f"{str(tensor.dtype).removeprefix('torch.')}|strides {tensor.stride()}"
        seed = _SEEDS[key] = seed_of(kind, tuple(tensor.shape)) if is_good else None
        return seed


def is_permuted(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether strides are those of a contiguous tensor whose dimensions were permuted."""
    expected = 1
    for stride, size in sorted((stride, size) for stride, size in zip(strides, shape, strict=True) if size != 1):
        if stride != expected:
            return False
        expected *= size
    return True
