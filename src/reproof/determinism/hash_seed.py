"""Whether the running interpreter's hash seed is pinned, by experiment.

Neither the variable nor a flag tells: ``os.environ["PYTHONHASHSEED"] = "0"`` changes nothing in a running interpreter,
``python -I``, ``-E`` and ``-R`` ignore the variable, and `sys.flags.hash_randomization` is 1 both for a random seed
and for a pinned one other than 0. What tells is a hash: CPython derives the key of SipHash from the seed, so the hash
of a known text is known for each seed. It is computed here and compared with what the interpreter answers.

Sources: https://docs.python.org/3/using/cmdline.html#envvar-PYTHONHASHSEED, https://peps.python.org/pep-0456/;
checked with CPython 3.10 to 3.13.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from reproof.determinism.variables import HASH_SEED, started_with

_WORD: Final = (1 << 64) - 1
_PROBE: Final = b"reproof: is the hash seed pinned?"  # longer than CPython's cutoff for short texts
_ROUNDS: Final = {"siphash13": (1, 3), "siphash24": (2, 4)}
_HASH_BITS: Final = 64
_SEED_DIGITS: Final = 10


def pinned_hash_seed() -> int | None:
    """Return the seed that this interpreter's hashes are made with, or None if it is random."""
    if not sys.flags.hash_randomization:
        return 0
    if sys.hash_info.algorithm not in _ROUNDS or sys.hash_info.width != _HASH_BITS:
        return _seed_from_variable()
    candidates = (_parse_seed(text) for text in (os.environ.get(HASH_SEED), started_with(HASH_SEED)))
    return next((seed for seed in candidates if seed is not None and _hashes_with(seed)), None)


def describe_hash_seed() -> str:
    """Say what the hash seed of this interpreter is, and which variable does not tell the truth about it."""
    pinned, variable = pinned_hash_seed(), os.environ.get(HASH_SEED)
    if pinned is not None:
        changed = variable is not None and _parse_seed(variable) != pinned
        return f"pinned to {pinned}" + (f"; {HASH_SEED}={variable} was set too late" if changed else "")
    if variable in {None, "", "random"}:
        return "random"
    if sys.flags.ignore_environment:
        return f"random; {HASH_SEED}={variable} is ignored (python -I or -E)"
    if variable == started_with(HASH_SEED):
        return f"random; {HASH_SEED}={variable} did not take effect (python -R, or set too late)"
    return f"random; {HASH_SEED}={variable} was set too late, after the interpreter started"


def _seed_from_variable() -> int | None:
    """Trust the variable of the start, for interpreters whose hash cannot be computed here."""
    return None if sys.flags.ignore_environment else _parse_seed(started_with(HASH_SEED))


def _parse_seed(text: str | None) -> int | None:
    is_number = text is not None and text.isascii() and text.isdecimal() and len(text) <= _SEED_DIGITS
    return int(text) if text is not None and is_number else None


def _hashes_with(seed: int) -> bool:
    """Whether this interpreter hashes the probe as one started with this seed does."""
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
