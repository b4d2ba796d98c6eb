"""Digest the same tensors again at every step of a training.

Parameters, gradients and optimizer state mostly lie where they lay a step before. What `digest_tensor` finds out
about a tensor each time (its memory, the seed of its dtype and shape) is kept here by position and checked instead,
which halves the cost of a digest apart from the hashing. References to tensors are not kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from xxhash import xxh3_128_digest

from reproof.digest.tensors import digest_tensor, find_in_place, mode_is_enabled

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    Place = tuple[int, torch.Size | None, torch.dtype | None, type[torch.Tensor] | None, memoryview, int]


NOWHERE: Final[Place] = (-1, None, None, None, memoryview(b""), 0)
"""Where no tensor lies."""


class RepeatedDigests:
    """Digests lists of tensors of which most are the same as the last time."""

    def __init__(self) -> None:
        """Know no tensor yet."""
        self._places: list[Place] = []

    def digest(self, tensors: Sequence[torch.Tensor]) -> list[bytes]:
        """Return the digests of the tensors, each as `digest_tensor` has it.

        Effects: as `digest_tensor`.

        Raises:
            CannotDigestError: If one of them cannot be digested; which one is found by digesting them singly.
        """
        if mode_is_enabled():
            return [digest_tensor(tensor) for tensor in tensors]
        if len(self._places) < len(tensors):
            self._places += [NOWHERE] * (len(tensors) - len(self._places))
        found: list[bytes] = []
        for tensor, (address, shape, dtype, kind, memory, seed) in zip(tensors, self._places, strict=False):
            try:
                is_known = (
                    type(tensor) is kind
                    and tensor.data_ptr() == address
                    and tensor.dtype is dtype
                    and tensor.shape == shape
                    and tensor.is_contiguous()
                    and not tensor.is_neg()
                )
            except RuntimeError:  # a sparse tensor, which has no address
                is_known = False
            if is_known:
                found.append(xxh3_128_digest(memory, seed))
            else:
                place = self._places[len(found)] = locate(tensor)
                found.append(digest_tensor(tensor) if place is NOWHERE else xxh3_128_digest(*place[4:]))
        return found


def locate(tensor: torch.Tensor) -> Place:
    """Return what must be the same next time for the tensor to be hashed where it lies; `NOWHERE` if it cannot be."""
    found = find_in_place(tensor)
    if found is None:
        return NOWHERE
    memory, seed = found
    return tensor.data_ptr(), tensor.shape, tensor.dtype, type(tensor), memory, seed
