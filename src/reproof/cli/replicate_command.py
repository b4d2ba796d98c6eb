"""`reproof replicate`: make what a reproduction of a bundle is judged by."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reproof.cli.comparison_text import plural, printable

if TYPE_CHECKING:
    from reproof.bundle.records import Reference
    from reproof.integrations.replicates import Progress


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
@click.option(
    "--storage",
    metavar="URL|FILE",
    envvar="REPROOF_STORAGE",
    help="Where the queue is: a journal file, or a database such as postgresql+psycopg://user@host/db.  "
    "[default: a journal file beside the bundle; environment variable: REPROOF_STORAGE]",
)
@click.option(
    "--workers", "num_workers", type=click.IntRange(min=1), default=1, show_default=True, help="Runs at a time, here."
)
@click.option(
    "--project",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Folder of the project whose training the bundle names.  [default: the current folder]",
)
@click.option(
    "--lease",
    "lease_seconds",
    type=click.FloatRange(min=1),
    default=60.0,
    show_default=True,
    help="Seconds of silence after which the run of a worker is given to another.",
)
@click.option(
    "--slurm",
    "num_jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Start the same command in N jobs of Slurm (needs submitit), and return.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print nothing unless something is wrong.")
def command(  # noqa: PLR0913  # one argument per option
    *,
    bundle: Path,
    num_replicates: int,
    num_perturbations: int,
    storage: str | None,
    num_workers: int,
    project: Path,
    lease_seconds: float,
    num_jobs: int | None,
    quiet: bool,
) -> None:
    """Train the configuration of the bundle DIR with fresh seeds, and with one weight moved by one ulp.

    The results go into its reference.json: `reproof reproduce` compares with them. Start the same command on other
    machines with the same --storage and a copy of the bundle: each takes runs that no other has taken, and each writes
    the whole reference into its bundle in the end. Runs that exist already are not made again.
    """
    from reproof.integrations.replicates import ReplicateRequest, make_reference

    request = ReplicateRequest(
        folder=bundle,
        num_replicates=num_replicates,
        num_perturbations=num_perturbations,
        storage=storage,
        num_workers=num_workers,
        project=project,
        lease_seconds=lease_seconds,
    )
    if num_jobs is not None:
        from reproof.integrations.slurm import submit_replicates

        jobs = submit_replicates(request, num_jobs)
        if not quiet:
            click.echo(f"submitted {plural(len(jobs), 'job')}: {', '.join(jobs)}")
        return
    reference = make_reference(request, ignore if quiet else Reporter().watch)
    if not quiet:
        click.echo(describe(bundle, reference))


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
