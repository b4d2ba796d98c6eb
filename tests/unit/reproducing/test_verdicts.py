"""Verdicts: which evidence gives which, and how often the procedure is wrong."""

from __future__ import annotations

import gc
import json
import math
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("statsmodels", reason="the extra `search` is not installed")

from reproof.bundle.records import Perturbation, Reference, Replicate
from reproof.reproducing.margins import complete_margins, propose_margins
from reproof.reproducing.verdicts import Evidence, Gate, Judgement, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reproof.bundle.records import Metrics

TARGETS = ("height", "weight")
SPREAD = 0.01
NOISE = 1e-6
LOSSES = (1.0, 0.5, 0.25, 0.125)


def metrics_of(rng: random.Random, shift: float = 0.0, spread: float = SPREAD) -> Metrics:
    """Return the metrics of a training whose seeds spread by so much."""
    found = {}
    for target in TARGETS:
        luck = rng.gauss(0, spread)
        found[target] = {"r2": 0.8 + luck - shift, "mse": 0.2 - luck + shift, "mae": 0.3 - luck / 2 + shift / 2}
    return found


def moved(metrics: Metrics, by: float) -> Metrics:
    """Return all metrics changed by so much."""
    return {target: {name: value + by for name, value in values.items()} for target, values in metrics.items()}


def reference_of(rng: random.Random, trial: Metrics, num_replicates: int = 10, num_perturbations: int = 5) -> Reference:
    """Return what a bundle holds: fresh seeds, and perturbation runs of its own seed."""
    replicates = tuple(Replicate(seed=100 + number, metrics=metrics_of(rng)) for number in range(num_replicates))
    perturbations = tuple(
        Perturbation(
            losses=(1.0, 0.5, 0.25 * (1 + 2**-23), 0.125 * (1 + 2**-22)), metrics=moved(trial, rng.gauss(0, NOISE))
        )
        for _ in range(num_perturbations)
    )
    return Reference(margins=propose_margins(replicates), replicates=replicates, perturbations=perturbations)


@pytest.fixture
def rng() -> random.Random:
    """Return the generator of a test."""
    return random.Random(11)


@pytest.fixture
def original(rng: random.Random) -> Evidence:
    """Return the run of a bundle."""
    return Evidence(metrics=metrics_of(rng), seed=42, weights_digest="w", trace_digest="t", losses=LOSSES)


@pytest.fixture
def reference(rng: random.Random, original: Evidence) -> Reference:
    """Return its reference."""
    return reference_of(rng, original.metrics)


@pytest.fixture
def rounded(original: Evidence) -> Evidence:
    """Return a re-run that differs by rounding."""
    losses = (1.0, 0.5 * (1 + 2**-23), 0.25 * (1 + 2**-23), 0.125)
    return replace(original, metrics=moved(original.metrics, 1e-6), weights_digest="v", trace_digest="s", losses=losses)


def state(result: Judgement) -> tuple[str, str]:
    """Return verdict and tier."""
    return result.verdict, result.tier


class TestGates:
    """What is not comparable."""

    def test_other_data_are_not_comparable_even_with_equal_bits(self, original: Evidence, reference: Reference) -> None:
        """The gate that differs is named, and so is the agreement of the bits."""
        gates = [Gate(name="data", state="different", detail="features.npz"), Gate(name="code", state="same")]
        result = judge(original, original, reference, gates)
        assert state(result) == ("not-comparable", "gates")
        assert result.reasons == ("data differs: features.npz", "nevertheless every bit that was compared agrees")
        assert result.exit_code == 2

    def test_a_metric_that_one_side_lacks_is_not_comparable(self, original: Evidence, reference: Reference) -> None:
        """A target that was not evaluated is named."""
        lacking = replace(original, metrics={"height": original.metrics["height"]})
        result = judge(original, lacking, reference)
        assert state(result) == ("not-comparable", "gates")
        assert "mae of weight is missing in the reproduction" in result.reasons

    def test_unknown_data_take_equivalent_back(
        self, original: Evidence, rounded: Evidence, reference: Reference
    ) -> None:
        """A changed cell looks like rounding: without a fingerprint of the data nothing is called equivalent."""
        unknown = [Gate(name="data", state="unknown", detail="imported bundle")]
        result = judge(original, rounded, reference, unknown)
        assert state(result) == ("inconclusive", "none")
        assert result.reasons[:2] == (
            "data of the original is unknown: imported bundle",
            "otherwise numerically equivalent",
        )
        assert judge(original, original, reference, unknown).verdict == "identical"


