"""Search for the causes of a divergence between two runs that were recorded before."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reproof.checking.workflow import DEFAULT_MAX_RUNS, name_in_cache
from reproof.checking.workplace import keep_folder
from reproof.comparison import compare_traces
from reproof.credentials import MASK
from reproof.entropy.printed import forget_printed
from reproof.errors import UsageError
from reproof.explain.edits import find_added_draw
from reproof.explain.laboratory import BudgetSpentError, Laboratory, Setting
from reproof.explain.naming import name_cause
from reproof.explain.search import Explanation, explain_comparison
from reproof.explain.suspects import Suspect
from reproof.launch.command import describe_command, refuse_missing
from reproof.launch.placing import make_work, remove_work
from reproof.launch.processes import RunProcess, RunRequest
from reproof.schema import LEVELS, relative_to_here
from reproof.trace import Trace, open_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.explain.laboratory import Trial
    from reproof.launch.stdin import StandardInput
    from reproof.schema import Cause, Comparison, Difference, Level

SHORT: Final = 10
"""Digits of a commit that are shown."""


def explain_runs(  # noqa: PLR0913  # what the options of the command ask for
    baseline: str | os.PathLike[str],
    candidate: str | os.PathLike[str],
    *,
    max_runs: int = DEFAULT_MAX_RUNS,
    until_identical: bool = False,
    ignored: tuple[str, ...] = (),
    maps_steps: bool = False,
    keeps_samples: bool = False,
    stdin: StandardInput | None = None,
    watch: Callable[[list[RunProcess]], None] = lambda _: None,
) -> tuple[Comparison, Explanation | None]:
    """Compare two runs and, if they differ, find out why by running the script again.

    If the command or the script was edited between them, only a draw is searched for that one of them alone makes.

    The experiments take place in copies of the current folder as it is now: it must be the one in which the runs took
    place, and files that the runs have left are not removed.

    Args:
        baseline: Folder of a trace.
        candidate: Folder of another trace.
        max_runs: Experiments that may be made.
        until_identical: Go on until the run is identical to its end.
        ignored: Patterns of names of files that are left out.
        maps_steps: Whether the comparison tells what became of each step and stage.
        keeps_samples: Whether the samples of the batch in which the runs part are kept, as small pictures.
        stdin: What the runs have read from standard input, if anything: it is no part of a trace.
        watch: Called several times a second with the experiment under way.

    Returns:
        The comparison with the causes in it, and the experiments; None for them if the runs do not differ.

    Raises:
        TraceError: If one of them cannot be read.
        UsageError: If they were not recorded by `reproof run`, or cannot be run here.
    """
    traces = (open_trace(Path(baseline)), open_trace(Path(candidate)))
    commands = [command_of(trace) for trace in traces]
    comparison = compare_traces(*traces, is_same_program=True, verify=True, ignored=ignored, maps_steps=maps_steps)
    if comparison.first is None and (comparison.output is None or not comparison.output.is_open):
        return comparison, None
    is_edited = commands[0] != commands[1] or digest_of_script(traces[0]) != digest_of_script(traces[1])
    if comparison.first is not None and is_edited:
        return explain_edit(*traces, comparison, max_runs, watch)
    refuse_missing(commands[0])
    work = make_work()
    try:
        setting = replace(make_setting(*traces, work, max_runs), ignored=ignored, keeps_samples=keeps_samples)
        setting = replace(setting, request=replace(setting.request, stdin=stdin))
        trace = traces[1].folder.absolute()
        try:
            return explain_comparison(setting, comparison, trace, watch, until_identical=until_identical)
        finally:
            forget_printed(setting.traces)
    finally:
        remove_work(work)


def make_setting(baseline: Trace, candidate: Trace, work: Path, max_runs: int) -> Setting:
    """Return where the experiments start from: the current folder as it is now.

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


def command_of(trace: Trace) -> tuple[str, ...]:
    """Return the command that a trace is of.

    Raises UsageError if it was not recorded by `reproof run`, or cannot be run again.
    """
    command = trace.header.command
    if not command:
        raise UsageError(f"{trace.folder} was not recorded by `reproof run`", "record the runs with it")
    if MASK in " ".join(command):
        told = f"the command of {trace.folder} had a credential, which is not kept"
        raise UsageError(told, "run `reproof check` with the whole command instead")
    return command


