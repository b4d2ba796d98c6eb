"""Run the training of a bundle again, and certify whether it reproduces: `reproof reproduce`.

A pipeline of records: gates on files → runs → gates on what they used → judgement → diagnosis → certificate. Each
stage is a module that takes the records of those before it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof.bundle.surroundings import count_same, describe_surroundings, grade_environment, is_set_by_us
from reproof.reproducing.certificate import make_statement, without_folders, write_certificate
from reproof.reproducing.diagnosis import diagnose
from reproof.reproducing.entry import find_entry
from reproof.reproducing.gates import check_files, check_result
from reproof.reproducing.imported import investigate
from reproof.reproducing.job import ReproduceRequest, open_job
from reproof.reproducing.judgement import judge_runs, refuse_to_run, settle
from reproof.reproducing.needs import list_needs
from reproof.reproducing.runs import make_runs

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from reproof.bundle.records import Bundle, Replicate
    from reproof.bundle.surroundings import EnvironmentRow
    from reproof.reproducing.diagnosis import Diagnosis
    from reproof.reproducing.evidence import Gate, Judgement
    from reproof.reproducing.job import Job
    from reproof.reproducing.kept import Kept
    from reproof.reproducing.needs import Need
    from reproof.reproducing.worker import WorkerResult
    from reproof.schema import Comparison

ONLY_WITH_TORCH = frozenset({"torch", "device"})
"""Parts of an environment that are not known before PyTorch is imported."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """What a reproduction has found.

    Attributes:
        judgement: The verdict.
        environment: Circumstances that differ.
        num_same: Circumstances that are the same.
        result: The run with the bundle's seed, or None if nothing ran.
        comparison: Its trace against the bundle's, or None.
        diagnosis: Why the bits differ, if that was asked.
        certificate: Where the certificate was written.
        started: When it began, ISO 8601.
        kept: What an imported bundle has kept, beside the run; None for a bundle of a search, or if nothing ran.
        needs: What was needed and what was here, before anything ran.
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
    replicates: tuple[Replicate, ...] = ()
    kept: Kept | None = None
    needs: tuple[Need, ...] = ()

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
            "kept": None if self.kept is None else [item.to_json() for item in self.kept.items],
            "never_kept": [] if self.kept is None else list(self.kept.never_kept),
            "needs": [need.to_json() for need in self.needs],
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


def run_reproduction(
    request: ReproduceRequest,
    tell: Callable[[str], None] = lambda _: None,
    show_needs: Callable[[tuple[Need, ...]], None] = lambda _: None,
) -> Reproduction:
    """Carry out a reproduction.

    `tell` is called with a line before each thing that takes time, `show_needs` with what is needed and what is here,
    before anything runs.
    """
    with open_job(request, tell) as job:
        gates = check_files(job.bundle, job.project, job.entry, job.data_files)
        needs = list_needs(job, gates)
        show_needs(needs)
        differs = any(gate.state == "different" for gate in gates)
        found = _refuse(job, gates) if differs and not request.runs_anyway else _carry_out(job, gates)
        return _certify(job, replace(found, needs=needs))


def _refuse(job: Job, gates: tuple[Gate, ...]) -> Reproduction:
    """Return the answer where files differ: nothing runs, and PyTorch is not imported."""
    original = {name: value for name, value in job.bundle.environment.items() if name not in ONLY_WITH_TORCH}
    here = {name: value for name, value in describe_surroundings().items() if name in original}
    return Reproduction(
        bundle=job.bundle,
        judgement=refuse_to_run(gates),
        environment=tuple(row for row in grade_environment(original, here) if not is_set_by_us(row.name)),
        num_same=count_same(original, here),
        started=job.started.isoformat(timespec="seconds"),
    )


def _carry_out(job: Job, file_gates: tuple[Gate, ...]) -> Reproduction:
    """Run, judge, and look for the reason if the bits differ."""
    entry = job.check_entry()
    job.tell(f"the training is {entry} ({find_entry(job.project, entry)})")
    runs = make_runs(job)
    rerun, here = runs.rerun, runs.rerun.result.environment
    gates = check_result(job.bundle, job.project, rerun.result, file_gates, rerun.comparison)
    judgement = judge_runs(job.bundle, runs, gates, job.request.device)
    environment = grade_environment(job.bundle.environment, here)
    # On another device other bits are expected, and nothing could be set as in the bundle.
    is_diagnosed = judgement.tier != "bits" and job.request.diagnoses and job.request.device is None
    diagnosis = None
    if is_diagnosed and rerun.kept is not None and judgement.verdict == "inconclusive":
        judgement, diagnosis = investigate(job, rerun, judgement)
    elif is_diagnosed:
        diagnosis = diagnose(job, rerun, environment, gates, is_settled=judgement.verdict == "equivalent")
        judgement = settle(judgement, diagnosis)
    return Reproduction(
        bundle=job.bundle,
        judgement=judgement,
        environment=environment,
        num_same=count_same(job.bundle.environment, here),
        result=rerun.result,
        comparison=rerun.comparison,
        diagnosis=diagnosis,
        kept=rerun.kept,
        started=job.started.isoformat(timespec="seconds"),
        replicates=runs.replicates,
    )


def _certify(job: Job, found: Reproduction) -> Reproduction:
    """Write the certificate into the folder of the reproduction."""
    folders = {str(job.out): "OUT", str(job.project): ".", str(Path.home()): "~"}
    statement = make_statement(job.bundle, without_folders(found.to_json(), folders), found.started)
    return replace(found, certificate=write_certificate(job.out, statement))