class TestBits:
    """What is identical."""

    def test_equal_weights_trace_and_metrics_are_identical(self, original: Evidence) -> None:
        """No reference is needed for it."""
        result = judge(original, original, None, [Gate(name="data", state="same")])
        assert state(result) == ("identical", "bits")
        assert result.exit_code == 0
        assert {row.finding for row in result.per_target} == {"same"}

    @pytest.mark.parametrize("field", ["weights_digest", "trace_digest"])
    @pytest.mark.parametrize("value", ["other", None])
    def test_a_digest_that_differs_or_is_missing_is_not_identical(
        self, original: Evidence, reference: Reference, field: str, value: str | None
    ) -> None:
        """Not compared is not the same: the verdict falls to numerical equivalence."""
        result = judge(original, replace(original, **{field: value}), reference)
        assert state(result) == ("equivalent", "numerical")

    def test_one_ulp_of_a_metric_is_not_identical(self, original: Evidence, reference: Reference) -> None:
        """Metrics are compared by their bits: also the sign of zero counts, and NaN equals itself."""
        for value, other in ((0.5, math.nextafter(0.5, 1)), (0.0, -0.0)):
            first = replace(original, metrics={"height": {"r2": value}})
            second = replace(original, metrics={"height": {"r2": other}})
            assert judge(first, second, None).verdict == "inconclusive"
        undefined = replace(original, metrics={"height": {"r2": math.nan}})
        assert judge(undefined, undefined, None).verdict == "identical"


class TestRounding:
    """What is numerically equivalent."""

    def test_rounding_is_numerically_equivalent(
        self, original: Evidence, rounded: Evidence, reference: Reference
    ) -> None:
        """Early losses and metrics lie within what perturbation runs give."""
        result = judge(original, rounded, reference)
        assert state(result) == ("equivalent", "numerical")
        assert result.exit_code == 0
        assert "bits differ" in result.reasons[-1]

    def test_a_changed_learning_rate_is_no_rounding(
        self, original: Evidence, rounded: Evidence, reference: Reference
    ) -> None:
        """A loss that is off by 9e-5 at step 1 is named, although the metrics agree."""
        drifted = replace(rounded, losses=(1.0, 0.5 * (1 + 9e-5), 0.25, 0.125))
        result = judge(original, drifted, reference)
        assert result.verdict not in {"identical", "equivalent"}
        assert any("step 1" in reason and "something else" in reason for reason in result.reasons)

    def test_metrics_outside_of_the_noise_are_no_rounding(
        self, original: Evidence, rounded: Evidence, reference: Reference
    ) -> None:
        """With equal early losses, a metric that is off by 100 times the noise is found and named."""
        off = replace(rounded, metrics=moved(original.metrics, 100 * NOISE))
        result = judge(original, off, reference)
        assert result.verdict == "inconclusive"
        assert any("outside of what perturbation runs give" in reason for reason in result.reasons)

    def test_the_interval_allows_for_as_many_metrics_as_differ(
        self, original: Evidence, rounded: Evidence, reference: Reference
    ) -> None:
        """With more metrics that differ each interval is wider; a metric with equal bits asks for no share."""
        shared = judge(original, rounded, reference).per_target[0].noise
        lone = {target: dict(values) for target, values in original.metrics.items()}
        lone["height"]["r2"] = rounded.metrics["height"]["r2"]
        first, *others = judge(original, replace(rounded, metrics=lone), reference).per_target
        assert shared is not None
        assert first.noise is not None
        assert shared.low < first.noise.low < first.noise.high < shared.high
        assert {(row.finding, row.noise) for row in others} == {("within noise", None)}

    def test_four_perturbations_are_too_few(self, original: Evidence, rounded: Evidence, reference: Reference) -> None:
        """Five are needed, and the reason says how to make them."""
        few = replace(reference, perturbations=reference.perturbations[:4])
        result = judge(original, rounded, few)
        assert result.verdict == "inconclusive"
        assert any("4 perturbation runs of the 5" in reason for reason in result.reasons)

    def test_another_seed_is_not_asked_for_rounding(
        self, original: Evidence, rounded: Evidence, reference: Reference
    ) -> None:
        """Runs of two seeds differ by more than rounding, whatever their losses."""
        result = judge(original, replace(rounded, seed=43), reference)
        assert result.tier != "numerical"
        assert any("the seeds are 42 and 43" in reason for reason in result.reasons)

    def test_perturbations_without_any_effect_leave_eight_ulp(
        self, original: Evidence, rounded: Evidence, reference: Reference
    ) -> None:
        """Where no perturbation changed a metric, rounding of its last places still passes, and no more."""
        flat = replace(reference, perturbations=(Perturbation(losses=LOSSES, metrics=original.metrics),) * 5)
        near = {t: {n: v * (1 + 2**-22) for n, v in vs.items()} for t, vs in original.metrics.items()}
        assert judge(original, replace(rounded, metrics=near), flat).tier == "numerical"
        assert judge(original, replace(rounded, metrics=moved(original.metrics, 1e-4)), flat).tier != "numerical"