def explain_edit(
    baseline: Trace,
    candidate: Trace,
    comparison: Comparison,
    max_runs: int,
    watch: Callable[[list[RunProcess]], None],
) -> tuple[Comparison, Explanation]:
    """Find out by which draw an edit of the command or the script has changed the training.

    Either run is repeated if its script is here as it was.
    """
    notes: list[str] = [describe_edit(baseline, candidate)]
    trials: list[Trial] = []
    for run, other, owner in ((candidate, baseline, "candidate"), (baseline, candidate, "baseline")):
        if comparison.first is None or not is_here(run):
            continue
        work = make_work()
        setting = make_setting(run, other, work, max_runs)
        request = replace(setting.request, trace=other.folder.absolute())
        laboratory = Laboratory(replace(setting, request=request, is_same_program=False), watch)
        try:
            causes = find_added_draw(laboratory, comparison, owner)
        except BudgetSpentError as spent:
            causes = []
            notes.append(str(spent))
        finally:
            forget_printed(setting.traces)
            remove_work(work)
        trials += laboratory.trials
        if causes:
            found = Explanation(causes=tuple(causes), trials=tuple(laboratory.trials), notes=tuple(notes))
            return replace(comparison, causes=found.causes), found
    causes = [changed] if (changed := find_code_change(comparison.first, baseline, candidate)) is not None else []
    found = Explanation(causes=tuple(causes), trials=tuple(trials), notes=tuple(notes))
    return replace(comparison, causes=found.causes), found


def describe_edit(baseline: Trace, candidate: Trace) -> str:
    """Return how the second run was another one than the first: its command, or where to see the edit."""
    commands = [describe_command(trace.header.command) for trace in (baseline, candidate)]
    if commands[0] != commands[1]:
        return f"the baseline ran `{commands[0]}`, the candidate `{commands[1]}`"
    codes = [trace.header.environment.get("code") or {} for trace in (baseline, candidate)]
    commits = [str(code.get("commit") or "")[:SHORT] for code in codes]
    script = str(codes[1].get("script") or commands[1])
    told = f"{relative_to_here(script)} has other contents in the two runs"
    if not all(commits):
        return told
    if commits[0] != commits[1]:
        return f"{told}: `git diff {commits[0]} {commits[1]}` shows what was committed between them"
    return f"{told}: `git diff {commits[0]}` shows what is not committed"


def digest_of_script(trace: Trace) -> str | None:
    """Return the SHA-256 of the script that a run was of, or None if it is not known."""
    code = trace.header.environment.get("code") or {}
    digest = code.get("script_sha256")
    return digest if isinstance(digest, str) else None


def is_here(trace: Trace) -> bool:
    """Whether the script of a run is here as it was."""
    code = trace.header.environment.get("code") or {}
    try:
        contents = Path(str(code.get("script"))).read_bytes()
    except OSError:
        return False
    return hashlib.sha256(contents).hexdigest() == digest_of_script(trace)


def find_code_change(first: Difference | None, baseline: Trace, candidate: Trace) -> Cause | None:
    """Return the change of the script between two runs as the suspected cause; None if it was the same."""
    if first is None or digest_of_script(baseline) == digest_of_script(candidate):
        return None
    code = candidate.header.environment.get("code") or {}
    script = str(code.get("script") or "")
    suspect = Suspect(
        key="code", kind="code-change", source="code", file=os.path.relpath(script) if script else None, line=None
    )
    evidence = "the script had other contents in the two runs; no draw that one of them alone makes explains it"
    return name_cause(suspect, Path.cwd(), first.step, evidence, is_confirmed=False)


def hash_seed_of(trace: Trace) -> int | None:
    """Return PYTHONHASHSEED of a run, if it was a number."""
    seed = trace.header.environment.get("variables", {}).get("PYTHONHASHSEED", "")
    return int(seed) if str(seed).isdecimal() else None
