"""Curves of both runs: no extreme and no first difference is lost, however many points there are."""

from __future__ import annotations

import math
from array import array

import pytest

from reproof.report.curves import NUM_BUCKETS, pair_up
from reproof.schema.telling import tell_size
from reproof.trace.views.columns import Column


def column(*values: float) -> Column:
    """Return a column with one value per step."""
    return Column("f", array("Q", range(len(values))), array("d", values))


def test_long_curves_keep_their_extremes() -> None:
    """A single spike, a single dip and the first difference of 100,000 points are drawn."""
    a = [1.0 + math.sin(i) / 1000 for i in range(100_000)]
    b = list(a)
    a[70_001], b[80_003], b[61_803] = 99.0, -50.0, b[61_803] + 1e-9
    row = pair_up("loss", "loss", column(*a), column(*b))
    assert row is not None
    assert {61_802, 61_803, 70_001, 80_003, 0, 99_999} <= set(row.steps)
    assert len(row.steps) <= 6 * NUM_BUCKETS + 4
    assert (row.num_compared, row.num_differing) == (100_000, 3)
    assert row.told.startswith("The loss differs first in step 61,803, by 1e-09, and most in step 70,001")


def test_short_curves_are_whole() -> None:
    """Every point is drawn, with its distance in ulp."""
    row = pair_up("loss", "loss", column(1.0, 0.5), column(1.0, 0.5 + 2**-24))
    assert row is not None
    assert (row.steps, row.ulp) == ((0, 1), (0, 1))


def test_nan_is_equal_to_nan_and_not_drawn() -> None:
    """Two losses that are no number are the same; one alone differs."""
    row = pair_up("loss", "loss", column(math.nan, math.nan, 1.0), column(math.nan, 2.0, 1.0))
    assert row is not None
    assert (row.num_differing, row.baseline) == (1, (None, None, 1.0))


def test_only_shared_steps_are_paired() -> None:
    """A loss that one run lacks shifts no other."""
    late = Column("f", array("Q", [1, 2]), array("d", [1.0, 2.0]))
    row = pair_up("loss", "loss", column(0.0, 1.0, 2.0), late)
    assert row is not None
    assert (row.steps, row.num_differing) == ((1, 2), 0)


def test_losses_of_one_step_are_paired_in_their_order() -> None:
    """As where gradients are accumulated, in a run that begins at a later step."""
    whole = Column("f", array("Q", [0, 0, 1, 1]), array("d", [4.0, 3.0, 2.0, 1.0]))
    later = Column("f", array("Q", [1, 1]), array("d", [2.0, 1.0]))
    row = pair_up("loss", "loss", whole, later)
    assert row is not None
    assert (row.steps, row.num_differing, row.told) == ((1, 1), 0, "The loss is equal in all 2 values.")


@pytest.mark.parametrize(
    ("size", "told"),
    [(0.0, "0"), (3.14e-9, "3.1e-09"), (12.3, "12"), (123.4, "123"), (12345, "12,345"), (1e9, "1e+09")],
)
def test_the_size_of_a_difference_is_readable(size: float, told: str) -> None:
    """A number of some hundreds is no power of ten."""
    assert tell_size(size) == told
