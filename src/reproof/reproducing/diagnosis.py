"""Why a re-run does not give the bits of the bundle: by experiment where the difference can be emulated here.

Each circumstance that differs and that a process can be given (threads, instruction sets, variables) is set as it was
in the bundle; the smallest set that gives the bits again is what made them differ. What cannot be emulated (another
processor or version) is named, and what the first divergence tells stands beside it as suspected.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.checking import CheckRequest, run_check
from reproof.errors import ReproofError
from reproof.reproducing.carried import find_carried
from reproof.reproducing.noise import compare_early_losses
from reproof.reproducing.runs import repeats, train, train_again
from reproof.reproducing.toggles import ROUNDING, find_restoring, list_toggles
from reproof.reproducing.worker import worker_command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reproof.bundle.surroundings import EnvironmentRow
    from reproof.reproducing.carried import Carried
    from reproof.reproducing.evidence import Gate
    from reproof.reproducing.job import Job
    from reproof.reproducing.runs import Rerun
    from reproof.reproducing.toggles import Toggle
    from reproof.reproducing.worker import WorkerResult
    from reproof.schema import Cause, Comparison, Difference

_MEANINGS: Final = {
    "init": "the model starts from other weights (seed, initialisation or architecture)",
    "batch": "the loader delivers other data (data, split or preprocessing)",
    "forward": "the same weights and batch give other outputs (kernels, threads, dropout or the model's code)",
    "loss": "the same outputs give another loss (loss function or weighting)",
    "gradient": "the same loss gives other gradients (kernels or threads in the backward pass)",
    "update": "the same gradients give other weights (learning rate, weight decay or another setting of the optimizer)",
    "metric": "a logged value differs while all before agrees",
}
"""What a first divergence in a stage tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """A re-run with some circumstances as they were.

    Attributes:
        restores: Whether every bit was the bundle's.
    """

    names: tuple[str, ...]
    restores: bool
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {"set_as_in_bundle": list(self.names), "restores_bits": self.restores, "seconds": round(self.seconds, 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found.

    Attributes:
        confirmed: Circumstances that give the bits again when they are set as in the bundle, one sentence each.
        suspected: What else may be the reason, one sentence each.
        experiments: Re-runs that were made.
        is_stable: Whether two re-runs here gave the same bits; None if that was not tried.
        causes: Why two re-runs here differ from each other, with file and line, by experiment.
        shows_rounding: Why the difference is known to be rounding, if an experiment has shown that; else empty.
        carried: What holds the state that earlier trials of the process left to the bundle's, such as
            ``RNG of search.py:4``.
        reason: What the verdict names first, if an experiment has confirmed it; else empty.
    """

    confirmed: tuple[str, ...] = ()
    suspected: tuple[str, ...] = ()
    experiments: tuple[Experiment, ...] = ()
    is_stable: bool | None = None
    causes: tuple[Cause, ...] = ()
    shows_rounding: str = ""
    carried: tuple[str, ...] = ()
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "confirmed": list(self.confirmed),
            "suspected": list(self.suspected),
            "experiments": [experiment.to_json() for experiment in self.experiments],
            "is_stable": self.is_stable,
            "carried_state": list(self.carried),
            "causes": [cause.to_json() for cause in self.causes],
        }


def diagnose(
    job: Job,
    rerun: Rerun,
    environment: tuple[EnvironmentRow, ...],
    gates: tuple[Gate, ...],
    *,
    is_settled: bool = False,
) -> Diagnosis:
    """Look for the reason why the bits of a re-run are not the bundle's.

    Where a gate is not the same there is no point in asking whether two runs here agree. If settled, the verdict is
    given, and only circumstances that differ are tried. Effects: runs the training again, as often as there is
    something to try.
    """
    toggles = list_toggles(environment, job.request.threads)
    experiments: list[Experiment] = []
    restored: list[Rerun] = []

    def restores(chosen: tuple[Toggle, ...]) -> bool:
        experiment, tried = set_as_in_bundle(job, chosen, len(experiments) + 1)
        experiments.append(experiment)
        restored.extend([tried] if experiment.restores else [])
        return experiment.restores

    restoring = find_restoring(toggles, restores)
    if restoring:
        confirmed = tuple(f"{toggle}: set as in the bundle, every bit is the bundle's" for toggle in restoring)
        names = ", ".join(f"{toggle.name.removeprefix('variables.')} {toggle.original}" for toggle in restoring)
        told = f"the difference is rounding, by experiment: with {names} as in the bundle, every bit is the bundle's"
        is_rounding = {toggle.name for toggle in restoring} <= ROUNDING
        is_rounding = is_rounding and begins_as_rounding(restored[-1].result, rerun.result)
        return Diagnosis(
            confirmed=confirmed, experiments=tuple(experiments), shows_rounding=told if is_rounding else ""
        )
    if is_settled:
        return Diagnosis(suspected=tuple(suspect_from(rerun.comparison, environment)), experiments=tuple(experiments))
    is_closed = any(gate.state == "different" for gate in gates)
    is_stable = None if is_closed else check_stability(job, rerun)
    carried = None if is_stable is None else _find_carried(job, rerun, toggles, is_stable=is_stable)
    causes, notes = explain_instability(job) if is_stable is False else ((), ())
    if carried is not None:
        return replace(tell_carried(carried, experiments), causes=causes, suspected=notes, is_stable=is_stable)
    return Diagnosis(
        causes=causes,
        suspected=(*notes, *suspect_from(rerun.comparison, environment)),
        experiments=tuple(experiments),
        is_stable=is_stable,
    )


def _find_carried(job: Job, rerun: Rerun, toggles: tuple[Toggle, ...], *, is_stable: bool) -> Carried | None:
    threads = next((toggle.threads for toggle in toggles if toggle.threads is not None), job.request.threads)
    variables = {name: value for toggle in toggles for name, value in toggle.variables}
    return find_carried(job, rerun, is_stable=is_stable, variables=variables, threads=threads)


def tell_carried(carried: Carried, experiments: Sequence[Experiment]) -> Diagnosis:
    """Return what was found of the state that earlier trials left."""
    made = [Experiment(names=(what,), restores=same, seconds=seconds) for what, same, seconds in carried.experiments]
    return Diagnosis(
        confirmed=(carried.reason,),
        experiments=(*experiments, *made),
        is_stable=True,
        carried=carried.names,
        reason=carried.reason,
    )


def begins_as_rounding(restored: WorkerResult, rerun: WorkerResult) -> bool:
    """Whether a run that gives the bits of the bundle and one that does not have the same first loss, up to rounding.

    A training that looks at its number of threads could do anything with it.
    """
    return compare_early_losses(restored.losses[:1], rerun.losses[:1], ()).is_within


def set_as_in_bundle(job: Job, toggles: tuple[Toggle, ...], number: int) -> tuple[Experiment, Rerun]:
    """Run with some circumstances as in the bundle."""
    names = tuple(toggle.name.removeprefix("variables.") for toggle in toggles)
    job.tell(
        f"experiment {number}: {', '.join(f'{name} {t.original}' for name, t in zip(names, toggles, strict=True))}"
    )
    threads = next((toggle.threads for toggle in toggles if toggle.threads is not None), job.request.threads)
    variables = {name: value for toggle in toggles for name, value in toggle.variables}
    rerun = train_again(job, f"experiment{number}", threads=threads, variables=variables)
    return Experiment(names=names, restores=rerun.is_same, seconds=rerun.result.seconds), rerun


def check_stability(job: Job, rerun: Rerun) -> bool:
    """Run once more as before, and tell whether the bits are those of the re-run."""
    job.tell("training once more: are two runs here the same?")
    return repeats(rerun.result, train(job, "again", threads=job.request.threads))


def explain_instability(job: Job) -> tuple[tuple[Cause, ...], tuple[str, ...]]:
    """Search for the causes why two runs here differ from each other."""
    job.tell("searching for the causes by experiment: two runs here differ from each other")
    place = job.out / "check"
    place.mkdir()
    command = worker_command(
        job.bundle, place, threads=job.request.threads, entry=job.request.entry, data_files=job.data_files
    )
    return search_causes(command, job.project, job.out / "check-runs")


def search_causes(command: tuple[str, ...], project: Path, keep: Path) -> tuple[tuple[Cause, ...], tuple[str, ...]]:
    """Return why two runs of a training differ from each other, and what the search has to say besides.

    The command is what follows ``python``; `keep` is a folder for traces. Effects: runs the training several times, in
    the project and in copies of it.
    """
    before = Path.cwd()
    os.chdir(project)  # a check takes place in the current folder
    try:
        result = run_check(CheckRequest(command=command, keep=keep))
    except ReproofError as error:
        return (), (f"the search for causes failed: {error.problem}",)
    finally:
        os.chdir(before)
    return result.comparison.causes, result.explanation.notes if result.explanation is not None else ()


def suspect_from(comparison: Comparison | None, rows: tuple[EnvironmentRow, ...]) -> list[str]:
    """Return what the first divergence tells, and the circumstances that matter."""
    found = [f"{row.name} is {row.here} here and was {row.original}" for row in rows if row.grade == "matters"]
    if comparison is None or comparison.first is None:
        return found
    return [describe_first(comparison.first), *found]


def describe_first(first: Difference) -> str:
    """Return in words what the place of the first divergence tells."""
    where = f"the first divergence is in step {first.step}, {first.stage} {first.name!r}"
    if first.stage == "batch" and first.detail == "order":
        return f"{where}: the rows come in another order (seed of the loader, split or sampler)"
    return f"{where}: {_MEANINGS.get(first.stage, 'what is computed there differs')}"
