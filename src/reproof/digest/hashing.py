"""Bytes in host memory to a digest: xxh3_128 of the bytes, seeded by a header that tells what the bytes are.

The header (dtype and shape) goes in as the seed and not as a prefix, so that the bytes are hashed where they lie:
nothing is copied or concatenated. `docs/digests.md` is the normative description.
"""

from __future__ import annotations

import ctypes
import sys
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from xxhash import xxh3_64_intdigest, xxh3_128_digest

from reproof.errors import ReproofError

if TYPE_CHECKING:
    from collections.abc import Iterable

ALGORITHM: Final = "xxh3_128"
"""Recorded with every digest; digests of two algorithms are never compared."""

MAX_SEEDS: Final = 1 << 16
"""Bound on each cache of seeds, for trainings whose shapes never repeat."""

NATIVE_ORDER: Final = "" if sys.byteorder == "little" else ">"
"""Prefix of the kind of elements of more than one byte, as this machine stores them."""

# The whole address space as one buffer. A slice of it costs 0.15 us where `tensor.numpy()` costs 0.9 us.
HOST_MEMORY: Final = memoryview((ctypes.c_ubyte * sys.maxsize).from_address(0)).cast("B")


class CannotDigestError(ReproofError):
    """A value whose content cannot be read: it is skipped as evidence, and `problem` says why."""

    slug = "cannot-digest"

    def __init__(self, problem: str, remedy: str = "give plain tensors or arrays to have it compared") -> None:
        """Make the error's one line from the reason."""
        super().__init__(problem, remedy)


class HostData(NamedTuple):
    """Elements of a tensor or array in host memory, in row-major order and without padding.

    Attributes:
        kind: Canonical name of the element type, shared by PyTorch and numpy.
        memory: The bytes, format ``B``.
        owner: What keeps the memory alive.
    """

    kind: str
    shape: tuple[int, ...]
    memory: memoryview
    owner: object


@lru_cache(maxsize=MAX_SEEDS)
def seed_of(kind: str, shape: tuple[int, ...]) -> int:
    """Return the 64-bit seed that binds a digest to what its bytes are."""
    return xxh3_64_intdigest(f"{kind}|{','.join(map(str, shape))}".encode())


def digest_data(data: HostData) -> bytes:
    """Return the digest of elements in host memory."""
    return xxh3_128_digest(data.memory, seed_of(data.kind, data.shape))


def combine(kind: str, shape: tuple[int, ...], parts: Iterable[bytes]) -> bytes:
    """Return the digest of something made of parts, from the digests of the parts in order."""
    return xxh3_128_digest(b"".join(parts), seed_of(kind, shape))


def type_name(value: object) -> str:
    """Return the full name of a value's type, without ``builtins``."""
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