class TestReplicates:
    """What fresh seeds show."""

    def test_pairs_of_seeds_show_equivalence(self, original: Evidence, rounded: Evidence, reference: Reference) -> None:
        """Three pairs suffice where seeds agree: elsewhere their luck would hide the shift."""
        ours = tuple(
            Replicate(seed=r.seed, metrics=moved(r.metrics, 1e-5 * r.seed / 100)) for r in reference.replicates
        )
        other = replace(rounded, losses=(1.0, 0.6, 0.3, 0.2), replicates=ours[:3])
        result = judge(original, other, reference)
        assert state(result) == ("equivalent", "statistical")
        assert {row.test.design for row in result.per_target if row.test} == {"paired"}
        unpaired = judge(original, replace(other, has_same_streams=False), reference)
        assert unpaired.verdict == "inconclusive"
        assert {row.test.design for row in unpaired.per_target if row.test} == {"independent"}

    def test_one_target_beyond_its_margin_is_not_reproduced(
        self, original: Evidence, rounded: Evidence, reference: Reference
    ) -> None:
        """The target that is off is named; the other one does not make up for it."""
        ours = tuple(
            Replicate(seed=r.seed, metrics={**r.metrics, "weight": moved(r.metrics, 0.2)["weight"]})
            for r in reference.replicates
        )
        other = replace(rounded, losses=(1.0, 0.6, 0.3, 0.2), replicates=ours)
        result = judge(original, other, reference)
        assert state(result) == ("not-reproduced", "statistical")
        assert result.exit_code == 1
        assert "of weight is shifted by" in result.reasons[0]
        assert {row.target for row in result.per_target if row.finding == "beyond margin"} == {"weight"}

    def test_a_single_run_is_consistent_at_most(self, rng: random.Random, original: Evidence) -> None:
        """However near it is, one run shows no equivalence: the verdict says how many more would."""
        reference = reference_of(rng, original.metrics)
        middle = {
            target: {name: math.fsum(r.metrics[target][name] for r in reference.replicates) / 10 for name in values}
            for target, values in original.metrics.items()
        }
        result = judge(original, Evidence(metrics=middle, seed=7), reference)
        assert state(result) == ("inconclusive", "consistent")
        assert result.replicates_needed is not None
        assert result.replicates_needed >= 3

    def test_a_single_run_far_off_is_not_reproduced(self, original: Evidence, reference: Reference) -> None:
        """A model that learned nothing needs no second run."""
        useless = {target: {"r2": 0.0, "mse": 1.0, "mae": 1.0} for target in TARGETS}
        assert judge(original, Evidence(metrics=useless, seed=42), reference).verdict == "not-reproduced"

    def test_the_luck_of_the_best_trial_is_not_held_against_its_re_run(self, rng: random.Random) -> None:
        """A re-run that repeats a score no other seed reaches is not called not reproduced, nor is it the yardstick."""
        lucky = Evidence(metrics=metrics_of(rng, shift=-0.1), seed=42, losses=LOSSES)
        reference = reference_of(rng, lucky.metrics)
        again = replace(lucky, metrics=moved(lucky.metrics, 1e-4))
        assert judge(lucky, again, reference).verdict == "inconclusive"
        assert judge(lucky, replace(again, seed=43), reference).verdict == "not-reproduced"

    def test_without_replicates_nothing_is_decided(
        self, original: Evidence, rounded: Evidence, reference: Reference
    ) -> None:
        """The reason says what is missing."""
        bare = replace(reference, replicates=reference.replicates[:2], perturbations=())
        result = judge(original, rounded, bare)
        assert state(result) == ("inconclusive", "none")
        assert "`reproof replicate`" in result.reasons[0]

    def test_a_metric_without_margin_decides_nothing(
        self, original: Evidence, rounded: Evidence, reference: Reference
    ) -> None:
        """Margins are fixed beforehand; none is made up while judging."""
        bare = replace(reference, margins={}, perturbations=())
        ours = replace(rounded, replicates=reference.replicates)
        result = judge(original, ours, bare)
        assert result.verdict == "inconclusive"
        assert "no margin" in " ".join(result.reasons)

    def test_a_diverged_training_is_not_reproduced(
        self, original: Evidence, rounded: Evidence, reference: Reference
    ) -> None:
        """NaN in every run, where every replicate is finite, is beyond any margin; NaN in one decides nothing."""
        nan = {target: dict.fromkeys(values, math.nan) for target, values in original.metrics.items()}
        broken = tuple(Replicate(seed=r.seed, metrics=nan) for r in reference.replicates[:4])
        result = judge(original, replace(rounded, metrics=nan, replicates=broken), reference)
        assert result.verdict == "not-reproduced"
        json.dumps(result.to_json(), allow_nan=False)
        some = (*reference.replicates[:3], broken[3])
        assert judge(original, replace(rounded, metrics=nan, replicates=some), reference).verdict == "inconclusive"

    def test_a_metric_that_is_undefined_everywhere_does_not_stand_in_the_way(
        self, original: Evidence, rounded: Evidence, reference: Reference
    ) -> None:
        """R² of a constant target is NaN in every run: the others decide."""

        def undefine(metrics: Metrics) -> Metrics:
            return {**metrics, "height": {**metrics["height"], "r2": math.nan}}

        theirs = tuple(replace(r, metrics=undefine(r.metrics)) for r in reference.replicates)
        changed = replace(rounded, metrics=undefine(rounded.metrics), losses=(2.0,), replicates=theirs)
        result = judge(
            replace(original, metrics=undefine(original.metrics)), changed, replace(reference, replicates=theirs)
        )
        assert state(result) == ("equivalent", "statistical")

    def test_equal_values_everywhere_are_equivalent(self, original: Evidence, rounded: Evidence) -> None:
        """No spread on either side divides by nothing."""
        same = tuple(Replicate(seed=seed, metrics=original.metrics) for seed in range(5))
        reference = Reference(margins=propose_margins(same), replicates=same)
        result = judge(original, replace(rounded, replicates=same), reference)
        assert state(result) == ("equivalent", "statistical")


