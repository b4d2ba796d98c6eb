"""Losses of the first steps: rounding is told from what is no rounding."""

from __future__ import annotations

import math

import pytest

from reproof.reproducing.noise import EARLY_STEPS, compare_early_losses, find_precision

ULP = 2.0**-23
BASE = tuple(1.0 for _ in range(30))


def changed(step: int, by: float) -> tuple[float, ...]:
    """Return losses that differ from one step on."""
    return tuple(loss * (1 + by) if number >= step else loss for number, loss in enumerate(BASE))


def test_eight_ulp_are_rounding_without_any_perturbation() -> None:
    """A difference of 8 ulp in single precision passes, one of 9 does not, and its step is named."""
    assert compare_early_losses(BASE, changed(3, 8 * ULP), []).is_within
    result = compare_early_losses(BASE, changed(3, 9 * ULP), [])
    assert not result.is_within
    assert result.step == 3
    assert result.difference == pytest.approx(9 * ULP, rel=1e-3)


def test_ten_times_the_worst_perturbation_is_rounding() -> None:
    """Where perturbation runs reached 1e-5, 9e-5 is allowed, and 2e-4 is not."""
    perturbed = [changed(3, 1e-5), changed(3, 2e-6)]
    assert compare_early_losses(BASE, changed(3, 9e-5), perturbed).is_within
    assert compare_early_losses(BASE, changed(3, 2e-4), perturbed).step == 3


def test_what_perturbations_do_later_does_not_excuse_an_early_difference() -> None:
    """A changed learning rate shows at the second step; rounding reaches that size ten steps later."""
    assert compare_early_losses(BASE, changed(1, 9e-5), [changed(11, 1e-3)]).step == 1


def test_only_the_first_steps_count() -> None:
    """A difference after the early steps is not looked at."""
    assert compare_early_losses(BASE, changed(EARLY_STEPS, 0.5), []).is_within


def test_losses_of_double_precision_are_held_to_its_ulp() -> None:
    """If a loss needs more than single precision, 8 ulp are those of double precision."""
    base = (0.1, 0.2)
    assert find_precision(base) == 53
    assert compare_early_losses(base, (0.1, 0.2 * (1 + 1e-15)), []).is_within
    assert not compare_early_losses(base, (0.1, 0.2 * (1 + 1e-7)), []).is_within


def test_nan_equals_nan_and_nothing_else() -> None:
    """Two runs that both became NaN agree; one that did alone does not."""
    assert compare_early_losses((1.0, math.nan), (1.0, math.nan), []).is_within
    assert compare_early_losses((1.0, math.nan), (1.0, 1.0), []).step == 1
    assert compare_early_losses((1.0, 1.0), (1.0, math.inf), []).step == 1


def test_a_perturbation_run_that_overflows_is_no_licence() -> None:
    """One perturbation run with a NaN does not allow every difference."""
    perturbed = [(1.0, math.nan), (1.0, 1.0)]
    assert compare_early_losses((1.0, 1.0), (1.0, 1.1), perturbed).step == 1


def test_a_run_that_stops_early_differs_where_it_stops() -> None:
    """A missing step is a difference; steps after the early ones may be missing."""
    assert compare_early_losses(BASE, BASE[:5], []).step == 5
    assert compare_early_losses(BASE, BASE[:EARLY_STEPS], []).is_within


def test_no_losses_are_no_evidence() -> None:
    """Without any losses nothing is within anything."""
    assert not compare_early_losses((), (), []).is_within
