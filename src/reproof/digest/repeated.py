"""Digest the same tensors again at every step of a training.

Parameters, gradients and optimizer state are mostly what they were a step before, and all but gradients lie where
they lay. What `digest_tensor` finds out about a tensor each time is kept here for the list as a whole and compared
instead, in loops that C runs: a line of Python per tensor costs a quick step more than the hashing. References to
tensors are not kept.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from xxhash import xxh3_128_digest

from reproof.digest.hashing import HOST_MEMORY
from reproof.digest.tensors import LOWEST_ADDRESS, digest_tensor, find_in_place, hash_in_place, mode_is_enabled

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class RepeatedDigests:
    """Digests lists of tensors of which most are the same as the last time."""

    def __init__(self) -> None:
        """Start without a tensor to compare with."""
        self._num_tensors = -1
        self._are_alike: Callable[..., bool] = are_never_alike
        self._addresses: list[int] = []
        self._memories: list[memoryview] = []
        self._sizes: list[int] = []
        self._seeds: list[int] = []

    def digest(self, tensors: Sequence[Tensor]) -> list[bytes]:
        """Return the digests of the tensors, each as `digest_tensor` has it.

        Effects: as `digest_tensor`. Raises CannotDigestError if one of them cannot be digested; which one is found by
        digesting them singly.
        """
        is_known = len(tensors) == self._num_tensors and not mode_is_enabled() and self._are_alike(*tensors)
        if is_known and self._find(tensors):
            return list(map(xxh3_128_digest, self._memories, self._seeds))
        return self._digest_singly(tensors)

    def _find(self, tensors: Sequence[Tensor]) -> bool:
        """Find where known tensors lie now; return False if one of them has no memory."""
        addresses = list(map(Tensor.data_ptr, tensors))
        if addresses != self._addresses:
            # What frees the storage of a tensor in use (FSDP) resizes it to nothing, which leaves no address.
            if min(addresses) <= LOWEST_ADDRESS:
                return False
            ranges = map(slice, addresses, map(operator.add, addresses, self._sizes))
            self._addresses, self._memories = addresses, list(map(HOST_MEMORY.__getitem__, ranges))
        return True

    def _digest_singly(self, tensors: Sequence[Tensor]) -> list[bytes]:
        """Digest tensors that are others than the last time, and remember them if all can be hashed where they lie."""
        self._num_tensors = -1
        places = [find_in_place(tensor) for tensor in tensors]
        found = [
            digest_tensor(tensor) if place is None else hash_in_place(place)
            for tensor, place in zip(tensors, places, strict=True)
        ]
        in_place = [place for place in places if place is not None]
        if len(in_place) == len(tensors):
            self._are_alike = watch_for_change(tensors)
            self._addresses = list(map(Tensor.data_ptr, tensors))
            self._memories, self._seeds = [memory for memory, _ in in_place], [seed for _, seed in in_place]
            self._sizes = [memory.nbytes for memory in self._memories]
            self._num_tensors = len(tensors)
        return found


def watch_for_change(tensors: Sequence[Tensor]) -> Callable[..., bool]:
    """Return what tells whether as many other tensors have the type, dtype, shape, strides and device of these.

    PyTorch's compiler asks the same before it runs what it has compiled; its answer takes 50 ns per tensor, where the
    five questions take 400 ns. The class is not public (read in the source of PyTorch 2.13): without it, tensors are
    looked at singly.
    """
    sizes: list[Any] = [list(tensor.shape) for tensor in tensors]
    strides: list[Any] = [list(tensor.stride()) for tensor in tensors]
    try:
        make_guards = torch._C._dynamo.guards.TensorGuards  # noqa: SLF001
        guards = make_guards(*tensors, dynamic_dims_sizes=sizes, dynamic_dims_strides=strides)
        check: Callable[..., bool] = guards.check
        is_usable = check(*tensors) and not check(*(torch.empty(0, dtype=torch.int8) for _ in tensors))
    except (AttributeError, TypeError, ValueError, RuntimeError, SystemError):
        return are_never_alike
    return check if is_usable else are_never_alike


def are_never_alike(*_: Tensor) -> bool:
    """Report every tensor as changed, so that each is looked at."""
    return False
