"""Intervals, equivalence tests and plans: what they say of samples whose answer is known, and where none is defined."""

from __future__ import annotations

import random

import pytest

pytest.importorskip("statsmodels", reason="the extra `search` is not installed")

from reproof.reproducing.statistics import (
    adjust_for_many,
    compare_groups,
    compare_pairs,
    plan_groups,
    plan_pairs,
    predict_interval,
)


class TestPredictionInterval:
    """Where one more value lies."""

    def test_it_is_that_of_students_t(self) -> None:
        """Five values 1..5: 3 ± t(4, 0.975) * 1.5811 * sqrt(1.2), from the tables."""
        interval = predict_interval([1, 2, 3, 4, 5])
        half = 2.776445 * 1.5811388 * 1.2**0.5
        assert interval.low == pytest.approx(3 - half, rel=1e-6)
        assert interval.high == pytest.approx(3 + half, rel=1e-6)

    def test_it_holds_one_more_value_as_often_as_it_says(self) -> None:
        """Of 1000 draws after five of the same distribution, about 950 lie inside."""
        rng = random.Random(3)
        held = sum(predict_interval([rng.gauss(0, 1) for _ in range(5)]).holds(rng.gauss(0, 1)) for _ in range(1000))
        assert 925 <= held <= 975

    def test_several_intervals_have_the_quantile_of_their_share(self) -> None:
        """Of twelve, each has the level 0.05 / 12: t(4, 1 - 0.05 / 24) = 5.8853 in the place of 2.7764."""
        single, shared = predict_interval([1, 2, 3, 4, 5]), predict_interval([1, 2, 3, 4, 5], num_intervals=12)
        ratio = (shared.high - shared.low) / (single.high - single.low)
        assert ratio == pytest.approx(5.885305 / 2.776445, rel=1e-6)

    @pytest.mark.parametrize("correlation", [0.0, 0.9])
    def test_several_intervals_hold_together_as_often_as_they_say(self, correlation: float) -> None:
        """Twelve values of a run lie in their intervals, all of them, in 95 % of cases; uncorrected in far fewer."""
        rng = random.Random(5)

        def draw() -> list[float]:
            common = rng.gauss(0, correlation**0.5)
            return [common + rng.gauss(0, (1 - correlation) ** 0.5) for _ in range(12)]

        held = {1: 0, 12: 0}
        for _ in range(400):
            columns, values = list(zip(*(draw() for _ in range(5)), strict=True)), draw()
            for number in held:
                pairs = zip(columns, values, strict=True)
                held[number] += all(predict_interval(c, num_intervals=number).holds(v) for c, v in pairs)
        assert held[12] >= 372
        assert held[1] < 360

    def test_values_without_spread_leave_eight_ulp(self) -> None:
        """Equal values make an interval of 8 units in the last place of single precision, and not a point."""
        interval = predict_interval([0.5] * 5, num_ulp_bits=24)
        assert interval.holds(0.5 + 7 * 0.5 * 2**-23)
        assert not interval.holds(0.5 + 9 * 0.5 * 2**-23)

    def test_nan_lies_in_no_interval(self) -> None:
        """A metric that is not a number is not within anything."""
        assert not predict_interval([1.0, 2.0, 3.0]).holds(float("nan"))


