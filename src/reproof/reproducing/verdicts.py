"""The verdict on a reproduction: gates, bits, rounding, statistics, in this order; docs/verdicts.md says why.

Left out: the tests themselves (`statistics`, `noise`) and how a re-run is made and shown.
"""

from __future__ import annotations

import math
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

from reproof.reproducing.evidence import Evidence, Gate, Judgement, TargetRow
from reproof.reproducing.growth import judge_growth
from reproof.reproducing.margins import collect_values, list_values
from reproof.reproducing.noise import MIN_PERTURBATIONS, EarlyLosses, compare_early_losses, find_precision
from reproof.reproducing.samples import judge_statistically
from reproof.reproducing.statistics import predict_interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reproof.bundle.records import Metrics, Reference

MAX_NAMED = 3
"""Metrics that a reason names; of others it gives the number."""

__all__ = ["Evidence", "Gate", "Judgement", "TargetRow", "judge", "list_rows", "test_noise"]


def judge(
    original: Evidence, reproduced: Evidence, reference: Reference | None, gates: Sequence[Gate] = ()
) -> Judgement:
    """Return the verdict.

    The run is with its seed, with runs with fresh seeds if there are any; margins, fresh-seed replicates and
    perturbation runs of the reference were made in the original's surroundings. Raises DependencyError if the verdict
    needs statistics, and scipy or statsmodels is not installed.
    """
    rows = list_rows(original.metrics, reproduced.metrics, reference)
    is_identical, about_bits = _compare_bits(original, reproduced)
    if closed := [*_name_closed(gates), *_name_lacking(original.metrics, reproduced.metrics)]:
        remark = ["nevertheless every bit that was compared agrees"] if is_identical else []
        result = Judgement(verdict="not-comparable", tier="gates", reasons=(*closed, *remark), per_target=rows)
    elif is_identical:
        same = tuple(replace(row, finding="same") for row in rows)
        reason = "weights, trace and metrics agree in every bit"
        result = Judgement(verdict="identical", tier="bits", reasons=(reason,), per_target=same)
    else:
        numerical = _judge_numerically(original, reproduced, reference, rows)
        result = numerical
        if numerical.verdict != "equivalent" and reference is not None:
            statistical = judge_statistically(original, reproduced, reference, numerical.per_target)
            result = replace(
                statistical,
                early_losses=numerical.early_losses,
                reasons=(*statistical.reasons, *numerical.reasons),
            )
        result = _weigh_unknown(replace(result, reasons=(*result.reasons, *about_bits)), gates)
    return replace(result, gates=tuple(gates))


def _name_closed(gates: Sequence[Gate]) -> list[str]:
    return [f"{g.name} differs{': ' if g.detail else ''}{g.detail}" for g in gates if g.state == "different"]


def _name_lacking(original: Metrics, reproduced: Metrics) -> list[str]:
    """Name the metrics that the reproduction lacks; those that it has besides are nobody's evidence."""
    first, second = ({(target, name) for target, name, _ in list_values(side)} for side in (original, reproduced))
    if not first:
        return ["the original has no metrics"]
    return [f"{name} of {target} is missing in the reproduction" for target, name in sorted(first - second)]


def list_rows(original: Metrics, reproduced: Metrics, reference: Reference | None) -> tuple[TargetRow, ...]:
    """Return one row per metric of the original."""
    margins = {} if reference is None else reference.margins
    return tuple(
        TargetRow(
            target=target,
            metric=name,
            original=value,
            reproduced=reproduced.get(target, {}).get(name, math.nan),
            margin=margins.get(target, {}).get(name),
        )
        for target, name, value in list_values(original)
    )


def _compare_bits(original: Evidence, reproduced: Evidence) -> tuple[bool, list[str]]:
    """Return whether everything agrees in every bit, and what was not compared or differs."""
    about = []
    for what, first, second in (
        ("weights", original.weights_digest, reproduced.weights_digest),
        ("trace", original.trace_digest, reproduced.trace_digest),
    ):
        if first is None or second is None:
            about.append(f"{what}: not compared bit by bit, for want of a digest of the {_name_side(first)}")
        elif first != second:
            about.append(f"{what}: bits differ")
    if [_bits(*row) for row in list_values(original.metrics)] != [
        _bits(target, name, reproduced.metrics.get(target, {}).get(name, math.nan))
        for target, name, _ in list_values(original.metrics)
    ]:
        about.append("metrics: bits differ")
    return not about, about


def _name_side(digest_of_original: str | None) -> str:
    return "original" if digest_of_original is None else "reproduction"


