"""`reproof replicate`: make what a reproduction of a bundle is judged by."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reproof.cli.comparison_text import plural, printable
from reproof.cli.options import lease_option, pass_options, project_option, storage_option, workers_option

if TYPE_CHECKING:
    from reproof.bundle.records import Reference
    from reproof.integrations.replicates import Progress, ReplicateRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicateOptions:
    """The options of `reproof replicate`, as its help tells them."""

    bundle: Path
    num_replicates: int
    num_perturbations: int
    storage: str | None
    num_workers: int
    project: Path
    lease_seconds: float
    num_jobs: int | None
    quiet: bool

    def to_request(self) -> ReplicateRequest:
        """Return what is to be made.

        Raises:
            DependencyError: If Optuna is not installed.
        """
        from reproof.integrations.replicates import ReplicateRequest

        return ReplicateRequest(
            folder=self.bundle,
            num_replicates=self.num_replicates,
            num_perturbations=self.num_perturbations,
            storage=self.storage,
            num_workers=self.num_workers,
            project=self.project,
            lease_seconds=self.lease_seconds,
        )


@click.command("replicate")
@click.argument("bundle", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--replicates", "num_replicates", type=click.IntRange(min=0), default=10, show_default=True, help="Fresh-seed runs."
)
@click.option(
    "--perturbations",
    "num_perturbations",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="Runs with one initial weight moved by one ulp.",
)
@storage_option("queue")
@workers_option("Runs at a time, here.")
@project_option("the project whose training the bundle names")
@lease_option("the run of a worker is given to another")
@click.option(
    "--slurm",
    "num_jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Start the same command in N jobs of Slurm (needs submitit), and return.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing unless something is wrong.")
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
    """Start the command in jobs of Slurm, and say which."""
    request = options.to_request()  # first: without Optuna there is nothing to submit
    from reproof.integrations.slurm import submit_replicates

    jobs = submit_replicates(request, num_jobs)
    if not options.quiet:
        click.echo(f"submitted {plural(len(jobs), 'job')}: {', '.join(jobs)}")


class Reporter:
    """A line on standard error whenever a run has ended."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        self._said = ""

    def watch(self, progress: Progress) -> None:
        """Say how far the runs are, if that is news."""
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
