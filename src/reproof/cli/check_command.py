"""`reproof check`: the same training in fresh processes, one verdict."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from reproof.checking import CheckRequest, CheckResult, run_check
from reproof.checking.workflow import DEFAULT_MAX_RUNS
from reproof.cli.check_progress import RunProgress
from reproof.cli.comparison_text import draw_comparison, limit, printable, section
from reproof.cli.json_output import write_json
from reproof.launch.variations import NAMES as VARIATIONS
from reproof.launch.variations import parse_variations
from reproof.schema import LEVELS, Level


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
@click.option(
    "--max-differences", type=click.IntRange(min=1), default=5, show_default=True, help="Differences to show."
)
@click.option(
    "--keep", metavar="DIR", help="Keep the traces in DIR.  [default: the last 20 checks, in ~/.cache/reproof]"
)
@click.option("--json", "json_path", metavar="FILE", help="Write the result as JSON ('-' for standard output).")
@click.option("--show-output", is_flag=True, help="Let the script write to this terminal.")
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
@click.option("-q", "--quiet", is_flag=True, help="Print the verdict alone.")
@click.argument("script")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(  # noqa: PLR0913  # one argument per option
    *,
    is_module: bool,
    num_runs: int,
    num_jobs: int,
    isolate: bool,
    num_steps: int | None,
    level: Level,
    artifacts: tuple[str, ...],
    tolerance: float | None,
    max_differences: int,
    keep: str | None,
    json_path: str | None,
    show_output: bool,
    vary: str | None,
    explains: bool,
    until_identical: bool,
    max_runs: int,
    quiet: bool,
    script: str,
    arguments: tuple[str, ...],
) -> int:
    """Run SCRIPT twice in fresh processes and say whether the two runs are identical to the bit.

    SCRIPT needs no change; what follows it is its own. The runs take place in the current folder, one after the other,
    as by hand. Exits with 0 for identical or equivalent, 1 for diverged, 2 if it cannot tell.
    """
    request = CheckRequest(
        command=(*(("-m",) if is_module else ()), script, *arguments),
        num_runs=num_runs,
        num_jobs=num_jobs,
        num_steps=num_steps,
        level=level,
        is_isolated=isolate,
        keep=None if keep is None else Path(keep),
        tolerance=tolerance,
        artifacts=artifacts,
        max_differences=max_differences,
        shows_output=show_output,
        variations=() if vary is None else parse_variations(vary),
        explains=explains,
        until_identical=until_identical,
        max_runs=max_runs,
    )
    with RunProgress(is_shown=not quiet and not show_output) as progress:
        result = run_check(request, progress.watch)
    if json_path is not None:
        write_json(result.to_json(), json_path)
    if json_path != "-":
        draw_comparison(result.comparison, quiet=quiet)
        if not quiet:
            draw_runs(request, result)
    return result.exit_code


def draw_runs(request: CheckRequest, result: CheckResult) -> None:
    """Print what the runs left, how they ended, and what to do next."""
    lines: list[str] = []
    if len(result.comparisons) > 1:
        verdicts = [f"{Path(c.runs[1]).name}: {c.verdict}" for c in result.comparisons]
        lines += section("Candidates", limit(tuple(verdicts)))
    lines += section("Search for causes", describe_search(request, result))
    lines += section("What the runs wrote", limit(tuple(describe_changes(result))))
    lines += section("Ended badly", [printable(line) for line in describe_failures(result)])
    lines += section("Next", suggest(request, result))
    for line in lines:
        click.echo(line)


def describe_search(request: CheckRequest, result: CheckResult) -> list[str]:
    """Return what the experiments showed beyond the causes, and what they could not show."""
    if request.variations and result.comparison.verdict == "identical":
        return [f"the training holds under other surroundings: {', '.join(request.variations)}"]
    explanation = result.explanation
    if explanation is None:
        return []
    count = len(explanation.trials)
    lines = [f"{count} experiment{'' if count == 1 else 's'}"] if count else []
    if explanation.is_whole is not None:
        told = "is identical to its end" if explanation.is_whole else "still differs"
        lines.append(f"with the causes replayed from the baseline the run {told}")
    if not explanation.causes and not explanation.notes:
        lines.append("no cause could be confirmed")
    return [*lines, *map(printable, explanation.notes)]


def describe_changes(result: CheckResult) -> list[str]:
    """Return a line for each run that changed files."""
    described = []
    for run in result.runs:
        changes = run.changes
        parts = [
            f"{verb} {', '.join(names[:4])}{f' and {len(names) - 4} more' if len(names) > 4 else ''}"  # noqa: PLR2004
            for verb, names in (
                ("created", changes.created),
                ("changed", changes.modified),
                ("deleted", changes.deleted),
            )
            if names
        ]
        if parts:
            described.append(f"{run.trace.name}: {'; '.join(parts)}")
    return described


def describe_failures(result: CheckResult) -> list[str]:
    """Return the exit code and the last words of each run that failed."""
    described = []
    told: list[str] = []
    for run in result.runs:
        if run.exit_code:
            how = f"signal {-run.exit_code}" if run.exit_code < 0 else f"exit code {run.exit_code}"
            lines = run.last_lines()
            is_repeated = bool(lines) and lines == told
            described.append(f"{run.trace.name}: {how}{', with the same last lines' if is_repeated else ''}")
            described += [] if is_repeated else [f"  {line}" for line in lines]
            told = lines
    return described


def suggest(request: CheckRequest, result: CheckResult) -> list[str]:
    """Return the commands that lead on from the verdict."""
    command = shlex.join(request.command)
    first = result.comparison.first
    baseline, candidate = (shlex.quote(run) for run in result.comparison.runs)
    if first is None:
        return suggest_for_inconclusive(command, result)
    if result.comparison.causes:
        return [f"reproof check {command}    # once it is mended"]
    if first.stage in {"forward", "loss", "gradient"} and request.level == "steps":
        zoom = f"reproof check --level modules --steps {first.step + 1} {command}"
        return [f"{zoom}    # which module it is"]
    return [
        f"reproof doctor {shlex.quote(request.command[0])}    # what in the script is not determined"
        if request.command[0] != "-m"
        else "reproof doctor    # which conditions hold",
        f"reproof compare {baseline} {candidate} --max-differences 50",
    ]


def suggest_for_inconclusive(command: str, result: CheckResult) -> list[str]:
    """Return what to do where the evidence is too little for a verdict."""
    if result.comparison.verdict != "inconclusive":
        return []
    if any(run.exit_code for run in result.runs):
        return [f"python {command}    # it must come to its end first"]
    if not result.comparison.num_events:
        return ["nothing was recorded: does the script train? It used no DataLoader, no model and no backward()"]
    return []
