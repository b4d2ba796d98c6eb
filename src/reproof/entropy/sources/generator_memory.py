"""Where the states of the global generators lie in memory.

The public getters of Python and NumPy build tuples of 625 numbers, which takes 24 and 39 us: too long for every step of
a small training, and for every line of a watched one.
"""

from __future__ import annotations

import ctypes
import random
import struct
import sys
from typing import Any, Final

NUM_WORDS: Final = 624
PYTHON_STATE: Final = struct.Struct(f"=i{NUM_WORDS}I")
"""Position and words of `random.Random`, as CPython lays them out (Modules/_randommodule.c, 3.10 to 3.13)."""

NUMPY_STATE_BYTES: Final = (NUM_WORDS + 1) * 4
"""Words and position of NumPy's `mt19937_state` (numpy/random/src/mt19937/mt19937.h)."""


def find_python_state(generator: random.Random) -> Any:
    """Return a view of the generator's words and position in memory, or None if it is not where CPython has it."""
    if sys.implementation.name != "cpython":
        return None
    # The state of `_random.Random` is the last field of its struct, so it ends where that type's size ends; what a
    # subclass adds comes after it. It is believed only if it holds what the public getter returns: a build with another
    # layout is read by the getter.
    start = random.Random.__base__.__basicsize__ - PYTHON_STATE.size if random.Random.__base__ else 0
    for offset in (start - start % 4, object.__basicsize__):
        view = (ctypes.c_ubyte * PYTHON_STATE.size).from_address(id(generator) + offset)
        position, *words = PYTHON_STATE.unpack(bytes(view))
        if (*words, position) == generator.getstate()[1]:
            return view
    return None


def find_numpy_state(bit_generator: Any) -> Any:
    """Return a view of a Mersenne Twister's state in memory; None for other generators, whose getters are quick."""
    if type(bit_generator).__name__ != "MT19937":
        return None
    return (ctypes.c_ubyte * NUMPY_STATE_BYTES).from_address(bit_generator.ctypes.state_address)
