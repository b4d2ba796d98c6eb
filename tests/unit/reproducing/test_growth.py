"""One run tells rounding from a jump, within a bound that is stated."""

from __future__ import annotations

import math
import struct

import pytest

from reproof.reproducing.growth import CEILING, judge_growth

ULP = 2.0**-23


def single(value: float) -> float:
    """Return the nearest number of single precision."""
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def grow(factor: float, first: float = ULP, num_steps: int = 40) -> tuple[list[float], list[float]]:
    """Return losses, and losses that part from them by a factor in each step."""
    losses = [single(1.0 / (step + 1)) for step in range(num_steps)]
    return losses, [single(loss * (1 + first * factor**step)) for step, loss in enumerate(losses)]


@pytest.mark.parametrize(
    ("factor", "first", "is_within"),
    [
        (1.0, ULP, True),
        (1.1, ULP, True),
        (1.3, ULP, False),  # beyond the ceiling after 40 steps
        (1.0, 6 * ULP, True),
        (1.0, 10 * ULP, False),  # more than rounding does to a first loss
        (1.0, 1e-2, False),
    ],
)
def test_rounding_begins_small_and_grows(factor: float, first: float, *, is_within: bool) -> None:
    """A few ulp at first, no jump, and not without limit."""
    assert judge_growth(*grow(factor, first), [("r2 of y", 0.5, 0.5)]).is_within is is_within


def test_a_jump_is_placed() -> None:
    """As a schedule makes it that differs late: the step, its difference and what is allowed are told."""
    first, second = grow(1.0)
    second[30] = single(second[30] * (1 + 1e-4))
    found = judge_growth(first, second, [])
    assert (found.is_within, found.step) == (False, 30)
    assert found.difference == pytest.approx(1e-4, rel=0.01)
    assert "the losses of step 30 differ by 1.0e-04" in found.describe()


@pytest.mark.parametrize(("value", "is_within"), [(0.5, True), (0.5001, True), (0.51, False), (math.nan, False)])
def test_metrics_follow_the_losses(value: float, *, is_within: bool) -> None:
    """To a bound; the metric that is beyond is named."""
    found = judge_growth(*grow(1.0), [("r2 of y", 0.5, value)])
    assert found.is_within is is_within
    assert (found.beyond == "r2 of y") is not is_within
    assert found.allowed <= CEILING


def test_few_or_unequal_losses_show_nothing() -> None:
    """Nor does a run that ended earlier."""
    first, second = grow(1.0)
    assert not judge_growth(first[:5], second[:5], []).is_within
    assert not judge_growth(first, second[:-1], []).is_within
    assert not judge_growth([], [], []).is_within
