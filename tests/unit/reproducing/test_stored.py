"""What a study has stored of a trial, beside what its training reaches now."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from reproof.reproducing.stored import Retrained, StoredTrial, find_beyond, judge_stored

HERE = Retrained(value=0.25, metrics={"force": {"r2": 0.9}}, reports=(1.0, 0.5, 0.25))
STORED = StoredTrial(params={}, numbers={"value": 0.25, "force.r2": 0.9}, curve=(1.0, 0.5, 0.25))


def make(**changes: Any) -> StoredTrial:
    """Return a stored trial that differs in some of what it has reached."""
    return StoredTrial(params={}, **{"numbers": STORED.numbers, "curve": STORED.curve, **changes})


def test_every_stored_bit_is_identical_in_what_was_kept() -> None:
    """Value, metric and each report; it is said that numbers alone are no proof."""
    found = judge_stored(STORED, HERE)
    assert (found.verdict, found.exit_code) == ("identical", 0)
    assert "value, force.r2, 3 reported values" in found.reasons[0]
    assert "do not show the same training" in found.reasons[0]


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (make(numbers={"value": math.nextafter(0.25, 1)}), "1 of 4 stored numbers have other bits; the first is value"),
        (make(curve=(1.0, 0.5000001, 0.25)), "the first is report 1"),
        (make(numbers={"value": -0.25}, curve=()), "1 of 1"),
        (make(numbers={"value": 0.9}, curve=()), "what was stored as value has the bits of force.r2"),
        (make(numbers={"value": 0.5}, curve=(1.0,)), "reported values: not compared, 1 were stored and 3"),
    ],
)
def test_one_other_bit_is_not_identical(stored: StoredTrial, words: str) -> None:
    """The first number with other bits is named, and whose bits it has."""
    found = judge_stored(stored, HERE)
    assert found.verdict == "inconclusive"
    assert words in " ".join(found.reasons)


def test_without_numbers_nothing_is_claimed() -> None:
    """As with parameters of a file and no value."""
    assert judge_stored(make(numbers={}, curve=()), HERE).verdict == "inconclusive"


def test_a_number_that_the_training_does_not_have_is_not_comparable() -> None:
    """It is named."""
    found = judge_stored(make(numbers={"torque.r2": 0.5}), HERE)
    assert (found.verdict, found.exit_code) == ("not-comparable", 2)
    assert "torque.r2" in found.reasons[0]


def run(*reports: float) -> Any:
    """Return a run with one weight moved by one ulp."""
    return SimpleNamespace(reports=reports, value=min(reports), metrics={"force": {"r2": 0.9}})


def test_beyond_is_more_than_what_rounding_does() -> None:
    """Measured at each report, where rounding of earlier ones counts; a difference of a few ulp is never beyond."""
    noise = [run(1.0, 0.5 + 1e-6, 0.25 + 1e-6), run(1.0, 0.5, 0.25 + 2e-6)]
    near = make(numbers={"value": 0.25 + 1e-5}, curve=(1.0 + 5e-7, 0.5, 0.25 + 1e-5))
    assert find_beyond(near, HERE, noise, 10) is None
    assert "report 0 differs" in str(find_beyond(make(curve=(1.001, 0.5, 0.25)), HERE, noise, 10))
    assert "value differs" in str(find_beyond(make(numbers={"value": 0.26}), HERE, noise, 10))
