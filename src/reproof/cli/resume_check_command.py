"""`reproof resume-check`: whether a training that is interrupted and resumed continues as without interruption."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from reproof.checking.resuming import ResumeRequest, ResumeResult, run_resume_check
from reproof.cli.check_progress import RunProgress
from reproof.cli.check_text import describe_changes, describe_failures
from reproof.cli.comparison_text import COLOURS, body
from reproof.cli.json_output import COMPARISON, JsonFile, json_option, write_json
from reproof.cli.lines import limit, section
from reproof.cli.options import (
    POSITIVE,
    MaxDifferences,
    Quiet,
    ScriptCommand,
    ScriptOptions,
    ShowOutput,
    keep_option,
    level_option,
    note_misplaced,
    option,
    pass_options,
    prepare_runs,
    steps_option,
)
from reproof.cli.page_file import Html, Open, refuse_opening, write_resume_page
from reproof.errors import UsageError
from reproof.schema import LEVELS, Level
from reproof.schema.telling import plural, printable

if TYPE_CHECKING:
    from reproof.schema import Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeCheckOptions(ScriptOptions):
    """The options of `reproof resume-check`, as its help tells them."""

    interrupt_at: Annotated[
        int | None,
        option(
            "--interrupt-at",
            type=POSITIVE,
            metavar="K",
            help="Stop the first part right after K optimizer steps.  [default: half of them, or the first checkpoint]",
        ),
    ]
    resume: Annotated[
        str | None,
        option("--resume", metavar="ARGS", help="Further arguments that resume, in one word: '--resume ckpt/last.pt'."),
    ]
    resume_command: Annotated[
        str | None, option("--resume-command", metavar="COMMAND", help="The command that resumes, if it is another.")
    ]
    first: Annotated[
        str | None,
        option(
            "--first", metavar="ARGS", help="Further arguments with which the first part ends by itself: '--epochs 2'."
        ),
    ]
    first_command: Annotated[
        str | None,
        option("--first-command", metavar="COMMAND", help="The command of the first part, if it is another."),
    ]
    num_steps: Annotated[int | None, steps_option(help="End all runs after N steps.")]
    level: Annotated[Level, level_option(type=click.Choice(LEVELS[1:3]))]
    max_differences: MaxDifferences
    keep: Annotated[str | None, keep_option(help="Keep the traces in DIR.  [default: as `reproof check`]")]
    json_file: Annotated[JsonFile | None, json_option(COMPARISON)]
    page_file: Html
    opens: Open
    show_output: ShowOutput
    quiet: Quiet

    def to_request(self) -> ResumeRequest:
        """Return what is to be interrupted and resumed. Raises UsageError if an option cannot be carried out."""
        return self.fill(
            ResumeRequest,
            command=self.command,
            first_command=join_command(self.command, "first", self.first, self.first_command),
            resume_command=join_command(self.command, "resume", self.resume, self.resume_command),
            keep=None if self.keep is None else Path(self.keep),
            shows_output=self.show_output,
            stdin=prepare_runs(click.get_current_context()),
        )


@click.command("resume-check", cls=ScriptCommand, context_settings={"allow_interspersed_args": False})
@pass_options(ResumeCheckOptions)
def command(options: ResumeCheckOptions) -> int:
    """Run SCRIPT without interruption, then a first part of it and the rest, and compare what they do step by step.

    The runs take place in copies of the current folder. A script that finds its checkpoint by itself needs no --resume.
    Exits with 0 if the resumed training goes on to the bit, 1 if it diverges, 2 if that cannot be told.
    """
    refuse_opening(options.page_file, opens=options.opens)
    request = options.to_request()
    if not options.quiet:
        note_misplaced(click.get_current_context(), options.script, options.arguments)
    with RunProgress(is_shown=not options.quiet and not options.show_output) as progress:
        result = run_resume_check(request, progress.watch)
    try:
        if write_json(result.to_json(), options.json_file):
            draw_result(result, quiet=options.quiet)
    finally:  # though nobody reads on
        write_resume_page(options.page_file, result, request.command, opens=options.opens)
    return result.exit_code


def join_command(
    whole: tuple[str, ...], name: str, arguments: str | None, command_line: str | None
) -> tuple[str, ...] | None:
    """Return the command of a part of the training, or None if it is that of the whole.

    Raises UsageError if it is given in two ways, or cannot be taken apart.
    """
    if arguments is not None and command_line is not None:
        raise UsageError(f"--{name} and --{name}-command", "give one of them")
    try:
        if arguments is not None:
            return (*whole, *shlex.split(arguments))
        if command_line is None:
            return None
        parts = shlex.split(command_line)
    except ValueError as error:
        raise UsageError(f"--{name} {arguments or command_line!r}: {error}", "quote it as for a shell") from None
    if parts and Path(parts[0]).name.startswith("python"):
        parts = parts[1:]
    if not parts:
        raise UsageError(f"--{name}-command is empty", "name a script, or -m and a module, with its arguments")
    return tuple(parts)


def draw_result(result: ResumeResult, *, quiet: bool) -> None:
    """Print the verdict, what is missing, and what it rests on."""
    comparison = result.comparison
    verdict = click.style(comparison.verdict, fg=COLOURS[comparison.verdict], bold=True)
    click.echo(f"{verdict}: {printable(summarise(result))}")
    if quiet:
        return
    if comparison.verdict == "inconclusive":
        comparison = replace(comparison, structure=comparison.structure[1:])
    lines = body(comparison, result.resume.continues_at or 0)
    where = lines.index("", 1) if "" in lines[1:] else len(lines)
    lines[where:where] = section("Missing after resuming", missing_lines(result))
    lines += section("What the runs wrote", limit(tuple(describe_changes(result))))
    lines += section("Ended badly", [printable(line) for line in describe_failures(result)])
    for line in lines:
        click.echo(line)


def summarise(result: ResumeResult) -> str:
    """Say the verdict in one sentence."""
    comparison, resume = result.comparison, result.resume
    if resume.continues_at is None:
        return comparison.structure[0]
    where = f"interrupted after {plural(resume.interrupted_at or 0, 'step')}, resumed at step {resume.continues_at}"
    return f"{where}, {describe_rest(comparison)}"


def describe_rest(comparison: Comparison) -> str:
    """Say what the resumed run does in comparison with the uninterrupted one."""
    if comparison.first is not None:
        first = comparison.first
        return f"the training parts from the uninterrupted one in step {first.step}, stage {first.stage}"
    amount = f"{plural(comparison.num_events, 'event')} of {plural(comparison.num_steps, 'step')}"
    if comparison.verdict == "identical":
        return f"the training goes on to the bit ({amount})"
    return f"no difference in {amount}, and not everything was compared"


def missing_lines(result: ResumeResult) -> list[str]:
    """Return what is missing, why that is known, and what to write."""
    lines = []
    for piece in result.resume.missing:
        lines += [printable(f"{piece.piece}: {piece.why}"), printable(f"  fix: {piece.fix}")]
    return lines
