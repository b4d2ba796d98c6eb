"""`reproof check`: the same training in fresh processes, one verdict."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from reproof.checking import CheckRequest, run_check
from reproof.checking.workflow import DEFAULT_MAX_RUNS
from reproof.cli.check_progress import RunProgress
from reproof.cli.check_text import draw_runs
from reproof.cli.comparison_text import draw_comparison
from reproof.cli.json_output import COMPARISON, JsonFile, json_option, write_json
from reproof.cli.options import (
    max_differences_option,
    pass_options,
    quiet_option,
    script_arguments,
    show_output_option,
    spell_options,
)
from reproof.launch.variations import NAMES as VARIATIONS
from reproof.launch.variations import parse_variations
from reproof.schema import LEVELS, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """The options of `reproof check`, as its help tells them."""

    is_module: bool
    num_runs: int
    num_jobs: int
    isolate: bool
    num_steps: int | None
    level: Level
    artifacts: tuple[str, ...]
    tolerance: float | None
    max_differences: int
    keep: str | None
    json_file: JsonFile | None
    show_output: bool
    vary: str | None
    explains: bool
    until_identical: bool
    max_runs: int
    quiet: bool
    script: str
    arguments: tuple[str, ...]

    def to_request(self) -> CheckRequest:
        """Return what is to be checked.

        Raises:
            UsageError: If an option cannot be carried out.
        """
        return CheckRequest(
            command=(*(("-m",) if self.is_module else ()), self.script, *self.arguments),
            num_runs=self.num_runs,
            num_jobs=self.num_jobs,
            num_steps=self.num_steps,
            level=self.level,
            is_isolated=self.isolate,
            keep=None if self.keep is None else Path(self.keep),
            tolerance=self.tolerance,
            artifacts=self.artifacts,
            max_differences=self.max_differences,
            shows_output=self.show_output,
            variations=() if self.vary is None else parse_variations(self.vary),
            explains=self.explains,
            until_identical=self.until_identical,
            max_runs=self.max_runs,
        )


@click.command("check", context_settings={"allow_interspersed_args": False})
@click.option("-m", "is_module", is_flag=True, help="Check a module, as `python -m` runs it.")
@click.option("--runs", "num_runs", type=click.IntRange(min=2), default=2, show_default=True, help="Runs to compare.")
@click.option(
    "--jobs", "num_jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Runs at the same time."
)
@click.option("--isolate", is_flag=True, help="Give each run its own copy of the current folder.")
@click.option("--steps", "num_steps", type=click.IntRange(min=1), metavar="N", help="Stop after N optimizer steps.")
@click.option("--level", type=click.Choice(LEVELS), default="steps", show_default=True, help="How much to record.")
@click.option(
    "--artifact", "artifacts", multiple=True, metavar="GLOB", help="Compare files that the script writes, too."
)
@click.option("--tolerance", type=float, metavar="T", help="Accept recorded numbers with |x-y| <= T*max(1,|x|,|y|).")
@max_differences_option
@click.option(
    "--keep", metavar="DIR", help="Keep the traces in DIR.  [default: the last 20 checks, in ~/.cache/reproof]"
)
@json_option(COMPARISON)
@show_output_option
@click.option(
    "--vary",
    metavar="LIST",
    help=f"Change surroundings of the candidate: all, or some of {', '.join(VARIATIONS)}, separated by commas.",
)
@click.option("--explain/--no-explain", "explains", default=True, help="Search for the causes by experiment, or not.")
@click.option("--until-identical", is_flag=True, help="Find all causes after which the run is identical to its end.")
@click.option(
    "--max-runs",
    type=click.IntRange(min=1),
    default=DEFAULT_MAX_RUNS,
    show_default=True,
    metavar="N",
    help="Make at most N experiments.",
)
@quiet_option
@script_arguments
@pass_options(CheckOptions)
def command(options: CheckOptions) -> int:
    """Run SCRIPT twice in fresh processes and say whether the two runs are identical to the bit.

    SCRIPT needs no change; what follows it is its own. The runs take place in the current folder, one after the other,
    as by hand. Exits with 0 for identical or equivalent, 1 for diverged, 2 if it cannot tell.
    """
    request = options.to_request()
    with RunProgress(is_shown=not options.quiet and not options.show_output) as progress:
        result = run_check(request, progress.watch)
    if write_json(result.to_json(), options.json_file):
        draw_comparison(result.comparison, quiet=options.quiet)
        if not options.quiet:
            draw_runs(request, result, spell_check)
    return result.exit_code


def spell_check(**changes: object) -> list[str]:
    """Return the check under way as words of a command line, with some options changed; None leaves one out."""
    context = click.get_current_context()
    module = ["-m"] if context.params["is_module"] else []
    settled: dict[str, object] = {"is_module": None, "keep": None, "json_file": None}  # --keep wants a new folder
    words = spell_options(context, **{**settled, **changes})
    return ["reproof", "check", *words, *module, context.params["script"], *context.params["arguments"]]
