"""Record operations for a window of steps: enter the dispatch mode, and keep track of the module under way."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import torch

from reproof.recorder.probes.modes import enter_mode, leave_mode
from reproof.recorder.probes.op_mode import OpRecorder
from reproof.recorder.probes.op_sites import ModuleStack, OpSites
from reproof.recorder.probes.repetition import Repetition
from reproof.trace.format import MAX_STEP
from reproof.trace.op_writer import OpWriter
from reproof.trace.probes import RepetitionWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from reproof.recorder.context import Context
    from reproof.schema import Probes


class OperationHooks:
    """The hook that records operations for one recording, in the thread that started it."""

    def __init__(self, context: Context, probes: Probes, run_id: str, rank: int) -> None:
        """Create the file, and begin if the window begins at once.

        The run has the `run_id` of the header of the trace. Raises RecordingError if the file cannot be created.
        """
        self._problems = problems = context.problems
        self._first, self._last = probes.ops_steps or (0, MAX_STEP)
        self._stack = ModuleStack()
        self._sites = OpSites(context.registry, self._stack)
        self._writer = OpWriter(context.folder, rank, run_id)
        self._mode = OpRecorder(self._writer, self._sites, context.frames, problems)
        self._mode.keeps_values = probes.keeps_op_values and sys.byteorder == "little"
        if probes.repeats_ops:
            self._mode.repetition = Repetition(RepetitionWriter(context.folder, rank), problems)
        self._is_entered = False
        context.patches.replace(torch.nn.Module, "__call__", self._wrap_call)
        context.patches.on_restore(self._close)
        context.on_step.append(self._begin_step)
        context.on_fork.append(self._deactivate)
        self._begin_step(0)

    def _begin_step(self, step: int) -> None:
        """Record the operations of a step if it lies within the window; called when the one before has ended."""
        with self._problems.guard("operations"):
            self._writer.flush()
            self._sites.end_step()
            is_wanted = self._first <= step <= self._last
            if is_wanted and not self._mode.is_active:
                self._enter()
            elif not is_wanted:
                self._leave()

    def _enter(self) -> None:
        self._sites.start()
        self._mode.is_active = True
        if not self._is_entered:
            enter_mode(self._mode)
            self._is_entered = True

    def _leave(self) -> None:
        """Stop recording; below a mode that the user has entered since, our mode stays and passes everything on."""
        self._mode.is_active = False
        if self._is_entered and leave_mode(self._mode):
            self._is_entered = False

    def _close(self) -> None:
        """Stop recording and close the file."""
        self._leave()
        with self._problems.guard("operations"):
            self._writer.flush()
        self._writer.close()
        if self._mode.repetition is not None:
            with self._problems.guard("repetition"):
                self._mode.repetition.close()

    def _deactivate(self) -> None:
        """Record nothing in a forked child."""
        self._mode.is_active = False

    def _wrap_call(self, original: Callable[..., Any]) -> Callable[..., Any]:
        stack, mode = self._stack, self._mode  # looked up once, not in each call of a module

        def call(module: torch.nn.Module, *args: Any, **kwargs: Any) -> Any:
            if torch.compiler.is_compiling() or not mode.is_active:
                return original(module, *args, **kwargs)
            entries = stack.entries
            entries.append([module, None])
            try:
                return original(module, *args, **kwargs)
            finally:
                entries.pop()

        return call
