"""Start recorded runs in fresh processes and watch them."""

from __future__ import annotations

import itertools
import os
import secrets
import signal
import subprocess
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, Final, NoReturn

from reproof.entropy.rewriting.addresses import pin_addresses
from reproof.errors import TraceError
from reproof.hash_seed import MAX_HASH_SEED
from reproof.launch.experiments import write_experiment
from reproof.launch.folders import FolderChange, State, find_changes, read_state
from reproof.launch.orphans import Orphans
from reproof.launch.stalls import StallWatch
from reproof.launch.start import start_command
from reproof.launch.stdin import opened_for_run
from reproof.outputs.late import read_late
from reproof.schema import PROCESSES
from reproof.trace import count_recorded_steps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from reproof.entropy.plan import Plan
    from reproof.launch.stdin import StandardInput
    from reproof.schema import Level, Probes

POLL_SECONDS: Final = 0.1
GRACE_SECONDS: Final = 10.0
"""How long a run may take to end after Ctrl-C before it is killed."""

MAX_WATCHED: Final = 8
"""Processes of a run that are looked at for its progress, besides the first."""

ABOUT_TRACE: Final = "reproof: the trace "
"""Start of the line by which `reproof run` says that a trace is incomplete; a comparison says so itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What to run in a fresh process, and what to record of it.

    Attributes:
        command: A script, ``-m`` and a module, or ``--`` and a program, and its arguments.
        num_steps: Stop after so many optimizer steps, or None.
        options: Further options of `reproof run`.
        hash_seed: PYTHONHASHSEED of the process, or None to leave it as it is.
        environment: Variables to add to those of this process, or to replace.
        plan: What is replayed and pinned of the sources of entropy, or None to leave them as they are.
        probes: What is recorded beyond the level, or None.
        shows_output: Whether the script writes to this terminal, rather than to a file beside the trace.
        confinement: Words before the command that start it so that it writes to nothing of the user's.
        stdin: What it reads from standard input; None for nothing.
        patience_seconds: It is ended if it records nothing for so long; None for never.
    """

    command: tuple[str, ...]
    folder: Path
    trace: Path
    level: Level
    num_steps: int | None = None
    options: tuple[str, ...] = ()
    hash_seed: int | None = None
    environment: dict[str, str] = field(default_factory=dict)
    plan: Plan | None = None
    probes: Probes | None = None
    shows_output: bool = False
    confinement: tuple[str, ...] = ()
    stdin: StandardInput | None = None
    patience_seconds: float | None = None

    @property
    def experiment(self) -> Path | None:
        """Where the process finds plan and probes, if there are any."""
        is_plain = self.plan is None and self.probes is None
        return None if is_plain else self.trace.with_name(f"{self.trace.name}.experiment.json")

    @property
    def output(self) -> Path:
        """Where the script's standard output goes."""
        return self.trace.with_name(f"{self.trace.name}.output.txt")

    @property
    def errors(self) -> Path:
        """Where its standard error goes: apart, because two streams in one file cut each other's lines."""
        return self.trace.with_name(f"{self.trace.name}.errors.txt")


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedRun:
    """A run that has ended.

    Attributes:
        exit_code: Exit code of its process; negative for a signal.
        changes: What it changed in its working folder.
        output: File with what it printed, or None if it was shown.
        errors: File with what it wrote to standard error, or None if that was shown.
        stall: Why it was ended, as it would never have ended by itself; None for most.
    """

    trace: Path
    exit_code: int
    seconds: float
    changes: FolderChange
    output: Path | None
    errors: Path | None = None
    stall: str | None = None

    def last_lines(self, count: int = 5) -> list[str]:
        """Return the last lines that the run printed, without the recorder's own line about the trace."""
        lines: list[str] = []
        for path in (self.output, self.errors):  # the end of what went wrong is the end of all
            if path is not None and path.is_file():
                lines += path.read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
        return [line for line in lines if not line.startswith(ABOUT_TRACE)][-count:]


