"""Run a training several times as its user would by hand, and say whether all runs are the same.

Baseline and candidates run natively: what the user does not pin is not pinned. Each process gets a random hash seed of
its own unless the user has set one. By default they run in the user's folder one after the other, so that
whatever the first run leaves there shows in the second.
"""

from __future__ import annotations

import itertools
import math
import os
import shlex
import shutil
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from reproof.checking.workplace import Workplace
from reproof.comparison import compare_traces
from reproof.entropy.ledger import read_ledgers
from reproof.entropy.plan import Plan
from reproof.entropy.printed import forget_printed
from reproof.entropy.races.shared_parameters import SOURCE as SHARED_PARAMETERS
from reproof.errors import LaunchError, TraceError, UsageError
from reproof.explain.search import Explanation, explain_candidates
from reproof.launch.command import name_command, refuse_missing, settle_command
from reproof.launch.processes import FinishedRun, RunProcess, RunRequest, draw_hash_seed
from reproof.schema.telling import draw_html
from reproof.trace import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reproof.launch.stdin import StandardInput
    from reproof.schema import Comparison, Level

DEFAULT_MAX_RUNS: Final = 12
"""Experiments that the search for causes may make unless the user says otherwise."""

NUM_KEPT: Final = 20
"""Checks whose traces are kept in the cache; the oldest are removed."""

REFUSED: Final = "reproof: error: "
"""How the last line of a run begins that `reproof run` has refused."""

ORDER: Final = ("diverged", "inconclusive", "equivalent", "identical")
"""Verdicts from worst to best: that of a check is the worst of its candidates."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """What to check.

    Attributes:
        command: A script, ``-m`` and a module, or ``--`` and a program, and its arguments.
        num_runs: Baseline and candidates together, 2 or more.
        num_jobs: How many run at the same time; more than one have a copy of the folder each.
        num_steps: Stop each run after so many optimizer steps, or None.
        is_isolated: Whether each run gets its own copy of the folder as it was when the check began.
        keep: Folder for the traces, or None for the cache of the user.
        tolerance: Accept recorded numbers within this tolerance; None compares bits.
        artifacts: Globs of files that the training writes and that are compared as well.
        ignored: Globs of files that the training writes and that are left out.
        max_differences: How many differing events to describe.
        shows_output: Whether the script writes to this terminal.
        variations: Surroundings that the candidates have changed; see `reproof.launch.variations`.
        explains: Whether the causes of a divergence are searched for by experiment.
        until_identical: Continue the search until the run is identical to its end.
        keeps_samples: Keep the samples of the batch in which the runs part, as small pictures.
        max_runs: Experiments that the search may make.
        maps_steps: Whether the result tells what became of each step and stage.
        stdin: What each run reads from standard input; None for nothing.
    """

    command: tuple[str, ...]
    num_runs: int = 2
    num_jobs: int = 1
    num_steps: int | None = None
    level: Level = "steps"
    is_isolated: bool = False
    keep: Path | None = None
    tolerance: float | None = None
    artifacts: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    max_differences: int = 5
    shows_output: bool = False
    variations: tuple[str, ...] = ()
    explains: bool = True
    until_identical: bool = False
    keeps_samples: bool = False
    max_runs: int = DEFAULT_MAX_RUNS
    maps_steps: bool = False
    stdin: StandardInput | None = None

    def __post_init__(self) -> None:
        """Check what can be checked before anything runs."""
        for name, value, least in (
            ("runs", self.num_runs, 2),
            ("jobs", self.num_jobs, 1),
            ("steps", self.num_steps, 1),
            ("max_runs", self.max_runs, 1),
        ):
            if value is not None and value < least:
                raise UsageError(f"{name} is {value}", f"give {least} or more")
        if self.tolerance is not None and not (math.isfinite(self.tolerance) and self.tolerance >= 0):
            raise UsageError(f"tolerance is {self.tolerance}", "give a number of 0 or more, such as 1e-6")
        if not self.command:
            raise UsageError("no script to check", "name a script, or -m and a module")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a check has found.

    Attributes:
        comparison: Baseline against the candidate with the worst verdict.
        runs: All runs, the baseline first.
        comparisons: Baseline against each candidate.
        explanation: What the search for causes found, if there was one.
    """

    comparison: Comparison
    runs: tuple[FinishedRun, ...]
    comparisons: tuple[Comparison, ...] = field(default=())
    explanation: Explanation | None = None

    @property
    def exit_code(self) -> int:
        """0 identical or equivalent, 1 diverged, 2 could not tell."""
        return self.comparison.exit_code

    def __str__(self) -> str:
        """Return the worst comparison for people, and what the experiments could not show."""
        notes = () if self.explanation is None else self.explanation.notes
        return "\n".join((str(self.comparison), *(f"  {note}" for note in notes)))

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return draw_html(self.comparison.verdict, str(self))

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: FBT001  # as IPython calls it
        """Print what a terminal of IPython shows."""
        printer.text("..." if cycle else str(self))

    def to_json(self) -> dict[str, Any]:
        """Return the JSON contract of `check`, schema 1, with what each run wrote besides."""
        wrote = [
            {"created": list(c.created), "modified": list(c.modified), "deleted": list(c.deleted)}
            for c in (run.changes for run in self.runs)
        ]
        return {
            **self.comparison.to_json(),
            "verdicts": [comparison.verdict for comparison in self.comparisons],
            "exit_codes": [run.exit_code for run in self.runs],
            "wrote": wrote,
            "experiments": [trial.to_json() for trial in self.explanation.trials] if self.explanation else [],
            "notes": list(self.explanation.notes) if self.explanation else [],
            "identical_without_causes": self.explanation.is_whole if self.explanation else None,
        }


