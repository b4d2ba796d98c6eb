"""Start the workers of `reproof replicate` as jobs of Slurm, by submitit (the extra `slurm`).

A job is the ordinary command: it takes runs from the queue until none is left, and the runs of a job that Slurm ends
are taken by the others. Only the arguments are pickled.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof.errors import DependencyError, LaunchError
from reproof.integrations.replicates import ReplicateRequest, default_journal, make_reference

if TYPE_CHECKING:
    from collections.abc import Mapping


def submit_replicates(
    request: ReplicateRequest, num_jobs: int, *, cluster: str | None = None, parameters: Mapping[str, Any] | None = None
) -> list[str]:
    """Submit workers and return the identifiers of their jobs; bundle, project and journal must be on a shared disk.

    Args:
        request: What to make.
        num_jobs: How many jobs.
        cluster: ``slurm``, or ``local`` for processes on this machine; None for what submitit finds.
        parameters: Of `submitit.AutoExecutor.update_parameters`, such as ``slurm_partition``.

    Raises:
        DependencyError: If submitit is not installed.
        LaunchError: If the jobs cannot be submitted.

    Effects: writes scripts and logs of the jobs beside the bundle.
    """
    try:
        import submitit
    except ModuleNotFoundError:
        raise DependencyError("submitit is not installed", "pip install 'reproof[slurm]'") from None
    folder = request.folder.absolute()
    shared = dataclasses.replace(
        request,
        folder=folder,
        project=request.project.absolute(),
        storage=request.storage or str(default_journal(folder)),
    )
    executor = submitit.AutoExecutor(folder=str(Path(f"{folder}.jobs")), cluster=cluster)
    executor.update_parameters(name="reproof-replicate", **{"timeout_min": 24 * 60, **(parameters or {})})
    try:
        jobs = [executor.submit(make_reference, shared) for _ in range(num_jobs)]
    except (OSError, RuntimeError) as error:
        raise LaunchError(f"the jobs cannot be submitted ({error})", "submit `reproof replicate` by hand") from error
    return [str(job.job_id) for job in jobs]
