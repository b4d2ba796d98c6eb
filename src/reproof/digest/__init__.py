"""Tensor, array or plain value to a 16-byte digest, and the few numbers that are kept beside one.

Equal digests mean equal bits, equal dtype and equal shape. `docs/digests.md` is the normative description: a digest
is a promise across versions, because traces of different versions are compared.

    summaries   numbers that explain a difference: per-sample fingerprints, exact values, statistics
    values      plain values and the indices that a sampler draws
    repeated    the same tensors again at every step
    memory_order  tensors as they lie in memory
    tensors     PyTorch tensors of any layout, device and subclass
    arrays      numpy arrays and scalars
    plain       canonical encoding of plain values
    hashing     bytes in memory to a digest

Left out on purpose: which values of a training are digested (`reproof.recorder`).
"""

from __future__ import annotations

from reproof.digest.arrays import digest_array
from reproof.digest.hashing import ALGORITHM, CannotDigestError
from reproof.digest.memory_order import digest_in_memory_order
from reproof.digest.repeated import RepeatedDigests
from reproof.digest.summaries import exact_numbers, exact_scalar, read_number, sample_fingerprints, statistics
from reproof.digest.tensors import copy_bytes, digest_tensor, find_in_place, hash_in_place
from reproof.digest.values import digest_indices, digest_integers, digest_plain, read_integers

__all__ = [
    "ALGORITHM",
    "CannotDigestError",
    "RepeatedDigests",
    "copy_bytes",
    "digest_array",
    "digest_in_memory_order",
    "digest_indices",
    "digest_integers",
    "digest_plain",
    "digest_tensor",
    "exact_numbers",
    "exact_scalar",
    "find_in_place",
    "hash_in_place",
    "read_integers",
    "read_number",
    "sample_fingerprints",
    "statistics",
]