def check(command: str | Sequence[str], **options: Any) -> CheckResult:
    """Run a training twice in fresh processes and compare the runs to the bit.

    Args:
        command: A script with its arguments, e.g. ``"train.py --epochs 2"``, ``["-m", "package.train"]`` or
            ``"-- torchrun --nproc-per-node 2 train.py"``.
        **options: Fields of `CheckRequest` other than the command.

    Returns:
        The result. That the runs differ is an answer, not an error.

    Raises:
        UsageError: If an option cannot be carried out.
        LaunchError: If the script cannot be started.
        TraceError: If a run left no trace that can be read.

    Effects:
        Runs the script, in the current folder unless `is_isolated` or `num_jobs` says otherwise.
    """
    parts = shlex.split(command) if isinstance(command, str) else command
    return run_check(CheckRequest(command=tuple(parts), **options))


def run_check(request: CheckRequest, watch: Callable[[list[RunProcess]], None] = lambda _: None) -> CheckResult:
    """Carry out a check; `watch` is called several times a second with the runs under way."""
    request = replace(request, command=settle_command(request.command))
    refuse_missing(request.command)
    folder = make_folder(request)
    requests = [make_run(request, folder, number) for number in range(request.num_runs)]
    try:
        with Workplace(
            is_shared=not request.is_isolated and request.num_jobs == 1, keeps=request.explains
        ) as workplace:
            runs = workplace.run(requests, variations=request.variations, num_jobs=request.num_jobs, watch=watch)
            result = judge(request, runs)
            return explain(request, workplace, result, watch) if request.explains else result
    finally:
        forget_printed(folder)


def explain(
    request: CheckRequest, workplace: Workplace, result: CheckResult, watch: Callable[[list[RunProcess]], None]
) -> CheckResult:
    """Judge each candidate whose output differs by experiment, and search for the causes of the worst that diverged."""
    numbers = [n for n in order_candidates(result.comparisons) if needs_explanation(result.comparisons[n])]
    if not numbers:
        told = tell_chance(result.runs[0].trace)
        return replace(result, explanation=Explanation(causes=(), trials=(), notes=told)) if told else result
    if workplace.problem is not None:
        return replace(result, explanation=Explanation(causes=(), trials=(), notes=(workplace.problem,)))
    candidates = [
        (
            replace(
                workplace.setting(number + 1, request.variations, request.max_runs),
                ignored=request.ignored,
                keeps_samples=request.keeps_samples,
            ),
            result.comparisons[number],
            result.runs[number + 1].trace,
        )
        for number in numbers
    ]
    judged, explanation = explain_candidates(candidates, watch, until_identical=request.until_identical)
    found = dict(zip(numbers, judged, strict=True))
    comparisons = tuple(found.get(number, comparison) for number, comparison in enumerate(result.comparisons))
    return replace(result, comparison=choose_worst(comparisons), comparisons=comparisons, explanation=explanation)


def tell_chance(trace: Path) -> tuple[str, ...]:
    """Return that runs are equal by chance, where several processes train parameters in shared memory (Hogwild)."""
    ledgers = read_ledgers(trace).values()
    sharing = [one for sources in ledgers for one in sources.values() if one.source == SHARED_PARAMETERS]
    if len(sharing) < 2:  # noqa: PLR2004  # one process alone races with nobody
        return ()
    told = f"{sharing[0].file}:{sharing[0].line}: {len(sharing)} processes step parameters in shared memory"
    return (f"{told}: which comes first is left to the system, and another run may differ",)


def needs_explanation(comparison: Comparison) -> bool:
    """Whether two runs diverged, or their outputs differ and it is not known why."""
    return comparison.first is not None or (comparison.output is not None and comparison.output.is_open)