class TestHowOftenItIsWrong:
    """Operating characteristics, by simulation."""

    @pytest.fixture(autouse=True)
    def _little_garbage(self) -> Iterator[None]:
        """Hide what there is from the garbage collector, which statsmodels calls at each correction."""
        gc.freeze()
        yield
        gc.unfreeze()

    @pytest.fixture
    def verdicts_of(self) -> Callable[..., list[Judgement]]:
        """Return what judges so many reproductions."""

        def judge_many(num: int, *, shift: float = 0.0, num_runs: int = 0, factor: float = 1.5) -> list[Judgement]:
            rng = random.Random(23)
            found = []
            for _ in range(num):
                trial = metrics_of(rng)
                reference = reference_of(rng, trial, num_perturbations=0)
                reference = replace(reference, margins=propose_margins(reference.replicates, factor))
                runs = tuple(Replicate(seed=number, metrics=metrics_of(rng, shift)) for number in range(num_runs))
                ours = Evidence(metrics=metrics_of(rng, shift), seed=7, replicates=runs)
                found.append(judge(Evidence(metrics=trial, seed=42), ours, reference))
            return found

        return judge_many

    @pytest.mark.parametrize("num_runs", [0, 5])
    @pytest.mark.parametrize("factor", [1.5, 0.01])
    def test_unchanged_code_is_rarely_called_not_reproduced(
        self, verdicts_of: Callable[..., list[Judgement]], num_runs: int, factor: float
    ) -> None:
        """Of 40 fresh-seed runs at least 36 are not, even where margins are hardly more than nothing."""
        found = verdicts_of(40, num_runs=num_runs, factor=factor)
        assert sum(result.verdict != "not-reproduced" for result in found) >= 36

    def test_most_single_runs_of_unchanged_code_are_consistent(
        self, verdicts_of: Callable[..., list[Judgement]]
    ) -> None:
        """The prediction interval holds nearly all of them."""
        assert sum(result.tier == "consistent" for result in verdicts_of(40)) >= 30

    @pytest.mark.parametrize(("shift", "least", "most"), [(0.0, 185, 200), (30.0, 0, 10)])
    def test_many_metrics_do_not_take_numerical_equivalence_away(self, shift: float, least: int, most: int) -> None:
        """Of runs with the noise of the perturbations in 12 metrics 95 % pass; a shift of 30 times it does not."""
        rng = random.Random(29)
        trial = {target: dict.fromkeys(("r2", "mse", "mae"), 0.5) for target in "abcd"}
        original = Evidence(metrics=trial, seed=7, losses=LOSSES)

        def draw(by: float) -> Metrics:
            return {t: {n: v + NOISE * (by + rng.gauss(0, 1)) for n, v in vs.items()} for t, vs in trial.items()}

        found = []
        for _ in range(200):
            noise = tuple(Perturbation(losses=LOSSES, metrics=draw(0.0)) for _ in range(5))
            ours = replace(original, metrics=draw(shift))
            found.append(judge(original, ours, Reference(margins={}, perturbations=noise)).tier)
        assert least <= found.count("numerical") <= most

    def test_a_planted_shift_is_found(self, verdicts_of: Callable[..., list[Judgement]]) -> None:
        """Five standard deviations are found by five runs, and none of them is called equivalent."""
        found = verdicts_of(20, shift=5 * SPREAD, num_runs=5)
        assert sum(result.verdict == "not-reproduced" for result in found) >= 18
        assert all(result.verdict != "equivalent" for result in found)

    def test_unchanged_code_is_shown_equivalent_by_enough_runs(
        self, verdicts_of: Callable[..., list[Judgement]]
    ) -> None:
        """With margins of three standard deviations, ten runs show it most of the time."""
        found = verdicts_of(20, num_runs=10, factor=3)
        assert sum(result.verdict == "equivalent" for result in found) >= 18


