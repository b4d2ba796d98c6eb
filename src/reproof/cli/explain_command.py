"""`reproof explain`: why two recorded runs differ."""

from __future__ import annotations

import click

from reproof.checking.explaining import explain_runs
from reproof.checking.workflow import DEFAULT_MAX_RUNS
from reproof.cli.check_progress import RunProgress
from reproof.cli.comparison_text import draw_comparison, printable, section
from reproof.cli.json_output import write_json


@click.command("explain")
@click.argument("baseline")
@click.argument("candidate")
@click.option(
    "--max-runs", type=click.IntRange(min=1), default=DEFAULT_MAX_RUNS, show_default=True, help="Experiments at most."
)
@click.option("--until-identical", is_flag=True, help="Find all causes after which the run is identical to its end.")
@click.option("--json", "json_path", metavar="FILE", help="Write the result as JSON ('-' for standard output).")
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict alone.")
def command(
    *,
    baseline: str,
    candidate: str,
    max_runs: int,
    until_identical: bool,
    json_path: str | None,
    quiet: bool,
) -> int:
    """Find the causes of a divergence between two runs of one script, by running it again.

    BASELINE and CANDIDATE are folders that `reproof run` made. Run this in the folder in which they took place.
    Exits with 0 for identical or equivalent, 1 for diverged, 2 if it cannot tell.
    """
    with RunProgress(is_shown=not quiet) as progress:
        comparison, found = explain_runs(
            baseline, candidate, max_runs=max_runs, until_identical=until_identical, watch=progress.watch
        )
    if json_path is not None:
        experiments = [] if found is None else [trial.to_json() for trial in found.trials]
        notes = [] if found is None else list(found.notes)
        write_json({**comparison.to_json(), "experiments": experiments, "notes": notes}, json_path)
    if json_path != "-":
        draw_comparison(comparison, quiet=quiet)
        if not quiet and found is not None:
            for line in section("Search for causes", [printable(note) for note in found.notes]):
                click.echo(line)
    return comparison.exit_code
