"""The statistical part of a verdict: samples of fresh-seed runs on both sides, margins, equivalence or its opposite.

*Equivalent* is claimed of all metrics together, so all of them must pass and no correction is needed: the chance that
all pass while one is truly beyond its margin is at most alpha (intersection-union test, Berger,
Technometrics 24:295-300, 1982). *Not reproduced* is claimed if any of them is beyond its margin; there every metric
is another chance to be wrong, so Holm's correction applies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from reproof.reproducing.evidence import Judgement, TargetRow
from reproof.reproducing.margins import collect_values
from reproof.reproducing.statistics import (
    MAX_REPLICATES,
    POWER,
    EquivalenceTest,
    adjust_for_many,
    compare_groups,
    compare_pairs,
    plan_groups,
    plan_pairs,
    predict_interval,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reproof.bundle.records import Metrics, Reference, Replicate
    from reproof.reproducing.evidence import Evidence, Finding

MIN_REPLICATES: Final = 3
"""With fewer runs on a side nothing is known of the spread, and only *consistent* can be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """The runs that are compared.

    Attributes:
        reference: Metrics of the reference's replicates; in the order of the reproduction's, where paired.
        reproduced: Metrics of the reproduction's runs.
        is_paired: Whether runs at the same place have the same seed, and the same random numbers.
        is_same_seed: Whether the reproduction is the single run with the trial's own seed.
    """

    reference: tuple[Metrics, ...]
    reproduced: tuple[Metrics, ...]
    is_paired: bool
    is_same_seed: bool

    @property
    def can_show_equivalence(self) -> bool:
        """Whether there are enough runs for more than *consistent*."""
        return len(self.reproduced) >= MIN_REPLICATES


def judge_statistically(
    original: Evidence, reproduced: Evidence, reference: Reference, rows: Sequence[TargetRow]
) -> Judgement:
    """Return *equivalent*, *not-reproduced* or *inconclusive*, by fresh-seed runs."""
    rows = tuple(rows)
    num_seeds = len({replicate.seed for replicate in reference.replicates})  # a seed twice is one run
    if num_seeds < MIN_REPLICATES:
        reason = (
            f"statistics: {num_seeds} fresh-seed replicates of the original of the {MIN_REPLICATES} "
            "that are needed; make them with `reproof replicate`"
        )
        return Judgement(verdict="inconclusive", tier="none", reasons=(reason,), per_target=rows)
    samples = select_samples(original, reproduced, reference.replicates)
    tested = _correct_for_many([_test_row(row, samples, reference.alpha) for row in rows])
    found = tuple(_find(row, samples, reference.alpha) for row in tested)
    return _conclude(found, samples, reference)


def select_samples(original: Evidence, reproduced: Evidence, replicates: Sequence[Replicate]) -> Samples:
    """Return the runs to compare: pairs of one seed where there are enough, else all runs of both sides."""
    theirs = {run.seed: run.metrics for run in replicates}
    ours = {run.seed: run.metrics for run in reproduced.replicates}
    common = sorted(theirs.keys() & ours.keys())
    if reproduced.has_same_streams and len(common) >= MIN_REPLICATES:
        return Samples(
            reference=tuple(theirs[seed] for seed in common),
            reproduced=tuple(ours[seed] for seed in common),
            is_paired=True,
            is_same_seed=False,
        )
    return Samples(
        reference=tuple(theirs.values()),
        reproduced=tuple(ours.values()) or (reproduced.metrics,),
        is_paired=False,
        is_same_seed=not ours and original.seed is not None and original.seed == reproduced.seed,
    )


def _test_row(row: TargetRow, samples: Samples, alpha: float) -> TargetRow:
    reference = collect_values(samples.reference, row.target, row.metric)
    reproduced = collect_values(samples.reproduced, row.target, row.metric)
    if not all(map(math.isfinite, reference)):
        return replace(row, finding="same" if _are_undefined([*reference, *reproduced]) else "undecided")
    expected = predict_interval(reference, alpha=alpha)
    if not all(map(math.isfinite, reproduced)):
        # A metric that every run of the original has and none of these is beyond any margin; where some have it,
        # it is the training that is unstable.
        diverged = len(reference) >= MIN_REPLICATES and not any(map(math.isfinite, reproduced))
        return replace(row, expected=expected, finding="outside", p_beyond=0.0 if diverged else None)
    finding: Finding = "consistent" if all(map(expected.holds, reproduced)) else "outside"
    row = replace(row, expected=expected, finding=finding)
    if row.margin is None:
        return row
    compare = compare_pairs if samples.is_paired else compare_groups
    test = compare(reference, reproduced, row.margin, alpha)
    return replace(row, test=test, p_beyond=1.0 if _is_luck(row, samples) else test.p_beyond)


def _is_luck(row: TargetRow, samples: Samples) -> bool:
    """Whether a single run repeats the original's own distance from the replicates.

    The seed of the best trial was chosen for its score, so a faithful re-run of it may lie far from what other seeds
    give. It is held against the re-run only if it is not what the original had.
    """
    return samples.is_same_seed and row.margin is not None and abs(row.difference) <= row.margin


def _are_undefined(values: Sequence[float]) -> bool:
    return all(map(math.isnan, values))


def _correct_for_many(rows: list[TargetRow]) -> list[TargetRow]:
    """Replace the p values of "beyond the margin" by corrected ones."""
    corrected = iter(adjust_for_many([row.p_beyond for row in rows if row.p_beyond is not None]))
    return [row if row.p_beyond is None else replace(row, p_beyond=next(corrected)) for row in rows]


