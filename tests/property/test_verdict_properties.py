"""Verdicts and equivalence tests, for all numbers: always an answer, and answers that agree with each other."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("statsmodels", reason="the extra `search` is not installed")

from reproof.bundle.records import Perturbation, Reference, Replicate
from reproof.reproducing.evidence import Verdict
from reproof.reproducing.statistics import compare_groups, compare_pairs
from reproof.reproducing.verdicts import Evidence, judge

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.reproducing.statistics import EquivalenceTest

ALPHA = 0.05

numbers = st.floats(min_value=-1e6, max_value=1e6, allow_subnormal=False)
any_value = st.one_of(st.floats(width=32), st.sampled_from([0.0, -0.0, 0.5, 0.25]))
metrics = st.fixed_dictionaries({"y": st.fixed_dictionaries({"r2": any_value, "mse": any_value})})
replicates = st.lists(
    st.builds(lambda seed, values: Replicate(seed=seed, metrics=values), st.integers(0, 5), metrics), max_size=6
).map(tuple)
losses = st.lists(any_value, max_size=4).map(tuple)


@given(
    st.lists(st.tuples(numbers, numbers), min_size=2, max_size=8),
    st.floats(min_value=0, max_value=1e6),
    st.sampled_from([compare_pairs, compare_groups]),
)
def test_interval_and_p_values_tell_the_same(
    pairs: list[tuple[float, float]], margin: float, compare: Callable[..., EquivalenceTest]
) -> None:
    """The interval lies within the margin where equivalence is significant, and wholly beyond where the opposite is."""
    test = compare([pair[0] for pair in pairs], [pair[1] for pair in pairs], margin, ALPHA)
    low, high = test.interval.low, test.interval.high
    near = 1e-6 * max(1e-9, abs(low), abs(high), margin)
    if test.p_equivalent < ALPHA * 0.999:
        assert -margin - near <= low
        assert high <= margin + near
    if test.p_beyond < ALPHA * 0.999:
        assert low > margin - near or high < -margin + near
        assert test.p_equivalent >= 0.5 - 1e-6


@settings(max_examples=60)
@given(st.tuples(metrics, metrics), st.tuples(losses, losses), st.tuples(replicates, replicates), st.integers(0, 6))
def test_every_evidence_has_a_verdict(
    values: tuple[Any, Any], early: tuple[Any, Any], fresh: tuple[Any, Any], num_perturbations: int
) -> None:
    """NaN, infinities, repeated values and few runs: a verdict of the list, identical for equal bits only."""
    reference = Reference(
        margins={"y": {"r2": 0.1, "mse": 0.1}},
        replicates=fresh[0],
        perturbations=(Perturbation(losses=early[0], metrics=values[0]),) * num_perturbations,
    )
    original, other = (
        Evidence(metrics=values[side], seed=1, weights_digest="w", trace_digest="t", losses=early[side])
        for side in (0, 1)
    )
    result = judge(original, replace(other, replicates=fresh[1]), reference)
    assert result.verdict in get_args(Verdict)
    assert result.reasons
    assert (result.verdict == "identical") == (bits(values[0]) == bits(values[1]))
    json.dumps(result.to_json(), allow_nan=False)


def bits(values: dict[str, dict[str, float]]) -> bytes:
    """Return the bits of metrics."""
    return struct.pack("<2d", values["y"]["r2"], values["y"]["mse"])
