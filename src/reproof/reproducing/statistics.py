"""Prediction intervals, equivalence tests and the number of replicates they need; scipy and statsmodels do the work.

Each function takes plain numbers and returns a frozen record. Added to the two libraries is an
answer where a test is undefined (no spread, too few values, NaN), because a verdict is needed there as well.

Left out: which test is asked when, and what its answer means (`reproof.reproducing.verdicts`).
"""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from statistics import fmean, stdev, variance
from typing import TYPE_CHECKING, Any, Final, Literal

from reproof.bundle.records import DEFAULT_ALPHA
from reproof.errors import DependencyError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

POWER: Final = 0.8
"""Probability with which a planned number of runs decides."""

MAX_REPLICATES: Final = 1000
"""Beyond so many replicates no number is named: a wider margin or less noise is needed, not more runs."""

NO_SPREAD: Final = 1e-13
"""A spread of so small a part of shift or margin is rounding of the metric itself."""

Design = Literal["paired", "independent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A closed interval."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether a value lies in it; NaN lies in none."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class EquivalenceTest:
    """Two one-sided tests (TOST) of a shift against a margin, and the opposite claim.

    Attributes:
        design: Whether runs were paired by seed.
        num_reference: Values on the side of the reference; pairs, where they were paired.
        num_reproduced: Values on the side of the reproduction.
        shift: Mean of the reproduction minus mean of the reference.
        interval: The (1 - 2 alpha) confidence interval of the shift.
        p_equivalent: Largest of the two one-sided p values against "the shift is the margin or more".
        p_beyond: p value against "the shift is the margin or less": small where the shift is shown to exceed it.
        spread: Standard deviation of one difference (paired) or of one value (independent, pooled).
    """

    design: Design
    num_reference: int
    num_reproduced: int
    shift: float
    interval: Interval
    p_equivalent: float
    p_beyond: float
    spread: float


def predict_interval(
    values: Sequence[float], *, num_ulp_bits: int | None = None, alpha: float = DEFAULT_ALPHA, num_intervals: int = 1
) -> Interval:
    """Return the (1 - alpha) prediction interval of one more value: mean ± t(n-1) * s * sqrt(1 + 1/n).

    Of several intervals asked of one run each has the level alpha / number (Bonferroni's inequality), so that with at
    least 1 - alpha all of them hold, however their values are correlated (Hahn, JASA 65:1668-1676, 1970).

    Args:
        values: At least two finite values, taken as normally distributed.
        num_ulp_bits: Significand bits of the computation; the interval is never narrower than 8 units in the last
            place of the mean in that precision, so that values without any spread do not make it a point.
        alpha: How often one more value of the same distribution lies outside; of several intervals, of any of them.
        num_intervals: How many intervals are to hold together.
    """
    mean, spread = fmean(values), stdev(values)
    scale = spread * math.sqrt(1 + 1 / len(values))
    floor = 0.0 if num_ulp_bits is None else 8 * 2.0 ** (1 - num_ulp_bits) * abs(mean)
    quantile = float(_import("scipy.stats").t.ppf(1 - alpha / (2 * num_intervals), len(values) - 1))
    half = max(floor, quantile * scale)
    return Interval(low=mean - half, high=mean + half)


def compare_pairs(
    reference: Sequence[float], reproduced: Sequence[float], margin: float, alpha: float
) -> EquivalenceTest:
    """Test the differences of runs with equal seeds; both sides in the same order, at least two finite pairs."""
    differences = [b - a for a, b in zip(reference, reproduced, strict=True)]
    scale = max(margin, *map(abs, differences))
    spread = stdev(differences)
    if spread <= NO_SPREAD * scale:
        return _without_spread("paired", reference, reproduced, fmean(differences), margin)
    unit = margin / scale
    sample = _import("statsmodels.stats.weightstats").DescrStatsW([value / scale for value in differences])
    low, high = sample.tconfint_mean(alpha=2 * alpha)
    return EquivalenceTest(
        design="paired",
        num_reference=len(differences),
        num_reproduced=len(differences),
        shift=fmean(differences),
        interval=Interval(low=float(low) * scale, high=float(high) * scale),
        p_equivalent=float(sample.ttost_mean(-unit, unit)[0]),
        p_beyond=min(
            float(sample.ttest_mean(unit, alternative="larger")[1]),
            float(sample.ttest_mean(-unit, alternative="smaller")[1]),
        ),
        spread=spread,
    )


def compare_groups(
    reference: Sequence[float], reproduced: Sequence[float], margin: float, alpha: float
) -> EquivalenceTest:
    """Test two groups of runs: Welch's tests, or with a single run the pooled ones, whose spread is the reference's.

    Args:
        reference: At least two finite values.
        reproduced: At least one.
        margin: Largest shift that does not matter.
        alpha: Level of each one-sided test.
    """
    center = fmean(reference)  # it cancels in the shift, and small numbers lose fewer bits
    groups = [[value - center for value in side] for side in (reproduced, reference)]
    scale = max(margin, *map(abs, [*groups[0], *groups[1]]))
    spread = _pooled_deviation(groups)
    shift = fmean(reproduced) - center
    if spread <= NO_SPREAD * scale:
        return _without_spread("independent", reference, reproduced, shift, margin)
    unit = margin / scale
    variances = "unequal" if len(reproduced) > 1 else "pooled"
    stats = _import("statsmodels.stats.weightstats")
    means = stats.CompareMeans(*(stats.DescrStatsW([value / scale for value in side]) for side in groups))
    low, high = means.tconfint_diff(alpha=2 * alpha, usevar=variances)
    return EquivalenceTest(
        design="independent",
        num_reference=len(reference),
        num_reproduced=len(reproduced),
        shift=shift,
        interval=Interval(low=float(low) * scale, high=float(high) * scale),
        p_equivalent=float(means.ttost_ind(-unit, unit, usevar=variances)[0]),
        p_beyond=min(
            float(means.ttest_ind(alternative="larger", usevar=variances, value=unit)[1]),
            float(means.ttest_ind(alternative="smaller", usevar=variances, value=-unit)[1]),
        ),
        spread=spread,
    )


def adjust_for_many(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected by Holm's method for the claim that at least one of them is not by chance."""
    if not p_values:
        return []
    multitest = _import("statsmodels.stats.multitest")
    return [float(p) for p in multitest.multipletests(list(p_values), method="holm")[1]]


def plan_pairs(spread: float, margin: float, shift: float = 0.0, alpha: float = DEFAULT_ALPHA) -> int | None:
    """Return how many pairs decide between equivalence and its opposite, if the shift is truly this one.

    None if `MAX_REPLICATES` do not. The power of the two one-sided tests is that of both minus one, as their failures
    practically exclude each other.
    """
    if spread == 0.0:
        return 2
    test = _import("statsmodels.stats.power").TTestPower()

    def power_of(effect: float, num: int) -> float:
        return float(test.power(effect, num, alpha, alternative="larger"))

    return _find_number(power_of, spread, margin, shift)


def plan_groups(
    spread: float,
    margin: float,
    *,
    num_reference: int | None,
    shift: float = 0.0,
    alpha: float = DEFAULT_ALPHA,
) -> int | None:
    """Return how many runs of the reproduction decide, beside so many of the reference.

    Args:
        spread: Standard deviation of one run, taken to be the same on both sides.
        margin: Largest shift that does not matter.
        num_reference: Runs of the reference, or None for as many as of the reproduction.
        shift: The true shift that is planned for.
        alpha: Level of each one-sided test.
    """
    if spread == 0.0:
        return 2
    test = _import("statsmodels.stats.power").TTestIndPower()

    def power_of(effect: float, num: int) -> float:
        ratio = 1.0 if num_reference is None else num_reference / num
        return float(test.power(effect, num, alpha, ratio=ratio, alternative="larger"))

    return _find_number(power_of, spread, margin, shift)


def _find_number(power_of: Callable[[float, int], float], spread: float, margin: float, shift: float) -> int | None:
    """Return the smallest number with which the power is `POWER`, by bisection; None beyond `MAX_REPLICATES`."""

    def suffices(num: int) -> bool:
        if abs(shift) > margin:
            return power_of((abs(shift) - margin) / spread, num) >= POWER
        near, far = ((margin - sign * abs(shift)) / spread for sign in (1, -1))
        return power_of(near, num) + power_of(far, num) - 1 >= POWER

    low, high = 1, 2
    while not suffices(high):
        low, high = high, high * 2
        if low >= MAX_REPLICATES:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high if high <= MAX_REPLICATES else None


def _without_spread(
    design: Design, reference: Sequence[float], reproduced: Sequence[float], shift: float, margin: float
) -> EquivalenceTest:
    """Return the answer where all values of each side, or all differences, are the same: the shift is what it is."""
    return EquivalenceTest(
        design=design,
        num_reference=len(reference),
        num_reproduced=len(reproduced),
        shift=shift,
        interval=Interval(low=shift, high=shift),
        p_equivalent=0.0 if abs(shift) <= margin else 1.0,
        p_beyond=0.0 if abs(shift) > margin else 1.0,
        spread=0.0,
    )


def _pooled_deviation(groups: Sequence[Sequence[float]]) -> float:
    degrees = sum(len(group) for group in groups) - len(groups)
    return math.sqrt(sum(variance(group) * (len(group) - 1) for group in groups if len(group) > 1) / degrees)


def _import(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DependencyError(
            f"the equivalence tests need {name.partition('.')[0]}, which is not installed",
            "install it with `pip install 'reproof[search]'`",
        ) from error
