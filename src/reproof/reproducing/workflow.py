"""Run the training of a bundle again and judge what comes of it: `reproof reproduce`.

Verify, look at files, run in a fresh process, compare bits, numbers and, with replicates, distributions; where the
bits differ, find by experiment which circumstance makes them differ.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof.bundle.reader import open_bundle
from reproof.bundle.records import Replicate
from reproof.bundle.surroundings import EnvironmentRow, count_same, describe_surroundings, grade_environment
from reproof.comparison import compare_traces
from reproof.errors import UsageError
from reproof.reproducing.certificate import make_statement, write_certificate
from reproof.reproducing.diagnosis import (
    Diagnosis,
    Experiment,
    Toggle,
    find_restoring,
    list_toggles,
    search_causes,
    suspect_from,
)
from reproof.reproducing.entry import find_entry
from reproof.reproducing.evidence import Evidence, Gate, Judgement, TargetRow
from reproof.reproducing.gates import check_files, check_result
from reproof.reproducing.verdicts import judge
from reproof.reproducing.worker import WorkerResult, join_weights, read_losses, run_training, worker_command
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.bundle.records import Bundle
    from reproof.schema import Cause, Comparison

FIRST_FRESH_SEED = 1_000_003
"""Fresh seeds of a bundle without replicates count from the bundle's own seed plus this."""

MAX_DIFFERENCES = 50
"""Differing events that are looked at for what they tell of the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReproduceRequest:
    """What to reproduce, and how.

    Attributes:
        bundle: The bundle.
        project: Folder of the project whose training the bundle names.
        out: Folder for traces and the certificate, or None for one beside the bundle.
        num_seeds: Fresh-seed runs besides the one with the bundle's seed.
        device: Another device than the bundle's.
        threads: Another number of threads than the bundle's.
        entry: Another training than the bundle names.
        runs_anyway: Whether to run although files differ that must not.
        diagnoses: Whether to look for the reason if the bits differ.
    """

    bundle: Path
    project: Path = Path()
    out: Path | None = None
    num_seeds: int = 0
    device: str | None = None
    threads: int | None = None
    entry: str | None = None
    runs_anyway: bool = False
    diagnoses: bool = True

    def __post_init__(self) -> None:
        """Check what can be checked before anything runs."""
        if self.num_seeds < 0 or (self.threads is not None and self.threads < 1):
            raise UsageError(f"{self.num_seeds} seeds, {self.threads} threads", "give positive numbers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What came of it.

    Attributes:
        bundle: The bundle.
        judgement: The verdict.
        environment: Circumstances that differ.
        num_same: Circumstances that are the same.
        result: The run with the bundle's seed, or None if nothing ran.
        comparison: Its trace against the bundle's, or None.
        diagnosis: Why the bits differ, if that was asked.
        certificate: Where the certificate was written.
        started: When it began, ISO 8601.
    """

    bundle: Bundle
    judgement: Judgement
    environment: tuple[EnvironmentRow, ...]
    num_same: int
    result: WorkerResult | None = None
    comparison: Comparison | None = None
    diagnosis: Diagnosis | None = None
    certificate: Path | None = None
    started: str = ""
    replicates: tuple[Replicate, ...] = field(default=())

    @property
    def exit_code(self) -> int:
        """0 identical or equivalent, 1 not reproduced, 2 could not tell."""
        return self.judgement.exit_code

    def to_json(self) -> dict[str, Any]:
        """Return plain values, for ``--json`` and the certificate."""
        first = None if self.comparison is None else self.comparison.first
        return {
            "schema": 1,
            **self.judgement.to_json(),
            "bundle": self.bundle.folder.name,
            "trial": {"study": self.bundle.trial.study, "number": self.bundle.trial.number},
            "num_trials": self.bundle.trial.num_trials,
            "environment": {"num_same": self.num_same, "differing": [row.to_json() for row in self.environment]},
            "first_divergence": None if first is None else first.to_json(),
            "diagnosis": None if self.diagnosis is None else self.diagnosis.to_json(),
            "fresh_seeds": [replicate.to_json() for replicate in self.replicates],
        }