def _find(row: TargetRow, samples: Samples, alpha: float) -> TargetRow:
    if row.p_beyond is not None and row.p_beyond <= alpha:
        return replace(row, finding="beyond margin")
    if not samples.can_show_equivalence or row.finding == "same":
        return row
    is_equivalent = row.test is not None and row.test.p_equivalent <= alpha
    return replace(row, finding="equivalent" if is_equivalent else "undecided")


def _conclude(rows: tuple[TargetRow, ...], samples: Samples, reference: Reference) -> Judgement:
    runs = _describe_samples(samples)
    if beyond := [row for row in rows if row.finding == "beyond margin"]:
        reasons = tuple(_describe_shift(row) for row in beyond)
        return Judgement(verdict="not-reproduced", tier="statistical", reasons=(*reasons, runs), per_target=rows)
    if samples.can_show_equivalence and all(row.finding in {"equivalent", "same"} for row in rows):
        reason = f"the mean of every metric is within its margin (TOST, alpha = {reference.alpha:g}); {runs}"
        return Judgement(verdict="equivalent", tier="statistical", reasons=(reason,), per_target=rows)
    needed, about_needed = plan_replicates(rows, samples, reference.alpha)
    is_consistent = not samples.can_show_equivalence and all(row.finding in {"consistent", "same"} for row in rows)
    about = [_describe_undecided(row) for row in rows if row.finding in {"outside", "undecided"}]
    if is_consistent:
        about = [f"consistent: within what the replicates predict for one more run, which shows no equivalence; {runs}"]
    return Judgement(
        verdict="inconclusive",
        tier="consistent" if is_consistent else "none",
        reasons=(*about, about_needed),
        per_target=rows,
        replicates_needed=needed,
    )


def plan_replicates(rows: Sequence[TargetRow], samples: Samples, alpha: float) -> tuple[int | None, str]:
    """Return how many more fresh-seed runs of the reproduction would decide, and a line about it.

    Planned for a power of 0.8 and the shift that was seen, or none where too few runs have been seen. Where no number
    of runs on this side alone suffices, as many are planned on both.
    """
    have = 0 if samples.is_same_seed else len(samples.reproduced)
    if lacking := [f"{row.metric} of {row.target}" for row in rows if row.test is None and row.finding != "same"]:
        return None, f"no margin, or no finite values, for {', '.join(lacking)}: more replicates cannot decide"
    level = alpha / len(rows)
    for num_reference in (len(samples.reference), None):
        totals = [
            _plan_row(row, row.test, samples, (alpha, level), num_reference) for row in rows if row.test is not None
        ]
        known = [total for total in totals if total is not None]
        if len(known) == len(totals):
            total = max(MIN_REPLICATES, *known, have + 1)
            return total - have, _describe_plan(total, have, samples, num_reference)
    return None, (
        f"{MAX_REPLICATES} runs would not decide: the shift is too close to the margin; choose wider margins for the "
        "next bundle, if that much does not matter"
    )


def _plan_row(
    row: TargetRow, test: EquivalenceTest, samples: Samples, alphas: tuple[float, float], num_reference: int | None
) -> int | None:
    """Return how many runs in all decide on a metric; the opposite of equivalence has the corrected level."""
    if row.finding in {"equivalent", "beyond margin", "same"} or row.margin is None:
        return 0
    shift = test.shift if samples.can_show_equivalence else 0.0
    alpha = alphas[abs(shift) > row.margin]
    if samples.is_paired:
        return plan_pairs(test.spread, row.margin, shift, alpha)
    return plan_groups(test.spread, row.margin, num_reference=num_reference, shift=shift, alpha=alpha)


def _describe_plan(total: int, have: int, samples: Samples, num_reference: int | None) -> str:
    line = f"about {total - have} more fresh-seed runs would decide (power {POWER:g})"
    theirs = total - len(samples.reference)
    if theirs <= 0 or (num_reference is not None and not samples.is_paired):
        return line
    return f"{line}, with {theirs} more replicates of the original{' and equal seeds' if samples.is_paired else ''}"


def _describe_samples(samples: Samples) -> str:
    if samples.is_paired:
        return f"{len(samples.reproduced)} pairs of runs with equal seeds"
    runs = "the re-run" if samples.is_same_seed else f"{len(samples.reproduced)} runs"
    return f"{runs} beside {len(samples.reference)} fresh-seed replicates of the original"


def _describe_shift(row: TargetRow) -> str:
    if row.test is None or row.margin is None:
        return f"{row.metric} of {row.target} is {row.reproduced}, and finite in every replicate of the original"
    interval = row.test.interval
    return (
        f"{row.metric} of {row.target} is shifted by {row.test.shift:+.3g} "
        f"({interval.low:+.3g} to {interval.high:+.3g}), beyond its margin of {row.margin:.3g}"
    )


def _describe_undecided(row: TargetRow) -> str:
    name = f"{row.metric} of {row.target}"
    if row.margin is None:
        return f"{name} has no margin in the bundle"
    if row.test is None:
        return f"{name} is not finite in every run"
    interval = row.test.interval
    return (
        f"{name} is shifted by {row.test.shift:+.3g} ({interval.low:+.3g} to {interval.high:+.3g}): neither shown "
        f"within its margin of {row.margin:.3g} nor beyond it"
    )