class TestEquivalence:
    """Two one-sided tests."""

    def test_pairs_with_a_small_common_shift_are_equivalent(self) -> None:
        """Seeds differ by 0.1, the shift of each pair by 0.001: pairing shows equivalence within 0.01."""
        reference = [0.70, 0.80, 0.90, 0.75, 0.85]
        reproduced = [value + shift for value, shift in zip(reference, [0.001, 0.002, 0.0, 0.001, 0.002], strict=True)]
        paired = compare_pairs(reference, reproduced, 0.01, 0.05)
        assert paired.p_equivalent < 0.001
        assert paired.interval.low > -0.01
        assert paired.interval.high < 0.01
        assert compare_groups(reference, reproduced, 0.01, 0.05).p_equivalent > 0.4

    def test_a_shift_beyond_the_margin_is_found(self) -> None:
        """A shift of 0.1 with a spread of 0.01 is beyond a margin of 0.02, on either side."""
        reference = [0.80, 0.81, 0.79, 0.80, 0.81]
        for shift in (0.1, -0.1):
            test = compare_groups(reference, [value + shift for value in reference], 0.02, 0.05)
            assert test.shift == pytest.approx(shift)
            assert test.p_beyond < 0.001
            assert test.p_equivalent > 0.99

    def test_equivalence_at_the_margin_is_claimed_wrongly_in_five_percent(self) -> None:
        """With a true shift of exactly the margin, at most about alpha of the tests say equivalent."""
        rng = random.Random(5)

        def claims() -> bool:
            reference, reproduced = ([rng.gauss(mean, 1) for _ in range(8)] for mean in (0, 2.5))
            return compare_groups(reference, reproduced, 2.5, 0.05).p_equivalent <= 0.05

        assert sum(claims() for _ in range(400)) <= 36  # 20 expected, binomial 99.9 % quantile 35

    def test_a_single_run_is_compared_by_the_spread_of_the_reference(self) -> None:
        """One run far off is beyond the margin; its interval has the width of a prediction, and no warning is given."""
        reference = [0.80, 0.81, 0.79, 0.80, 0.81]
        assert compare_groups(reference, [0.5], 0.02, 0.05).p_beyond < 0.001
        assert compare_groups(reference, [0.80], 0.02, 0.05).p_beyond > 0.9

    @pytest.mark.parametrize("compare", [compare_pairs, compare_groups])
    def test_without_spread_the_shift_is_what_it_is(self, compare: object) -> None:
        """Equal values on both sides: within the margin is equivalent, beyond it is beyond; nothing is divided by 0."""
        assert callable(compare)
        same = compare([0.5] * 3, [0.5] * 3, 0.0, 0.05)
        assert (same.p_equivalent, same.p_beyond, same.shift) == (0.0, 1.0, 0.0)
        other = compare([0.5] * 3, [0.75] * 3, 0.1, 0.05)
        assert (other.p_equivalent, other.p_beyond, other.interval.low) == (1.0, 0.0, 0.25)

    def test_many_chances_are_corrected(self) -> None:
        """Holm: the smallest of four p values is multiplied by four, the next by three."""
        assert adjust_for_many([0.01, 0.5, 0.02, 0.9]) == pytest.approx([0.04, 1.0, 0.06, 1.0])
        assert adjust_for_many([]) == []


class TestPlans:
    """How many replicates decide."""

    def test_a_plan_has_the_power_that_it_promises(self) -> None:
        """As many pairs as planned show equivalence in about 80 % of simulated trials."""
        rng = random.Random(7)
        num = plan_pairs(1.0, 1.0)
        assert num is not None

        def succeeds() -> bool:
            reproduced = [rng.gauss(0, 1) for _ in range(num)]
            return compare_pairs([0.0] * num, reproduced, 1.0, 0.05).p_equivalent <= 0.05

        assert 0.72 <= sum(succeeds() for _ in range(300)) / 300 <= 0.92

    def test_plans_agree_with_published_power(self) -> None:
        """Independent groups at a margin of 1.5 standard deviations: 10 against 10 has power 0.88, 8 against 8 0.76."""
        assert plan_groups(1.0, 1.5, num_reference=None) in {8, 9}

    def test_more_noise_or_a_shift_needs_more_runs(self) -> None:
        """The number grows with the spread and with the shift."""
        numbers = [plan_pairs(1.0, 1.0), plan_pairs(2.0, 1.0), plan_pairs(2.0, 1.0, 0.5)]
        assert None not in numbers
        assert numbers == sorted(numbers, key=lambda number: number or 0)
        assert len(set(numbers)) == 3

    def test_what_no_number_decides_has_no_plan(self) -> None:
        """A shift of exactly the margin is never decided, nor is anything by too few runs of the reference."""
        assert plan_pairs(1.0, 1.0, 1.0) is None
        assert plan_groups(1.0, 0.5, num_reference=3) is None

    def test_a_shift_beyond_the_margin_is_planned_for_too(self) -> None:
        """Far beyond the margin few runs suffice."""
        number = plan_pairs(1.0, 1.0, 3.0)
        assert number is not None
        assert number <= 6
