"""Which hash seed is in force in this interpreter, by its effect.

`PYTHONHASHSEED` counts only as it was when the interpreter started; a script that sets it later changes nothing
(https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED). So a seed found in a variable is believed only
if it explains the hash of a known string: CPython derives the key of SipHash from the seed (Python/bootstrap_hash.c,
``lcg_urandom``; Python/pyhash.c, ``siphash13`` and ``siphash24``).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

RANDOM: Final = "random"

_MASK: Final = 0xFFFFFFFFFFFFFFFF
_MAX_SEED: Final = 0xFFFFFFFF
_PROBE: Final = b"reproof"  # shorter than a block of SipHash, so that one block is all
_ROUNDS: Final = {"siphash13": (1, 3), "siphash24": (2, 4)}


def hash_seed() -> str:
    """Return the seed of string hashes in this process as decimal digits, or ``random`` if none was given."""
    if not sys.flags.hash_randomization:
        return "0"
    for value in (_variable_at_start(), os.environ.get("PYTHONHASHSEED")):
        if value and value.isascii() and value.isdigit() and int(value) <= _MAX_SEED and _is_in_force(int(value)):
            return str(int(value))
    return RANDOM


def _variable_at_start() -> str | None:
    """Return the variable as the process was given it, where the system tells (Linux)."""
    try:
        entries = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    prefix = b"PYTHONHASHSEED="
    return next(
        (entry[len(prefix) :].decode("ascii", "replace") for entry in entries if entry.startswith(prefix)), None
    )


def _is_in_force(seed: int) -> bool:
    rounds = _ROUNDS.get(sys.hash_info.algorithm)
    if rounds is None or sys.implementation.name != "cpython":
        return not sys.flags.ignore_environment
    width_mask = (1 << sys.hash_info.width) - 1
    return hash(_PROBE) & width_mask == _siphash(_key_of(seed), *rounds) & width_mask


def _key_of(seed: int) -> tuple[int, int]:
    """Return the two halves of the SipHash key that CPython makes from a seed other than 0."""
    state, key = seed, bytearray()
    for _ in range(16):
        state = (state * 214013 + 2531011) & 0xFFFFFFFF
        key.append(state >> 16 & 0xFF)
    return int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")


def _siphash(key: tuple[int, int], num_block_rounds: int, num_final_rounds: int) -> int:
    block = len(_PROBE) << 56 | int.from_bytes(_PROBE, "little")
    state = (
        key[0] ^ 0x736F6D6570736575,
        key[1] ^ 0x646F72616E646F6D,
        key[0] ^ 0x6C7967656E657261,
        key[1] ^ 0x7465646279746573 ^ block,
    )
    a, b, c, d = _siphash_rounds(state, num_block_rounds)
    a, b, c, d = _siphash_rounds((a ^ block, b, c ^ 0xFF, d), num_final_rounds)
    return a ^ b ^ c ^ d


def _siphash_rounds(state: tuple[int, int, int, int], num_rounds: int) -> tuple[int, int, int, int]:
    a, b, c, d = state
    for _ in range(num_rounds):
        a, c = (a + b) & _MASK, (c + d) & _MASK
        b, d = _rotate(b, 13) ^ a, _rotate(d, 16) ^ c
        a, c = (_rotate(a, 32) + d) & _MASK, (c + b) & _MASK
        b, d = _rotate(b, 17) ^ c, _rotate(d, 21) ^ a
        c = _rotate(c, 32)
    return a, b, c, d


def _rotate(value: int, num_bits: int) -> int:
    return (value << num_bits | value >> (64 - num_bits)) & _MASK
