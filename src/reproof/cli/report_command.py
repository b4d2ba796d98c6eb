"""`reproof report`: two recorded runs, one page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import click

from reproof.cli.compare_command import choose_runs
from reproof.cli.comparison_text import draw_comparison
from reproof.cli.options import Options, Quiet, Tolerance, argument, option, pass_options
from reproof.cli.page_file import Open, PageFile, read_page_file, write_page
from reproof.comparison import compare


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions(Options):
    """The options of `reproof report`, as its help tells them."""

    runs: Annotated[tuple[str, ...], argument(nargs=-1, metavar="BASELINE CANDIDATE")]
    folder: Annotated[str | None, option("--dir", metavar="FOLDER", help="Show the two newest runs in FOLDER instead.")]
    page_file: Annotated[
        PageFile,
        option(
            "-o",
            "--output",
            metavar="FILE",
            default="report.html",
            callback=read_page_file,
            help="Where the page goes.",
        ),
    ]
    tolerance: Tolerance
    opens: Open
    quiet: Quiet


@click.command("report")
@pass_options(ReportOptions)
def command(options: ReportOptions) -> int:
    """Write one page that shows how two recorded runs compare: no network, nothing beside it.

    BASELINE and CANDIDATE are folders that `reproof run` made. The page of a search for causes is written by
    `reproof explain --html`. Exits with 0 for identical or equivalent, 1 for diverged, 2 if it cannot tell.
    """
    baseline, candidate = choose_runs(options.runs, options.folder)
    comparison = compare(baseline, candidate, tolerance=options.tolerance, maps_steps=True)
    write_page(options.page_file, comparison, None, opens=options.opens)
    draw_comparison(comparison, quiet=True)
    return comparison.exit_code
