"""`reproof run`: record one run of a script."""

from __future__ import annotations

import datetime
import os
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import click

from reproof.cli.options import (
    COUNT,
    PATH,
    POSITIVE,
    Options,
    Script,
    ScriptArguments,
    ScriptCommand,
    Whole,
    artifact_option,
    flag,
    level_option,
    module_option,
    note_misplaced,
    option,
    pass_options,
    quiet_option,
    spell_options,
    steps_option,
)
from reproof.errors import EXIT_ERROR
from reproof.hash_seed import MAX_HASH_SEED
from reproof.launch.command import settle_command
from reproof.launch.experiments import read_experiment
from reproof.launch.guard import refuse_writes
from reproof.launch.imports import import_from_copy
from reproof.launch.notebooks import CellWatch, run_notebook
from reproof.launch.restart import restart_with_hash_seed
from reproof.launch.script import Outcome, Target, is_notebook, record_target, reserve_folder, target_of
from reproof.recorder import Recording
from reproof.recorder.options import RecordingOptions
from reproof.recorder.restorations import RestorationWatch
from reproof.schema import LEVELS, Level, Probes
from reproof.schema.telling import plural
from reproof.trace import list_processes


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(Options):
    """The options of `reproof run`, as its help tells them; the hidden ones are for reproof itself."""

    output: Annotated[
        str | None,
        option("-o", "--output", metavar="DIR", help="Folder of the trace.  [default: runs/<time>-<script>]"),
    ]
    is_module: Annotated[bool, module_option(help="Run a module, as `python -m` does.")]
    level: Annotated[Level, level_option(type=click.Choice(LEVELS))]
    num_batches: Annotated[
        int | None,
        option("--num-batches", type=POSITIVE, help="Record N batches per loader.  [default: all]"),
    ]
    statistics: Annotated[
        bool, flag("--statistics", help="Keep sum, mean, std, min, max and L2 norm of tensors for --tolerance.")
    ]
    artifacts: Annotated[
        tuple[str, ...],
        artifact_option(
            help="Compare the files that match (quote it) when the run ends, tensors by name; may be repeated."
        ),
    ]
    omits_output: Annotated[
        bool, flag("--no-output", help="Leave what the script prints and saves, and files, out of the trace.")
    ]
    num_steps: Annotated[int | None, steps_option(help="Stop after N optimizer steps.")]
    samples_step: Annotated[
        int | None,
        option(
            "--samples",
            type=COUNT,
            metavar="STEP",
            help="Keep the samples of this step's batch: of two runs `report` shows those that differ.",
        ),
    ]
    hash_seed: Annotated[
        int | None,
        option(
            "--hash-seed",
            type=Whole(0, MAX_HASH_SEED),
            help="PYTHONHASHSEED of the run.  [default: random]",
        ),
    ]
    experiment: Annotated[Path | None, option("--experiment", type=PATH, hidden=True, help="Carry out an experiment.")]
    kernel: Annotated[Path | None, option("--kernel", type=PATH, hidden=True, help="Be the kernel of this notebook.")]
    restorations: Annotated[
        Path | None, option("--restorations", type=PATH, hidden=True, help="Note here what is saved and loaded.")
    ]
    force: Annotated[bool, flag("--force", help="Replace an older trace in DIR.")]
    quiet: Annotated[bool, quiet_option(help="Say nothing about the recording unless it failed.")]
    script: Script
    arguments: ScriptArguments

    def make_recording(self, target: Target, probes: Probes | None) -> Recording:
        """Start a recording of the target. Raises RecordingError if the trace cannot be written."""
        folder = Path(self.output) if self.output else reserve_folder(target, datetime.datetime.now().astimezone())
        how = RecordingOptions(
            level=self.level,
            num_batches=self.num_batches,
            num_steps=self.num_steps,
            statistics=self.statistics,
            command=target.command,
            probes=probes or Probes(samples_step=self.samples_step),
        )
        recording = Recording(
            folder, how, artifacts=self.artifacts, force=self.force, captures_output=not self.omits_output
        )
        if self.restorations is not None:
            RestorationWatch(recording, self.restorations)
        return recording


@click.command("run", cls=ScriptCommand, context_settings={"allow_interspersed_args": False})
@pass_options(RunOptions)
def command(options: RunOptions) -> int | KeyboardInterrupt:
    """Record one run of SCRIPT, which needs no change; what follows SCRIPT is its own.

    After -- comes any program, as a shell finds it: reproof run -- torchrun --nproc-per-node 2 train.py

    The script's output and exit code are passed on. If it fails, the trace is kept and marked incomplete.
    """
    if click.get_current_context().obj:  # the process is ours
        restart_with_hash_seed(options.hash_seed)
    plan, probes = (None, None) if options.experiment is None else read_experiment(options.experiment)
    if plan is not None and plan.origin is not None:
        import_from_copy(Path(plan.origin), Path.cwd())
        if plan.writable:
            refuse_writes(plan.writable)
    if not options.quiet:
        note_misplaced(click.get_current_context(), options.script, options.arguments)
    module = ("-m",) if options.is_module else ()
    target = target_of(settle_command((*module, options.script, *options.arguments)))
    if is_notebook(target):
        return run_notebook(Path(target.name), spell_for_kernel(options, target))
    cells = None if options.kernel is None else CellWatch(options.kernel)
    if cells is not None:
        target = replace(target, command=(str(options.kernel),))
    recordings: list[Recording] = []

    def make_recording() -> Recording:
        recordings.append(options.make_recording(target, probes))
        return recordings[-1]

    outcome = record_target(target, make_recording, partial(report, quiet=options.quiet), plan, cells)
    for recording in recordings:
        recording.import_torch(outcome.status)
    return outcome.error if isinstance(outcome.error, KeyboardInterrupt) else outcome.exit_code


def spell_for_kernel(options: RunOptions, target: Target) -> list[str]:
    """Return the options of this run for the kernel of its notebook, which makes the recording."""
    folder = options.output or reserve_folder(target, datetime.datetime.now().astimezone())
    absolute = {
        name: str(path.absolute())
        for name, path in (("experiment", options.experiment), ("restorations", options.restorations))
        if path is not None
    }
    changes = {"output": str(Path(folder).absolute()), **absolute}
    return spell_options(click.get_current_context(), **changes)


def report(recording: Recording, outcome: Outcome, *, quiet: bool) -> None:
    """Say on standard error what was recorded; runs as the very last thing of the process."""
    frames = recording.frames
    num_events = frames.num_events + frames.num_at_front
    if recording.problems:
        more = f", and {len(recording.problems) - 1} other problems" if len(recording.problems) > 1 else ""
        click.echo(
            f"reproof: error: {recording.problems[0]}{more}: the trace {recording.folder} is incomplete", err=True
        )
    if outcome.status != "complete":
        click.echo(f"reproof: the trace {recording.folder} is incomplete: {outcome.ended}", err=True)
    elif quiet or recording.problems:
        pass
    elif num_children := len(list_processes(recording.place)):
        own = f"{num_events} events of {frames.step} steps"
        click.echo(
            f"reproof: recorded {own}, and {plural(num_children, 'child', 'children')}, in {recording.folder}", err=True
        )
    elif num_events == 0:
        click.echo(
            f"reproof: nothing to record: {recording.folder} is empty; the script used no DataLoader or model", err=True
        )
    else:
        click.echo(f"reproof: recorded {num_events} events of {frames.step} steps in {recording.folder}", err=True)
    if recording.problems and outcome.exit_code == 0:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(EXIT_ERROR)  # the only way to change the exit code when the script is already over
