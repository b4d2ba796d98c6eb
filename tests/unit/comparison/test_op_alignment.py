"""Operations of two runs are paired though one of them has some more."""

from __future__ import annotations

import time

import pytest

from reproof.comparison.op_alignment import align

SAME = [1, 2, 3, 4, 5, 6, 7, 8, 9]


def items(x: list[int], y: list[int]) -> list[int]:
    """Return the items that were paired."""
    pairs = list(align(x, y))
    assert all(x[i] == y[j] for i, j in pairs)
    assert pairs == sorted(pairs)
    return [x[i] for i, _ in pairs]


def test_equal_sequences_are_paired_whole() -> None:
    """Each item has its partner."""
    assert items(SAME, SAME) == SAME


@pytest.mark.parametrize("position", range(10))
@pytest.mark.parametrize("more", [[70], [70, 71, 72, 73], [5], [3, 4]])
def test_inserted_items_have_no_partner(position: int, more: list[int]) -> None:
    """Whatever was inserted where, all others are paired, on either side."""
    longer = SAME[:position] + more + SAME[position:]
    assert len(items(SAME, longer)) >= len(SAME) - 1
    assert len(items(longer, SAME)) >= len(SAME) - 1


def test_sequences_without_anything_in_common_have_no_pairs() -> None:
    """Nothing is paired by position alone."""
    assert items([1, 2, 3, 4], [5, 6, 7, 8]) == []
    assert items([], SAME) == []


def test_replaced_items_do_not_break_what_follows() -> None:
    """Where both go another way for a while, they are paired again afterwards."""
    assert items([1, 2, 50, 51, 6, 7, 8, 9], [1, 2, 60, 6, 7, 8, 9]) == [1, 2, 6, 7, 8, 9]


def test_a_hundred_thousand_operations_take_no_time() -> None:
    """Time grows with the length, with many items that repeat, and with differences in between."""
    x = [number % 50 for number in range(100_000)]
    y = [number for position, number in enumerate(x) if position % 1000]
    start = time.perf_counter()
    assert len(items(x, y)) > 99_000
    assert time.perf_counter() - start < 5
