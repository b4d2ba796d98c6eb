"""Search for the causes of a divergence between two runs that were recorded before."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from reproof.checking.workflow import DEFAULT_MAX_RUNS, name_in_cache
from reproof.checking.workplace import keep_folder
from reproof.comparison import compare_traces
from reproof.credentials import MASK
from reproof.errors import UsageError
from reproof.explain.laboratory import Setting
from reproof.explain.naming import name_cause
from reproof.explain.search import Explanation, explain_comparison
from reproof.explain.suspects import Suspect
from reproof.launch.command import describe_command, refuse_missing
from reproof.launch.placing import remove_work
from reproof.launch.processes import RunProcess, RunRequest
from reproof.schema import LEVELS
from reproof.trace import Trace, open_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.launch.stdin import StandardInput
    from reproof.schema import Cause, Comparison, Difference, Level


def explain_runs(
    baseline: str | os.PathLike[str],
    candidate: str | os.PathLike[str],
    *,
    max_runs: int = DEFAULT_MAX_RUNS,
    until_identical: bool = False,
    ignored: tuple[str, ...] = (),
    maps_steps: bool = False,
    stdin: StandardInput | None = None,
    watch: Callable[[list[RunProcess]], None] = lambda _: None,
) -> tuple[Comparison, Explanation | None]:
    """Compare two runs of one script and, if they differ, find out why by running it again.

    The experiments take place in copies of the current folder as it is now: it must be the one in which the runs took
    place, and files that the runs have left are not removed.

    Args:
        baseline: Folder of a trace.
        candidate: Folder of another trace of the same command.
        max_runs: Experiments that may be made.
        until_identical: Go on until the run is identical to its end.
        ignored: Patterns of names of files that are left out.
        maps_steps: Whether the comparison tells what became of each step and stage.
        stdin: What the runs have read from standard input, if anything: it is no part of a trace.
        watch: Called several times a second with the experiment under way.

    Returns:
        The comparison with the causes in it, and the experiments; None for them if the runs do not differ.

    Raises:
        TraceError: If one of them cannot be read.
        UsageError: If they are not runs of one command, or it cannot be run here.
    """
    traces = (open_trace(Path(baseline)), open_trace(Path(candidate)))
    command = command_of(*traces)
    comparison = compare_traces(*traces, is_same_program=True, verify=True, ignored=ignored, maps_steps=maps_steps)
    if comparison.first is None and (comparison.output is None or not comparison.output.is_open):
        return comparison, None
    if comparison.first is not None and (changed := find_code_change(comparison.first, *traces)) is not None:
        return replace(comparison, causes=(changed,)), None
    refuse_missing(command)
    work = Path(tempfile.mkdtemp(prefix="reproof-"))
    try:
        setting = replace(make_setting(*traces, work, max_runs), ignored=ignored)
        setting = replace(setting, request=replace(setting.request, stdin=stdin))
        trace = traces[1].folder.absolute()
        return explain_comparison(setting, comparison, trace, watch, until_identical=until_identical)
    finally:
        remove_work(work)


def make_setting(baseline: Trace, candidate: Trace, work: Path, max_runs: int) -> Setting:
    """Return where the experiments start from: the current folder as it is now.

    Args:
        baseline: The run that experiments are compared with.
        candidate: The other run.
        work: Folder for copies.
        max_runs: Experiments that may be made.

    Effects: copies the current folder, and makes a folder for traces in the user's cache.
    """
    return Setting(
        request=repeat_request(baseline),
        clean=keep_folder(Path.cwd(), work),
        overlay=None,
        candidate_hash_seed=hash_seed_of(candidate),
        variations=(),
        max_runs=max_runs,
        work=work,
        traces=make_traces_folder(),
    )


def repeat_request(trace: Trace) -> RunRequest:
    """Return the request that repeats a recorded run in the current folder."""
    level: Level = next((known for known in LEVELS if known == trace.header.level), "steps")
    return RunRequest(
        command=trace.header.command,
        folder=Path.cwd(),
        trace=trace.folder.absolute(),
        level=level,
        options=("--quiet",),
        hash_seed=hash_seed_of(trace),
    )


def make_traces_folder() -> Path:
    """Create a folder in the user's cache for the traces of the experiments."""
    folder = name_in_cache("explain")
    folder.mkdir(parents=True)
    return folder


def command_of(baseline: Trace, candidate: Trace) -> tuple[str, ...]:
    """Return the command that both traces are of.

    Raises:
        UsageError: If they were not recorded by `reproof run`, or are of different commands.
    """
    commands = [baseline.header.command, candidate.header.command]
    if not commands[0]:
        raise UsageError(f"{baseline.folder} was not recorded by `reproof run`", "record the runs with it")
    if commands[0] != commands[1]:
        told = " and ".join(repr(describe_command(command)) for command in commands if command)
        raise UsageError(f"the runs are of different commands: {told}", "compare two runs of one command")
    if MASK in " ".join(commands[0]):
        told = f"the command of {baseline.folder} had a credential, which is not kept"
        raise UsageError(told, "run `reproof check` with the whole command instead")
    return commands[0]


def find_code_change(first: Difference, baseline: Trace, candidate: Trace) -> Cause | None:
    """Return the change of the script between two runs as the suspected cause; None if it was the same.

    No experiment can be made, as at most one of the two versions is still here.
    """
    codes = [trace.header.environment.get("code") or {} for trace in (baseline, candidate)]
    if codes[0].get("script_sha256") == codes[1].get("script_sha256"):
        return None
    script = str(codes[0].get("script") or "")
    suspect = Suspect(
        key="code", kind="code-change", source="code", file=os.path.relpath(script) if script else None, line=None
    )
    evidence = "the script had other contents in the two runs; no experiment was made"
    return name_cause(suspect, Path.cwd(), first.step, evidence, is_confirmed=False)


def hash_seed_of(trace: Trace) -> int | None:
    """Return PYTHONHASHSEED of a run, if it was a number."""
    seed = trace.header.environment.get("variables", {}).get("PYTHONHASHSEED", "")
    return int(seed) if str(seed).isdecimal() else None