def reproduce(bundle: str | os.PathLike[str], **options: Any) -> Reproduction:
    """Run the training of a bundle again in a fresh process and judge whether it reproduces.

    Args:
        bundle: Folder of the bundle.
        **options: Fields of `ReproduceRequest` other than the bundle.

    Returns:
        The verdict and what it rests on. That a training does not reproduce is an answer, not an error.

    Raises:
        BundleError: If the bundle is refused.
        LaunchError: If the training cannot be found, or fails.
        UsageError: If an option cannot be carried out.

    Effects: runs the user's training; writes traces and a certificate.
    """
    return run_reproduction(ReproduceRequest(bundle=Path(bundle), **options))


def run_reproduction(request: ReproduceRequest, tell: Callable[[str], None] = lambda _: None) -> Reproduction:
    """Carry out a reproduction; `tell` is called with a line before each thing that takes time."""
    tell(f"verifying {request.bundle}")
    work = _Work(request, open_bundle(request.bundle), tell)
    try:
        return work.run()
    except BaseException as error:
        work.take_back(is_interrupted=not isinstance(error, Exception))
        raise


class _Work:
    """One reproduction under way."""

    def __init__(self, request: ReproduceRequest, bundle: Bundle, tell: Callable[[str], None]) -> None:
        self._request = request
        self._bundle = bundle
        self._tell = tell
        self._project = Path(os.path.abspath(request.project))  # noqa: PTH100  # links stay
        self._entry = request.entry or bundle.manifest.entry
        self._started = datetime.datetime.now().astimezone()
        self._out = make_out_folder(request, self._started)
        self._experiments: list[Experiment] = []

    def take_back(self, *, is_interrupted: bool) -> None:
        """Remove the folders that this has made: those without a file, and whole ones after an interruption."""
        place = self._out if self._request.out is None else None
        if is_interrupted and place is not None:
            shutil.rmtree(place, ignore_errors=True)
        with contextlib.suppress(OSError):  # one that is not empty stays
            self._out.rmdir()
        if place is not None:
            with contextlib.suppress(OSError):
                place.parent.rmdir()

    def run(self) -> Reproduction:
        """Do everything."""
        gates = check_files(self._bundle, self._project, self._entry)
        if any(gate.state == "different" for gate in gates) and not self._request.runs_anyway:
            return self._certify(self._refuse(gates))
        find_entry(self._project, self._entry)
        self._tell("training again with the seed of the bundle")
        result = self._train("reproduced", threads=self._request.threads)
        comparison = self._compare(result)
        gates = check_result(self._bundle, result, gates, comparison)
        replicates = self._train_fresh_seeds()
        judgement = judge(*self._evidence(result, comparison, replicates), self._bundle.reference, gates)
        environment = (
            grade_environment(self._bundle.environment, result.environment) if self._bundle.environment else ()
        )
        diagnosis = None
        if judgement.tier != "bits" and self._request.diagnoses and self._request.device is None:
            diagnosis = self._diagnose(result, comparison, environment, gates)
        reproduction = Reproduction(
            bundle=self._bundle,
            judgement=judgement,
            environment=environment,
            num_same=count_same(self._bundle.environment, result.environment),
            result=result,
            comparison=comparison,
            diagnosis=diagnosis,
            started=self._started.isoformat(timespec="seconds"),
            replicates=replicates,
        )
        return self._certify(reproduction)

    def _refuse(self, gates: tuple[Gate, ...]) -> Reproduction:
        """Return the answer where files differ: nothing runs."""
        reasons = tuple(f"{gate.name} differs: {gate.detail}" for gate in gates if gate.state == "different")
        rows = tuple(
            TargetRow(target=target, metric=name, original=value, reproduced=float("nan"))
            for target, metrics in self._bundle.trial.metrics.items()
            for name, value in metrics.items()
        )
        # PyTorch is not imported here, so what only it knows is not compared.
        original = {name: value for name, value in self._bundle.environment.items() if name not in {"torch", "device"}}
        here = describe_surroundings()
        here = {name: here[name] for name in original if name in here}
        return Reproduction(
            bundle=self._bundle,
            judgement=Judgement(
                verdict="not-comparable",
                tier="gates",
                reasons=(*reasons, "nothing was run; --anyway runs it nevertheless"),
                per_target=rows,
                gates=gates,
            ),
            environment=grade_environment(original, here) if original else (),
            num_same=count_same(original, here),
            started=self._started.isoformat(timespec="seconds"),
        )

    def _train(
        self,
        name: str,
        *,
        seed: int | None = None,
        threads: int | None = None,
        variables: dict[str, str | None] | None = None,
    ) -> WorkerResult:
        return run_training(
            self._bundle.folder,
            self._out / name,
            seed=seed,
            threads=threads,
            environment=variables,
            project=self._project,
            device=self._request.device,
            entry=self._request.entry,
        )

    def _compare(self, result: WorkerResult) -> Comparison | None:
        if not self._bundle.has_trace:
            return None
        traces = open_trace(self._bundle.trace), open_trace(result.trace)
        return compare_traces(*traces, max_differences=MAX_DIFFERENCES, is_same_program=True, verify=True)

    def _is_same(self, result: WorkerResult, comparison: Comparison | None) -> bool:
        same = result.weights == self._bundle.manifest.weights and result.metrics == self._bundle.trial.metrics
        return same and (comparison is None or comparison.verdict == "identical")

    def _train_fresh_seeds(self) -> tuple[Replicate, ...]:
        """Run with other seeds: first those of the reference, so that runs of one seed can be compared in pairs."""
        reference = self._bundle.reference
        known = [] if reference is None else [replicate.seed for replicate in reference.replicates]
        start = (self._bundle.seed + FIRST_FRESH_SEED) % 2**31
        seeds = [*known, *range(start, start + self._request.num_seeds)][: self._request.num_seeds]
        found = []
        for number, seed in enumerate(seeds, 1):
            self._tell(f"training with fresh seed {seed} ({number} of {len(seeds)})")
            result = self._train(f"seed-{seed}", seed=seed, threads=self._request.threads)
            found.append(Replicate(seed=seed, metrics=result.metrics))
        return tuple(found)

    def _evidence(
        self, result: WorkerResult, comparison: Comparison | None, replicates: tuple[Replicate, ...]
    ) -> tuple[Evidence, Evidence]:
        """Return both sides; the digests of the traces are equal where the comparison found every bit equal."""
        bundle = self._bundle
        agrees = comparison is not None and comparison.verdict == "identical"
        original_digest = trace_digest(bundle.trace) if bundle.has_trace else None
        weights = join_weights(bundle.manifest.weights) if bundle.manifest.weights else None
        original = Evidence(
            metrics=bundle.trial.metrics,
            seed=bundle.seed,
            weights_digest=weights,
            trace_digest=original_digest,
            losses=read_losses(bundle.trace) if bundle.has_trace else (),
        )
        reproduced = Evidence(
            metrics=result.metrics,
            seed=result.seed,
            weights_digest=result.weights_digest,
            trace_digest=original_digest if agrees else trace_digest(result.trace, salt="differs"),
            losses=result.losses,
            replicates=replicates,
            has_same_streams=(self._request.device or bundle.environment.get("device", "cpu")) == "cpu",
        )
        return original, reproduced

    def _diagnose(
        self,
        result: WorkerResult,
        comparison: Comparison | None,
        environment: tuple[EnvironmentRow, ...],
        gates: tuple[Gate, ...],
    ) -> Diagnosis:
        """Look for the reason why the bits differ, by experiment where there is something to try."""
        toggles = list_toggles(environment, self._request.threads)
        restoring = find_restoring(toggles, self._try)
        confirmed = tuple(f"{toggle}: set as in the bundle, every bit is the bundle's" for toggle in restoring)
        is_closed = any(gate.state == "different" for gate in gates)
        is_stable = None if restoring or is_closed else self._check_stability(result)
        toggled = frozenset(toggle.name for toggle in toggles) if confirmed else frozenset()
        suspected = [] if confirmed else suspect_from(comparison, environment, toggled)
        causes: tuple[Cause, ...] = ()
        if is_stable is False:
            self._tell("searching for the causes by experiment: two runs here differ from each other")
            place = self._out / "check"
            command = worker_command(self._bundle, place, threads=self._request.threads, entry=self._request.entry)
            place.mkdir()
            causes, notes = search_causes(command, self._project, self._out / "check-runs")
            suspected = [*notes, *suspected]
        return Diagnosis(
            causes=causes,
            confirmed=confirmed,
            suspected=tuple(suspected),
            experiments=tuple(self._experiments),
            is_stable=is_stable,
        )

    def _try(self, toggles: tuple[Toggle, ...]) -> bool:
        """Run with some circumstances as in the bundle and tell whether the bits are the bundle's."""
        names = tuple(toggle.name.removeprefix("variables.") for toggle in toggles)
        self._tell(f"experiment {len(self._experiments) + 1}: {', '.join(names)} as in the bundle")
        threads = next((toggle.threads for toggle in toggles if toggle.threads is not None), self._request.threads)
        variables = {name: value for toggle in toggles for name, value in toggle.variables}
        result = self._train(f"experiment{len(self._experiments) + 1}", threads=threads, variables=variables)
        restores = self._is_same(result, self._compare(result))
        self._experiments.append(Experiment(names=names, restores=restores, seconds=result.seconds))
        return restores

    def _check_stability(self, result: WorkerResult) -> bool:
        """Run once more as before, and tell whether the bits are the same as those of the re-run."""
        self._tell("training once more: are two runs here the same?")
        again = self._train("again", threads=self._request.threads)
        same = again.weights == result.weights and again.metrics == result.metrics
        comparison = compare_traces(open_trace(result.trace), open_trace(again.trace), is_same_program=True)
        return same and comparison.verdict == "identical"

    def _certify(self, reproduction: Reproduction) -> Reproduction:
        path = write_certificate(self._out, make_statement(self._bundle, reproduction.to_json(), reproduction.started))
        return replace(reproduction, certificate=path)


