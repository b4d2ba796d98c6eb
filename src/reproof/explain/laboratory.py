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
from reproof.launch.placing import place_run, remove_work
from reproof.launch.processes import RunRequest, run_all
from reproof.launch.stalls import find_patience
from reproof.launch.variations import surroundings_of, vary
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.entropy.plan import Plan
    from reproof.launch.processes import FinishedRun, RunProcess
    from reproof.launch.variations import Surroundings
    from reproof.schema import Difference, OutputDifference, Probes, RunHeader
    from reproof.trace import Trace


class BudgetSpentError(Exception):
    """No more experiments may be made; what was found until then is the answer. Its text says why."""


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
        ignored: Patterns of names of files that are not compared.
        is_same_program: Whether what only one run does is a divergence; not where one has been edited.
        since: Time at which the baseline began, in seconds, or None if that was not in this check.
        keeps_samples: Whether the samples of the batch in which the runs part are kept.
    """

    request: RunRequest
    clean: Path
    overlay: Path | None
    candidate_hash_seed: int | None
    variations: tuple[str, ...]
    max_runs: int
    work: Path
    traces: Path
    ignored: tuple[str, ...] = ()
    is_same_program: bool = True
    since: float | None = None
    keeps_samples: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One experiment and its result.

    Attributes:
        number: Its number among the experiments, from 1.
        purpose: What was asked, in words.
        run: The run.
        first: The first divergence from what it was compared with, or None.
        reference: Trace that it was compared with; None for that of the baseline.
        problem: Why the run cannot be compared, or None: it then agrees with nothing.
        failure: The error by which it failed where the baseline did not, or None.
    """

    number: int
    purpose: str
    run: FinishedRun
    first: Difference | None
    reference: Path | None = None
    problem: str | None = None
    failure: str | None = None

    @property
    def trace(self) -> Path:
        """Folder of the trace."""
        return self.run.trace

    @property
    def has_begun(self) -> bool:
        """Whether the run came as far as to record something."""
        try:
            return any(rank.num_events for rank in open_trace(self.trace).ranks.values())
        except TraceError:
            return False

    def agrees_through(self, step: int) -> bool:
        """Whether the run is identical to the baseline up to the end of a step."""
        return self.problem is None and (self.first is None or self.first.step > step)

    def num_events_after(self, first: Difference) -> int:
        """Return how many events later than a divergence this run diverges; 0 for not later, or if that is unknown.

        Initial states come before all else of their step, and are counted by their place among each other.
        """
        own = self.first
        if (
            own is None
            or (own.rank, own.process) != (first.rank, first.process)
            or own.num_events is None
            or first.num_events is None
        ):
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
            "first_divergence": None if first is None else tell_place(first),
            "problem": self.problem,
        }


def tell_place(first: Difference) -> dict[str, Any]:
    """Return where a run diverges as an entry of ``experiments`` has it."""
    process = {} if first.process is None else {"process": first.process}
    return {**process, "step": first.step, "stage": first.stage}


