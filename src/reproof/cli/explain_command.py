"""`reproof explain`: why two recorded runs differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import click

from reproof.checking.explaining import explain_runs
from reproof.checking.workflow import DEFAULT_MAX_RUNS
from reproof.cli.check_progress import RunProgress
from reproof.cli.comparison_text import draw_comparison
from reproof.cli.json_output import COMPARISON, JsonFile, json_option, write_json
from reproof.cli.lines import echo_lines, section
from reproof.cli.options import (
    POSITIVE,
    Ignore,
    Options,
    Quiet,
    Run,
    UntilIdentical,
    option,
    pass_options,
    prepare_runs,
)
from reproof.cli.page_file import Html, Open, Samples, refuse_opening, write_page
from reproof.schema.telling import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainOptions(Options):
    """The options of `reproof explain`, as its help tells them."""

    baseline: Run
    candidate: Run
    max_runs: Annotated[int, option("--max-runs", type=POSITIVE, default=DEFAULT_MAX_RUNS, help="Experiments at most.")]
    until_identical: UntilIdentical
    ignored: Ignore
    json_file: Annotated[JsonFile | None, json_option(COMPARISON)]
    page_file: Html
    opens: Open
    keeps_samples: Samples
    quiet: Quiet


@click.command("explain")
@pass_options(ExplainOptions)
def command(options: ExplainOptions) -> int:
    """Find the causes of a divergence between two runs of one script, by running it again.

    BASELINE and CANDIDATE are folders that `reproof run` made. Run this in the folder in which they took place.
    Exits with 0 for identical or equivalent, 1 for diverged, 2 if it cannot tell.
    """
    refuse_opening(options.page_file, opens=options.opens, keeps_samples=options.keeps_samples)
    with RunProgress(is_shown=not options.quiet) as progress:
        comparison, found = explain_runs(
            options.baseline,
            options.candidate,
            max_runs=options.max_runs,
            until_identical=options.until_identical,
            ignored=options.ignored,
            maps_steps=options.page_file is not None,
            keeps_samples=options.keeps_samples,
            stdin=prepare_runs(click.get_current_context()),
            watch=progress.watch,
        )
    experiments = [] if found is None else [trial.to_json() for trial in found.trials]
    notes = [] if found is None else list(found.notes)
    try:
        if write_json({**comparison.to_json(), "experiments": experiments, "notes": notes}, options.json_file):
            draw_comparison(comparison, quiet=options.quiet)
            echo_lines(section("Search for causes", [] if options.quiet else [printable(note) for note in notes]))
    finally:  # though nobody reads on
        write_page(options.page_file, comparison, found, opens=options.opens)
    return comparison.exit_code
