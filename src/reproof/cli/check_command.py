"""`reproof check`: the same training in fresh processes, one verdict."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Annotated

import click

from reproof.checking import CheckRequest, run_check
from reproof.checking.workflow import DEFAULT_MAX_RUNS
from reproof.cli.check_progress import RunProgress
from reproof.cli.check_text import draw_runs
from reproof.cli.comparison_text import draw_comparison
from reproof.cli.formats import Format, print_formatted
from reproof.cli.json_output import COMPARISON, JsonFile, json_option, write_json
from reproof.cli.options import (
    POSITIVE,
    Ignore,
    MaxDifferences,
    Quiet,
    ScriptCommand,
    ScriptOptions,
    ShowOutput,
    Tolerance,
    UntilIdentical,
    Whole,
    artifact_option,
    explain_option,
    flag,
    keep_option,
    level_option,
    note_disorder,
    note_misplaced,
    option,
    pass_options,
    prepare_runs,
    spell_options,
    steps_option,
)
from reproof.cli.page_file import Html, Open, Samples, refuse_opening, write_page
from reproof.cli.suggestions import COMMENT, suggest
from reproof.launch.variations import NAMES as VARIATIONS
from reproof.launch.variations import parse_variations
from reproof.schema import LEVELS, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions(ScriptOptions):
    """The options of `reproof check`, as its help tells them."""

    num_runs: Annotated[int, option("--runs", type=Whole(min=2), default=2, help="Runs to compare.")]
    num_jobs: Annotated[int, option("--jobs", type=POSITIVE, default=1, help="Runs at the same time.")]
    isolate: Annotated[bool, flag("--isolate", help="Give each run its own copy of the current folder.")]
    num_steps: Annotated[int | None, steps_option(help="Stop after N optimizer steps.")]
    level: Annotated[Level, level_option(type=click.Choice(LEVELS))]
    artifacts: Annotated[tuple[str, ...], artifact_option(help="Compare files that the script writes, too.")]
    ignored: Ignore
    tolerance: Tolerance
    max_differences: MaxDifferences
    keep: Annotated[
        str | None, keep_option(help="Keep the traces in DIR.  [default: the last 20 checks, in ~/.cache/reproof]")
    ]
    json_file: Annotated[JsonFile | None, json_option(COMPARISON)]
    page_file: Html
    opens: Open
    keeps_samples: Samples
    form: Format
    show_output: ShowOutput
    vary: Annotated[
        str | None,
        option(
            "--vary",
            metavar="LIST",
            help=f"Change surroundings of the candidate: all, or some of {', '.join(VARIATIONS)}, separated by commas.",
        ),
    ]
    explains: Annotated[bool, explain_option(help="Search for the causes by experiment, or not.")]
    until_identical: UntilIdentical
    max_runs: Annotated[
        int,
        option("--max-runs", type=POSITIVE, default=DEFAULT_MAX_RUNS, help="Make at most N experiments."),
    ]
    quiet: Quiet

    def to_request(self) -> CheckRequest:
        """Return what is to be checked. Raises UsageError if an option cannot be carried out."""
        return self.fill(
            CheckRequest,
            command=self.command,
            is_isolated=self.isolate,
            keep=None if self.keep is None else Path(self.keep),
            shows_output=self.show_output,
            variations=() if self.vary is None else parse_variations(self.vary),
            maps_steps=True,
            stdin=prepare_runs(click.get_current_context()),
        )


@click.command("check", cls=ScriptCommand, context_settings={"allow_interspersed_args": False})
@pass_options(CheckOptions)
def command(options: CheckOptions) -> int:
    """Run SCRIPT twice in fresh processes and say whether the two runs are identical to the bit.

    SCRIPT needs no change; what follows it is its own. After -- comes any program, as a shell finds it:
    reproof check -- torchrun --nproc-per-node 2 train.py

    The runs take place in the current folder, one after the other,
    as by hand. Exits with 0 for identical or equivalent, 1 for diverged, 2 if it cannot tell.
    """
    refuse_opening(options.page_file, opens=options.opens, keeps_samples=options.keeps_samples)
    request = options.to_request()
    if not options.quiet:
        note_misplaced(click.get_current_context(), options.script, options.arguments)
        note_disorder(request.command)
    with RunProgress(is_shown=not options.quiet and not options.show_output) as progress:
        result = run_check(request, progress.watch)
    found = [line.partition(COMMENT)[0] for line in suggest(request, result, spell_check) if COMMENT in line]
    following = found[0] if found else "" if request.variations else None
    try:
        if write_json(result.to_json(), options.json_file):
            if options.form != "text":
                print_formatted(options.form, result.comparison, result.explanation, following)
            else:
                draw_comparison(result.comparison, quiet=options.quiet)
                if not options.quiet:
                    draw_runs(request, result, spell_check)
    finally:  # though nobody reads on
        write_page(
            options.page_file, result.comparison, result.explanation, opens=options.opens, next_command=following
        )
    return result.exit_code


def find_free(keep: str | None) -> str | None:
    """Return a folder for the traces of the next check beside that of this one, which has to be a new one."""
    names = (f"{keep.rstrip('/')}-{number}" for number in count(2)) if keep else ()
    return next((name for name in names if not Path(name).exists()), None)


def spell_check(**changes: object) -> list[str]:
    """Return the check under way as words of a command line, with some options changed; None leaves one out."""
    context = click.get_current_context()
    module = ["-m"] if context.params["is_module"] else []
    settled: dict[str, object] = {
        "is_module": None,
        "keep": find_free(context.params["keep"]),
        "json_file": None,
        "page_file": None,
        "form": None,
        "keeps_samples": None,
        "opens": None,
    }
    words = spell_options(context, **{**settled, **changes})
    return ["reproof", "check", *words, *module, context.params["script"], *context.params["arguments"]]