class Laboratory:
    """Makes the experiments of one search.

    Attributes:
        setting: Where they start from.
        trials: Those made so far.
        wanted: Differences in output that are searched for.
        focus: The divergence whose process alone is compared, because a process knows only its own steps; None for all
            processes.
    """

    def __init__(
        self,
        setting: Setting,
        watch: Callable[[list[RunProcess]], None] = lambda _: None,
        wanted: tuple[OutputDifference, ...] = (),
    ) -> None:
        """Prepare for a search; no experiment is made.

        `watch` is called several times a second with the run under way. `wanted` are differences in output that are
        searched for; none where the events of the runs differ.
        """
        self.setting = setting
        self.wanted = wanted
        self.trials: list[Trial] = []
        self.focus: Difference | None = None
        self._watch = watch
        self._has_hung = False

    def turn_to(self, setting: Setting, wanted: tuple[OutputDifference, ...] = ()) -> None:
        """Go on with another candidate of the same check; the experiments made so far count."""
        self.setting = setting
        self.wanted = wanted
        self.focus = None

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
            BudgetSpentError: If no more experiments may be made, or one of them hung.
        """
        self._refuse_more()
        number = len(self.trials) + 1
        surroundings = surroundings_of(variations)
        request = self._request_of(number, plan, num_steps, probes)
        if surroundings.moves_folder:
            request = replace(request, environment={**request.environment, "TMPDIR": str(self._make_temporary())})
        if not is_hash_seed_of_baseline and self.setting.candidate_hash_seed is not None:
            request = replace(request, hash_seed=self.setting.candidate_hash_seed)
        run = self._carry_out(number, request, surroundings, clean_files)
        first, problem, failure = self._judge(run, compare_with or self.setting.request.trace)
        trial = Trial(
            number=number,
            purpose=purpose,
            run=run,
            first=first,
            reference=compare_with,
            problem=problem,
            failure=failure,
        )
        self.trials.append(trial)
        return trial

    def _refuse_more(self) -> None:
        if self._has_hung:  # each further one may take as long until it is ended
            raise BudgetSpentError(f"the search ended with experiment {len(self.trials)}, which hung")
        if len(self.trials) >= self.setting.max_runs:
            told = f"the search ended after {self.setting.max_runs} experiments; more are made with --max-runs"
            raise BudgetSpentError(told)

    def _request_of(self, number: int, plan: Plan, num_steps: int | None, probes: Probes | None) -> RunRequest:
        if self.focus is not None and self.focus.process is not None:
            num_steps = None  # the steps of the first process are counted, and the divergence is in another one
        return replace(
            self.setting.request,
            trace=self.setting.traces / f"experiment{number}",
            num_steps=num_steps,
            plan=replace(plan, keeps_printed=True),
            probes=probes,
            shows_output=False,
            patience_seconds=find_patience(self.setting.request.trace),
        )

    def _carry_out(
        self, number: int, request: RunRequest, surroundings: Surroundings, clean_files: frozenset[str] | None
    ) -> FinishedRun:
        """Run it in a folder of its own, which is removed."""
        setting = self.setting
        place = f"moved-{number}" if surroundings.moves_folder else str(number)
        work = setting.work / "experiments" / place
        try:
            request = place_run(request, setting.clean, work, is_moved=surroundings.moves_folder)
            if clean_files is not None and setting.overlay is not None:
                lay_over(setting.overlay, request.folder, clean_files)
            return run_all([vary(request, surroundings)], watch=self._watch)[0]
        finally:
            remove_work(work)

    def _judge(self, run: FinishedRun, other: Path) -> tuple[Difference | None, str | None, str | None]:
        """Return the first divergence from another trace, why they cannot be compared, and by what error it failed."""
        try:
            first, problem, failure = self.compare(other, run.trace), None, None
            if first is None and (failure := self._find_failure(run.trace, other)) is not None:
                problem = f"it failed: {failure}"
        except TraceError as error:  # the run, or the process that diverged, has left nothing or was killed
            first, failure = None, "; ".join(run.last_lines(1)) or f"exit code {run.exit_code}"
            problem = f"{error.problem}; {failure}"
        if run.stall is not None:
            self._has_hung = run.seconds >= find_patience(self.setting.request.trace)
            failure = f"it was ended since {run.stall}"
            problem = f"{problem}; {failure}" if problem else failure
        return first, problem, failure

    def compare(self, baseline: Path, trace: Path) -> Difference | None:
        """Return the first divergence of an experiment; None if it agrees with the baseline as far as it goes.

        Of its output only what is searched for counts: an experiment has clocks and process numbers of its own. Raises
        TraceError if one of them cannot be read.
        """
        traces = self._open(baseline), self._open(trace)
        setting = self.setting
        comparison = compare_traces(
            *traces, max_differences=1, is_same_program=setting.is_same_program, ignored=setting.ignored
        )
        first = comparison.first
        if first is not None and is_beyond(first, traces[1]):
            first = None
        if first is not None or not self.wanted or comparison.output is None:
            return first
        found = find_again(self.wanted, comparison.output.differences)
        return None if found is None else describe_output(found, traces[0].num_steps)

    def _open(self, folder: Path) -> Trace:
        """Open a trace, or what it holds of the process in which the divergence is.

        Raises TraceError if it cannot be read, or that process has left nothing.
        """
        trace = open_trace(folder)
        if self.focus is None:
            return trace
        process = trace.of_process(self.focus.process)
        if process is None:
            msg = f"{folder} holds nothing of process {self.focus.process}"
            raise TraceError(msg, "record the run again", slug="trace-missing")
        return process

    def _find_failure(self, trace: Path, baseline: Path) -> str | None:
        """Return how a run ended by an error where the baseline did not; None if it did not.

        What such a run has recorded until then may agree, and says nothing of the rest.
        """
        header = self._open(trace).header
        return (
            (header.ended or "it failed")
            if has_failed(header) and not has_failed(self._open(baseline).header)
            else None
        )

    def _make_temporary(self) -> Path:
        """Return the folder for temporary files that the candidate had, as empty as it was."""
        folder = self.setting.work / "tmp"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder


def is_beyond(first: Difference, trace: Trace) -> bool:
    """Whether a difference is that a run was stopped: all of its steps agree, and the other one goes on."""
    stop = trace.header.num_steps
    return stop is not None and first.step >= stop


def lay_over(overlay: Path, folder: Path, without: frozenset[str]) -> None:
    """Copy the files of an overlay over those of a folder, but for some, relative to it.

    A link in the folder, or what is of another kind than the file that comes, makes room: it is never written through.
    """

    def leave_out(source: str, names: list[str]) -> set[str]:
        here = Path(os.path.relpath(source, overlay))
        left = {name for name in names if str(here / name) in without}
        for name in set(names) - left:
            new, old = Path(source, name), folder / here / name
            if old.is_symlink() or (old.exists() and (new.is_symlink() or new.is_dir() != old.is_dir())):
                shutil.rmtree(old) if old.is_dir() and not old.is_symlink() else old.unlink()
        return left

    shutil.copytree(overlay, folder, symlinks=True, dirs_exist_ok=True, ignore=leave_out)


def has_failed(header: RunHeader) -> bool:
    """Whether a process ended by an error, or one that another has started did not end well."""
    return header.status == "failed" or (header.origin is not None and header.status != "complete")
