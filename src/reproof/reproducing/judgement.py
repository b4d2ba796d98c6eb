"""Lay a bundle and the runs made of it side by side as evidence, and have the verdict given on them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from reproof.reproducing.evidence import Evidence, Judgement
from reproof.reproducing.imported import judge_kept
from reproof.reproducing.verdicts import judge
from reproof.reproducing.worker import join_weights, read_losses
from reproof.trace import open_trace

if TYPE_CHECKING:
    from pathlib import Path

    from reproof.bundle.records import Bundle
    from reproof.reproducing.diagnosis import Diagnosis
    from reproof.reproducing.evidence import Gate
    from reproof.reproducing.runs import Runs

MAX_LOSSES: Final = 1_000_000
"""Losses of so many steps are followed; a longer training is judged by its first ones, and its metrics at the end."""


def judge_runs(bundle: Bundle, runs: Runs, gates: tuple[Gate, ...], device: str | None) -> Judgement:
    """Return the verdict on the runs that were made of a bundle.

    `device` is the one they ran on, if it is another than the bundle's. Raises DependencyError if the verdict needs
    statistics, and scipy or statsmodels is not installed.
    """
    kept = runs.rerun.kept
    if kept is not None:
        found = judge_kept(bundle, kept, runs.rerun.result.metrics, gates)
        if found.verdict != "inconclusive" or bundle.reference is None or not runs.replicates:
            return found
    original = describe_bundle(bundle)
    reproduced = describe_runs(bundle, runs, original, device)
    if not runs.rerun.is_same and bundle.has_trace:
        original = replace(original, all_losses=read_losses(bundle.trace, MAX_LOSSES))
        reproduced = replace(reproduced, all_losses=read_losses(runs.rerun.result.trace, MAX_LOSSES))
    return judge(original, reproduced, bundle.reference, gates)


def settle(judgement: Judgement, diagnosis: Diagnosis) -> Judgement:
    """Return the verdict with what the experiments have shown: a difference that is known to be rounding is small."""
    if diagnosis.reason:
        judgement = replace(judgement, reasons=(diagnosis.reason, *judgement.reasons))
    is_open = judgement.verdict == "inconclusive" or judgement.is_from_one_run
    if not is_open or not diagnosis.shows_rounding:
        return judgement
    reasons = (diagnosis.shows_rounding, *judgement.reasons)
    return replace(
        judgement, verdict="equivalent", tier="numerical", reasons=reasons, growth=None, replicates_needed=None
    )


def refuse_to_run(gates: tuple[Gate, ...]) -> Judgement:
    """Return the verdict where files differ that must not, and nothing was run: there are no numbers to compare."""
    reasons = [f"{gate.name} differs: {gate.detail}" for gate in gates if gate.state == "different"]
    return Judgement(
        verdict="not-comparable",
        tier="gates",
        reasons=(*reasons, "nothing was run; --anyway runs it nevertheless"),
        gates=gates,
    )


def describe_bundle(bundle: Bundle) -> Evidence:
    """Return the side of the original."""
    return Evidence(
        metrics=bundle.trial.metrics,
        seed=bundle.seed,
        weights_digest=join_weights(bundle.manifest.weights) if bundle.manifest.weights else None,
        trace_digest=digest_trace(bundle.trace) if bundle.has_trace else None,
        losses=read_losses(bundle.trace) if bundle.has_trace else (),
    )


def describe_runs(bundle: Bundle, runs: Runs, original: Evidence, device: str | None) -> Evidence:
    """Return the side of the reproduction."""
    result, comparison = runs.rerun.result, runs.rerun.comparison
    # The comparison has the last word on two traces: it may find something skipped where all digests are equal.
    agrees = comparison is not None and comparison.verdict == "identical"
    return Evidence(
        metrics=result.metrics,
        seed=result.seed,
        weights_digest=result.weights_digest,
        trace_digest=original.trace_digest if agrees else f"{digest_trace(result.trace)} differs",
        losses=result.losses,
        replicates=runs.replicates,
        has_same_streams=(device or bundle.environment.get("device", "cpu")) == "cpu",
    )


def digest_trace(folder: Path) -> str:
    """Return one text for all that a trace holds: the running hashes of its processes."""
    return " ".join(f"{number}:{_last_chain(rank)}" for number, rank in sorted(open_trace(folder).ranks.items()))


def _last_chain(rank: Any) -> str:
    return rank.frame(rank.num_frames - 1).chain.hex() if rank.num_frames else "empty"
