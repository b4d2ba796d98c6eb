"""Run the training of a bundle again: with its seed, compared with its trace, and with fresh seeds.

Left out: the fresh process itself (`worker`) and what the runs show (`judgement`, `diagnosis`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from reproof.bundle.records import Replicate
from reproof.closeness import same_bits
from reproof.comparison import compare_traces
from reproof.reproducing.kept import compare_kept
from reproof.reproducing.margins import list_values
from reproof.reproducing.worker import run_training
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reproof.bundle.records import Bundle, Metrics
    from reproof.reproducing.job import Job
    from reproof.reproducing.kept import Kept
    from reproof.reproducing.worker import WorkerResult
    from reproof.schema import Comparison

FIRST_FRESH_SEED: Final = 1_000_003
"""Fresh seeds of a bundle without replicates count from the bundle's own seed plus this."""

MAX_DIFFERENCES: Final = 50
"""Differing events that are looked at for what they tell of the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerun:
    """A run with the seed of the bundle, beside the bundle.

    Attributes:
        result: What the process left.
        comparison: Its trace against the bundle's; None if the bundle has no trace.
        is_same: Whether every bit of weights, metrics and, if the bundle has one, trace is the bundle's.
        kept: What an imported bundle has kept, beside the run; None for a bundle of a search.
    """

    result: WorkerResult
    comparison: Comparison | None
    is_same: bool
    kept: Kept | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The runs that a verdict is given on."""

    rerun: Rerun
    replicates: tuple[Replicate, ...]


def make_runs(job: Job) -> Runs:
    """Train with the seed of the bundle, then with as many fresh seeds as were asked for.

    Raises LaunchError if the training cannot be found, or fails. Effects: runs the user's training; writes its traces
    and output into the folder of the reproduction.
    """
    job.tell("training again with the seed of the bundle")
    rerun = train_again(job, "reproduced", threads=job.request.threads)
    return Runs(rerun=rerun, replicates=_train_fresh_seeds(job))


def train(
    job: Job,
    name: str,
    *,
    seed: int | None = None,
    threads: int | None = None,
    variables: Mapping[str, str | None] | None = None,
    perturb: int | None = None,
    plan: dict[str, Any] | None = None,
) -> WorkerResult:
    """Train in a fresh process, as in the bundle where nothing else is said.

    The name is of the folder for the run's trace and output. A variable that is None is taken away, `perturb` is the
    number of a one-ulp change of an initial weight, and `plan` is as in `carried`.
    """
    return run_training(
        job.bundle.folder,
        job.out / name,
        seed=seed,
        perturb=perturb,
        threads=threads,
        environment={**job.variables, **(variables or {})},
        project=job.project,
        device=job.request.device,
        entry=job.request.entry,
        plan=plan,
        data_files=job.data_files,
    )


def train_again(
    job: Job,
    name: str,
    *,
    threads: int | None,
    variables: Mapping[str, str | None] | None = None,
    plan: dict[str, Any] | None = None,
) -> Rerun:
    """Train with the seed of the bundle, and compare with the bundle; arguments as for `train`."""
    result = train(job, name, threads=threads, variables=variables, plan=plan)
    comparison = _compare_with_bundle(job.bundle, result)
    kept = compare_kept(job.bundle, result) if job.bundle.manifest.imported else None
    is_same = (
        _agrees(result, job.bundle.manifest.weights, job.bundle.trial.metrics, comparison)
        if kept is None
        else kept.is_same
    )
    return Rerun(result=result, comparison=comparison, is_same=is_same, kept=kept)


def repeats(first: WorkerResult, second: WorkerResult) -> bool:
    """Whether two runs made here agree in every bit of weights, metrics and trace."""
    comparison = compare_traces(open_trace(first.trace), open_trace(second.trace), is_same_program=True)
    return _agrees(second, first.weights, first.metrics, comparison)


def choose_seeds(bundle: Bundle, count: int) -> list[int]:
    """Return fresh seeds: first those of the reference, so that runs of one seed can be compared in pairs."""
    known = [] if bundle.reference is None else [replicate.seed for replicate in bundle.reference.replicates]
    start = (bundle.seed + FIRST_FRESH_SEED) % 2**31
    return [*known, *range(start, start + count)][:count]


def _train_fresh_seeds(job: Job) -> tuple[Replicate, ...]:
    seeds = choose_seeds(job.bundle, job.request.num_seeds)
    found = []
    for number, seed in enumerate(seeds, 1):
        job.tell(f"training with fresh seed {seed} ({number} of {len(seeds)})")
        result = train(job, f"seed-{seed}", seed=seed, threads=job.request.threads)
        found.append(Replicate(seed=seed, metrics=result.metrics))
    return tuple(found)


def _compare_with_bundle(bundle: Bundle, result: WorkerResult) -> Comparison | None:
    if not bundle.has_trace:
        return None
    traces = open_trace(bundle.trace), open_trace(result.trace)
    return compare_traces(*traces, max_differences=MAX_DIFFERENCES, is_same_program=True, verify=True)


def _agrees(result: WorkerResult, weights: dict[str, str], metrics: Metrics, comparison: Comparison | None) -> bool:
    if result.weights != weights or not have_same_metrics(result.metrics, metrics):
        return False
    return comparison is None or comparison.verdict == "identical"


def have_same_metrics(first: Metrics, second: Metrics) -> bool:
    """Whether both sides have the same metrics with the same bits: -0.0 differs from 0.0, and NaN equals itself."""
    a, b = ({(target, name): value for target, name, value in list_values(side)} for side in (first, second))
    return a.keys() == b.keys() and all(same_bits(a[key], b[key]) for key in a)
