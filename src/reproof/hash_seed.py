"""The seed by which this interpreter hashes text, and the environment variables that it was started with.

No variable and no flag tells for certain: ``os.environ["PYTHONHASHSEED"] = "0"`` changes nothing in a running
interpreter, ``python -I``, ``-E`` and ``-R`` ignore the variable. What tells is a hash: CPython derives the key of
SipHash from the seed, so the hash of a known text is known for each seed.

Sources: https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED, https://peps.python.org/pep-0456/,
``lcg_urandom`` in CPython's Python/bootstrap_hash.c; checked with CPython 3.10 to 3.13.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

MAX_HASH_SEED: Final = 4294967295
"""The largest PYTHONHASHSEED (https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED)."""

_WORD: Final = (1 << 64) - 1
_PROBE: Final = b"reproof: is the hash seed pinned?"  # longer than CPython's cutoff for short texts
_ROUNDS: Final = {"siphash13": (1, 3), "siphash24": (2, 4)}
_HASH_BITS: Final = 64


HASH_SEED: Final = "PYTHONHASHSEED"
_MAX_SEED: Final = 0xFFFFFFFF
_MAX_DIGITS: Final = 1000  # of longer ones Python may refuse to make a number


def _read_variables_at_start() -> dict[str, str] | None:
    """Return the block of variables that Linux keeps of the start of a process; None on other systems."""
    try:
        items = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    pairs = (os.fsdecode(item).partition("=") for item in items)
    return {name: value for name, _, value in pairs}


# Read now: programs that give themselves a title (setproctitle) overwrite this memory later.
variables_at_start: Final = _read_variables_at_start()


def started_with(name: str) -> str | None:
    """Return a variable as this process was started with it, or as it is now where that is not known."""
    return os.environ.get(name) if variables_at_start is None else variables_at_start.get(name)


def pinned_hash_seed() -> int | None:
    """Return the seed that this interpreter's hashes are made with, or None if it is random.

    `sys.flags.hash_randomization` is 1 both for a random seed and for a pinned one other than 0. So a seed that a
    variable names is believed only if the interpreter hashes with it.
    """
    if not sys.flags.hash_randomization:
        return 0
    at_start = parse_seed(started_with(HASH_SEED))
    if hashes_with(0) is None:  # what this interpreter hashes with cannot be computed here
        return None if sys.flags.ignore_environment else at_start
    candidates = (at_start, parse_seed(os.environ.get(HASH_SEED)))
    return next((seed for seed in candidates if seed is not None and hashes_with(seed)), None)


def parse_seed(text: str | None) -> int | None:
    """Return the seed that a value of ``PYTHONHASHSEED`` pins, or None if it pins none."""
    if text is None or not text.isascii() or not text.isdecimal() or len(text) > _MAX_DIGITS:
        return None
    return seed if (seed := int(text)) <= _MAX_SEED else None


def hashes_with(seed: int) -> bool | None:
    """Return whether this interpreter hashes as one started with this seed; None where its hash is not known here."""
    is_known = sys.hash_info.algorithm in _ROUNDS and sys.hash_info.width == _HASH_BITS
    if not is_known or sys.implementation.name != "cpython":
        return None
    secret = _hash_secret(seed)
    key = int.from_bytes(secret[:8], "little"), int.from_bytes(secret[8:], "little")
    expected = _siphash(key, _PROBE, *_ROUNDS[sys.hash_info.algorithm])
    return hash(_PROBE) & _WORD == (expected if expected != _WORD else _WORD - 1)  # -1 means failure in CPython


def _hash_secret(seed: int) -> bytes:
    """Return the 16-byte SipHash key of a seed: a linear congruential generator, all zeros for seed 0."""
    state, key = seed, bytearray()
    for _ in range(16):
        state = (state * 214013 + 2531011) & 0xFFFFFFFF
        key.append(state >> 16 & 0xFF)
    return bytes(key) if seed else bytes(16)


def _siphash(key: tuple[int, int], data: bytes, block_rounds: int, final_rounds: int) -> int:
    """Return the 64-bit SipHash of the data (Aumasson and Bernstein 2012, https://www.aumasson.jp/siphash/)."""
    constants = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)
    state = tuple(constant ^ key[index % 2] for index, constant in enumerate(constants))
    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xFF])
    for start in range(0, len(padded), 8):
        word = int.from_bytes(padded[start : start + 8], "little")
        v0, v1, v2, v3 = _sip_rounds((*state[:3], state[3] ^ word), block_rounds)
        state = (v0 ^ word, v1, v2, v3)
    v0, v1, v2, v3 = _sip_rounds((*state[:2], state[2] ^ 0xFF, state[3]), final_rounds)
    return v0 ^ v1 ^ v2 ^ v3


def _sip_rounds(state: tuple[int, ...], rounds: int) -> tuple[int, int, int, int]:
    v0, v1, v2, v3 = state
    for _ in range(rounds):
        v0, v2 = (v0 + v1) & _WORD, (v2 + v3) & _WORD
        v1, v3 = _rotate(v1, 13) ^ v0, _rotate(v3, 16) ^ v2
        v0, v2 = (_rotate(v0, 32) + v3) & _WORD, (v2 + v1) & _WORD
        v1, v3 = _rotate(v1, 17) ^ v2, _rotate(v3, 21) ^ v0
        v2 = _rotate(v2, 32)
    return v0, v1, v2, v3


def _rotate(word: int, bits: int) -> int:
    return (word << bits | word >> (64 - bits)) & _WORD
