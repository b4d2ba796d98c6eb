"""`reproof replicate`: make what a reproduction of a bundle is judged by."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from reproof.cli.options import (
    COUNT,
    POSITIVE,
    Folder,
    Options,
    lease_option,
    option,
    pass_options,
    project_option,
    quiet_option,
    storage_option,
    workers_option,
)
from reproof.schema.telling import plural, printable

if TYPE_CHECKING:
    from reproof.bundle.records import Reference
    from reproof.integrations.replicates import Progress, ReplicateRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicateOptions(Options):
    """The options of `reproof replicate`, as its help tells them."""

    bundle: Folder
    num_replicates: Annotated[int, option("--replicates", type=COUNT, default=10, help="Fresh-seed runs.")]
    num_perturbations: Annotated[
        int, option("--perturbations", type=COUNT, default=5, help="Runs with one initial weight moved by one ulp.")
    ]
    storage: Annotated[str | None, storage_option("queue")]
    num_workers: Annotated[int, workers_option(help="Runs at a time, here.")]
    project: Annotated[Path, project_option("the project whose training the bundle names")]
    lease_seconds: Annotated[float, lease_option("the run of a worker is given to another")]
    num_jobs: Annotated[
        int | None,
        option(
            "--slurm",
            type=POSITIVE,
            help="Start the same command in N jobs of Slurm (needs submitit), and return.",
        ),
    ]
    quiet: Annotated[bool, quiet_option(help="Print nothing unless something is wrong.")]

    def to_request(self) -> ReplicateRequest:
        """Return what is to be made. Raises DependencyError if Optuna is not installed."""
        from reproof.integrations.replicates import ReplicateRequest

        return self.fill(ReplicateRequest, folder=self.bundle)


@click.command("replicate")
@pass_options(ReplicateOptions)
def command(options: ReplicateOptions) -> None:
    """Train the configuration of the bundle DIR with fresh seeds, and with one weight moved by one ulp.

    The results go into its reference.json: `reproof reproduce` compares with them. Start the same command on other
    machines with the same --storage and a copy of the bundle: each takes runs that no other has taken, and each writes
    the whole reference into its bundle in the end. Runs that exist already are not made again.
    """
    if options.num_jobs is not None:
        submit(options, options.num_jobs)
        return
    from reproof.integrations.replicates import make_reference

    reference = make_reference(options.to_request(), ignore if options.quiet else Reporter().watch)
    if not options.quiet:
        click.echo(describe(options.bundle, reference))


def submit(options: ReplicateOptions, num_jobs: int) -> None:
    """Submit the command as jobs of Slurm, and print their identifiers."""
    request = options.to_request()  # first: without Optuna there is nothing to submit
    from reproof.integrations.slurm import submit_replicates

    jobs = submit_replicates(request, num_jobs)
    if not options.quiet:
        click.echo(f"submitted {plural(len(jobs), 'job')}: {', '.join(jobs)}")


class Reporter:
    """A line on standard error whenever a run has ended."""

    def __init__(self) -> None:
        """Start without a line written."""
        self._said = ""

    def watch(self, progress: Progress) -> None:
        """Write how far the runs are, if that has changed."""
        lost = f", {plural(progress.num_lost, 'lost worker')}" if progress.num_lost else ""
        line = f"{progress.num_done} of {progress.num_tasks} runs done, {progress.num_running} under way{lost}"
        if line != self._said:
            self._said = line
            sys.stderr.write(f"reproof: {line}\n")


def ignore(_: Progress) -> None:
    """Say nothing."""


def describe(bundle: Path, reference: Reference) -> str:
    """Return one line about a reference."""
    runs = f"{plural(len(reference.replicates), 'replicate')}, {plural(len(reference.perturbations), 'perturbation')}"
    return f"{printable(str(bundle))}: {runs}, {plural(sum(map(len, reference.margins.values())), 'margin')}"