def test_margins_are_a_multiple_of_the_spread_unless_chosen() -> None:
    """A chosen margin stays; a metric that is not always finite gets none."""
    values = [(0.1, 1.0), (0.2, math.nan), (0.3, 2.0)]
    replicates = [Replicate(seed=n, metrics={"y": {"r2": a, "mse": b}}) for n, (a, b) in enumerate(values)]
    assert propose_margins(replicates) == {"y": {"r2": pytest.approx(0.15)}}
    assert complete_margins({"y": {"r2": 0.5}}, replicates) == {"y": {"r2": 0.5}}
    assert propose_margins(replicates[:1]) == {}


@pytest.mark.parametrize(
    ("by", "gate", "has_same_streams", "verdict"),
    [
        (2**-22, None, True, "equivalent"),
        (1e-4, None, True, "inconclusive"),  # a jump at the first step
        (2**-22, None, False, "inconclusive"),
        (2**-22, Gate(name="data", state="unknown"), True, "inconclusive"),
        (2**-22, Gate(name="data", state="different"), True, "not-comparable"),
    ],
)
def test_one_run_is_enough_where_losses_differ_as_rounding(
    by: float, gate: Gate | None, *, has_same_streams: bool, verdict: str, original: Evidence
) -> None:
    """Without perturbation runs the losses of all steps tell; what is unknown or differs stays in the way."""
    losses = tuple(2.0**-step for step in range(20))
    first = replace(original, all_losses=losses, losses=losses)
    others = tuple(loss * (1 + by) for loss in losses)
    second = replace(first, weights_digest="other", all_losses=others, losses=others, has_same_streams=has_same_streams)
    result = judge(first, second, None, () if gate is None else (gate,))
    assert result.verdict == verdict
    assert result.is_from_one_run is (verdict == "equivalent")
    if verdict == "equivalent":
        assert result.reasons[0].startswith("equivalent (numerically), from one run: the losses of 20 steps differ by")
        assert "`reproof replicate` for more" in result.reasons[0]
        assert result.to_json()["growth"]["step"] is None