def order_candidates(comparisons: Sequence[Comparison]) -> list[int]:
    """Return the numbers of the candidates: those with the worst verdict first, and of those the first to part."""

    def badness(number: int) -> tuple[int, bool]:
        first = comparisons[number].first
        return ORDER.index(comparisons[number].verdict), first is not None and not first.is_within_steps

    return sorted(range(len(comparisons)), key=badness)


def choose_worst(comparisons: Sequence[Comparison]) -> Comparison:
    """Return the comparison with the worst verdict, which is that of the check."""
    return comparisons[order_candidates(comparisons)[0]]


def make_run(request: CheckRequest, folder: Path, number: int) -> RunRequest:
    """Return the run with this number: the baseline for 0, else a candidate."""
    name = "baseline" if number == 0 else "candidate" if request.num_runs == 2 else f"candidate{number}"  # noqa: PLR2004
    artifacts = [part for glob in request.artifacts for part in ("--artifact", glob)]
    statistics = ["--statistics"] if request.tolerance is not None else []
    return RunRequest(
        command=request.command,
        folder=Path.cwd(),
        trace=folder / name,
        level=request.level,
        num_steps=request.num_steps,
        options=("--quiet", *statistics, *artifacts),
        hash_seed=draw_hash_seed(),
        shows_output=request.shows_output,
        stdin=request.stdin,
        plan=Plan(keeps_printed=True) if request.explains else None,
    )


def judge(request: CheckRequest, runs: list[FinishedRun]) -> CheckResult:
    """Compare every candidate with the baseline; the worst verdict counts.

    Raises LaunchError if a run could not begin and TraceError if a run left no trace.
    """
    comparisons = [compare_runs(request, runs[0], candidate) for candidate in runs[1:]]
    return CheckResult(comparison=choose_worst(comparisons), runs=tuple(runs), comparisons=tuple(comparisons))


def compare_runs(request: CheckRequest, baseline: FinishedRun, candidate: FinishedRun) -> Comparison:
    """Compare two runs of the same program."""
    traces = []
    for run in (baseline, candidate):
        try:
            traces.append(open_trace(shorten(run.trace)))
        except TraceError as error:
            told = "; ".join(run.last_lines(1))
            if told.startswith(REFUSED):  # the run could not begin; its own error says why
                refusal, _, remedy = told.removeprefix(REFUSED).rpartition(": ")
                raise LaunchError(refusal, remedy) from error
            problem = f"the run with exit code {run.exit_code} left no trace ({error.problem})"
            raise TraceError(f"{problem}: {told}" if told else problem, "run the script by itself first") from error
    return compare_traces(
        *traces,
        tolerance=request.tolerance,
        max_differences=request.max_differences,
        is_same_program=True,
        ignored=request.ignored,
        maps_steps=request.maps_steps,
        verify=True,  # some microseconds per step, where a step took milliseconds
    )


def shorten(path: Path) -> Path:
    """Return a path relative to the current folder if it lies in it, for display."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def make_folder(request: CheckRequest) -> Path:
    """Create the folder for the traces of a check.

    Raises UsageError if the folder named by the user exists and is not empty, or cannot be made.
    """
    if request.keep is None:
        folder = name_in_cache(name_command(request.command))
    else:
        folder = Path(os.path.abspath(request.keep))  # noqa: PTH100  # as above
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{request.keep} is not empty", "name a folder that is new or empty for --keep")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {error.strerror}", "name another folder with --keep") from None
    return folder


def name_in_cache(stem: str) -> Path:
    """Return a new name in the user's cache, after removing the oldest checks there."""
    parent = cache_folder()
    remove_old(parent)
    return find_free_name(parent / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{stem}-{os.getpid()}")


def find_free_name(folder: Path) -> Path:
    """Return a path, with a number if there is such a folder: a process may check twice within a second."""
    names = (folder.with_name(f"{folder.name}-{number}") for number in itertools.count(2))
    return next(name for name in itertools.chain([folder], names) if not name.exists())


def cache_folder() -> Path:
    """Return where traces go that the user did not ask to keep: XDG_CACHE_HOME if it is absolute, else ~/.cache.

    A relative one is to be ignored: https://specifications.freedesktop.org/basedir-spec/0.8/.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "reproof" / "checks"


def remove_old(parent: Path) -> None:
    """Remove the oldest checks from the cache."""
    kept = sorted(path for path in parent.glob("*-*-*") if path.is_dir())
    for path in kept[: max(0, len(kept) - NUM_KEPT + 1)]:
        shutil.rmtree(path, ignore_errors=True)
