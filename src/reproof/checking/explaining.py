"""Search for the causes of a divergence between two runs that were recorded before."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from reproof.checking.workflow import DEFAULT_MAX_RUNS, cache_folder, find_free_name, refuse_missing_script, remove_old
from reproof.comparison import compare_traces
from reproof.errors import UsageError
from reproof.explain.laboratory import Setting
from reproof.explain.remedies import remedy_for
from reproof.explain.search import Explanation, explain_divergence
from reproof.launch.folders import copy_folder
from reproof.launch.processes import RunProcess, RunRequest
from reproof.schema import LEVELS, Cause
from reproof.trace import Trace, open_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.schema import Comparison, Difference, Level


def explain_runs(
    baseline: str | os.PathLike[str],
    candidate: str | os.PathLike[str],
    *,
    max_runs: int = DEFAULT_MAX_RUNS,
    until_identical: bool = False,
    watch: Callable[[list[RunProcess]], None] = lambda _: None,
) -> tuple[Comparison, Explanation | None]:
    """Compare two runs of one script and, if they differ, find out why by running it again.

    The experiments take place in copies of the current folder as it is now: it must be the one in which the runs took
    place, and files that the runs have left are not taken away.

    Args:
        baseline: Folder of a trace.
        candidate: Folder of another trace of the same command.
        max_runs: Experiments that may be made.
        until_identical: Go on until the run is identical to its end.
        watch: Called several times a second with the experiment under way.

    Returns:
        The comparison with the causes in it, and the experiments; None for them if the runs do not differ.

    Raises:
        TraceError: If one of them cannot be read.
        UsageError: If they are not runs of one command, or it cannot be run here.
    """
    traces = [open_trace(Path(baseline)), open_trace(Path(candidate))]
    command = command_of(*traces)
    comparison = compare_traces(traces[0], traces[1], is_same_program=True)
    if comparison.first is None:
        return comparison, None
    if (changed := find_code_change(comparison.first, *traces)) is not None:
        return replace(comparison, causes=(changed,)), None
    refuse_missing_script(command)
    level: Level = next((known for known in LEVELS if known == traces[0].header.level), "steps")
    seeds = [hash_seed_of(trace) for trace in traces]
    work = Path(tempfile.mkdtemp(prefix="reproof-"))
    try:
        folder = Path.cwd()
        clean = work / "clean" / folder.name
        clean.parent.mkdir()
        copy_folder(folder, clean)
        remove_old(cache_folder())
        now = datetime.now().astimezone()
        kept = find_free_name(cache_folder() / f"{now:%Y%m%d-%H%M%S}-explain-{os.getpid()}")
        kept.mkdir(parents=True)
        setting = Setting(
            request=RunRequest(
                command=command,
                folder=folder,
                trace=Path(baseline).absolute(),
                level=level,
                options=("--quiet",),
                hash_seed=seeds[0],
            ),
            clean=clean,
            overlay=None,
            candidate_hash_seed=seeds[1],
            variations=(),
            max_runs=max_runs,
            work=work,
            traces=kept,
        )
        found = explain_divergence(
            setting, comparison, Path(candidate).absolute(), watch, until_identical=until_identical
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return replace(comparison, causes=found.causes), found


def command_of(baseline: Trace, candidate: Trace) -> tuple[str, ...]:
    """Return the command that both traces are of.

    Raises:
        UsageError: If they were not recorded by `reproof run`, or are of different commands.
    """
    commands = [baseline.header.command, candidate.header.command]
    if not commands[0]:
        raise UsageError(f"{baseline.folder} was not recorded by `reproof run`", "record the runs with it")
    if commands[0] != commands[1]:
        told = " and ".join(repr(" ".join(command)) for command in commands)
        raise UsageError(f"the runs are of different commands: {told}", "compare two runs of one command")
    return commands[0]


def find_code_change(first: Difference, baseline: Trace, candidate: Trace) -> Cause | None:
    """Return the change of the script between two runs as the suspected cause; None if it was the same.

    No experiment can be made: what is here now is at most one of the two.
    """
    codes = [trace.header.environment.get("code") or {} for trace in (baseline, candidate)]
    if codes[0].get("script_sha256") == codes[1].get("script_sha256"):
        return None
    remedy = remedy_for("code-change", "code", "")
    script = str(codes[0].get("script") or "")
    return Cause(
        kind="code-change",
        source="code",
        file=os.path.relpath(script) if script else None,
        line=None,
        text="",
        confirmed=False,
        step=first.step,
        evidence="the script had other contents in the two runs; no experiment was made",
        fix=remedy.fix,
        reason=remedy.reason,
        link=remedy.link,
    )


def hash_seed_of(trace: Trace) -> int | None:
    """Return PYTHONHASHSEED of a run, if it was a number."""
    seed = trace.header.environment.get("variables", {}).get("PYTHONHASHSEED", "")
    return int(seed) if str(seed).isdecimal() else None
