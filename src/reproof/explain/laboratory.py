"""Make experiments: runs in fresh processes, in copies of the folder as it was when the check began."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reproof.comparison import compare_traces
from reproof.comparison.outputs import describe_output, find_again
from reproof.errors import TraceError
from reproof.launch.folders import copy_folder
from reproof.launch.processes import RunRequest, run_all
from reproof.launch.variations import surroundings_of, vary
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.entropy.plan import Plan
    from reproof.launch.processes import FinishedRun, RunProcess
    from reproof.schema import Difference, OutputDifference, Probes
    from reproof.trace import Trace


class BudgetSpentError(Exception):
    """No more experiments may be made; what was found until then is the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where experiments start from.

    Attributes:
        request: The run of the baseline; its trace tells where the experiments go.
        clean: The folder as it was before the baseline, or None if that is not known.
        overlay: Files that the baseline wrote, as they were before the candidate, or None if it saw none of them.
        candidate_hash_seed: PYTHONHASHSEED of the candidate, or None if it has the user's.
        variations: Names of the variations under which the candidate ran.
        max_runs: Experiments that may be made.
        work: Folder for copies.
        traces: Folder for the traces of the experiments.
        since: Time at which the baseline began, in seconds, or None if that was not in this check.
    """

    request: RunRequest
    clean: Path
    overlay: Path | None
    candidate_hash_seed: int | None
    variations: tuple[str, ...]
    max_runs: int
    work: Path
    traces: Path
    since: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One experiment and its result.

    Attributes:
        number: Its number among the experiments, from 1.
        purpose: What was asked, in words.
        run: The run.
        first: The first divergence from the baseline, or None.
        problem: Why the run cannot be compared, or None: it then agrees with nothing.
    """

    number: int
    purpose: str
    run: FinishedRun
    first: Difference | None
    problem: str | None = None

    @property
    def trace(self) -> Path:
        """Folder of the trace."""
        return self.run.trace

    def agrees_through(self, step: int) -> bool:
        """Whether the run is identical to the baseline up to the end of a step."""
        return self.problem is None and (self.first is None or self.first.step > step)

    def num_events_after(self, first: Difference) -> int:
        """Return how many events later than a divergence this run diverges; 0 for not later, or if that is unknown.

        Initial states come before all else of their step, and are counted by their place among each other.
        """
        own = self.first
        if own is None or own.rank != first.rank or own.num_events is None or first.num_events is None:
            return 0
        if first.stage == "init" != own.stage and own.step == first.step:
            return 1 + own.num_events
        return max(0, own.num_events - first.num_events)

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ``experiments``."""
        first = self.first
        return {
            "number": self.number,
            "purpose": self.purpose,
            "seconds": round(self.run.seconds, 3),
            "first_divergence": None if first is None else {"step": first.step, "stage": first.stage},
            "problem": self.problem,
        }


class Laboratory:
    """Makes the experiments of one search.

    Attributes:
        setting: Where they start from.
        trials: Those made so far.
        wanted: Differences in output that are searched for.
    """

    def __init__(
        self,
        setting: Setting,
        watch: Callable[[list[RunProcess]], None] = lambda _: None,
        wanted: tuple[OutputDifference, ...] = (),
    ) -> None:
        """Prepare for a search; no experiment is made.

        Args:
            setting: Where the experiments start from.
            watch: Called several times a second with the run under way.
            wanted: Differences in output that are searched for; none where the events of the runs differ.
        """
        self.setting = setting
        self.wanted = wanted
        self.trials: list[Trial] = []
        self._watch = watch

    def run(
        self,
        purpose: str,
        plan: Plan,
        *,
        num_steps: int | None,
        is_hash_seed_of_baseline: bool = True,
        clean_files: frozenset[str] | None = None,
        variations: tuple[str, ...] = (),
        probes: Probes | None = None,
        compare_with: Path | None = None,
    ) -> Trial:
        """Make one experiment and compare it with the baseline.

        Args:
            purpose: What is asked, in words.
            plan: What is replayed, pinned and watched.
            num_steps: Stop after so many optimizer steps; None for the whole run.
            is_hash_seed_of_baseline: Whether the hash seed is the baseline's, not the candidate's.
            clean_files: Files that are as the baseline found them, all others as the candidate did; None for all.
            variations: Variations under which it runs.
            probes: What is looked into besides.
            compare_with: Trace to compare with instead of the baseline's.

        Raises:
            BudgetSpentError: If no more experiments may be made.
        """
        setting = self.setting
        if len(self.trials) >= setting.max_runs:
            raise BudgetSpentError
        number = len(self.trials) + 1
        surroundings = surroundings_of(variations)
        folder = self._make_folder(number, clean_files, is_moved=surroundings.moves_folder)
        request = replace(
            setting.request,
            command=relative_command(setting.request.command, setting.request.folder),
            folder=folder,
            trace=setting.traces / f"experiment{number}",
            num_steps=num_steps,
            plan=plan,
            probes=probes,
            shows_output=False,
        )
        if surroundings.moves_folder:
            request = replace(request, environment={**request.environment, "TMPDIR": str(self._make_temporary())})
        if not is_hash_seed_of_baseline and setting.candidate_hash_seed is not None:
            request = replace(request, hash_seed=setting.candidate_hash_seed)
        try:
            run = run_all([vary(request, surroundings)], watch=self._watch)[0]
        finally:
            shutil.rmtree(folder.parent, ignore_errors=True)
        other = compare_with or setting.request.trace
        try:
            first, problem = self.compare(other, run.trace), None
            if first is None and has_failed(run.trace) and not has_failed(other):
                problem = f"it failed: {'; '.join(run.last_lines(1))}"
        except TraceError as error:
            first, problem = None, f"{error.problem}; {'; '.join(run.last_lines(1))}"
        trial = Trial(number=number, purpose=purpose, run=run, first=first, problem=problem)
        self.trials.append(trial)
        return trial

    def compare(self, baseline: Path, trace: Path) -> Difference | None:
        """Return the first divergence of an experiment; None if it agrees with the baseline as far as it goes.

        Of its output only what is searched for counts: an experiment has clocks and process numbers of its own.

        Raises:
            TraceError: If one of them cannot be read.
        """
        traces = open_trace(baseline), open_trace(trace)
        comparison = compare_traces(*traces, max_differences=1, is_same_program=True)
        first = comparison.first
        if first is not None and is_beyond(first, traces[1]):
            first = None
        if first is not None or not self.wanted or comparison.output is None:
            return first
        found = find_again(self.wanted, comparison.output.differences)
        return None if found is None else describe_output(found, traces[0].num_steps)

    def _make_temporary(self) -> Path:
        """Return the folder for temporary files that the candidate had, as empty as it was."""
        folder = self.setting.work / "tmp"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder

    def _make_folder(self, number: int, clean_files: frozenset[str] | None, *, is_moved: bool) -> Path:
        """Return a copy of the folder for one experiment, under the name that it has."""
        setting = self.setting
        place = f"moved-{number}" if is_moved else str(number)
        folder = setting.work / "experiments" / place / setting.request.folder.name
        folder.parent.mkdir(parents=True)
        copy_folder(setting.clean, folder)
        if clean_files is not None and setting.overlay is not None:
            lay_over(setting.overlay, folder, clean_files)
        return folder


def is_beyond(first: Difference, trace: Trace) -> bool:
    """Whether a difference is that a run was stopped: all of its steps agree, and the other one goes on."""
    stop = trace.header.num_steps
    return stop is not None and first.step >= stop


def lay_over(overlay: Path, folder: Path, without: frozenset[str]) -> None:
    """Copy the files of an overlay over those of a folder, but for some, relative to it."""

    def leave_out(source: str, names: list[str]) -> set[str]:
        return {name for name in names if os.path.relpath(Path(source, name), overlay) in without}

    shutil.copytree(overlay, folder, symlinks=True, dirs_exist_ok=True, ignore=leave_out)


def relative_command(command: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    """Return a command that finds its script in a copy of the folder; a script outside stays where it is."""
    if command[0] == "-m":
        return command
    script = Path(os.path.abspath(folder / command[0]))  # noqa: PTH100  # Path has nothing that keeps links
    inside = script.is_relative_to(folder)
    return (str(script.relative_to(folder)) if inside else str(script), *command[1:])


def has_failed(trace: Path) -> bool:
    """Whether a run ended by an error: what it has recorded until then may agree and says nothing of the rest."""
    return open_trace(trace).header.status == "failed"
