"""When two runs agree in every bit of their metrics, and with which fresh seeds a bundle is trained."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from reproof.bundle.records import Reference, Replicate
from reproof.reproducing.runs import FIRST_FRESH_SEED, choose_seeds, have_same_metrics


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ({"a": {"r2": 0.5}}, {"a": {"r2": 0.5}}, True),
        ({"a": {"r2": 0.5}}, {"a": {"r2": math.nextafter(0.5, 1)}}, False),
        ({"a": {"r2": math.nan}}, {"a": {"r2": math.nan}}, True),
        ({"a": {"r2": 0.0}}, {"a": {"r2": -0.0}}, False),
        ({"a": {"r2": 0.5}}, {"a": {"r2": 0.5, "mse": 1.0}}, False),
        ({"a": {"r2": 0.5}}, {"b": {"r2": 0.5}}, False),
    ],
)
def test_metrics_agree_by_their_bits(first: Any, second: Any, same: bool) -> None:  # noqa: FBT001  # a parameter
    """A NaN is the same as itself, and a zero is not its negative."""
    assert have_same_metrics(first, second) is same


def bundle(seed: int, *known: int) -> Any:
    """Return what choosing seeds needs of a bundle."""
    replicates = tuple(Replicate(seed=number, metrics={}) for number in known)
    return SimpleNamespace(seed=seed, reference=Reference(margins={}, replicates=replicates) if known else None)


def test_fresh_seeds_are_those_of_the_reference_first() -> None:
    """So that runs of one seed can be compared in pairs; further ones are not the bundle's own."""
    further = [11 + FIRST_FRESH_SEED, 12 + FIRST_FRESH_SEED]
    assert choose_seeds(bundle(11, 5, 6, 7), 2) == [5, 6]
    assert choose_seeds(bundle(11, 5), 3) == [5, *further]
    assert choose_seeds(bundle(11), 2) == further
    assert choose_seeds(bundle(11, 5), 0) == []