def _bits(target: str, name: str, value: float) -> tuple[str, str, bytes]:
    """Return a metric by its bits: -0.0 differs from 0.0, and a NaN equals itself."""
    return target, name, struct.pack("<d", value)


def _judge_numerically(
    original: Evidence, reproduced: Evidence, reference: Reference | None, rows: tuple[TargetRow, ...]
) -> Judgement:
    """Test whether the difference is rounding: only for two runs of one seed, with enough perturbation runs."""
    perturbations = () if reference is None else reference.perturbations
    undecided = Judgement(verdict="inconclusive", tier="none", reasons=(), per_target=rows)
    if original.seed is None or original.seed != reproduced.seed:
        reason = f"rounding: not tested, as the seeds are {original.seed} and {reproduced.seed}"
        return replace(undecided, reasons=(reason,))
    early = compare_early_losses(original.losses, reproduced.losses, [run.losses for run in perturbations])
    undecided = replace(undecided, early_losses=early)
    if reference is None or len(perturbations) < MIN_PERTURBATIONS:
        metrics = [(f"{row.metric} of {row.target}", row.original, row.reproduced) for row in rows]
        growth = judge_growth(original.all_losses, reproduced.all_losses, metrics)
        undecided = replace(undecided, growth=growth if growth.num_steps else None)
        if growth.is_within and reproduced.has_same_streams:
            rows = tuple(replace(row, finding="same" if row.is_same else "as rounding") for row in rows)
            reasons = (growth.describe(),)
            return replace(undecided, verdict="equivalent", tier="numerical", reasons=reasons, per_target=rows)
        told = [growth.describe()] if growth.num_steps else []
        short = f"rounding: {len(perturbations)} perturbation runs of the {MIN_PERTURBATIONS} that are needed"
        return replace(
            undecided, reasons=(f"{short}; make them with `reproof replicate`", *told, *_describe_onset(early))
        )
    precision = find_precision(original.losses)
    num_tested = sum(not row.is_same for row in rows)
    rows = tuple(test_noise(row, reference, precision, num_tested) for row in rows)
    outside = [f"{row.metric} of {row.target}" for row in rows if row.finding != "within noise"]
    if not early.is_within or outside:
        about = [f"rounding: {_join(outside)} outside of what perturbation runs give"] if outside else []
        return replace(undecided, per_target=rows, reasons=(*_describe_onset(early), *about))
    reason = (
        f"the losses of the first {early.num_steps} steps differ by at most {early.difference:.1e} (allowed: "
        f"{early.allowed:.1e}), and all metrics lie within what {len(perturbations)} one-ulp perturbations give"
    )
    return Judgement(verdict="equivalent", tier="numerical", reasons=(reason,), per_target=rows, early_losses=early)


def _describe_onset(early: EarlyLosses) -> list[str]:
    if early.num_steps == 0:
        return ["rounding: no losses of the first steps were recorded"]
    if early.step is None:
        return []
    about = f"rounding: the losses of step {early.step} differ by {early.difference:.1e} of their size"
    return [f"{about}, and rounding may make {early.allowed:.1e} by then: something else than rounding differs"]


def test_noise(row: TargetRow, reference: Reference, precision: int, num_tested: int) -> TargetRow:
    """Compare a metric with what perturbation runs predict of it and of all others that differ, together."""
    if row.is_same:
        return replace(row, finding="within noise")
    values = collect_values((run.metrics for run in reference.perturbations), row.target, row.metric)
    if not all(map(math.isfinite, values)):
        return replace(row, finding="outside")
    noise = predict_interval(values, num_ulp_bits=precision, alpha=reference.alpha, num_intervals=num_tested)
    return replace(row, noise=noise, finding="within noise" if noise.holds(row.reproduced) else "outside")


def _weigh_unknown(result: Judgement, gates: Sequence[Gate]) -> Judgement:
    """Withdraw *equivalent* where data, configuration or code of the original are unknown.

    A small change of the data looks like rounding; only a fingerprint shows it. Equal bits of weights and trace need
    no fingerprint, as other data would change them.
    """
    about = "of the original is unknown"
    unknown = [f"{g.name} {about}{': ' if g.detail else ''}{g.detail}" for g in gates if g.state == "unknown"]
    if not unknown:
        return result
    if result.verdict != "equivalent":
        return replace(result, reasons=(*result.reasons, *unknown))
    reasons = (*unknown, f"otherwise {result.tier}ly equivalent", *result.reasons)
    return replace(result, verdict="inconclusive", tier="none", reasons=reasons)


def _join(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
