"""Digest the states of the random number generators at every step.

The public getters of Python and NumPy build tuples of 625 numbers and cost more than a small training step can bear
(24 and 39 us). The same bytes lie in memory: NumPy publishes the address of its state, and CPython's is found behind
the object's header and trusted only after it has been checked against the public getter.
"""

from __future__ import annotations

import random
import struct
import sys
from typing import Any, Final

import torch
import xxhash

from reproof.digest import digest_tensor
from reproof.entropy.sources.generator_memory import find_numpy_state, find_python_state
from reproof.schema import RNG_CUDA, RNG_LOADER

PACK_PAIR: Final = struct.Struct("<Q8s").pack
"""Packs the number of a generator and the first 8 bytes of a digest (`8s` cuts the rest off)."""

PACK_FLOAT: Final = struct.Struct("<d").pack


class RngReader:
    """Reads the states of the global generators, and of those that loaders were given."""

    def __init__(self) -> None:
        """Find the states that can be read from memory."""
        self._python = PythonState()
        self._numpy = NumpyState()
        self._loaders: list[tuple[int, torch.Generator]] = []

    def note_loader(self, number: int, generator: torch.Generator) -> None:
        """Read the generator of a loader together with the next states: an iterator is about to draw from it."""
        self._loaders.append((RNG_LOADER + number, generator))

    def read(self) -> bytes:
        """Return pairs of uint64: number of the generator (`schema.RNG_SOURCES`), 64 bits of its state's digest.

        Effects: none; a CUDA generator's state lies in host memory, so nothing waits for the device.
        """
        found = [PACK_PAIR(0, self._python.digest())]
        if (taken := self._numpy.digest()) is not None:
            found.append(PACK_PAIR(1, taken))
        found.append(PACK_PAIR(2, digest_tensor(torch.default_generator.get_state())))
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            for number, generator in enumerate(torch.cuda.default_generators):
                found.append(PACK_PAIR(RNG_CUDA + number, digest_tensor(generator.get_state())))
        while self._loaders:
            source, generator = self._loaders.pop()
            found.append(PACK_PAIR(source, digest_tensor(generator.get_state())))
        return b"".join(found)


class PythonState:
    """Reads the state of the generator behind the functions of `random`."""

    def __init__(self) -> None:
        """Find the state in memory; where that fails (another interpreter), the public getter is used."""
        self._generator: random.Random = random._inst  # noqa: SLF001
        self._memory = find_python_state(self._generator)

    def digest(self) -> bytes:
        """Return the digest of the state, with the normal number that `random.gauss` keeps for its next call."""
        if self._memory is None:
            return xxhash.xxh3_128_digest(repr(self._generator.getstate()).encode())
        kept = getattr(self._generator, "gauss_next", None)
        return xxhash.xxh3_128_digest(self._memory if kept is None else bytes(self._memory) + PACK_FLOAT(kept))


class NumpyState:
    """Reads the state of the generator behind the functions of `numpy.random`, without importing NumPy.

    Left out is the second of a pair of normal numbers, which `numpy.random.randn` keeps for its next call: no address
    is published for it.
    """

    def __init__(self) -> None:
        """Start without a generator: the script may not use NumPy."""
        self._bit_generator: Any = None
        self._memory: Any = None

    def digest(self) -> bytes | None:
        """Return the digest of the state, or None while `numpy.random` is not imported."""
        module = sys.modules.get("numpy.random.mtrand")
        generator = getattr(module, "_rand", None)
        if generator is None:
            return None
        bit_generator = generator._bit_generator  # noqa: SLF001  # set_bit_generator may have replaced it
        if bit_generator is not self._bit_generator:
            self._bit_generator = bit_generator
            self._memory = find_numpy_state(bit_generator)
        if self._memory is not None:
            return xxhash.xxh3_128_digest(self._memory)
        return xxhash.xxh3_128_digest(repr(bit_generator.state).encode())
