"""A trial that was trained again, beside what its study has stored of it: values, and what was reported on the way.

A study keeps numbers and no weights, so what is *identical* is what it kept. Where bits differ, the training runs again
with one weight moved by one ulp, and in other surroundings: as for an imported folder (`imported`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from reproof.closeness import same_bits
from reproof.reproducing.evidence import Judgement, TargetRow
from reproof.reproducing.imported import FAR_FACTOR, NUM_FIRST
from reproof.reproducing.margins import list_values
from reproof.reproducing.noise import NUM_ULP, SINGLE_BITS, WORST_FACTOR, relative_difference
from reproof.reproducing.runs import train
from reproof.reproducing.toggles import guess_toggles

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reproof.bundle.records import Direction, Metrics
    from reproof.reproducing.evidence import Verdict
    from reproof.reproducing.job import Job
    from reproof.reproducing.worker import WorkerResult

VALUE: Final = "value"
LAST: Final = "last"
"""What a stored number is of: the best value that the training reports, or its last; else a metric of a target."""

_SOMETHING_ELSE: Final = (
    "something else than rounding differs: data, code, seed, versions, or what an earlier trial had left"
)
_NOT_SEEN: Final = "no equivalence is claimed: the study has kept neither data nor code, and they may differ as little"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTrial:
    """A trial as it was stored before it had a bundle.

    Attributes:
        params: What was chosen.
        numbers: What it reached, by what it is of: ``value``, ``last``, or a metric as ``target.metric``.
        curve: What it reported, in order of steps.
        study: Name of the study, or None.
        number: Number of the trial, or None.
        num_trials: Trials with a value in the study, or None.
        details: What else is known.
    """

    params: dict[str, Any]
    numbers: dict[str, float] = field(default_factory=dict)
    curve: tuple[float, ...] = ()
    direction: Direction = "minimize"
    study: str | None = None
    number: int | None = None
    num_trials: int | None = None
    details: dict[str, Any] = field(default_factory=dict)

    def spell(self) -> dict[str, Any]:
        """Return the stored numbers with their exact bits, for the details of the bundle."""
        return {
            "values": {name: value.hex() for name, value in self.numbers.items()},
            "reported": [value.hex() for value in self.curve],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrained:
    """What the training has reached now."""

    value: float
    metrics: Metrics
    reports: tuple[float, ...]

    def find(self, name: str) -> float | None:
        """Return one number by what it is of; None if there is no such."""
        return self.list_all().get(name)

    def list_all(self) -> dict[str, float]:
        """Return every number that a study may have stored."""
        metrics = {f"{target}.{metric}": value for target, metric, value in list_values(self.metrics)}
        return {VALUE: self.value, LAST: self.reports[-1], **metrics}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A stored number beside the one that was reached now; None where there is none."""

    name: str
    stored: float
    here: float | None

    @property
    def is_same(self) -> bool:
        """Whether all bits agree."""
        return self.here is not None and same_bits(self.stored, self.here)

    @property
    def distance(self) -> float:
        """The difference, relative to the larger of the two."""
        return float("inf") if self.here is None else relative_difference(self.stored, self.here)


def pair_numbers(stored: StoredTrial, here: Retrained) -> tuple[Pair, ...]:
    """Return what was stored beside what was reached, in the order in which a training reaches it.

    What was reported is compared one by one if both have the same number of reports.
    """
    is_comparable = len(stored.curve) == len(here.reports)
    curve = enumerate(zip(stored.curve, here.reports, strict=True)) if is_comparable else ()
    return (
        *(Pair(name=f"report {step}", stored=first, here=second) for step, (first, second) in curve),
        *(Pair(name=name, stored=value, here=here.find(name)) for name, value in stored.numbers.items()),
    )


def judge_stored(stored: StoredTrial, here: Retrained) -> Judgement:
    """Return the verdict on a trial that was trained again, before any experiment."""
    pairs = pair_numbers(stored, here)
    told = tuple(_tell(stored, here, pairs))
    rows = list_stored(stored, here)
    lacking = [f"{pair.name} was stored, and the training has no such number" for pair in pairs if pair.here is None]
    if not pairs:
        reason = "nothing was stored to compare with"
        return Judgement(verdict="inconclusive", tier="none", reasons=(reason, *told))
    if lacking:
        return Judgement(verdict="not-comparable", tier="gates", reasons=(*lacking, *told), per_target=rows)
    if all(pair.is_same for pair in pairs):
        return Judgement(verdict="identical", tier="bits", reasons=told, per_target=rows)
    return Judgement(verdict="inconclusive", tier="none", reasons=told, per_target=rows)


def list_stored(stored: StoredTrial, here: Retrained) -> tuple[TargetRow, ...]:
    """Return a row for each number that the trial had reached."""
    rows = []
    for name, value in stored.numbers.items():
        target, _, metric = name.rpartition(".")
        found = here.find(name)
        row = TargetRow(
            target=target,
            metric=metric,
            original=value,
            reproduced=float("nan") if found is None else found,
            finding="same" if found is not None and same_bits(found, value) else "undecided",
        )
        rows.append(row)
    return tuple(rows)