def trace_digest(folder: Path, salt: str = "") -> str:
    """Return one text for all that a trace holds: the running hashes of its processes."""
    trace = open_trace(folder)
    chains = [f"{number}:{_last_chain(rank)}" for number, rank in sorted(trace.ranks.items())]
    return " ".join([*chains, *([salt] if salt else [])])


def _last_chain(rank: Any) -> str:
    return rank.frame(rank.num_frames - 1).chain.hex() if rank.num_frames else "empty"


def make_out_folder(request: ReproduceRequest, now: datetime.datetime) -> Path:
    """Create the folder for what a reproduction leaves.

    Raises:
        UsageError: If it exists and is not empty, or cannot be made.
    """
    bundle = Path(os.path.abspath(request.bundle))  # noqa: PTH100  # links stay
    folder = request.out
    if folder is None:
        parent = bundle.parent / f"{bundle.name}-reproductions"
        stem = f"{now:%Y%m%d-%H%M%S}"
        names = (parent / (stem if number == 1 else f"{stem}-{number}") for number in range(1, 1000))
        folder = next(name for name in names if not name.exists())
    folder = Path(os.path.abspath(folder))  # noqa: PTH100  # as above
    if folder.is_relative_to(bundle):
        raise UsageError(f"{folder} lies in the bundle", "a bundle holds what its manifest lists: name another folder")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty", "name a folder that is new or empty with --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {error.strerror}", "name another folder with --out") from None
    return folder
