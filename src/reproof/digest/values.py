"""Plain Python values, and the indices that a sampler draws, to digests."""

from __future__ import annotations

from array import array
from typing import Any, Final

from torch import Tensor
from xxhash import xxh3_128_digest

from reproof.digest.hashing import NATIVE_ORDER, CannotDigestError, seed_of
from reproof.digest.plain import digest_encoded
from reproof.digest.tensors import digest_leaf, reading

_INDEX_KIND: Final = f"{NATIVE_ORDER}int64"


def digest_plain(value: object) -> bytes:
    """Return the 16-byte digest of a plain value: equal only for equal types and equal bits.

    Plain are None, bool, int of any size, float (-0.0 and NaN payloads count), complex, str (lone surrogates too),
    bytes, range, and lists, tuples, dicts, sets and frozensets of plain values, tensors and arrays. 1, True, 1.0, "1"
    and b"1" all differ, as do a list and a tuple. A dict counts in its own order, a set in none. A subclass counts
    as its plain base.

    Raises:
        CannotDigestError: If a part is of another type, or contains itself.
    """
    return digest_encoded(value, digest_leaf)


def digest_indices(indices: object) -> bytes:
    """Return the 16-byte digest of what a sampler drew: indices of one batch, or a key of any kind.

    Integers in a list, tuple or range count by their value, so that 3, ``numpy.int64(3)`` and ``torch.tensor(3)``
    are the same index: the digest is that of the int64 tensor of these values. The same holds for a single integer.
    Everything else is digested as `digest_plain`, `digest_tensor` or `digest_array` does.

    Raises:
        CannotDigestError: If the indices are neither plain values, tensors nor arrays.
    """
    integers = read_integers(indices)
    if integers is not None:
        return digest_integers(integers, is_single=type(indices) is int)
    digest = digest_leaf(indices)
    return digest_plain(indices) if digest is None else digest


def digest_integers(integers: array[int], *, is_single: bool = False) -> bytes:
    """Return the digest of indices that `read_integers` has read, one index if `is_single`."""
    return xxh3_128_digest(integers, seed_of(_INDEX_KIND, () if is_single else (len(integers),)))


def read_integers(value: Any) -> array[int] | None:
    """Return an integer, or the integers of a list, tuple or range, as 64-bit numbers; None if it is not that."""
    kind = type(value)
    if kind is int:
        value = (value,)
    elif kind is not list and kind is not tuple and kind is not range:
        return None
    try:
        if value and isinstance(value[0], Tensor):
            with reading(value[0]):
                return array("q", value)
        return array("q", value)
    except (TypeError, OverflowError, CannotDigestError):
        return None