def _tell(stored: StoredTrial, here: Retrained, pairs: Sequence[Pair]) -> list[str]:
    names = list(stored.numbers)
    reports = [pair for pair in pairs if pair.name.startswith("report ")]
    what = ", ".join([*names, *([f"{len(reports)} reported values"] if reports else [])])
    different = [pair for pair in pairs if not pair.is_same and pair.here is not None]
    told = []
    if pairs and not different:
        told.append(
            f"identical in what was kept, to the bit: {what}; equal numbers alone do not show the same training"
        )
    elif different:
        first = different[0]
        told.append(
            f"{len(different)} of {len(pairs)} stored numbers have other bits; the first is {first.name}: "
            f"{first.stored!r} was stored, {first.here!r} is found here ({first.distance:.1e} of its size)"
        )
    for name, value in stored.numbers.items():
        others = [other for other, found in here.list_all().items() if other != name and same_bits(found, value)]
        if others and not any(pair.name == name and pair.is_same for pair in pairs):
            told.append(f"what was stored as {name} has the bits of {others[0]}: name it with --objective {others[0]}")
    if stored.curve and not reports:
        told.append(
            f"reported values: not compared, {len(stored.curve)} were stored and {len(here.reports)} are reported here"
        )
    return told


def settle_stored(job: Job, stored: StoredTrial, here: Retrained, judgement: Judgement) -> Judgement:
    """Find out by experiment whether numbers differ by rounding, and settle the verdict by it.

    The judgement is as `judge_stored` gives it. Effects: runs the training again, up to 10 times.
    """
    again = train(job, "again")
    if again.weights != job.bundle.manifest.weights:
        return _add(judgement, "two runs here differ from each other: see `reproof check`")
    noise = [_perturb(job, number) for number in range(NUM_FIRST)]
    if reason := find_beyond(stored, here, noise, FAR_FACTOR):
        return _conclude(judgement, "not-reproduced", f"{reason}: {_SOMETHING_ELSE}")
    for toggle in guess_toggles(again.environment):
        about = f"{toggle.name.removeprefix('variables.')} {toggle.original} instead of {toggle.here}"
        job.tell(f"training with {about}")
        name = f"experiment-{toggle.name}-{toggle.original}"
        tried = train(job, name, threads=toggle.threads, variables=dict(toggle.variables))
        if all(pair.is_same for pair in pair_numbers(stored, _read(tried))):
            reason = f"the difference is rounding, by experiment: with {about} every stored number is found to the bit"
            return _conclude(judgement, "equivalent", reason)
    if reason := find_beyond(stored, here, noise, WORST_FACTOR):
        return _conclude(judgement, "not-reproduced", f"{reason}: {_SOMETHING_ELSE}")
    near = f"as near as {len(noise)} runs with one weight moved by one ulp leave it"
    return _add(judgement, f"{near}; {_NOT_SEEN}")


def find_beyond(stored: StoredTrial, here: Retrained, noise: Sequence[WorkerResult], factor: float) -> str | None:
    """Say which stored number is further away than so many times what rounding does to it; None if none is.

    At each report, what rounding did to those before it counts as well.
    """
    pairs = pair_numbers(stored, here)
    floor = NUM_ULP * 2.0 ** (1 - SINGLE_BITS)  # a training in double precision is judged more weakly
    worst: Mapping[str, float] = _measure_noise(here, noise)
    largest = 0.0
    for pair in pairs:
        is_report = pair.name.startswith("report ")
        largest = max(largest, worst.get(pair.name, 0.0)) if is_report else worst.get(pair.name, 0.0)
        if pair.distance > max(floor, factor * largest):
            return (
                f"{pair.name} differs by {pair.distance:.1e} of its size, and one weight moved by one ulp makes "
                f"{largest:.1e} of it here (worst of {len(noise)} runs)"
            )
    return None


def _measure_noise(here: Retrained, noise: Sequence[WorkerResult]) -> dict[str, float]:
    """Return how far rounding takes each number, relative to its size."""
    worst: dict[str, float] = {}
    for run in noise:
        found = _read(run)
        pairs = {
            f"report {step}": numbers for step, numbers in enumerate(zip(here.reports, found.reports, strict=False))
        }
        for name, value in here.list_all().items():
            pairs[name] = (value, found.find(name) or 0.0)
        for name, (first, second) in pairs.items():
            worst[name] = max(worst.get(name, 0.0), relative_difference(first, second))
    return worst


def _read(result: WorkerResult) -> Retrained:
    return Retrained(value=result.value, metrics=result.metrics, reports=result.reports)


def _perturb(job: Job, number: int) -> WorkerResult:
    job.tell(f"how much does rounding do? run {number + 1}, with one weight moved by one ulp")
    return train(job, f"perturbed{number + 1}", perturb=number)


def _conclude(judgement: Judgement, verdict: Verdict, reason: str) -> Judgement:
    return replace(judgement, verdict=verdict, tier="numerical", reasons=(reason, *judgement.reasons))


def _add(judgement: Judgement, reason: str) -> Judgement:
    return replace(judgement, reasons=(reason, *judgement.reasons))