def open_private(path: Path) -> BinaryIO:
    """Create a file that its owner alone may read: what a script prints may hold credentials."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def draw_hash_seed(*, is_forced: bool = False) -> int | None:
    """Return a hash seed for one run: random, or None if the user has set one for all runs and it is not forced."""
    is_set = os.environ.get("PYTHONHASHSEED", "random") != "random"
    return None if is_set and not is_forced else secrets.randbelow(MAX_HASH_SEED + 1)


class RunProcess:
    """A run in a fresh process.

    Attributes:
        is_interrupted: Whether it was ended before its end.
    """

    is_interrupted = False

    def __init__(self, request: RunRequest) -> None:
        """Start the process. Effects: creates the file for its output; whatever the script does."""
        self.request = request
        self._before = self._read_state()
        self._start = time.monotonic()
        self._stalls = StallWatch(request.trace, patience_seconds=request.patience_seconds)
        self._stall: str | None = None
        environment = {**os.environ, **request.environment}
        if request.experiment is not None:
            write_experiment(request.experiment, request.plan, request.probes)
        if request.hash_seed is not None:
            environment["PYTHONHASHSEED"] = str(request.hash_seed)
        paths = () if request.shows_output else (request.output, request.errors)
        self._files = tuple(map(open_private, paths))
        pins_addresses = request.plan is not None and request.plan.pins_addresses
        with opened_for_run(request.stdin) as stdin:
            self._process = subprocess.Popen(  # noqa: S603  # the user's own script
                process_arguments(request),
                cwd=request.folder,
                env=environment,
                stdin=stdin,
                stdout=self._files[0] if self._files else None,
                stderr=self._files[1] if self._files else None,
                preexec_fn=pin_addresses if pins_addresses else None,  # noqa: PLW1509  # no thread of ours holds a lock
            )

    @property
    def number(self) -> int:
        """Number of the process."""
        return self._process.pid

    @property
    def num_steps(self) -> int:
        """Steps recorded so far, by the process that took the most."""
        trace = self.request.trace
        try:
            with os.scandir(trace / PROCESSES) as entries:
                children = [trace / PROCESSES / entry.name for entry in itertools.islice(entries, MAX_WATCHED)]
        except OSError:  # most runs have none
            children = []
        return max(map(count_recorded_steps, (trace, *children)))

    @property
    def seconds(self) -> float:
        """Time since the start."""
        return time.monotonic() - self._start

    def has_ended(self) -> bool:
        """Whether the process has ended. Raises UsageError if it reads more from standard input than can be kept."""
        if self.request.stdin is not None:
            self.request.stdin.check()
        if self._process.poll() is None and (stall := self._stalls.find_stall()) is not None:
            self._stall = stall
            self.interrupt()
        return self._process.poll() is not None

    def finish(self) -> FinishedRun:
        """Wait for the end and return the result."""
        exit_code = self._process.wait()
        seconds = self.seconds
        self._close_files()
        with suppress(OSError, TraceError):  # what is not known stays marked as that
            read_late(self.request.trace, self.request.folder, is_placed=bool(self.request.confinement))
        return FinishedRun(
            trace=self.request.trace,
            exit_code=exit_code,
            seconds=seconds,
            changes=find_changes(self._before, self._read_state()),
            output=self.request.output if self._files else None,
            errors=self.request.errors if self._files else None,
            stall=self._stall,
        )

    def _close_files(self) -> None:
        for file in self._files:
            file.close()

    def _read_state(self) -> State | None:
        """Return the state of the working folder without the traces, which are not output of the script."""
        return read_state(self.request.folder, without=self.request.trace.parent)

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    def interrupt(self) -> None:
        """End the process as Ctrl-C does, so that its trace is closed; kill it if that takes too long."""
        self.is_interrupted = True
        try:
            # The terminal has sent the signal already, unless this process alone was signalled.
            self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(timeout=GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._close_files()


def process_arguments(request: RunRequest) -> list[str]:
    """Return the command line of the fresh process."""
    start = [*start_command("reproof.cli", replaces_first=True), "run"]
    limit = [] if request.num_steps is None else ["--steps", str(request.num_steps)]
    experiment = [] if request.experiment is None else ["--experiment", str(request.experiment)]
    options = ["-o", str(request.trace), "--level", request.level, *limit, *experiment, *request.options]
    return [*request.confinement, *start, *options, *request.command]


def run_all(
    requests: Sequence[RunRequest], *, num_jobs: int = 1, watch: Callable[[list[RunProcess]], None] = lambda _: None
) -> list[FinishedRun]:
    """Run processes, at most `num_jobs` at a time, and return them in the order of the requests.

    `watch` is called several times a second with those under way. Raises UsageError if a run reads more from standard
    input than can be kept. Effects: on Ctrl-C, SIGTERM or SIGHUP all processes are ended first, their traces closed.
    """
    waiting = list(enumerate(requests))
    under_way: dict[int, RunProcess] = {}
    finished: dict[int, FinishedRun] = {}
    with signals_as_exit():
        try:
            while waiting or under_way:
                while waiting and len(under_way) < num_jobs:
                    number, request = waiting.pop(0)
                    under_way[number] = RunProcess(request)
                watch(list(under_way.values()))
                time.sleep(POLL_SECONDS)
                for number in [number for number, process in under_way.items() if process.has_ended()]:
                    run = under_way.pop(number)
                    Orphans.end([process.number for process in under_way.values()])
                    finished[number] = run.finish()
        finally:
            end_all(list(under_way.values()))
            Orphans.end(grace_seconds=0)
    return [finished[number] for number in sorted(finished)]


def end_all(processes: list[RunProcess]) -> None:
    """Interrupt processes so that their traces are closed; if that is interrupted as well, kill them."""
    try:
        for process in processes:
            process.interrupt()
    except BaseException:
        for process in processes:
            process.kill()
        raise


@contextmanager
def signals_as_exit() -> Iterator[None]:
    """Turn SIGTERM and SIGHUP into `SystemExit`, so that the runs of this process are ended with it.

    Effects: sets handlers of both signals within the context, unless the program has its own.
    """
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set handlers
        yield
        return
    signals = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    replaced = [number for number in signals if signal.getsignal(number) == signal.SIG_DFL]
    for number in replaced:
        signal.signal(number, _exit_by_signal)
    try:
        yield
    finally:
        for number in replaced:
            signal.signal(number, signal.SIG_DFL)


def _exit_by_signal(number: int, _frame: object) -> NoReturn:
    raise SystemExit(128 + number)
