"""Judge a re-run of an imported folder by what it has kept, and find out by experiment why bits differ.

A folder of others says nothing of its surroundings, so numbers of threads and instruction sets are tried in turn: if
one gives every bit that was kept, that is what the bits differ by. Otherwise how far the weights are from the folder's
is compared with how far rounding takes them, which runs with one weight moved by one ulp show.

Left out: folders of a search, which have a trace (`verdicts`, `diagnosis`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from reproof.bundle.records import Perturbation, Reference
from reproof.reproducing.carried import find_carried
from reproof.reproducing.diagnosis import (
    Diagnosis,
    begins_as_rounding,
    check_stability,
    explain_instability,
    set_as_in_bundle,
    tell_carried,
)
from reproof.reproducing.evidence import Judgement, TargetRow
from reproof.reproducing.kept import PATHS, describe_environment, holds_other_epoch, measure_tensors, measure_weights
from reproof.reproducing.noise import MIN_PERTURBATIONS, WORST_FACTOR, find_precision
from reproof.reproducing.runs import train
from reproof.reproducing.toggles import guess_toggles
from reproof.reproducing.verdicts import list_rows, test_noise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from reproof.bundle.records import Bundle
    from reproof.reproducing.evidence import Gate
    from reproof.reproducing.job import Job
    from reproof.reproducing.kept import Kept
    from reproof.reproducing.runs import Rerun
    from reproof.reproducing.worker import WorkerResult

NUM_FIRST: Final = 3
"""Perturbation runs before anything else is tried."""
FLOOR: Final = 2.0**-23
"""A tensor that rounding has hardly moved may still be an ulp away, relative to its size."""
FAR_FACTOR: Final = 100
"""So many times what rounding does is out of reach of other threads, which round in every sum."""

MAX_NOISE: Final = 1e-5
"""Where rounding takes even the tensor that it moves least so far, a change of 0.1 % of a setting may go unseen."""

_VALUE: Final = "validation value"
_NOT_SEEN: Final = "a change of data or code as small as this would not be seen, as the folder has kept neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounding:
    """How far the folder's weights are from the re-run's, beside how far rounding takes them.

    Attributes:
        distances: Of the folder's weights, relative to their size, by ``best`` and ``last``.
        worst: The largest distance of any perturbation run.
        num_runs: Perturbation runs.
        tensors: By ``best`` and ``last``, for each tensor its distance, and the largest of any perturbation run. Under
            batch normalisation rounding takes a few tensors far, on which nothing depends, and the others not.
    """

    distances: dict[str, float]
    worst: dict[str, float]
    num_runs: int
    tensors: dict[str, dict[str, tuple[float, float]]] = field(default_factory=dict)

    def find_beyond(self, factor: float) -> str | None:
        """Say which weights, or which tensor of them, are further away than so many times what rounding does."""
        for which, distance in self.distances.items():
            if distance > factor * self.worst[which] > 0.0:
                return self.describe(which)
        found = [
            (distance / max(FLOOR, worst), which, name, distance, worst)
            for which, tensors in self.tensors.items()
            if self.worst[which] > 0.0
            for name, (distance, worst) in tensors.items()
            if distance > factor * max(FLOOR, worst)
        ]
        return self._describe_tensor(*max(found)[1:]) if found else None

    @property
    def sharpest(self) -> float:
        """How far rounding takes the tensor that it moves least, of the file of weights where that is furthest."""
        return max((min(worst for _, worst in found.values()) for found in self.tensors.values() if found), default=0.0)

    def describe(self, which: str) -> str:
        """Say how far weights are away."""
        return (
            f"the {which} weights differ by {self.distances[which]:.1e} of their size, and one weight moved by one ulp "
            f"makes {self.worst[which]:.1e} here (worst of {self.num_runs} runs)"
        )

    def _describe_tensor(self, which: str, name: str, distance: float, worst: float) -> str:
        return (
            f"{name} of the {which} weights differs by {distance:.1e} of its size, and one weight moved by one ulp "
            f"makes {worst:.1e} of it here (worst of {self.num_runs} runs)"
        )


def judge_kept(
    bundle: Bundle, kept: Kept, metrics: Mapping[str, Mapping[str, float]], gates: Sequence[Gate]
) -> Judgement:
    """Return the verdict on what was kept, before any experiment."""
    rows = list_rows(bundle.trial.metrics, {target: dict(found) for target, found in metrics.items()}, bundle.reference)
    rows = tuple(replace(row, finding="same" if row.is_same else "undecided") for row in rows)
    closed = [f"{gate.name} differs: {gate.detail}" for gate in gates if gate.state == "different"]
    lacking = [f"{item.name} is missing in the reproduction" for item in kept.items if item.is_missing]
    told = tuple(_tell_kept(kept))
    if closed or lacking:
        return Judgement(
            verdict="not-comparable",
            tier="gates",
            reasons=(*closed, *lacking, *told),
            per_target=rows,
            gates=tuple(gates),
        )
    if kept.is_same and bundle.manifest.weights:
        return Judgement(verdict="identical", tier="bits", reasons=told, per_target=rows, gates=tuple(gates))
    if not bundle.manifest.weights:
        told = (*told, "no weights were kept: equal numbers alone do not show the same training")
    reasons = (*told, *find_contradictions(bundle))
    return Judgement(verdict="inconclusive", tier="none", reasons=reasons, per_target=rows, gates=tuple(gates))


def _tell_kept(kept: Kept) -> Iterator[str]:
    same = [item.name for item in kept.items if item.state == "same"]
    if kept.is_same:
        yield f"identical in what was kept, to the bit: {', '.join(same)}"
        return
    yield f"of what was kept, other bits: {', '.join(item.name for item in kept.differing)}"
    if same:
        yield f"the same bits: {', '.join(same)}"


def find_contradictions(bundle: Bundle) -> tuple[str, ...]:
    """Return where the parameters of the trial and the configuration that was run disagree."""
    leaves: dict[str, list[tuple[str, Any]]] = {}
    for path, value in _leaves(bundle.config, ""):
        leaves.setdefault(path.rpartition(".")[2], []).append((path, value))
    found = []
    for name, value in bundle.trial.params.items():
        (path, other), *more = leaves.get(name.rpartition(".")[2]) or [("", value)]
        if not more and type(other) is type(value) and other != value:
            found.append(f"config.yaml has {other!r} for {path}, which was run, and the trial's parameters {value!r}")
    return tuple(found)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def investigate(job: Job, rerun: Rerun, judgement: Judgement) -> tuple[Judgement, Diagnosis]:
    """Find out why bits differ from what was kept, and settle the verdict by it.

    Effects: runs the training again, up to 20 times.
    """
    distances = _measure(job.bundle, rerun.result)
    if (settled := _settle_by_files(job, rerun, judgement, distances)) is not None:
        return settled, Diagnosis()
    return _experiment(job, rerun, judgement, distances)


def _experiment(
    job: Job, rerun: Rerun, judgement: Judgement, distances: dict[str, float]
) -> tuple[Judgement, Diagnosis]:
    """Try how far rounding goes and what other surroundings give, the cheaper and the more telling first."""
    if not check_stability(job, rerun):
        causes, notes = explain_instability(job)
        return judgement, Diagnosis(causes=causes, suspected=notes, is_stable=False)
    runs = [_perturb(job, number) for number in range(NUM_FIRST)]
    rounding = _compare_rounding(job.bundle, distances, rerun, runs)
    if told := rounding.find_beyond(FAR_FACTOR):
        return _reject(job, rerun, judgement, told)
    diagnosis = _try_surroundings(job, rerun)
    if diagnosis.shows_rounding and distances:
        return _conclude(judgement, "equivalent", diagnosis.shows_rounding), diagnosis
    runs += [_perturb(job, number) for number in range(NUM_FIRST, MIN_PERTURBATIONS)]
    rounding = _compare_rounding(job.bundle, distances, rerun, runs)
    if told := rounding.find_beyond(WORST_FACTOR):
        return _reject(job, rerun, judgement, told)
    judgement = _weigh(job.bundle, judgement, rounding, runs, rerun.result)
    if judgement.verdict != "equivalent":
        return judgement, diagnosis
    suspected = _suspect_kernels(diagnosis, rerun.result.environment)
    first, *others = judgement.reasons
    return replace(judgement, reasons=(first, suspected, *others)), replace(diagnosis, suspected=(suspected,))


def _settle_by_files(job: Job, rerun: Rerun, judgement: Judgement, distances: dict[str, float]) -> Judgement | None:
    """Return the verdict where the weights alone give it: the same bits, or tensors of another kind or epoch."""
    if distances and not any(distances.values()):
        reason = "the weights are the same bits, and a training with other rounding would not have them"
        return replace(judgement, reasons=(*judgement.reasons, reason))
    strange = [which for which, distance in distances.items() if math.isinf(distance)]
    if strange := strange or _find_swapped(job.bundle, rerun.result):
        reason = f"the {strange[0]} weights are not those of this training: {_detail(rerun, strange[0])}"
        return _conclude(judgement, "not-reproduced", reason)
    return None


def _measure(bundle: Bundle, result: WorkerResult) -> dict[str, float]:
    return {
        which: measure_weights(bundle.folder / PATHS[which], result.folder / PATHS[which])
        for which in bundle.manifest.weights
    }


def _find_swapped(bundle: Bundle, result: WorkerResult) -> list[str]:
    """Return the files of weights that hold those which the re-run has for the other epoch."""
    return [which for which in bundle.manifest.weights if holds_other_epoch(which, bundle, result)]


def _detail(rerun: Rerun, which: str) -> str:
    items = () if rerun.kept is None else rerun.kept.differing
    return next((item.detail for item in items if item.name.startswith(which)), "other tensors") or "other tensors"


def _perturb(job: Job, number: int) -> WorkerResult:
    job.tell(f"how much does rounding do? run {number + 1}, with one weight moved by one ulp")
    return train(job, f"perturbed{number + 1}", threads=job.request.threads, perturb=number)


def _compare_rounding(
    bundle: Bundle, distances: dict[str, float], rerun: Rerun, runs: Sequence[WorkerResult]
) -> Rounding:
    ours, worst, tensors = rerun.result.folder, dict[str, float](), dict[str, dict[str, tuple[float, float]]]()
    for which in distances:
        path = PATHS[which]
        worst[which] = max(measure_weights(ours / path, run.folder / path) for run in runs)
        noise = [measure_tensors(ours / path, run.folder / path) for run in runs]
        found = measure_tensors(ours / path, bundle.folder / path)
        tensors[which] = {
            name: (distance, max(run.get(name, math.inf) for run in noise)) for name, distance in found.items()
        }
    return Rounding(distances=distances, worst=worst, num_runs=len(runs), tensors=tensors)


def _try_surroundings(job: Job, rerun: Rerun) -> Diagnosis:
    """Train with other numbers of threads and instruction sets, until one gives every bit that was kept."""
    experiments = []
    for number, toggle in enumerate(guess_toggles(rerun.result.environment), 1):
        experiment, tried = set_as_in_bundle(job, (toggle,), number)
        experiments.append(experiment)
        if experiment.restores:
            about = f"{toggle.name.removeprefix('variables.')} {toggle.original} instead of {toggle.here}"
            confirmed = f"{about}: with it, every bit that was kept is the folder's"
            shown = f"the difference is rounding, by experiment: with {about} every bit that was kept is the folder's"
            return Diagnosis(
                confirmed=(confirmed,),
                experiments=tuple(experiments),
                is_stable=True,
                shows_rounding=shown if begins_as_rounding(tried.result, rerun.result) else "",
            )
    return Diagnosis(experiments=tuple(experiments), is_stable=True)


def _weigh(
    bundle: Bundle, judgement: Judgement, rounding: Rounding, runs: Sequence[WorkerResult], here: WorkerResult
) -> Judgement:
    """Conclude that the difference is rounding, if weights and metrics are as near as rounding leaves them."""
    rows, outside = _test_metrics(bundle, judgement, runs, here)
    judgement = replace(judgement, per_target=rows)
    if outside or not rounding.distances:
        told = f"outside of what {len(runs)} one-ulp perturbations give: {', '.join(outside)}" if outside else ""
        return replace(judgement, reasons=(*judgement.reasons, *([told] if told else [])))
    told = "; ".join(rounding.describe(which) for which in rounding.distances)
    if rounding.sharpest > MAX_NOISE:
        reason = f"{told}: so much that a change of a setting would not be told from rounding"
        return replace(judgement, reasons=(reason, *judgement.reasons))
    reason = (
        f"the difference is as small as rounding: {told}; no tensor differs by more than {WORST_FACTOR} times that, "
        "and every metric that was kept lies within what they give"
    )
    return _conclude(judgement, "equivalent", reason, _NOT_SEEN)


def _test_metrics(
    bundle: Bundle, judgement: Judgement, runs: Sequence[WorkerResult], here: WorkerResult
) -> tuple[tuple[TargetRow, ...], list[str]]:
    """Compare metrics and the validation value with what perturbation runs give; return the rows, and who is outside.

    The runs are made here, so that it is the folder's value that must lie among theirs. Other kernels round in every
    sum: what lies beyond the prediction interval and within a few times the worst of the runs is rounding as well.
    """
    perturbations = [
        Perturbation(losses=run.losses, metrics={**run.metrics, "": {_VALUE: run.value}}, weight=run.perturbed)
        for run in runs
    ]
    reference = bundle.reference or Reference(margins=bundle.manifest.margins, alpha=bundle.manifest.alpha)
    reference = replace(reference, perturbations=tuple(perturbations))
    value = TargetRow(target="", metric=_VALUE, original=bundle.trial.value, reproduced=here.value)
    rows, precision = (*judgement.per_target, value), find_precision(runs[0].losses)
    num_tested = sum(not row.is_same for row in rows)
    tested = []
    for row in rows:
        swapped = replace(row, original=row.reproduced, reproduced=row.original)
        found = test_noise(swapped, reference, precision, num_tested)
        worst = max(abs(run.metrics[row.target][row.metric] - row.reproduced) for run in perturbations)
        is_near = abs(row.difference) <= WORST_FACTOR * worst < math.inf
        tested.append(replace(row, noise=found.noise, finding="within noise" if is_near else found.finding))
    outside = [f"{row.metric} of {row.target}" if row.target else row.metric for row in tested if _is_outside(row)]
    return tuple(tested[:-1]), outside


def _is_outside(row: TargetRow) -> bool:
    return row.finding != "within noise"


def _suspect_kernels(diagnosis: Diagnosis, environment: dict[str, Any]) -> str:
    """Say what such a difference comes from, where no experiment has shown it."""
    capability = environment.get("torch", {}).get("cpu_capability", "an unknown instruction set")
    return (
        f"most likely made on another processor or with other kernels (another PyTorch) than here "
        f"({describe_environment(environment)}, {capability}): none of the {len(diagnosis.experiments)} numbers of "
        "threads and instruction sets that were tried gives the bits"
    )


def _reject(job: Job, rerun: Rerun, judgement: Judgement, told: str) -> tuple[Judgement, Diagnosis]:
    """Return *not-reproduced*, with the state that an earlier trial may have left as its reason."""
    what = "something else than rounding differs: data, code or a value of the configuration"
    judgement = _conclude(judgement, "not-reproduced", f"{told}: {what}")
    carried = find_carried(job, rerun, is_stable=True, variables={}, threads=job.request.threads)
    if carried is None:
        return judgement, Diagnosis(is_stable=True)
    diagnosis = tell_carried(carried, ())
    return replace(judgement, reasons=(carried.reason, *judgement.reasons)), diagnosis


def _conclude(judgement: Judgement, verdict: Any, reason: str, *more: str) -> Judgement:
    """Return a judgement with another verdict, at the tier of rounding; its reason comes first."""
    return replace(judgement, verdict=verdict, tier="numerical", reasons=(reason, *judgement.reasons, *more))
