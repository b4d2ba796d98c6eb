"""Interrupt a training, resume it from its checkpoint, and compare it with the training that was not interrupted.

Three runs in fresh processes: the whole training in a copy of the folder as it was; its first part in another copy; and
the resumed rest in that same copy. All have one hash seed, so that only the resuming is judged. The first part must
agree with the beginning of the whole: a training that does not reproduce without interruption cannot be resumed either.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.checking.resuming.comparison import ResumeFinding, compare_resumed, explain_first_part, inconclusive
from reproof.checking.workflow import CheckRequest, CheckResult, make_folder, shorten
from reproof.checking.workplace import isolate
from reproof.errors import TraceError, UsageError
from reproof.launch.command import refuse_missing
from reproof.launch.placing import make_work, remove_work
from reproof.launch.processes import FinishedRun, RunProcess, RunRequest, draw_hash_seed, run_all
from reproof.outputs.sidecar import read_output
from reproof.recorder.restorations import read_restorations
from reproof.schema.telling import plural
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.launch.stdin import StandardInput
    from reproof.schema import Comparison, Level
    from reproof.trace import Trace

WHOLE: Final = "uninterrupted"
FIRST: Final = "interrupted"
RESUMED: Final = "resumed"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeRequest:
    """What to interrupt and resume; what it has in common with `CheckRequest` is as there.

    Attributes:
        command: The uninterrupted training: a script or ``-m`` and a module, and its arguments.
        interrupt_at: Stop the first part right after so many optimizer steps. None: it ends by itself if it has a
            command of its own, else it is stopped after half of the steps, or later: after the first checkpoint.
        first_command: The first part, if that is another command.
        resume_command: The resumed rest, if that is another command; a script may resume by itself.
        num_steps: Stop the uninterrupted and the resumed run after so many optimizer steps of their own.
    """

    command: tuple[str, ...]
    interrupt_at: int | None = None
    first_command: tuple[str, ...] | None = None
    resume_command: tuple[str, ...] | None = None
    num_steps: int | None = None
    level: Level = "steps"
    keep: Path | None = None
    max_differences: int = 5
    shows_output: bool = False
    stdin: StandardInput | None = None

    def __post_init__(self) -> None:
        """Check what can be checked before anything runs."""
        for name, value in (("interrupt-at", self.interrupt_at), ("steps", self.num_steps)):
            if value is not None and value < 1:
                raise UsageError(f"{name} is {value}", "give 1 or more")
        if self.interrupt_at is not None and self.num_steps is not None and self.interrupt_at >= self.num_steps:
            told = f"the runs end after {self.num_steps} steps, the interruption comes after {self.interrupt_at}"
            raise UsageError(told, "interrupt earlier, or give more --steps")
        if self.level == "batches":
            raise UsageError("level batches has no state to compare", "leave --level out")

    @property
    def commands(self) -> tuple[tuple[str, ...], ...]:
        """The commands of the uninterrupted run, the first part and the resumed rest."""
        return self.command, self.first_command or self.command, self.resume_command or self.command


@dataclass(frozen=True, slots=True, kw_only=True)
class ResumeResult(CheckResult):
    """What was found: the uninterrupted run against the resumed one, in the steps of the former.

    Attributes:
        resume: Where the training was interrupted, where it goes on, and what it lacks.
    """

    resume: ResumeFinding

    def to_json(self) -> dict[str, Any]:
        """Return the JSON contract of `check`, with what was found about resuming."""
        return {**CheckResult.to_json(self), "resume": self.resume.to_json()}


def run_resume_check(
    request: ResumeRequest, watch: Callable[[list[RunProcess]], None] = lambda _: None
) -> ResumeResult:
    """Run a training, its first part and the resumed rest, and compare.

    That the resumed training diverges is an answer, not an error. `watch` is called several times a second with the run
    under way. Raises UsageError if an option cannot be carried out, LaunchError if a script cannot be started, and
    TraceError if a trace cannot be read.
    """
    for command in request.commands:
        refuse_missing(command)
    folder = make_folder(CheckRequest(command=request.command, keep=request.keep))
    copies = make_work()
    try:
        return ResumeRuns(request, folder, copies, watch).judge()
    finally:
        remove_work(copies)


class ResumeRuns:
    """The three runs, each started only if those before it can be compared."""

    def __init__(
        self, request: ResumeRequest, folder: Path, copies: Path, watch: Callable[[list[RunProcess]], None]
    ) -> None:
        """Copy the folder twice, before anything runs."""
        self._request = request
        self._watch = watch
        seed = draw_hash_seed()
        whole, first, resumed = (
            RunRequest(
                command=command,
                folder=Path.cwd(),
                trace=folder / name,
                level=request.level,
                options=("--quiet", "--restorations", str(folder / f"{name}.restorations.json")),
                hash_seed=seed,
                shows_output=request.shows_output,
                stdin=request.stdin,
            )
            for command, name in zip(request.commands, (WHOLE, FIRST, RESUMED), strict=True)
        )
        self._whole = replace(isolate(whole, copies), num_steps=request.num_steps)
        self._first = isolate(first, copies)
        self._resumed = replace(
            self._first,
            command=resumed.command,
            trace=resumed.trace,
            options=resumed.options,
            num_steps=request.num_steps,
        )
        self._runs: list[FinishedRun] = []
        self._interrupted_at: int | None = None

    def judge(self) -> ResumeResult:
        """Make the runs one after the other, as long as there is something to compare."""
        whole, problem = self._run(self._whole, "the uninterrupted run")
        if whole is None:
            return self._give_up(problem)
        first, problem = self._run_first(whole)
        if first is None or problem:
            return self._give_up(problem)
        resumed, problem = self._run(self._resumed, "the resumed run")
        if resumed is None:
            wrote = self._runs[1].changes
            told = f"; the first part wrote no checkpoint in its {self._interrupted_at} of {whole.num_steps} steps"
            remedy = ": name a later one with --interrupt-at"
            return self._give_up(problem if wrote.created or wrote.modified else f"{problem}{told}{remedy}")
        notes = [read_restorations(Path(run.options[-1])) for run in (self._first, self._resumed)]
        comparison, finding = compare_resumed(
            whole, resumed, self._interrupted_at or 0, max(1, self._request.max_differences), (notes[0], notes[1])
        )
        if finding.continues_at is None and not self._runs[1].changes:
            told = f"{comparison.structure[0]}; the first part wrote no file: interrupt after its first checkpoint"
            comparison = replace(comparison, structure=(told,))
        return self._result(comparison, finding)

    def _run(self, request: RunRequest, what: str) -> tuple[Trace | None, str]:
        """Run, and return the trace, or None and why there is none to compare."""
        run = run_all([request], watch=self._watch)[0]
        self._runs.append(run)
        told = "; ".join(run.last_lines(1))
        if run.exit_code:
            return None, f"{what} ended with exit code {run.exit_code}{f': {told}' if told else ''}"
        try:
            trace = open_trace(shorten(run.trace))
        except TraceError as error:
            return None, f"{what} left no trace: {error.problem}"
        if (why := trace.explain_incomplete()) is not None:
            return None, f"{what} cannot be compared: {why}"
        return (trace, "") if trace.ranks[0].num_steps else (None, f"{what} took no step")

    def _run_first(self, whole: Trace) -> tuple[Trace | None, str]:
        """Run the first part, and compare it with the beginning of the whole."""
        request, num_steps = self._request, whole.ranks[0].num_steps
        ends_itself = request.first_command is not None and request.interrupt_at is None
        stop = None if ends_itself else request.interrupt_at or choose_interruption(whole)
        self._interrupted_at = stop
        if stop is not None and stop >= num_steps:
            return (
                None,
                f"the uninterrupted run takes {plural(num_steps, 'step')}: an interruption must come before its last",
            )
        first, problem = self._run(replace(self._first, num_steps=stop), "the first part")
        if first is None:
            return None, problem
        self._interrupted_at = first.ranks[0].num_steps
        if self._interrupted_at >= num_steps:
            return (
                None,
                f"the first part takes {plural(self._interrupted_at, 'step')}, the uninterrupted run {num_steps}",
            )
        return first, explain_first_part(whole, first, has_own_command=request.first_command is not None)

    def _give_up(self, why: str) -> ResumeResult:
        names = (str(shorten(self._whole.trace)), str(shorten(self._resumed.trace)))
        return self._result(inconclusive(names, why), ResumeFinding(interrupted_at=self._interrupted_at))

    def _result(self, comparison: Comparison, finding: ResumeFinding) -> ResumeResult:
        return ResumeResult(comparison=comparison, runs=tuple(self._runs), comparisons=(comparison,), resume=finding)


def choose_interruption(whole: Trace) -> int:
    """Return after how many steps the first part of a training is stopped: half of them.

    If it saves nothing until then, it is stopped in the step after its first checkpoint, which is written when a step
    has ended: right after it nothing is saved yet.
    """
    num_steps = whole.ranks[0].num_steps
    half = max(1, num_steps // 2)
    output = read_output(whole.folder, 0)
    saved = sorted({tensor.step for tensor in output.saved if tensor.step} if output is not None else ())
    return saved[0] + 1 if saved and half <= saved[0] < num_steps - 1 else half
