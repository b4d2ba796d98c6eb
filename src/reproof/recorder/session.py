"""Open and close a recording; what happens in between is seen by hooks (`hooks`).

Importing this module does not import PyTorch, so that `reproof run` can wait for the script to do it: a script that
sets `OMP_NUM_THREADS` before `import torch` must find the same PyTorch as without us.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib
import os
import sys
import threading
import uuid
import warnings
import weakref
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from reproof.entropy.handled import is_by_handler
from reproof.entropy.process import Taps
from reproof.environment import collect_environment, collect_torch_environment
from reproof.errors import RecordingError, UsageError
from reproof.recorder.artifacts.paths import Artifacts
from reproof.recorder.context import BESIDE
from reproof.recorder.frames import FrameBuilder
from reproof.recorder.options import RecordingOptions
from reproof.recorder.outputs.capture import OutputCapture
from reproof.recorder.patches import Patches
from reproof.recorder.problems import Problems, describe_error
from reproof.recorder.surroundings import name_rank, rank_of_process, require_torch, world_size
from reproof.recorder.trainings import ThreadState
from reproof.schema import LEVELS, RunHeader
from reproof.trace import TraceWriter
from reproof.trace.writer import cannot_write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import CodeType, TracebackType

    from reproof.entropy.plan import Plan
    from reproof.recorder.context import Context
    from reproof.recorder.outputs.printing import PrintedLines
    from reproof.schema import Level, Origin


DEFAULTS: Final = RecordingOptions()
OUTPUT: Final = "output"
"""What a problem with the capture of output is reported as."""


def record(
    folder: str | os.PathLike[str],
    *,
    level: Level = "steps",
    num_batches: int | None = None,
    statistics: bool = False,
    artifacts: Sequence[str] = (),
    force: bool = False,
) -> Recording:
    """Record what happens inside a `with` block: ``with reproof.record("runs/a"): train()``.

    Args:
        folder: Folder of the trace; created, and refused if it holds anything.
        level: How much is recorded: ``batches`` for what the loaders deliver, ``steps`` for everything that a training
            step makes of it, ``modules`` for the inputs and outputs of every module besides, ``ops`` for every
            operation.
        num_batches: Record only so many batches of each loader; None for all.
        statistics: Keep sum, mean, standard deviation, minimum, maximum and L2 norm of each floating-point tensor, so
            that traces can be compared within a tolerance.
        artifacts: Patterns of files that are compared as they are when the block ends, such as ``("ckpt/*.pt",)``.
        force: Replace an older trace in `folder`.

    Returns:
        The recording, to be used as a context manager.

    Raises:
        UsageError: If an argument cannot be carried out.

    Effects:
        Inside the block, functions of `torch.utils.data`, `torch.autograd` and `torch.optim` are hooked. No random
        number is drawn and no result changes.
    """
    options = RecordingOptions(level=level, num_batches=num_batches, statistics=statistics)
    return Recording(folder, options, artifacts=artifacts, force=force)


class Recording:
    """A recording in this process.

    Attributes:
        place: The folder as an absolute path, once the trace is open.
        frames: The frame under way, once the trace is open.
        context: What the hooks share, once PyTorch is imported; None before.
        taps: What writes the ledger, if anything does.
    """

    place: Path
    frames: FrameBuilder

    def __init__(
        self,
        folder: str | os.PathLike[str],
        options: RecordingOptions = DEFAULTS,
        *,
        artifacts: Sequence[str] = (),
        force: bool = False,
        captures_output: bool = False,
        origin: Origin | None = None,
    ) -> None:
        """Prepare a recording; nothing is created before `open`.

        Raises UsageError if an option cannot be carried out.
        """
        if options.level not in LEVELS:
            raise UsageError(f"level {options.level!r} is unknown", f"choose one of {', '.join(LEVELS)}")
        if options.num_batches is not None and options.num_batches < 1:
            raise UsageError(
                f"num_batches is {options.num_batches}", "give a number of 1 or more, or leave it out for all"
            )
        self.folder = Path(folder)
        self.context: Context | None = None
        self._options = options
        self._artifacts = Artifacts(artifacts)
        self._force = force
        self._captures_output = captures_output and options.level != "batches"
        self._origin = origin
        self._patches = Patches()
        self._problems = Problems(lambda: self.frames.step)
        self.guard = self._problems.guard
        self.add_problem = self._problems.add
        self._thread = ThreadState(threading.get_ident())
        self._waiting: list[Callable[[Context], None]] = []
        self._writer: TraceWriter | None = None
        self._outputs: OutputCapture | None = None
        self.taps: Taps | None = None

    def open(self) -> None:
        """Create the trace. Raises RecordingError if the folder cannot be used."""
        options = self._options
        header = RunHeader(
            run_id=uuid.uuid4().hex,
            status="running",
            level=options.level,
            command=options.command,
            num_batches=options.num_batches,
            num_steps=options.num_steps,
            statistics=options.statistics,
            created=datetime.datetime.now().astimezone().isoformat(),
            environment=(
                collect_environment(options.command) if self._origin is None else {"process": {"pid": os.getpid()}}
            ),
            num_ranks=world_size() if self._origin is None else 1,
            origin=self._origin,
        )
        self._artifacts.note_folder()
        rank = rank_of_process() if self._origin is None else 0
        self._writer = TraceWriter(self.folder, header, rank=rank, force=self._force)
        self.place = self._writer.folder = self.folder.absolute()  # the script may change its working folder
        self.frames = FrameBuilder(self._writer.writer, self._on_full)
        if self._captures_output:
            with self.guard(OUTPUT):
                self._outputs = OutputCapture(
                    self._writer.folder, self._writer.rank, self._problems, lambda: self.frames.step
                )
        ACTIVE.add(self)

    def tap_entropy(self, plan: Plan) -> None:
        """Write a ledger of what the outside world lets into this process and its children.

        Effects: as `reproof.entropy.process.Taps`; the taps stay for the life of the process.
        """
        if self._outputs is not None and plan.baseline is not None:
            with self.guard(OUTPUT):
                self._outputs.take_surroundings_of(Path(plan.baseline))
        if self._outputs is not None:
            plan = replace(plan, passed=self._outputs.passed)
        self.taps = Taps(self.folder, str(rank_of_process()), plan, lambda: self.frames.num_events)
        if self._outputs is not None:
            self._outputs.note_written = self.taps.written.note
            self.taps.written.on_move = self._outputs.note_move
            self.taps.written.on_stream = self._outputs.note_stream
            self.taps.written.on_function = self._outputs.printed.note_function

    @property
    def options(self) -> RecordingOptions:
        """How the processes are recorded that this one starts."""
        places = None if self._outputs is None else self._outputs.places
        return replace(self._options, folder=str(self.place), places=places)

    @property
    def printed(self) -> PrintedLines | None:
        """What the script prints, if that is recorded."""
        return None if self._outputs is None else self._outputs.printed

    def recompile(self, code: CodeType) -> CodeType:
        """Return the code of the script as an experiment wants it; as it is, in all other runs."""
        return code if self.taps is None else self.taps.recompile(code)

    @property
    def is_open(self) -> bool:
        """Whether the trace is being written by this process; false in a forked child."""
        return self._writer is not None

    @property
    def is_active(self) -> bool:
        """Whether hooks record; false before PyTorch is imported, after the end, and in forked children."""
        return self.context is not None and self.context.is_active

    def install(self, *, is_new: bool = False) -> None:
        """Hook PyTorch, which must be importable. Effects: replaces functions of PyTorch until `close`.

        If it `is_new`, imported this very moment, there is no model or optimizer yet, and none is looked for.
        """
        writer = self._writer
        if writer is None:  # a forked child imports PyTorch
            return
        from reproof.recorder.hooks import install_hooks, install_probes, make_context

        context = self.context = make_context(
            folder=writer.folder,
            levels=frozenset(LEVELS[: LEVELS.index(self._options.level) + 1]),
            num_batches=self._options.num_batches,
            statistics=self._options.statistics,
            frames=self.frames,
            patches=self._patches,
            problems=self._problems,
            thread=self._thread,
        )
        if self.taps is not None:
            context.on_step.append(self.taps.begin_step)
        install_hooks(context, is_new=is_new)
        self._artifacts.prepare()
        install_probes(context, self._options.probes, writer.header.run_id, writer.rank)
        context.on_step.append(self._write_findings)
        context.on_step.append(self._stop_after_last)
        context.is_active = True
        while self._waiting:
            with self.guard("logged value"):
                self._waiting.pop(0)(context)

    def await_torch(self, action: Callable[[Context], None]) -> None:
        """Have something done with the context as soon as PyTorch is there: the script has not imported it yet."""
        self._waiting.append(action)

    def import_torch(self, status: str) -> None:
        """Import PyTorch for a script that has ended without it, if logged values or artifacts wait for it.

        The status is as for `close`, which comes too late: Python is then half shut down. Effects: imports PyTorch,
        upon which `reproof run` calls `install`.
        """
        if self._awaits_torch(status):
            with self.guard("artifacts and logged values"):
                importlib.import_module("torch")

    def _awaits_torch(self, status: str) -> bool:
        is_awaited = bool(self._waiting or self._artifacts.patterns)
        return is_awaited and self.is_open and not self.is_active and status == "complete"

    def close(self, status: str, ended: str | None = None, exit_code: int | None = None) -> None:
        """Take the hooks out and close the trace. Closing twice does nothing.

        The status is ``complete``, ``failed`` or ``interrupted``; `ended` says in words how the run ended, if not by
        itself.
        """
        if self._writer is None:
            return
        if self._outputs is not None:
            self._outputs.stop()
        if self._awaits_torch(status):
            self.add_problem("artifacts and logged values not recorded: PyTorch was never imported")
        context = self.context if self.is_active else None
        if context is not None:
            self._record_end(context)
        self._patches.restore()
        ACTIVE.discard(self)
        if context is not None:
            self._record_rest(context, status, self._writer.rank)
        self._close_taps()
        self._close_outputs()
        writer, self._writer = self._writer, None
        writer.close()
        if writer.rank == 0:
            self._write_outcome(writer, status, ended, exit_code)

    def _record_end(self, context: Context) -> None:
        """Record what is still under way and, if the training went to its end, what it has left."""
        for finish in context.on_end:
            finish()
        if not self._has_all_steps:
            with self.guard(BESIDE):
                context.background.place_rest()
                context.trainings.place_rest()
            for record_left in context.on_complete:
                record_left()
        context.is_active = False

    def _record_rest(self, context: Context, status: str, rank: int) -> None:
        """Record the artifacts: no hook is in place any more."""
        if rank == 0:  # one process looks at what all have left
            with self.guard("artifacts"):
                self._artifacts.record_at_end(context, status)
        self.frames.finish()

    def _close_outputs(self) -> None:
        if self._outputs is None:
            return
        with self.guard(OUTPUT):
            self._outputs.take_names(self.place)
            self._outputs.close(is_whole=not self._has_all_steps)
            if self.taps is not None:
                self.taps.written.on_late = self._outputs.late.add

    def _close_taps(self) -> None:
        if self.taps is None:
            return
        with self.guard("entropy"):
            self.taps.close()
        if self.taps.problem is not None:
            self.add_problem(self.taps.problem)

    def _write_findings(self, _step: int = 0) -> None:
        """Write into the header what is known of other processes by now: this one may be killed."""
        context, writer = self.context, self._writer
        if context is None or writer is None or writer.rank != 0:
            return
        header = writer.header
        if (len(header.parallel), len(header.remarks)) != (len(context.parallel), len(context.remarks)):
            with self.guard("header"):
                writer.write_header(replace(header, parallel=tuple(context.parallel), remarks=tuple(context.remarks)))

    def _write_outcome(self, writer: TraceWriter, status: str, ended: str | None, exit_code: int | None) -> None:
        """Write the header again, with how the run ended and what is known of the environment by now."""
        environment = dict(writer.header.environment)
        with self.guard("environment"):
            environment |= collect_torch_environment() if self._origin is None else {}
        header = replace(
            writer.header,
            status=status,
            ended=ended,
            exit_code=exit_code,
            problems=self.problems,
            environment=environment,
            origin=None if self._origin is None else name_rank(self._origin),
            parallel=() if self.context is None else tuple(self.context.parallel),
            remarks=() if self.context is None else tuple(self.context.remarks),
        )
        try:
            writer.write_header(header)
        except OSError as error:
            self._on_full(error)

    @property
    def problems(self) -> tuple[str, ...]:
        """Evidence that could not be taken, one line per kind of problem."""
        return self._problems.lines

    def _stop_after_last(self, _step: int) -> None:
        """End the training after the last of the steps that were asked for."""
        if self._has_all_steps and self.is_open:
            self.close("complete", exit_code=0)
            stop_process()

    @property
    def _has_all_steps(self) -> bool:
        """Whether the training is ended after the steps that were asked for: what is not waited for is cut off."""
        return self._options.num_steps is not None and self.frames.step >= self._options.num_steps

    def deactivate_after_fork(self) -> None:
        """Record nothing in a forked child: a worker's batches are seen where the training loop receives them."""
        if self.context is not None:
            self.context.is_active = False
            for deactivate in self.context.on_fork:
                deactivate()
        self._writer = None
        self._outputs = None

    def _on_full(self, error: OSError) -> None:
        if is_by_handler(error):
            problem = f"the trace ends where a signal came while it was written: {describe_error(error)}"
        else:
            problem = str(cannot_write(self.folder, error))
        self.add_problem(problem)
        if not self._options.command:  # `reproof run` says it when the script has ended
            with contextlib.suppress(RuntimeWarning):  # raised where the script makes warnings errors
                warnings.warn(f"reproof: {problem}; the training goes on", RuntimeWarning, stacklevel=2)

    def __enter__(self) -> Recording:  # noqa: PYI034  # not meant to be derived from
        """Start recording.

        Raises DependencyError if PyTorch is not installed and RecordingError if the trace cannot be created.
        """
        require_torch()
        if self._writer is not None or self.is_active:
            raise RecordingError(f"{self.folder} is being recorded", "make a new recording for another run")
        self.open()
        try:
            self.install()
        except BaseException:
            self.close("failed", "the recording could not start")
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop recording; an exception of the block is passed on and the trace marked incomplete."""
        if error is None or is_clean_exit(error):
            self.close("complete")
        elif isinstance(error, KeyboardInterrupt):
            self.close("interrupted", "the run was interrupted")
        else:
            self.close("failed", f"the run raised {describe_error(error)}")


def stop_process() -> NoReturn:
    """End a training that has done the steps that were asked for, as if its script had called `sys.exit()`."""
    if threading.current_thread() is threading.main_thread():
        raise SystemExit(0)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # SystemExit would end this thread alone


ACTIVE: weakref.WeakSet[Recording] = weakref.WeakSet()
"""Recordings of this process that are under way."""


def _after_fork_in_child() -> None:
    for recording in list(ACTIVE):
        recording.deactivate_after_fork()
    ACTIVE.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


def is_clean_exit(error: BaseException) -> bool:
    """Whether an exception is a `sys.exit` that the shell takes for success."""
    if not isinstance(error, SystemExit):
        return False
    return error.code is None or (isinstance(error.code, int) and error.code & 0xFF == 0)
