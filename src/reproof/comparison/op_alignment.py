"""Pair the operations of two runs of a step, tolerant of some that only one of them has.

Operations are alike if they are the same one, called from the same line for the same module. Two runs of one program
have the same operations until something makes them go another way, mostly for a few of them; so both sequences are
walked side by side, and at a mismatch the nearest place is looked for from where on they agree again. This takes time
in proportion to the length, where a minimal edit script would take its square.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from reproof.trace.op_format import Op, OpPlace

Pair = tuple["Op", "Op"]

NUM_AGREEING: Final = 3
"""Operations in a row that must be alike for the sequences to agree again."""

MAX_SKIPPED: Final = 4096
"""So far is looked for that place."""


def align_ops(a: Sequence[Op], b: Sequence[Op]) -> list[Pair]:
    """Return the operations that both runs have, in execution order."""
    keys = {}
    for op in (*a, *b):
        if op.place not in keys:
            keys[op.place] = key_of(op.place)
    numbers: dict[Hashable, int] = {}
    x = [numbers.setdefault(keys[op.place], len(numbers)) for op in a]
    y = [numbers.setdefault(keys[op.place], len(numbers)) for op in b]
    return [(a[i], b[j]) for i, j in align(x, y)]


def key_of(place: OpPlace) -> Hashable:
    """Return what two runs of a program have in common of a place: they may run in folders of their own."""
    return place.name, place.overload, place.phase, PurePath(place.file).name, place.line, place.module


def align(x: Sequence[int], y: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield pairs of positions at which two sequences have equal items, increasing in both."""
    i = j = 0
    while i < len(x) and j < len(y):
        if x[i] == y[j]:
            yield i, j
            i, j = i + 1, j + 1
            continue
        found = find_agreement(x, y, i, j)
        if found is None:
            return
        i, j = found


def find_agreement(x: Sequence[int], y: Sequence[int], i: int, j: int) -> tuple[int, int] | None:
    """Return the nearest positions from these on at which several items in a row are equal, or the ends are."""
    seen_x: dict[tuple[int, ...], int] = {}
    seen_y: dict[tuple[int, ...], int] = {}
    for step in range(min(MAX_SKIPPED, max(len(x) - i, len(y) - j))):
        if i + step < len(x):
            window = tuple(x[i + step : i + step + NUM_AGREEING])
            if window in seen_y:
                return i + step, seen_y[window]
            seen_x.setdefault(window, i + step)
        if j + step < len(y):
            window = tuple(y[j + step : j + step + NUM_AGREEING])
            if window in seen_x:
                return seen_x[window], j + step
            seen_y.setdefault(window, j + step)
    return None
