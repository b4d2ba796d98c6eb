"""`reproof compare`: two recorded runs, one verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import click

from reproof.cli.comparison_text import draw_comparison
from reproof.cli.formats import Format, print_formatted
from reproof.cli.json_output import COMPARISON, JsonFile, json_option, write_json
from reproof.cli.lines import echo_lines, section
from reproof.cli.options import Ignore, MaxDifferences, Options, Quiet, Tolerance, argument, flag, option, pass_options
from reproof.cli.page_file import Html, Open, refuse_opening, write_page
from reproof.cli.suggestions import comment
from reproof.comparison import compare, find_newest_runs
from reproof.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions(Options):
    """The options of `reproof compare`, as its help tells them."""

    runs: Annotated[tuple[str, ...], argument(nargs=-1, metavar="BASELINE CANDIDATE")]
    folder: Annotated[
        str | None, option("--dir", metavar="FOLDER", help="Compare the two newest runs in FOLDER instead.")
    ]
    ignored: Ignore
    tolerance: Tolerance
    max_differences: MaxDifferences
    verify: Annotated[
        bool, flag("--verify", help="Check every byte of both traces first, as is always done up to 1 MiB.")
    ]
    json_file: Annotated[JsonFile | None, json_option(COMPARISON)]
    page_file: Html
    opens: Open
    form: Format
    quiet: Quiet


@click.command("compare")
@pass_options(CompareOptions)
def command(options: CompareOptions) -> int:
    """Compare two runs bit by bit and name the first divergence in execution order.

    BASELINE and CANDIDATE are folders that `reproof run` made, or pickles of a hand-made batch check.
    Exits with 0 for identical or equivalent, 1 for diverged, 2 if it cannot tell.
    """
    baseline, candidate = choose_runs(options.runs, options.folder)
    refuse_opening(options.page_file, opens=options.opens)
    comparison = compare(
        baseline,
        candidate,
        tolerance=options.tolerance,
        max_differences=options.max_differences,
        verify=options.verify or None,
        ignored=options.ignored,
        maps_steps=options.page_file is not None,
    )
    try:
        if write_json(comparison.to_json(), options.json_file):
            if options.form == "text":
                draw_comparison(comparison, quiet=options.quiet)
                if comparison.first is not None and comparison.is_verified is not None and not options.quiet:
                    told = comment(["reproof", "explain", *comparison.runs], "finds the line, by running it again")
                    echo_lines(section("Next", [told]))
            else:
                print_formatted(options.form, comparison, None)
    finally:  # though nobody reads on
        write_page(options.page_file, comparison, None, opens=options.opens)
    return comparison.exit_code


def choose_runs(runs: tuple[str, ...], folder: str | None) -> tuple[Path, Path]:
    """Return the two runs to compare. Raises UsageError unless exactly two runs or a folder are named."""
    if folder is not None and not runs:
        return find_newest_runs(folder)
    if folder is None and len(runs) == 2:  # noqa: PLR2004  # a pair
        return Path(runs[0]), Path(runs[1])
    named = " and ".join([*runs, *(("--dir",) if folder is not None else ())]) or "nothing"
    named = f"only {named}" if len(runs) == 1 and folder is None else named
    raise UsageError(f"{named} named to compare", "name a baseline and a candidate, or --dir FOLDER alone")
